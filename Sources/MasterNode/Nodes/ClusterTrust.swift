internal import Access
internal import ClusterModel
public import Identity
internal import Membership
internal import Synchronization

/// What the master of a secured cluster is beyond its store: the cluster's authority.
///
/// A master without it takes part in nothing that crosses a network; `rondo dev` is one.
public struct ClusterTrust: Sendable {
    /// Signs the certificates of nodes.
    public let authority: ClusterAuthority
    /// Judges the certificates that peers show; knows who was evicted.
    public let verifier: PeerVerifier
    /// Seals secrets in the store.
    public let masterKey: MasterKey
    /// How long a node's certificate lasts.
    public let nodeLifetime: Duration

    /// Makes it of its parts.
    public init(
        authority: ClusterAuthority, verifier: PeerVerifier, masterKey: MasterKey,
        nodeLifetime: Duration = ClusterAuthority.nodeLifetime
    ) {
        self.authority = authority
        self.verifier = verifier
        self.masterKey = masterKey
        self.nodeLifetime = nodeLifetime
    }
}

extension ClusterTrust {
    /// What access control needs of it: who a certificate is of, and where small secrets are sealed.
    func apply(to settings: inout AccessSettings, _ clock: any NodeClock) {
        let seen = SeenNodes(verifier)
        settings.verifyNode = { chain in seen.node(chain, now: clock.now().wall) }
        settings.sealing = AccessSettings.Sealing(
            seal: { [masterKey] in try KeyEnvelope.seal($0, purpose: "access", name: $1, with: masterKey) },
            open: { [masterKey] in try KeyEnvelope.open($0, purpose: "access", name: $1, with: masterKey) })
        settings.clusterCertificate = String(decoding: authority.certificate.pem, as: UTF8.self)
    }
}

/// Certificates that were found good a short while ago. A connection carries thousands of calls and shows one
/// certificate; its expiry and eviction still count for each call.
private final class SeenNodes: Sendable {
    private static let limit = 4_096
    private let verifier: PeerVerifier
    private let nodes = Mutex<[[UInt8]: VerifiedNode]>([:])

    init(_ verifier: PeerVerifier) { self.verifier = verifier }

    func node(_ chain: [[UInt8]], now: UnixTime) -> (id: String, roles: String)? {
        guard let leaf = chain.first else { return nil }
        var known = nodes.withLock { $0[leaf] }
        if known == nil || known.map({ now > $0.notAfter || verifier.evicted.contains($0.id) }) == true {
            known = try? verifier.node(chain, now: now)
            nodes.withLock { nodes in
                if nodes.count >= Self.limit { nodes = [:] }
                nodes[leaf] = known
            }
        }
        return known.map { ($0.id.description, $0.roles.text) }
    }
}

/// What every node must know of the cluster's keys; a new revision replaces an old one as a whole.
public struct ClusterKeys: Hashable, Sendable, Codable {
    /// Grows with each change.
    public var revision = 0
    /// The keys of the gossip, each 32 bytes; the first one seals, all open.
    public var gossip: [[UInt8]]
    /// Nodes that were removed for good: ids in hexadecimal.
    public var evicted: [String] = []

    /// Makes the keys of a new cluster.
    public init(gossip: [[UInt8]]) { self.gossip = gossip }
}
