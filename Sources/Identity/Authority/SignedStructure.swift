internal import Crypto
internal import FoundationEssentials
internal import SwiftASN1

/// The common shape of certificates and requests: what is signed, how, and the signature. Only ECDSA on P-256 with
/// SHA-256 is read, and only in the one encoding that DER allows, so no bit outside of what is signed can be altered.
struct SignedStructure {
    let body: ArraySlice<UInt8>
    private let signature: P256.Signing.ECDSASignature

    /// AlgorithmIdentifier of ecdsa-with-SHA256.
    private static let algorithm: [UInt8] = [
        0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
    ]

    init?(_ der: [UInt8]) {
        guard der.count <= PEMText.limit, let root = try? DER.parse(der), root.encodedBytes.count == der.count,
            root.identifier == .sequence, case .constructed(let parts) = root.content
        else { return nil }
        var rest = parts.makeIterator()
        guard let body = rest.next(), let algorithm = rest.next(), let bits = rest.next(), rest.next() == nil,
            algorithm.encodedBytes.elementsEqual(Self.algorithm), let bits = try? ASN1BitString(derEncoded: bits),
            bits.paddingBits == 0, let signature = try? P256.Signing.ECDSASignature(derRepresentation: bits.bytes),
            signature.derRepresentation.elementsEqual(bits.bytes)
        else { return nil }
        self.body = body.encodedBytes
        self.signature = signature
    }

    func isSigned(by key: PublicKey) -> Bool { key.key.isValidSignature(signature, for: body) }
}
