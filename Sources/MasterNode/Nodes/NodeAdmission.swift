internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import Membership
internal import StateStore

/// Lets nodes into a secured cluster and out of it: join tokens, certificates, keys, eviction.
///
/// A node is its key. Its record says what it was let in as; its certificate repeats that for a day and is renewed
/// while the record is there. Who leaves or is evicted is put on a list that every node knows, so that a certificate
/// that has not expired yet is worth nothing.
struct NodeAdmission: Sendable {
    let registry: NodeRegistry
    let trust: ClusterTrust
    let board: KeyBoard

    typealias Token = StoredCredentials.Token
    typealias Node = StoredCredentials.Node

    /// Reads the keys, or makes them for a new cluster.
    ///
    /// `gossipKey` is the first key of a new cluster.
    static func open(_ registry: NodeRegistry, _ trust: ClusterTrust, gossipKey: [UInt8]) async throws -> NodeAdmission
    {
        let keys: ClusterKeys
        if let entry = try await registry.store.get(NodeRegistry.keys) {
            keys = try Self.opened(try NodeRegistry.decode(Data.self, entry), trust.masterKey)
        } else {
            keys = ClusterKeys(gossip: [gossipKey])
            let value = try NodeRegistry.encode(try Self.sealed(keys, trust.masterKey))
            _ = try await registry.store.transact(
                StoreTransaction(
                    compares: [.absent(key: NodeRegistry.keys)],
                    operations: [.put(key: NodeRegistry.keys, value: value)]))
        }
        trust.verifier.evicted = Set(keys.evicted.compactMap { NodeID(hex: $0) })
        return NodeAdmission(registry: registry, trust: trust, board: KeyBoard(keys))
    }

    private static let purpose = "cluster-keys"

    private static func sealed(_ keys: ClusterKeys, _ key: MasterKey) throws -> Data {
        Data(try KeyEnvelope.seal([UInt8](try JSONEncoder().encode(keys)), purpose: purpose, name: "keys", with: key))
    }

    private static func opened(_ sealed: Data, _ key: MasterKey) throws -> ClusterKeys {
        do {
            let bytes = try KeyEnvelope.open([UInt8](sealed), purpose: purpose, name: "keys", with: key)
            return try JSONDecoder().decode(ClusterKeys.self, from: Data(bytes))
        } catch {
            throw MasterNodeError.unreadable(key: NodeRegistry.keys, reason: "\(error)")
        }
    }

    /// Changes the keys, in the store first.
    func changeKeys(_ change: (inout ClusterKeys) throws -> Void) async throws -> ClusterKeys {
        for _ in 0..<16 {
            guard let entry = try await registry.store.get(NodeRegistry.keys) else { break }
            var keys = try Self.opened(try NodeRegistry.decode(Data.self, entry), trust.masterKey)
            try change(&keys)
            keys.revision += 1
            let value = try NodeRegistry.encode(try Self.sealed(keys, trust.masterKey))
            let outcome = try await registry.store.transact(
                StoreTransaction(
                    compares: [.modRevision(key: NodeRegistry.keys, entry.modRevision)],
                    operations: [.put(key: NodeRegistry.keys, value: value)]))
            guard case .committed = outcome else { continue }
            trust.verifier.evicted = Set(keys.evicted.compactMap { NodeID(hex: $0) })
            board.set(keys)
            return keys
        }
        throw GatewayError(.conflict, "the cluster's keys are changed by many at once; try again")
    }

    // MARK: tokens

    /// Makes a join token; its text is not kept.
    func makeToken(
        role: JoinToken.Role, lifetime: Duration, uses: Int, now: UnixTime
    ) async throws -> (token: Token, text: String) {
        let made = JoinToken(role: role, pin: trust.authority.pin)
        let token = Token(
            id: made.id, role: role.rawValue, expiresAt: now + lifetime, usesLeft: uses, hash: ByteText.hex(made.hash))
        _ = try await registry.store.transact(
            StoreTransaction(
                operations: [.put(key: NodeRegistry.tokens + made.id, value: try NodeRegistry.encode(token))]))
        return (token, made.text)
    }

    /// The tokens that are kept, used up and expired ones too until they are revoked.
    func tokens() async throws -> [Token] {
        try await registry.all(NodeRegistry.tokens).map { try NodeRegistry.decode(Token.self, $0) }
    }

    /// Ends a token.
    ///
    /// - Returns: whether there was one.
    func revokeToken(_ id: String) async throws -> Bool {
        guard !id.isEmpty, id.utf8.count <= 64, id.utf8.allSatisfy({ $0 > 0x2f && $0 < 0x7f }) else { return false }
        let key = NodeRegistry.tokens + id
        let outcome = try await registry.store.transact(
            StoreTransaction(compares: [.exists(key: key)], operations: [.delete(key: key)]))
        if case .committed = outcome { return true }
        return false
    }

    // MARK: nodes

    /// Every node that was let in.
    func nodes() async throws -> [Node] {
        try await registry.all(NodeRegistry.nodes).map { try NodeRegistry.decode(Node.self, $0) }
    }

