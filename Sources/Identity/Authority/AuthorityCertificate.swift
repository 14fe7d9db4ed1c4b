public import ClusterModel
internal import SwiftASN1
internal import X509

/// The public half of a cluster's authority: what every node keeps, and all it needs to know its peers.
public struct AuthorityCertificate: Hashable, Sendable {
    /// The certificate in DER.
    public let der: [UInt8]
    /// The cluster's id, out of the certificate.
    public let clusterID: String
    /// The authority's name, for people; it holds the cluster's name.
    public let name: String
    /// Its key.
    public let publicKey: PublicKey
    /// When it begins.
    public let notBefore: UnixTime
    /// When it ends, and all that it signed with it.
    public let notAfter: UnixTime
    let read: ReadCertificate

    /// Reads an authority's certificate: self-signed, for an authority, and naming a cluster.
    ///
    /// - Throws: ``IdentityError`` for anything else.
    public init(der: [UInt8]) throws(IdentityError) {
        let shown = try ShownCertificate(der)
        guard let read = try shown.read(signedBy: shown.publicKey), read.isAuthority, read.isIssued(by: read),
            let clusterID = read.subject(.RDNAttributeType.organizationName), PeerName.isGood(clusterID: clusterID),
            let name = read.subject(.RDNAttributeType.commonName)
        else {
            throw IdentityError(
                .wrongUse, "the certificate is not that of a cluster's authority; copy ca.pem from a master again")
        }
        self.der = der
        self.clusterID = clusterID
        self.name = name
        publicKey = read.publicKey
        notBefore = read.notBefore
        notAfter = read.notAfter
        self.read = read
    }

    /// Reads an authority's certificate from PEM.
    ///
    /// - Throws: ``IdentityError`` for anything else.
    public init(pem: [UInt8]) throws(IdentityError) {
        let certificates = try PEMText.certificates(in: pem)
        guard certificates.count == 1 else {
            throw IdentityError(.malformed, "the file holds several certificates instead of the authority's alone")
        }
        try self.init(der: certificates[0])
    }

    /// The certificate in PEM.
    public var pem: [UInt8] { PEMText.text(certificates: [der]) }

    /// The pin of its key, as join tokens carry it.
    public var pin: String { publicKey.pin }

    /// Refuses an authority that is not valid now.
    func check(now: UnixTime) throws(IdentityError) {
        try read.check(
            "the certificate of the cluster's authority", now: now,
            onceExpired: "the cluster needs a new authority: `rondo cluster init` on a new data directory")
    }

    /// Equal in every byte.
    public static func == (left: Self, right: Self) -> Bool { left.der == right.der }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) { hasher.combine(der) }
}
