internal import Crypto

/// The SHA-256 of some bytes, which is their name: `sha256:` and 64 hexadecimal digits.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
    /// The digits, lower case.
    public let hex: String

    /// Reads `sha256:…`.
    ///
    /// Other algorithms are refused by name: no registry in use needs them, and each would be another way to name the
    /// same bytes.
    /// - Parameter text: the digest.
    /// - Throws: ``ImageError`` of code `image.invalid-name` or `image.unsupported`.
    public init(parsing text: String) throws(ImageError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw Self.bad(text) }
        guard parts[0] == "sha256" else {
            if parts[0] == "sha512" || parts[0] == "sha384" {
                throw ImageError(.unsupported, "the digest \(text.prefix(40))… is not of sha256, the only one here")
            }
            throw Self.bad(text)
        }
        guard let digest = Digest(hex: String(parts[1])) else { throw Self.bad(text) }
        self = digest
    }

    /// From 64 lower-case digits.
    init?(hex: String) {
        let digits = hex.utf8
        guard digits.count == 64, digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else {
            return nil
        }
        self.hex = hex
    }

    /// The digest of bytes.
    ///
    /// - Parameter bytes: what to name.
    public init(of bytes: [UInt8]) {
        self.init(SHA256.hash(data: bytes))
    }

    init(_ digest: SHA256.Digest) {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(64)
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        hex = String(decoding: text, as: UTF8.self)
    }

    private static func bad(_ text: String) -> ImageError {
        ImageError(.invalidName, "\"\(text.prefix(80))\" is no digest; a digest is sha256: and 64 lower-case digits")
    }

    /// The form that ``init(parsing:)`` reads.
    public var description: String { "sha256:" + hex }

    /// The first digits, enough for people.
    public var short: String { String(hex.prefix(12)) }

    /// Reads it as text.
    public init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    /// Writes it as text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// By their digits.
    public static func < (one: Digest, other: Digest) -> Bool { one.hex < other.hex }
}
