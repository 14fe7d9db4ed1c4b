public import Identity

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
