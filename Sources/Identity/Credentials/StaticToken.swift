internal import Crypto

/// A token that a user made to be used instead of a password, by a script for instance. Its text is shown once; kept is
/// its SHA-256, which gives nothing away, since the secret has 256 random bits.
public struct StaticToken: Hashable, Sendable {
    private static let prefix = "rondo_"

    /// Names the token; not secret.
    public let id: String
    /// What the user keeps.
    public let text: String

    /// A new token.
    public init() {
        id = TokenText.encode(base64URL: RandomBytes.make(9))
        text = Self.prefix + id + "." + TokenText.encode(base64URL: RandomBytes.make(32))
    }

    /// What is stored: SHA-256 of the text, in hexadecimal.
    public var hash: String { Self.hash(of: text) }

    /// The id in the text of a token, nil when it is no such token.
    public static func id(in text: String) -> String? {
        guard text.hasPrefix(prefix), text.utf8.count <= 128 else { return nil }
        let parts = text.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 12, parts[1].utf8.count == 43 else { return nil }
        return String(parts[0])
    }

    /// Whether a text is the token with this hash; takes as long either way.
    public static func matches(_ text: String, hash: String) -> Bool {
        TokenText.isEqual(Array(Self.hash(of: text).utf8), Array(hash.utf8))
    }

    private static func hash(of text: String) -> String {
        SHA256.hash(data: Array(text.utf8)).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
