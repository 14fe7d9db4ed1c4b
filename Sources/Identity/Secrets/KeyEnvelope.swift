internal import Crypto
internal import FoundationEssentials

/// Keeps a value secret at rest: it is encrypted with a key of its own (AES-256-GCM), and that key with the master key.
/// So the master key can be replaced without touching the values, and an envelope opens only for the purpose and name
/// that it was made for: nobody who can write the store can put one secret in another's place.
///
/// Bytes: version (1), id of the master key (8), the wrapped key (12 nonce, 32, 16 tag), the value (12 nonce, …, 16
/// tag).
public enum KeyEnvelope {
    /// Longest value.
    public static let valueLimit = 1 << 20
    /// Bytes that an envelope has beyond its value.
    public static let overhead = header + wrapped + 28
    private static let version: UInt8 = 1
    private static let header = 9
    private static let wrapped = 60
    private static let nameLimit = 1_024

    /// Puts a value into an envelope.
    ///
    /// - Parameters:
    ///   - value: what is to be kept secret.
    ///   - purpose: what it is, such as `secret` or `authority-key`.
    ///   - name: which one it is.
    ///   - key: the master key.
    /// - Returns: the envelope.
    /// - Throws: ``IdentityError`` when the value or a name is too long.
    public static func seal(
        _ value: [UInt8], purpose: String, name: String, with key: MasterKey
    ) throws(IdentityError) -> [UInt8] {
        guard value.count <= valueLimit, purpose.utf8.count <= nameLimit, name.utf8.count <= nameLimit else {
            throw IdentityError(
                .oversized,
                "a secret has at most \(valueLimit) bytes, and its name \(nameLimit); keep larger things in files")
        }
        let valueKey = SymmetricKey(size: .bits256)
        let inner = try encrypt(value, valueKey, label: "rondo-value-v1", purpose, name)
        return try wrap(valueKey, purpose, name, with: key) + inner
    }

    /// Takes the value out of an envelope.
    ///
    /// - Parameters:
    ///   - envelope: what ``seal(_:purpose:name:with:)`` gave.
    ///   - purpose: what it must be.
    ///   - name: which one it must be.
    ///   - key: the master key.
    /// - Returns: the value.
    /// - Throws: ``IdentityError`` for an envelope of another key, purpose or name, or an altered one.
    public static func open(
        _ envelope: [UInt8], purpose: String, name: String, with key: MasterKey
    ) throws(IdentityError) -> [UInt8] {
        let valueKey = try unwrap(envelope, purpose, name, with: key)
        return try decrypt(envelope[(header + wrapped)...], valueKey, label: "rondo-value-v1", purpose, name)
    }

    /// Moves an envelope from one master key to another; the value stays as it is, and unread. One that is moved
    /// already stays as it is, so that an interrupted rotation can be run again.
    ///
    /// - Parameters:
    ///   - envelope: what ``seal(_:purpose:name:with:)`` gave.
    ///   - purpose: what it must be.
    ///   - name: which one it must be.
    ///   - old: the master key until now.
    ///   - new: the master key from now on.
    /// - Returns: the envelope for the new key.
    /// - Throws: ``IdentityError`` for an envelope of another key, purpose or name, or an altered one.
    public static func rewrap(
        _ envelope: [UInt8], purpose: String, name: String, from old: MasterKey, to new: MasterKey
    ) throws(IdentityError) -> [UInt8] {
        if isWrapped(envelope, by: new) {
            _ = try unwrap(envelope, purpose, name, with: new)
            return envelope
        }
        let valueKey = try unwrap(envelope, purpose, name, with: old)
        return try wrap(valueKey, purpose, name, with: new) + envelope[(header + wrapped)...]
    }

    /// True when the envelope says that this master key wraps it.
    public static func isWrapped(_ envelope: [UInt8], by key: MasterKey) -> Bool {
        envelope.count >= header && envelope[1..<header].elementsEqual(key.id)
    }

    private static func wrap(
        _ valueKey: SymmetricKey, _ purpose: String, _ name: String, with key: MasterKey
    ) throws(IdentityError) -> [UInt8] {
        let bytes = valueKey.withUnsafeBytes { Array($0) }
        return [version] + key.id + (try encrypt(bytes, key.key, label: "rondo-wrap-v1", purpose, name))
    }

    private static func unwrap(
        _ envelope: [UInt8], _ purpose: String, _ name: String, with key: MasterKey
    ) throws(IdentityError) -> SymmetricKey {
        guard envelope.count >= overhead, envelope.count <= overhead + valueLimit else {
            throw IdentityError(.malformed, "\(name.prefix(64)) is cut off or too long; restore it from a backup")
        }
        guard envelope[0] == version else {
            throw IdentityError(
                .malformed,
                "\(name.prefix(64)) was written by a newer version of Rondo, or is damaged; install that one")
        }
        guard isWrapped(envelope, by: key) else {
            throw IdentityError(
                .cannotOpen,
                "\(name.prefix(64)) is encrypted with master key \(ByteText.hex(envelope[1..<header])), and this node "
                    + "has \(ByteText.hex(key.id)); give the right one with --key-file")
        }
        let bytes = try decrypt(
            envelope[header..<header + wrapped], key.key, label: "rondo-wrap-v1", purpose, name)
        return SymmetricKey(data: bytes)
    }

    private static func encrypt(
        _ value: [UInt8], _ key: SymmetricKey, label: String, _ purpose: String, _ name: String
    ) throws(IdentityError) -> [UInt8] {
        guard
            let box = try? AES.GCM.seal(value, using: key, authenticating: context(label, purpose, name)),
            let bytes = box.combined
        else { throw .failed("encrypting") }
        return Array(bytes)
    }

    private static func decrypt(
        _ bytes: ArraySlice<UInt8>, _ key: SymmetricKey, label: String, _ purpose: String, _ name: String
    ) throws(IdentityError) -> [UInt8] {
        guard let box = try? AES.GCM.SealedBox(combined: bytes),
            let value = try? AES.GCM.open(box, using: key, authenticating: context(label, purpose, name))
        else {
            throw IdentityError(
                .cannotOpen,
                "\(name.prefix(64)) was altered, or was made for another purpose or name; restore it from a backup")
        }
        return Array(value)
    }

    /// What is authenticated beside the value. Each text comes after its length, so that no two lists are the same.
    private static func context(_ parts: String...) -> [UInt8] {
        parts.flatMap { part in
            [UInt8(truncatingIfNeeded: part.utf8.count >> 8), UInt8(truncatingIfNeeded: part.utf8.count)]
                + Array(part.utf8)
        }
    }
}
