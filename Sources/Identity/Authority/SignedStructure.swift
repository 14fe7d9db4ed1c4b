internal import Crypto
internal import FoundationEssentials
internal import SwiftASN1

/// The common shape of certificates and requests: what is signed, how, and the signature. Only ECDSA on P-256 with
/// SHA-256 is read, and only in the one encoding that DER allows, so no bit outside of what is signed can be altered.
///
/// It is all that is read of bytes from strangers: what is inside is parsed once the signature was found good.
struct SignedStructure {
    private let body: ArraySlice<UInt8>
    private let fields: [ArraySlice<UInt8>]
    private let signature: P256.Signing.ECDSASignature

    /// AlgorithmIdentifier of ecdsa-with-SHA256.
    private static let algorithm: [UInt8] = [
        0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
    ]
    /// What stands before the uncompressed point in the SubjectPublicKeyInfo of every key on P-256.
    private static let beforePoint: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce,
        0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ]

    /// Reads a structure whose body has that many fields at least and whose first field is this one.
    init?(_ der: [UInt8], firstField: [UInt8], fieldCount: ClosedRange<Int>) {
        guard der.count <= PEMText.limit, let root = try? DER.parse(der), root.encodedBytes.count == der.count,
            root.identifier == .sequence, case .constructed(let parts) = root.content
        else { return nil }
        var rest = parts.makeIterator()
        guard let body = rest.next(), let algorithm = rest.next(), let bits = rest.next(), rest.next() == nil,
            algorithm.encodedBytes.elementsEqual(Self.algorithm), let bits = try? ASN1BitString(derEncoded: bits),
            bits.paddingBits == 0, let signature = try? P256.Signing.ECDSASignature(derRepresentation: bits.bytes),
            body.identifier == .sequence, case .constructed(let fields) = body.content
        else { return nil }
        self.body = body.encodedBytes
        self.fields = fields.map(\.encodedBytes)
        self.signature = signature
        guard fieldCount.contains(self.fields.count), self.fields[0].elementsEqual(firstField) else { return nil }
    }

    /// The key in a field.
    func publicKey(at index: Int) throws(IdentityError) -> PublicKey {
        let field = fields[index]
        guard field.starts(with: Self.beforePoint),
            let key = try? P256.Signing.PublicKey(x963Representation: Array(field.dropFirst(Self.beforePoint.count)))
        else {
            throw IdentityError(.notCertifiable, "the key is of another kind than ECDSA on P-256; make it anew")
        }
        return PublicKey(key)
    }

    func isSigned(by key: PublicKey) -> Bool { key.key.isValidSignature(signature, for: body) }
}
