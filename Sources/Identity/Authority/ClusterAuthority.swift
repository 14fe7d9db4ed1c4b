public import ClusterModel
internal import Crypto
internal import FoundationEssentials
public import Membership
internal import SwiftASN1
internal import X509

/// The cluster's certificate authority, with its private key. Masters have one; its key is kept in a ``KeyEnvelope``.
public struct ClusterAuthority: Sendable {
    /// The authority's own certificate.
    public let certificate: AuthorityCertificate
    private let key: P256.Signing.PrivateKey

    /// How long an authority lasts unless told otherwise: ten years.
    public static let defaultLifetime = Duration.seconds(3_650 * 86_400)
    /// How long a node's certificate lasts unless told otherwise: a day.
    public static let nodeLifetime = Duration.seconds(86_400)
    /// How long an API's certificate lasts unless told otherwise: thirty days.
    public static let apiLifetime = Duration.seconds(30 * 86_400)
    /// Certificates begin this much earlier than they are made, for clocks that are behind.
    public static let backdating = Duration.seconds(300)

    /// Founds a cluster's authority, with a new key.
    ///
    /// - Parameters:
    ///   - clusterID: letters, digits and dashes, at most 64; it stands in every certificate.
    ///   - name: the cluster's name, for people; shortened where certificates allow less.
    ///   - now: the time.
    ///   - lifetime: how long it lasts.
    /// - Throws: ``IdentityError`` for an id that cannot stand in a certificate.
    public init(
        clusterID: String, name: String, now: UnixTime, lifetime: Duration = defaultLifetime
    ) throws(IdentityError) {
        guard PeerName.isGood(clusterID: clusterID) else {
            throw IdentityError(
                .notCertifiable, "the cluster's id must be 1 to 64 letters, digits and dashes, and is not")
        }
        let key = P256.Signing.PrivateKey()
        let times = Self.times(now: now, lifetime: lifetime, end: UnixTime(nanoseconds: .max))
        let shortName = Self.shortened(name)
        let der = try Self.make("the authority's certificate", times) {
            let subject = try DistinguishedName {
                OrganizationName(clusterID)
                CommonName("Rondo cluster \(shortName)")
            }
            let ownKey = Certificate.PublicKey(key.publicKey)
            return try Certificate(
                version: .v3, serialNumber: Self.serial(), publicKey: ownKey, notValidBefore: times.notBefore.date,
                notValidAfter: times.notAfter.date, issuer: subject, subject: subject,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: ownKey)
                },
                issuerPrivateKey: Certificate.PrivateKey(key))
        }
        self.key = key
        certificate = try AuthorityCertificate(der: der)
    }

    /// The authority out of what a master kept.
    ///
    /// - Parameters:
    ///   - certificate: its certificate.
    ///   - privateKey: what ``privateKey`` gave.
    /// - Throws: ``IdentityError`` when the key is unreadable or another one's.
    public init(certificate: AuthorityCertificate, privateKey: [UInt8]) throws(IdentityError) {
        guard let key = try? NodeKey(pem: privateKey), key.publicKey == certificate.publicKey else {
            throw IdentityError(
                .keyMismatch, "the authority's key does not belong to its certificate; restore both from one backup")
        }
        self.key = key.key
        self.certificate = certificate
    }

    /// The private key: PKCS#8 in PEM. Whoever has it is the cluster.
    public var privateKey: [UInt8] { Array((key.pemRepresentation + "\n").utf8) }

    /// The cluster's id.
    public var clusterID: String { certificate.clusterID }

    /// The pin for join tokens.
    public var pin: String { certificate.pin }

    /// Says for gossip that a node has roles: the node's key, the end, and the authority's signature over both, the
    /// roles and the cluster.
    ///
    /// - Throws: ``IdentityError`` for roles that there are not.
    public func attestation(
        for publicKey: PublicKey, roles: NodeRoles, notAfter: UnixTime
    ) throws(IdentityError) -> [UInt8] {
        guard roles.isCertifiable, notAfter.wholeSeconds > 0 else {
            throw IdentityError(.notCertifiable, "a node is an agent, a master or both, and for a time to come")
        }
        let end = UInt64(notAfter.wholeSeconds)
        let said = NodeAttestation.said(cluster: clusterID, id: publicKey.id, roles: roles, notAfter: end)
        guard let signature = try? key.signature(for: said) else { throw .failed("signing") }
        return NodeAttestation(key: publicKey.compressed, notAfter: end, signature: Array(signature.rawRepresentation))
            .bytes
    }

    // MARK: parts of certificates

    typealias Times = (notBefore: UnixTime, notAfter: UnixTime)

    static func times(now: UnixTime, lifetime: Duration, end: UnixTime) -> Times {
        let held = min(max(lifetime, .seconds(1)), .seconds(100 * 365 * 86_400))
        let whole = UnixTime(wholeSeconds: now.wholeSeconds)
        return (whole + (.zero - backdating), min(UnixTime(wholeSeconds: (whole + held).wholeSeconds), end))
    }

    static func make(
        _ what: String, _ times: Times, _ body: () throws -> Certificate
    ) throws(IdentityError) -> [UInt8] {
        do {
            var serializer = DER.Serializer()
            try serializer.serialize(try body())
            return serializer.serializedBytes
        } catch { throw .failed("making \(what)") }
    }

    /// A hundred and twenty-eight bits by chance, kept positive and of one length.
    static func serial() -> Certificate.SerialNumber {
        var bytes = ByteText.random(16)
        bytes[0] = bytes[0] & 0x7f | 0x40
        return Certificate.SerialNumber(bytes: bytes)
    }

    /// A common name may have 64 characters, and these follow fourteen others.
    private static func shortened(_ name: String) -> String {
        var (text, count) = ("", 0)
        for scalar in name.unicodeScalars.prefix(50) where scalar.value >= 0x20 && scalar.value != 0x7f {
            count += 1
            text.unicodeScalars.append(scalar)
        }
        return count == 0 ? "rondo" : text
    }

    var signer: Certificate.PrivateKey { Certificate.PrivateKey(key) }
}

/// The bytes of an attestation, and what its signature says.
struct NodeAttestation: Hashable {
    let key: [UInt8]
    let notAfter: UInt64
    let signature: [UInt8]

    static let size = 33 + 8 + 64

    init(key: [UInt8], notAfter: UInt64, signature: [UInt8]) {
        self.key = key
        self.notAfter = notAfter
        self.signature = signature
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.size else { return nil }
        self.init(
            key: Array(bytes[..<33]), notAfter: bytes[33..<41].reduce(0) { $0 << 8 | UInt64($1) },
            signature: Array(bytes[41...]))
    }

    var bytes: [UInt8] { key + Self.bytes(notAfter) + signature }

    /// Only the cluster's id has no fixed length, so no two statements have the same bytes.
    static func said(cluster: String, id: NodeID, roles: NodeRoles, notAfter: UInt64) -> [UInt8] {
        Array("rondo-attest-v1".utf8) + Array(cluster.utf8) + id.bytes + [roles.rawValue] + bytes(notAfter)
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
    }
}
