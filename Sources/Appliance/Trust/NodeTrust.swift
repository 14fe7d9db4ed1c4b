internal import ClusterModel
internal import Identity
internal import MasterNode
internal import Membership
internal import Synchronization
internal import Transport

extension PeerVerifier {
    /// Judges the certificate of a node that runs tasks.
    func agent(_ chain: [[UInt8]], now: UnixTime) throws(IdentityError) -> VerifiedNode {
        try node(chain, requiring: .agent, now: now)
    }
}

/// Who this node is and whom it believes, as long as it runs. Certificates and keys change under way; connections that
/// are open go on, new ones use what is newest.
final class NodeTrust: Sendable {
    private struct State {
        var chain: [[UInt8]]
        var attestation: [UInt8]
        var keys: ClusterKeys
    }

    let key: NodeKey
    let authority: AuthorityCertificate
    let verifier: PeerVerifier
    let proofs: RecordProofs
    /// For calls to a master.
    let toMasters: TransportSecurity
    /// For gossip's streams between any two nodes.
    let amongNodes: TransportSecurity
    /// For what only masters may call.
    let fromMasters: TransportSecurity
    private let state: Mutex<State>

    /// Makes it of the node's key and certificate, a verifier that knows the authority, the authority's word for the
    /// node's roles, and the cluster's keys.
    init(key: NodeKey, verifier: PeerVerifier, chain: [[UInt8]], attestation: [UInt8], keys: ClusterKeys) throws {
        let now: @Sendable () -> UnixTime = { SystemClock().now().wall }
        let identity = TLSIdentity(chain: chain, key: key.der)
        self.key = key
        self.verifier = verifier
        authority = verifier.authority
        proofs = RecordProofs(key: key, authority: verifier.authority, now: now)
        toMasters = try TransportSecurity(identity: identity, judge: verifier.masterJudge(now: now))
        amongNodes = try TransportSecurity(identity: identity, judge: verifier.nodeJudge(now: now))
        fromMasters = try TransportSecurity(identity: identity, judge: verifier.nodeJudge(requiring: .master, now: now))
        state = Mutex(State(chain: chain, attestation: attestation, keys: keys))
        take(keys)
    }

    var id: NodeID { key.id }
    /// The id of the agent on this node.
    var agentID: AgentID { AgentID(id.description) }
    /// Whether the cluster has shut this node out.
    var isEvicted: Bool { state.withLock { $0.keys.evicted.contains(id.description) } }
    var attestation: [UInt8] { state.withLock { $0.attestation } }
    var keys: ClusterKeys { state.withLock { $0.keys } }

    /// Uses a newer certificate from now on.
    func take(_ chain: [[UInt8]], _ attestation: [UInt8]) throws(TransportError) {
        let identity = TLSIdentity(chain: chain, key: key.der)
        for security in [toMasters, amongNodes, fromMasters] { try security.replace(identity: identity) }
        state.withLock {
            $0.chain = chain
            $0.attestation = attestation
        }
    }

    /// Uses newer keys from now on; gossip is told by who called.
    func take(_ keys: ClusterKeys) {
        let evicted = Set(keys.evicted.compactMap { NodeID(hex: $0) })
        verifier.evicted = evicted
        proofs.evicted = evicted
        state.withLock { $0.keys = keys }
    }

    /// When the certificate is to be renewed.
    ///
    /// - Throws: `IdentityError` when it is good no more.
    func validity() throws(IdentityError) -> CertificateTimes {
        try CertificateTimes(certificate: state.withLock { $0.chain }.first ?? [])
    }
}
