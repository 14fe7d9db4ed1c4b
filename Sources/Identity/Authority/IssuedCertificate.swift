public import ClusterModel

/// A certificate that the authority has just made.
public struct IssuedCertificate: Hashable, Sendable {
    /// What TLS shows, each in DER: the certificate, then the authority's, which joiners compare with their pin.
    public let chain: [[UInt8]]
    /// When it begins.
    public let notBefore: UnixTime
    /// When it ends.
    public let notAfter: UnixTime
    /// For gossip: the authority's word for the node's roles; empty in a certificate of an API.
    public let attestation: [UInt8]

    /// The chain in PEM.
    public var pem: [UInt8] { PEMText.text(certificates: chain) }
}
