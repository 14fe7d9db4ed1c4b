internal import HTTPGateway

extension GatewayRequest {
    /// The client's verified chain in DER, leaf first; empty without one. In the place of the gateway's own property,
    /// until listeners speak TLS.
    var peerCertificates: [[UInt8]] { [] }
}
