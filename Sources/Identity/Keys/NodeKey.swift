internal import Crypto
internal import FoundationEssentials
public import Membership

/// A node's private key. Whoever has it is the node, so its file has mode 0600 and never leaves the machine.
public struct NodeKey: Sendable {
    /// Its public half.
    public let publicKey: PublicKey
    let key: P256.Signing.PrivateKey

    /// The id of the node.
    public var id: NodeID { publicKey.id }

    private init(_ key: P256.Signing.PrivateKey) {
        self.key = key
        publicKey = PublicKey(key.publicKey)
    }

    /// A new key by chance.
    public init() { self.init(P256.Signing.PrivateKey()) }

    /// A key from what ``pem`` gave.
    ///
    /// - Throws: ``IdentityError`` when the bytes hold something else.
    public init(pem: [UInt8]) throws(IdentityError) {
        guard pem.count <= PEMText.limit, let text = String(validating: pem, as: UTF8.self),
            let key = try? P256.Signing.PrivateKey(pemRepresentation: text)
        else {
            throw IdentityError(
                .malformed,
                "the private key is not a P-256 key in PEM; restore the file from a backup, or remove it and join again"
            )
        }
        self.init(key)
    }

    /// PKCS#8 in PEM: the contents of a key file.
    public var pem: [UInt8] { Array((key.pemRepresentation + "\n").utf8) }

    /// PKCS#8 in DER: what TLS takes.
    public var der: [UInt8] { Array(key.derRepresentation) }

    /// Signs with ECDSA and SHA-256.
    ///
    /// - Parameter bytes: what to sign.
    /// - Returns: r and s, 32 bytes each.
    /// - Throws: ``IdentityError`` when the library fails.
    public func sign(_ bytes: [UInt8]) throws(IdentityError) -> [UInt8] {
        guard let signature = try? key.signature(for: bytes) else { throw .failed("signing") }
        return Array(signature.rawRepresentation)
    }
}
