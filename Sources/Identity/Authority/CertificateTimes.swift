public import ClusterModel

/// From when until when a certificate counts.
public struct CertificateTimes: Hashable, Sendable {
    /// Its beginning, as it says itself.
    public let notBefore: UnixTime
    /// Its end.
    public let notAfter: UnixTime

    /// Times that are known.
    public init(notBefore: UnixTime, notAfter: UnixTime) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// Reads the times of a certificate of this node's own; whether it is good is another question.
    ///
    /// - Parameter certificate: in DER.
    /// - Throws: ``IdentityError`` for bytes that are no certificate.
    public init(certificate: [UInt8]) throws(IdentityError) {
        let read = try ShownCertificate(certificate).readUnverified()
        notBefore = read.notBefore
        notAfter = read.notAfter
    }
}
