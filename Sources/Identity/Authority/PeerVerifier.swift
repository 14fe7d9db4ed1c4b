public import ClusterModel
public import Membership
internal import Synchronization
internal import X509

/// A peer whose certificate was found good.
public struct VerifiedNode: Hashable, Sendable {
    /// Who it is.
    public let id: NodeID
    /// What it may do.
    public let roles: NodeRoles
    /// Until when that holds.
    public let notAfter: UnixTime

    /// Makes a verified node.
    public init(id: NodeID, roles: NodeRoles, notAfter: UnixTime) {
        self.id = id
        self.roles = roles
        self.notAfter = notAfter
    }
}

/// Judges the certificates that peers show: by the cluster's authority and the names inside, never by an address.
///
/// Only a certificate that the authority signed itself is good; what a peer sends beside it does not count.
public final class PeerVerifier: Sendable {
    /// Whose word counts.
    public let authority: AuthorityCertificate
    private let evictedNodes: Mutex<Set<NodeID>>

    /// Makes a verifier for a cluster.
    ///
    /// - Parameters:
    ///   - authority: the cluster's authority, which also says which cluster it is.
    ///   - evicted: nodes that were removed for good.
    public init(authority: AuthorityCertificate, evicted: Set<NodeID> = []) {
        self.authority = authority
        evictedNodes = Mutex(evicted)
    }

    /// The nodes that were removed for good. A change counts for the next certificate that is judged.
    public var evicted: Set<NodeID> {
        get { evictedNodes.withLock { $0 } }
        set { evictedNodes.withLock { $0 = newValue } }
    }

    /// Judges a node's certificate.
    ///
    /// - Parameters:
    ///   - chain: what the peer showed, each in DER, its own certificate first.
    ///   - roles: what the peer must be.
    ///   - now: the time.
    /// - Returns: who it is.
    /// - Throws: ``IdentityError`` that says what to do.
    public func node(
        _ chain: [[UInt8]], requiring roles: NodeRoles = [], now: UnixTime
    ) throws(IdentityError) -> VerifiedNode {
        let peer = try peer(chain, now: now)
        guard case .node = peer.name else { throw Self.wrongUse("belongs to an API and not to a node") }
        return try Self.having(roles, peer.node)
    }

    /// Judges what a master shows on its API: the API's certificate, or the one of a node that is a master.
    ///
    /// - Parameters:
    ///   - chain: what the server showed, each in DER, its own certificate first.
    ///   - now: the time.
    /// - Returns: the master.
    /// - Throws: ``IdentityError`` that says what to do.
    public func master(_ chain: [[UInt8]], now: UnixTime) throws(IdentityError) -> VerifiedNode {
        try Self.having(.master, try peer(chain, now: now).node)
    }

    /// ``node(_:requiring:now:)`` in the form that `Transport` asks for.
    ///
    /// - Parameters:
    ///   - roles: what the peer must be.
    ///   - now: tells the time.
    /// - Returns: a function that gives nil for a good chain and otherwise the reason.
    public func nodeJudge(
        requiring roles: NodeRoles = [], now: @escaping @Sendable () -> UnixTime
    ) -> @Sendable (_ chain: [[UInt8]]) -> String? {
        { chain in Self.reason { () throws(IdentityError) in try self.node(chain, requiring: roles, now: now()) } }
    }

    /// ``master(_:now:)`` in the form that `Transport` asks for, for whoever dials a master.
    ///
    /// - Parameter now: tells the time.
    /// - Returns: a function that gives nil for a good chain and otherwise the reason.
    public func masterJudge(now: @escaping @Sendable () -> UnixTime) -> @Sendable (_ chain: [[UInt8]]) -> String? {
        { chain in Self.reason { () throws(IdentityError) in try self.master(chain, now: now()) } }
    }

    private static func reason(_ judge: () throws(IdentityError) -> VerifiedNode) -> String? {
        do throws(IdentityError) {
            _ = try judge()
            return nil
        } catch { return error.description }
    }

    private func peer(_ chain: [[UInt8]], now: UnixTime) throws(IdentityError) -> (node: VerifiedNode, name: PeerName) {
        let shown = try Self.shown(by: chain)
        guard let leaf = try shown.read(signedBy: authority.publicKey), leaf.isIssued(by: authority.read) else {
            throw IdentityError(
                .otherAuthority,
                "the certificate was not made by the authority of this cluster (\(authority.name)); a node of another "
                    + "cluster, or of one that was made anew, joins with a token of this one")
        }
        try authority.check(now: now)
        let verified = try Self.judge(leaf, cluster: authority.clusterID, now: now)
        guard !evicted.contains(verified.node.id) else {
            throw IdentityError(
                .evicted,
                "node \(verified.node.id) was evicted; to have the machine back, remove its data directory "
                    + "and join again")
        }
        return verified
    }

    static func shown(by chain: [[UInt8]]) throws(IdentityError) -> ShownCertificate {
        guard let first = chain.first else {
            throw IdentityError(
                .missing, "the peer showed no certificate; a node joins with a token before it may connect")
        }
        guard chain.count <= PEMText.chainLimit else {
            throw IdentityError(.oversized, "the peer showed \(chain.count) certificates; nodes of Rondo show two")
        }
        return try ShownCertificate(first)
    }

    /// Judges a certificate that the authority signed.
    static func judge(
        _ leaf: ReadCertificate, cluster: String, now: UnixTime
    ) throws(IdentityError) -> (node: VerifiedNode, name: PeerName) {
        guard leaf.uris.count == 1 else { throw wrongUse("does not name one node") }
        let name = PeerName(uri: leaf.uris[0], cluster: cluster)
        let (id, roles): (NodeID, NodeRoles)
        let (whose, advice): (String, String)
        switch name {
        case .otherCluster:
            throw IdentityError(
                .otherCluster, "the certificate is for another cluster; join this one with a fresh token")
        case .unknown: throw wrongUse("names no node in a way that this version knows")
        case .node(let node, let itsRoles):
            (id, roles) = (node, itsRoles)
            (whose, advice) = ("the certificate of node \(id)", "that node must join again with a fresh token")
            guard leaf.isLeaf(for: [.serverAuth, .clientAuth]) else { throw wrongUse("is not for nodes") }
            guard leaf.subject(.RDNAttributeType.commonName) == id.description else {
                throw IdentityError(.keyMismatch, "the certificate names two nodes; join again with a fresh token")
            }
        case .api(let node):
            (id, roles) = (node, .master)
            (whose, advice) = (
                "the certificate of the API of master \(id)", "restart that master to have a new one made"
            )
            guard leaf.isLeaf(for: [.serverAuth]) else { throw wrongUse("is not for servers") }
        }
        guard leaf.publicKey.id == id else {
            throw IdentityError(
                .keyMismatch, "the certificate names node \(id), whose key is another; join again with a fresh token")
        }
        try leaf.check(whose, now: now, onceExpired: advice)
        return (VerifiedNode(id: id, roles: roles, notAfter: leaf.notAfter), name)
    }

    private static func having(_ roles: NodeRoles, _ node: VerifiedNode) throws(IdentityError) -> VerifiedNode {
        guard node.roles.isSuperset(of: roles) else {
            throw IdentityError(
                .missingRole,
                "node \(node.id) is \(node.roles.text), and \(roles.text) is needed: the address leads elsewhere")
        }
        return node
    }

    private static func wrongUse(_ what: String) -> IdentityError {
        IdentityError(.wrongUse, "the certificate \(what); connect with the one that this cluster gave out")
    }
}
