import Crypto
import Membership
import Synchronization

/// A node's key, and the check of all nodes' signatures.
struct Signer: Sendable {
    let id: NodeID
    private let key: P256.Signing.PrivateKey

    private static let keys = Mutex<[NodeID: P256.Signing.PublicKey]>([:])
    private static let good = Mutex<Set<[UInt8]>>([])

    init() { self.init(P256.Signing.PrivateKey()) }

    /// The key of that member, the same in all processes: nobody has to be told the others' keys.
    init(number: Int) {
        let seed = Array(SHA256.hash(data: Array("rondo-benchmark-member-\(number)".utf8)))
        self.init((try? P256.Signing.PrivateKey(rawRepresentation: seed)) ?? P256.Signing.PrivateKey())
    }

    private init(_ key: P256.Signing.PrivateKey) {
        self.key = key
        let bytes = Array(SHA256.hash(data: key.publicKey.compressedRepresentation))
        func integer(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        let id = NodeID(high: integer(bytes[0..<8]), low: integer(bytes[8..<16]))
        self.id = id
        Self.keys.withLock { $0[id] = key.publicKey }
    }

    var proofs: Membership.Proofs {
        Membership.Proofs(
            sign: { record in
                guard let signature = try? key.signature(for: MemberCoding.body(of: record)) else { return [] }
                return Array(signature.rawRepresentation)
            },
            verify: { Self.verify($0) })
    }

    private static func verify(_ signed: SignedRecord) -> Membership.Verdict {
        // A signature that was good for other bytes is no proof, so both together are remembered.
        let body = MemberCoding.body(of: signed.record)
        let proof = signed.signature + body
        if good.withLock({ $0.contains(proof) }) { return .good }
        guard let key = keys.withLock({ $0[signed.record.id] }),
            let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signed.signature),
            key.isValidSignature(signature, for: body)
        else { return .bad("the signature does not fit") }
        good.withLock { _ = $0.insert(proof) }
        return .good
    }
}
