internal import Crypto
internal import FoundationEssentials
public import Membership

/// A P-256 public key: what a node is.
public struct PublicKey: Hashable, Sendable {
    /// The point in compressed form: 33 bytes.
    public let compressed: [UInt8]
    /// The id of the node whose key this is: the first 16 bytes of SHA-256 over ``compressed``.
    public let id: NodeID
    let key: P256.Signing.PublicKey

    init(_ key: P256.Signing.PublicKey) {
        self.key = key
        compressed = Array(key.compressedRepresentation)
        id = Self.id(of: compressed)
    }

    /// A key from its compressed form.
    ///
    /// - Throws: ``IdentityError`` when the bytes are no point of the curve.
    public init(compressed: [UInt8]) throws(IdentityError) {
        // The first byte is looked at here because libraries differ in what else they take.
        guard compressed.count == 33, compressed[0] == 2 || compressed[0] == 3,
            let key = try? P256.Signing.PublicKey(compressedRepresentation: compressed)
        else { throw IdentityError(.malformed, "the public key is not a compressed point of the curve P-256") }
        self.init(key)
    }

    /// SHA-256 over the DER of the SubjectPublicKeyInfo, base64url without padding: 43 characters. A join token
    /// carries that of the cluster's authority.
    public var pin: String { ByteText.base64URL(SHA256.hash(data: key.derRepresentation)) }

    /// True when the key's owner made this signature (64 bytes, r and s) over these bytes.
    public func verifies(_ signature: [UInt8], over bytes: [UInt8]) -> Bool {
        guard signature.count == 64, let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
        else { return false }
        return key.isValidSignature(signature, for: bytes)
    }

    static func id(of compressed: [UInt8]) -> NodeID {
        let digest = ByteText.sha256(compressed)
        func half(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        return NodeID(high: half(digest[0..<8]), low: half(digest[8..<16]))
    }

    /// Equal points.
    public static func == (left: Self, right: Self) -> Bool { left.compressed == right.compressed }

    /// Hashes the point.
    public func hash(into hasher: inout Hasher) { hasher.combine(compressed) }
}
