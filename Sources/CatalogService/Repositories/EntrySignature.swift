internal import FoundationEssentials
public import Identity
public import Packages

/// A key that entries of a repository are signed with: ECDSA on P-256 with SHA-256.
public struct EntryKey: Hashable, Sendable {
    private let key: PublicKey

    /// The key as it is stored and shown: base64 of the point in compressed form, 44 characters.
    public var text: String { Data(key.compressed).base64EncodedString() }

    /// Reads ``text``; nil when it is no key.
    public init?(_ text: String) {
        guard text.utf8.count == 44, let bytes = Data(base64Encoded: text),
            let key = try? PublicKey(compressed: Array(bytes))
        else { return nil }
        self.key = key
    }

    /// The public half of a key for signing.
    public init(_ key: NodeKey) { self.key = key.publicKey }

    /// Whether an entry of a repository document is signed with this key in its `signature`.
    func verifies(_ entry: JSONObject) -> Bool {
        guard let text = entry[EntrySignature.field]?.text, text.utf8.count <= 128,
            let signature = Data(base64Encoded: text)
        else { return false }
        return key.verifies(Array(signature), over: EntrySignature.signed(entry))
    }
}

/// What a signature says about an entry of a repository: that it is this one, byte for byte after a fixed way of writing
/// it, whichever way it came.
public enum EntrySignature {
    /// The field of an entry that holds the signature, in base64: r and s, 32 bytes each.
    static let field = "signature"

    /// The signature of an entry.
    ///
    /// - Parameters:
    ///   - entry: the entry; a signature that it has is left out.
    ///   - key: who signs.
    /// - Returns: what goes into the field `signature`.
    /// - Throws: what the library of the key says.
    public static func sign(_ entry: JSONObject, with key: NodeKey) throws -> String {
        Data(try key.sign(signed(entry))).base64EncodedString()
    }

    /// The bytes that are signed: a line that says what this is, so that a signature means nothing elsewhere, and the
    /// entry in one form: no blanks, fields ordered by the bytes of their names, numbers as they were written.
    static func signed(_ entry: JSONObject) -> [UInt8] {
        var entry = entry
        entry[field] = nil
        return Array("rondo catalog entry 1\n".utf8) + JSON.object(entry).ordered.bytes
    }
}

extension JSON {
    /// The same with all fields ordered by the bytes of their names.
    fileprivate var ordered: JSON {
        switch self {
        case .list(let list): return .list(list.map(\.ordered))
        case .object(let object):
            var result = JSONObject()
            for field in object.fields.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
                result[field.name] = field.value.ordered
            }
            return .object(result)
        default: return self
        }
    }
}