    /// Whether a node is a master.
    func isMaster(_ id: NodeID) async throws -> Bool {
        guard let entry = try await registry.store.get(NodeRegistry.nodes + id.description) else { return false }
        return NodeRoles(text: try NodeRegistry.decode(Node.self, entry).role)?.contains(.master) ?? false
    }

    /// Lets a node in. One use is taken off the token in the same transaction that stores the node.
    ///
    /// - Throws: ``GatewayError`` 403 for a token that does not work, with the reason; 409 for an evicted key.
    func join(
        _ token: JoinToken, _ request: CertificateRequest, name: String, now: UnixTime
    ) async throws -> (node: Node, issued: IssuedCertificate) {
        let id = request.publicKey.id.description
        guard !board.keys.evicted.contains(id) else { throw Self.evicted(id) }
        let key = NodeRegistry.tokens + token.id
        let advice = "make a new one with `rondo cluster token create` on the master's machine"
        // Another join with the same token may come in between; then the compare fails and it is looked at again.
        for _ in 0..<16 {
            guard let entry = try await registry.store.get(key) else {
                throw GatewayError(.forbidden, "the join token is unknown here, or was revoked; \(advice)")
            }
            var kept = try NodeRegistry.decode(Token.self, entry)
            guard let hash = ByteText.bytes(hex: kept.hash), token.matches(hash: hash),
                kept.role == token.role.rawValue
            else { throw GatewayError(.forbidden, "the join token is wrong; \(advice)") }
            guard now < kept.expiresAt else {
                throw GatewayError(.forbidden, "the join token expired at \(kept.expiresAt.text); \(advice)")
            }
            guard kept.usesLeft > 0 else { throw GatewayError(.forbidden, "the join token is used up; \(advice)") }
            kept.usesLeft -= 1
            let issued = try issue(request, roles: token.role.roles, now: now)
            let node = Node(id: id, name: name, role: kept.role, joinedAt: now, hash: "")
            let outcome = try await registry.store.transact(
                StoreTransaction(
                    compares: [.modRevision(key: key, entry.modRevision)],
                    operations: [
                        .put(key: key, value: try NodeRegistry.encode(kept)),
                        .put(key: NodeRegistry.nodes + id, value: try NodeRegistry.encode(node)),
                    ]))
            if case .committed = outcome { return (node, issued) }
        }
        throw GatewayError(.conflict, "many nodes join with this token at once; try again")
    }

    /// Takes in the master itself, which needs no token.
    func enrol(_ request: CertificateRequest, roles: NodeRoles, name: String, now: UnixTime) async throws
        -> IssuedCertificate
    {
        let id = request.publicKey.id.description
        let node = Node(id: id, name: name, role: roles.text, joinedAt: now, hash: "")
        _ = try await registry.store.transact(
            StoreTransaction(
                compares: [.absent(key: NodeRegistry.nodes + id)],
                operations: [.put(key: NodeRegistry.nodes + id, value: try NodeRegistry.encode(node))]))
        return try issue(request, roles: roles, now: now)
    }

    /// Gives a node that is in the cluster its next certificate. Its roles are those of its record, whatever it asks.
    func renew(_ request: CertificateRequest, of id: NodeID, now: UnixTime) async throws -> IssuedCertificate {
        guard request.publicKey.id == id else {
            throw GatewayError(.forbidden, "the request is for another key than the connection's; a node keeps its key")
        }
        guard let entry = try await registry.store.get(NodeRegistry.nodes + id.description) else {
            throw GatewayError(.forbidden, "node \(id) is not in this cluster any more; join again with a token")
        }
        let node = try NodeRegistry.decode(Node.self, entry)
        guard let roles = NodeRoles(text: node.role) else {
            throw GatewayError(.internalServerError, "the record of node \(id) has the unknown role '\(node.role)'")
        }
        return try issue(request, roles: roles, now: now)
    }

    /// Takes a node out for good: it is not renewed, and its certificate is refused everywhere.
    ///
    /// - Returns: whether it was in the cluster.
    func remove(_ id: NodeID) async throws -> Bool {
        let key = NodeRegistry.nodes + id.description
        let known = try await registry.store.get(key) != nil
        _ = try await changeKeys { keys in
            if !keys.evicted.contains(id.description) { keys.evicted.append(id.description) }
            // A certificate lasts a day; the list needs to reach back that far only, and must not grow for ever.
            if keys.evicted.count > Self.evictedLimit {
                keys.evicted.removeFirst(keys.evicted.count - Self.evictedLimit)
            }
        }
        _ = try await registry.store.transact(StoreTransaction(operations: [.delete(key: key)]))
        board.forget(id)
        return known
    }

    private static let evictedLimit = 2_000

    private func issue(
        _ request: CertificateRequest, roles: NodeRoles, now: UnixTime
    ) throws(GatewayError) -> IssuedCertificate {
        do throws(IdentityError) {
            return try trust.authority.issueNode(request, roles: roles, now: now, lifetime: trust.nodeLifetime)
        } catch { throw GatewayError(.badRequest, error.description) }
    }

    static func evicted(_ id: String) -> GatewayError {
        GatewayError(
            .conflict,
            "node \(id) left this cluster or was evicted, and its key with it; remove the data directory and join again"
        )
    }
}
