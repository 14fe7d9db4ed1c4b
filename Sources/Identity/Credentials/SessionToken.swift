public import ClusterModel
internal import Crypto
internal import FoundationEssentials

/// The secrets that sessions are signed with: one in use and a few that are still believed.
///
/// Rotating puts a new key in use; sessions signed with an old one stay good until that key is pushed out, after
/// ``SessionKeys/limit`` rotations, or forgotten at once with ``forgetOld()``.
public struct SessionKeys: Hashable, Sendable, Codable {
    /// How many keys are believed at a time.
    public static let limit = 4

    struct Key: Hashable, Sendable, Codable {
        var id: String
        var secret: [UInt8]
    }

    /// The first is in use.
    private(set) var keys: [Key]

    /// One new key.
    public init() { keys = [Self.newKey()] }

    /// Puts a new key in use.
    public mutating func rotate() { keys = [Self.newKey()] + keys.prefix(Self.limit - 1) }

    /// Ends every session that was not signed with the key in use.
    public mutating func forgetOld() { keys = Array(keys.prefix(1)) }

    private static func newKey() -> Key {
        Key(id: TokenText.encode(base64URL: RandomBytes.make(6)), secret: RandomBytes.make(32))
    }

    /// Reads what ``encoded()`` gave.
    ///
    /// - Throws: ``CredentialError/malformed(_:)``.
    public init(encoded bytes: [UInt8]) throws(CredentialError) {
        guard let read = try? JSONDecoder().decode(SessionKeys.self, from: Data(bytes)),
            (1...Self.limit).contains(read.keys.count), read.keys.allSatisfy({ $0.secret.count == 32 })
        else { throw .malformed("they are not the keys of sessions") }
        self = read
    }

    /// The keys as bytes, which are secret: seal them before they are stored.
    public func encoded() -> [UInt8] { (try? JSONEncoder().encode(self)).map(Array.init) ?? [] }
}

/// What a user gets for logging in: a JSON web token with the claims `uid` and `exp` that clients of DC/OS read.
///
/// It is signed with HMAC-SHA256, since only masters verify it and a check takes microseconds.
public struct SessionToken: Hashable, Sendable {
    /// How long a session is good unless told otherwise: five days, as in DC/OS.
    public static let lifetime: Duration = .seconds(5 * 86_400)

    /// Whose session it is.
    public var user: String
    /// The version of the user's credentials when it began; a session ends when they change.
    public var version: Int
    /// When it ends by itself.
    public var expiresAt: UnixTime

    /// A session that has not been signed yet.
    public init(user: String, version: Int, expiresAt: UnixTime) {
        self.user = user
        self.version = version
        self.expiresAt = expiresAt
    }

    private struct Header: Encodable {
        var alg = "HS256"
        var kid: String
        var typ = "JWT"
    }

    private struct Claims: Encodable {
        var uid: String
        var exp: Int64
        var iat: Int64
        /// Chance, so that two sessions of the same second are two.
        var jti: String
        var ver: Int
    }

    /// The token's text.
    ///
    /// - Parameters:
    ///   - keys: the first of them signs.
    ///   - now: when it is issued.
    /// - Returns: three parts of base64url with dots between them.
    public func signed(with keys: SessionKeys, now: UnixTime) -> String {
        guard let key = keys.keys.first else { return "" }
        let claims = Claims(
            uid: user, exp: expiresAt.nanoseconds / 1_000_000_000, iat: now.nanoseconds / 1_000_000_000,
            jti: TokenText.encode(base64URL: RandomBytes.make(9)), ver: version)
        let text = Self.part(Header(kid: key.id)) + "." + Self.part(claims)
        return text + "." + TokenText.encode(base64URL: Self.code(Array(text.utf8), key))
    }

    /// Reads a token and believes it.
    ///
    /// - Parameters:
    ///   - text: what the client sent.
    ///   - keys: those that are believed.
    ///   - now: the time of day.
    /// - Throws: ``CredentialError``.
    public init(verifying text: String, with keys: SessionKeys, now: UnixTime) throws(CredentialError) {
        let token = try SignedToken(text)
        guard token.header.alg == "HS256" else { throw .wrongAlgorithm }
        guard let key = keys.keys.first(where: { $0.id == token.header.kid }) else { throw .unknownKey }
        guard TokenText.isEqual(Self.code(token.signed, key), token.signature) else { throw .badSignature }
        let claims = try token.claims()
        guard let version = claims.ver else { throw .malformed("the claim ver is missing") }
        try claims.check(now: now.seconds, lifetime: .infinity)
        user = claims.uid
        self.version = version
        expiresAt = UnixTime(seconds: claims.exp)
    }

    private static func part(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return TokenText.encode(base64URL: (try? encoder.encode(value)).map(Array.init) ?? [])
    }

    private static func code(_ bytes: [UInt8], _ key: SessionKeys.Key) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key.secret)))
    }
}
