public import ClusterModel
public import Membership
internal import Synchronization

/// The cryptography of gossip: signs this node's record, and judges the records of others.
///
/// A record is good when the authority attested the roles to the key, the id follows from the key, and the key signed
/// the record. Whatever was found good is remembered, because the same record comes from many sides.
public final class RecordProofs: Sendable {
    /// A record that was found good, and what is used again when the next one of the node comes.
    private struct Known {
        var signed: SignedRecord
        var attested: NodeAttestation
        var publicKey: PublicKey
    }

    /// Two halves: what is found in the old one moves to the young one, and when the young one is full, it becomes the
    /// old one. So the table is bounded, and what is used stays.
    private struct Table {
        var young: [NodeID: Known] = [:]
        var old: [NodeID: Known] = [:]
        var evicted: Set<NodeID>
    }

    /// Most records that are remembered.
    private let limit: Int
    private let key: NodeKey
    private let authority: AuthorityCertificate
    private let now: @Sendable () -> UnixTime
    private let table: Mutex<Table>

    /// Makes the proofs of a node.
    ///
    /// - Parameters:
    ///   - key: the node's own key.
    ///   - authority: whose attestations count.
    ///   - evicted: nodes that were removed for good.
    ///   - now: tells the time.
    public convenience init(
        key: NodeKey, authority: AuthorityCertificate, evicted: Set<NodeID> = [],
        now: @escaping @Sendable () -> UnixTime
    ) {
        // As many as an exchange of states may hold.
        self.init(key: key, authority: authority, evicted: evicted, limit: MemberCoding.stateLimit, now: now)
    }

    init(
        key: NodeKey, authority: AuthorityCertificate, evicted: Set<NodeID> = [], limit: Int,
        now: @escaping @Sendable () -> UnixTime
    ) {
        self.limit = limit
        self.key = key
        self.authority = authority
        self.now = now
        table = Mutex(Table(evicted: evicted))
    }

    /// The nodes that were removed for good. A change counts for the next record that is judged.
    public var evicted: Set<NodeID> {
        get { table.withLock { $0.evicted } }
        set { table.withLock { $0.evicted = newValue } }
    }

    /// What `Membership` asks for.
    public var proofs: Membership.Proofs {
        Membership.Proofs(
            // A signature that could not be made is one that nobody accepts: the node is not seen, and says why.
            sign: { [key] in (try? key.sign(MemberCoding.body(of: $0))) ?? [] }, verify: { self.verify($0) })
    }

    /// How many records are remembered.
    var rememberedCount: Int { table.withLock { $0.young.count + $0.old.count } }

    func remembers(_ id: NodeID) -> Bool { table.withLock { $0.young[id] != nil || $0.old[id] != nil } }

    private func verify(_ signed: SignedRecord) -> Membership.Verdict {
        let id = signed.record.id
        guard let attested = NodeAttestation(signed.attestation) else { return .bad("its attestation cannot be read") }
        // What is cheap comes first, so that the expired records of members long gone cost nothing.
        let late = now().wholeSeconds - Int64(clamping: attested.notAfter)
        if late > 0 {
            return .bad(
                "its attestation expired \(spell(seconds: late)) ago; if it runs, it must join again with a fresh token"
            )
        }
        let (isEvicted, known) = table.withLock { ($0.evicted.contains(id), $0.young[id] ?? $0.old[id]) }
        if isEvicted { return .bad("the node was evicted") }
        if let known, known.signed == signed {
            remember(known)
            return .good
        }
        let publicKey: PublicKey
        if let known, known.attested == attested, known.signed.record.roles == signed.record.roles {
            publicKey = known.publicKey
        } else {
            guard PublicKey.id(of: attested.key) == id, let key = try? PublicKey(compressed: attested.key) else {
                return .bad("its id does not belong to its key")
            }
            let said = NodeAttestation.said(
                cluster: authority.clusterID, id: id, roles: signed.record.roles, notAfter: attested.notAfter)
            guard authority.publicKey.verifies(attested.signature, over: said) else {
                return .bad("the authority of this cluster did not attest its roles")
            }
            publicKey = key
        }
        guard publicKey.verifies(signed.signature, over: MemberCoding.body(of: signed.record)) else {
            return .bad("it is not signed by the node's key")
        }
        remember(Known(signed: signed, attested: attested, publicKey: publicKey))
        return .good
    }

    private func remember(_ known: Known) {
        table.withLock { table in
            let id = known.signed.record.id
            table.old[id] = nil
            table.young[id] = known
            guard table.young.count >= limit / 2 else { return }
            table.old = table.young
            table.young = [:]
        }
    }
}
