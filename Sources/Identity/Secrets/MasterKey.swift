internal import Crypto
internal import FoundationEssentials

/// The key that wraps the keys of everything kept secret at rest: 32 bytes, from a systemd credential, a file of the
/// operator's, or a file of mode 0600 beside the data.
public struct MasterKey: Sendable, CustomStringConvertible {
    /// Tells keys apart; not secret. Every envelope says which key wraps it.
    public let id: [UInt8]
    let key: SymmetricKey

    private init(bytes: [UInt8]) {
        key = SymmetricKey(data: bytes)
        id = Array(ByteText.sha256(Array("rondo-master-key-id".utf8) + bytes)[..<8])
    }

    /// A new key by chance.
    public init() { self.init(bytes: ByteText.random(32)) }

    /// Reads a key: 32 bytes as they are, or as text 64 hexadecimal digits or base64; a line end does not matter.
    ///
    /// - Throws: ``IdentityError`` for anything else.
    public init(parsing file: [UInt8]) throws(IdentityError) {
        guard let bytes = Self.bytes(in: file), Set(bytes).count > 1 else {
            throw IdentityError(
                .malformed,
                "the master key must be 32 bytes, 64 hexadecimal digits or 44 characters of base64, made by chance, "
                    + "for instance with `openssl rand -hex 32`")
        }
        self.init(bytes: bytes)
    }

    private static func bytes(in file: [UInt8]) -> [UInt8]? {
        guard file.count != 32 else { return file }
        guard file.count <= 128, var text = String(validating: file, as: UTF8.self)?[...] else { return nil }
        while let last = text.unicodeScalars.last, "\r\n\t ".unicodeScalars.contains(last) {
            text.unicodeScalars.removeLast()
        }
        if text.utf8.count == 64 { return ByteText.bytes(hex: text.lowercased()) }
        if text.utf8.count == 44, text.last == "=" { text.removeLast() }
        let plain = text.utf8.map { $0 == UInt8(ascii: "+") ? 0x2d : $0 == UInt8(ascii: "/") ? 0x5f : $0 }
        let bytes = ByteText.bytes(base64URL: String(decoding: plain, as: UTF8.self))
        return bytes?.count == 32 ? bytes : nil
    }

    /// The key as a line of 64 hexadecimal digits: the contents of a key file.
    public var text: [UInt8] { Array((ByteText.hex(key.withUnsafeBytes { Array($0) }) + "\n").utf8) }

    /// Which key it is, without the key.
    public var description: String { "master key \(ByteText.hex(id))" }
}
