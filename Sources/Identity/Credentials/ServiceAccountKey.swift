public import ClusterModel
internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials

/// The public key of a service account. The service keeps the private one and logs in, as services of DC/OS do, with a
/// JSON web token that it signs itself with RS256: claims `uid` and `exp`, and no password anywhere.
public struct ServiceAccountKey: Sendable {
    /// The longest text of a key in bytes.
    public static let textLimit = 4 << 10
    /// The lengths of keys that are taken, in bits.
    public static let bits = 2_048...8_192
    /// How long a login token may be good.
    public static let tokenLifetime: Duration = .seconds(5 * 86_400)

    private let key: _RSA.Signing.PublicKey

    /// Reads a public key.
    ///
    /// - Parameter pem: `-----BEGIN PUBLIC KEY-----` or `-----BEGIN RSA PUBLIC KEY-----` and so on.
    /// - Throws: ``CredentialError/badKey(_:)``.
    public init(pem: String) throws(CredentialError) {
        guard pem.utf8.count <= Self.textLimit else { throw .badKey("it is longer than \(Self.textLimit) bytes") }
        guard !pem.contains("PRIVATE KEY") else {
            throw .badKey("it is a private key; keep that secret, make another pair and give the public one")
        }
        let key: _RSA.Signing.PublicKey
        do { key = try _RSA.Signing.PublicKey(unsafePEMRepresentation: pem) } catch {
            throw .badKey("it is not an RSA public key in PEM form")
        }
        guard Self.bits.contains(key.keySizeInBits) else {
            throw .badKey(
                "it has \(key.keySizeInBits) bits; it must have \(Self.bits.lowerBound) to \(Self.bits.upperBound)")
        }
        self.key = key
    }

    /// Believes a login token, or says why not.
    ///
    /// - Parameters:
    ///   - text: what the service sent.
    ///   - user: whom it says it is; the token must say the same.
    ///   - now: the time of day.
    /// - Throws: ``CredentialError``.
    public func verify(_ text: String, of user: String, now: UnixTime) throws(CredentialError) {
        let token = try SignedToken(text)
        guard token.header.alg == "RS256" else { throw .wrongAlgorithm }
        let signature = _RSA.Signing.RSASignature(rawRepresentation: token.signature)
        guard
            key.isValidSignature(signature, for: SHA256.hash(data: token.signed), padding: .insecurePKCS1v1_5)
        else { throw .badSignature }
        let claims = try token.claims()
        guard claims.uid == user else { throw .wrongUser }
        try claims.check(now: now.seconds, lifetime: Self.tokenLifetime.inSeconds)
    }
}
