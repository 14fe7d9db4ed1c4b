internal import Access
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import Logging
internal import Membership

/// How nodes come, stay and go: `/rondo/v1/join`, `certificate`, `keys` and `members`.
///
/// A joiner shows a token and gets a certificate; every later request of a node is known by that certificate, which the
/// connection carries. Nodes wait on `GET keys?after=REVISION` for the next change of the cluster's keys.
struct AdmissionFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor
    let admission: NodeAdmission

    /// How long a node's question for new keys is held.
    private static let holdTime = Duration.seconds(25)
    /// How long a rotation waits for nodes to take a step.
    private static let stepTime = Duration.seconds(30)

    init(node: MasterNode, visitor: Visitor) throws(GatewayError) {
        guard let admission = node.admission else {
            throw GatewayError(.conflict, "this cluster takes no further nodes; start one with `rondo cluster init`")
        }
        self.node = node
        self.visitor = visitor
        self.admission = admission
    }

    func respond(_ route: RondoRoute, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch route {
        case .join: return try await join(request)
        case .certificate: return try await renew(request)
        case .keys: return try await keys(request)
        case .leave: return try await leave()
        case .rotateKeys: return try await rotate(request.query["kind"] ?? "gossip")
        case .evict(let id): return try await evict(id)
        default: return try await members()
        }
    }

    // MARK: coming

    private struct JoinRequest: Decodable {
        var token: String
        var request: String
        var name: String
        var role: String
    }

    private func join(_ request: GatewayRequest) async throws -> GatewayResponse {
        let wanted = try await RondoFacade.body(JoinRequest.self, of: request)
        if let problem = RondoFacade.defect(ofName: wanted.name) {
            throw GatewayError(.badRequest, "field 'name' \(problem)")
        }
        guard let role = JoinToken.Role(rawValue: wanted.role) else {
            throw GatewayError(.badRequest, "field 'role' must be agent or master")
        }
        let token: JoinToken
        let certificate: CertificateRequest
        do throws(IdentityError) {
            token = try JoinToken(parsing: wanted.token)
            certificate = try CertificateRequest(pem: Array(wanted.request.utf8))
        } catch { throw GatewayError(.badRequest, error.description) }
        guard token.role == role else {
            throw GatewayError(.conflict, "the join token is for the role '\(token.role.rawValue)'; join in that role")
        }
        if role == .master {
            throw GatewayError(.conflict, "this cluster has one master (SQLite); several need etcd")
        }
        visitor.noteChange("node.join", "\(wanted.role) \(wanted.name), token \(token.id)")
        let (joined, issued) = try await admission.join(
            token, certificate, name: wanted.name, now: node.clock.now().wall)
        node.logger.notice(
            "a node has joined", metadata: ["node": "\(joined.id)", "name": "\(joined.name)", "token": "\(token.id)"])
        return .json(.created) { json in
            json.field("nodeID", joined.id)
            json.field("clusterID", node.cluster.id)
            json.field("clusterName", node.settings.clusterName)
            json.field("gossipPort", node.settings.gossipPort)
            json.field("seenAt", Authentication.source(of: request, isLocal: false))
            json.certificate(issued)
            json.keys(admission.board.keys)
        }
    }

    private struct RenewRequest: Decodable {
        var request: String
    }

    /// The next certificate of a node that shows its present one.
    private func renew(_ request: GatewayRequest) async throws -> GatewayResponse {
        let id = try nodeCalling()
        let wanted = try await RondoFacade.body(RenewRequest.self, of: request)
        let certificate: CertificateRequest
        do throws(IdentityError) { certificate = try CertificateRequest(pem: Array(wanted.request.utf8)) } catch {
            throw GatewayError(.badRequest, error.description)
        }
        let issued = try await admission.renew(certificate, of: id, now: node.clock.now().wall)
        return .json { json in
            json.certificate(issued)
            json.keys(admission.board.keys)
        }
    }

    /// Who calls, by the certificate of the connection.
    private func nodeCalling() throws(GatewayError) -> NodeID {
        guard case .node(let text, _) = visitor.caller, let id = NodeID(hex: text) else {
            throw GatewayError(.forbidden, "this is for nodes of the cluster, which show their certificate")
        }
        return id
    }

    // MARK: keys

    /// A new key for sessions: nobody is logged in any more.
    private func endSessions(_ kind: String) async throws -> GatewayResponse {
        guard kind == "sessions" else {
            throw GatewayError(.badRequest, "parameter 'kind' must be gossip or sessions")
        }
        visitor.noteChange("keys.rotate", kind)
        try await node.authentication.endSessions()
        node.logger.notice("all sessions were ended; everybody logs in again")
        return .complete(.noContent)
    }

    /// For a node: the keys that it does not know yet, or 204 when there are none for a while.
    private func keys(_ request: GatewayRequest) async throws -> GatewayResponse {
        let id = try nodeCalling()
        let after = request.query["after"].flatMap { Int($0) } ?? -1
        let board = admission.board
        board.note(id, knows: after)
        let end = node.clock.now().elapsed + Self.holdTime
        while board.keys.revision <= after {
            let left = end - node.clock.now().elapsed
            guard left > .zero else { return .complete(.noContent) }
            await board.change(within: left, node.clock) { board.keys.revision > after }
        }
        return .json { json in
            json.field("seenAt", Authentication.source(of: request, isLocal: false))
            json.keys(board.keys)
        }
    }

    /// The beginning of a hash of the key: enough to tell keys apart.
    static func name(ofKey key: [UInt8]) -> String { String(StoredCredentials.hash(ByteText.hex(key)).prefix(8)) }

    /// A new key in three steps: everybody can open it, everybody seals with it, the old ones go. Nodes that are away
    /// get the keys when they are back, over their certificates.
    private func rotate(_ kind: String) async throws -> GatewayResponse {
        guard kind == "gossip" else { return try await endSessions(kind) }
        visitor.noteChange(.manageKeys)
        let fresh = ByteText.random(32)
        var late: Set<NodeID> = []
        late.formUnion(try await step { $0.gossip = Array($0.gossip.prefix(6)) + [fresh] })
        late.formUnion(try await step { $0.gossip = [fresh] + $0.gossip.filter { $0 != fresh } })
        late.formUnion(try await step { $0.gossip = [fresh] })
        node.logger.notice("the gossip key was changed", metadata: ["key": "\(Self.name(ofKey: fresh))"])
        return .json { json in
            json.field("id", Self.name(ofKey: fresh))
            json.listField("late") { json in for id in late.sorted() { json.string(id.description) } }
        }
    }

    /// Returns the nodes that were there and did not take the step in time.
    private func step(_ change: (inout ClusterKeys) -> Void) async throws -> [NodeID] {
        let revision = try await admission.changeKeys(change).revision
        let present = node.directory.nodes
        let board = admission.board
        let end = node.clock.now().elapsed + Self.stepTime
        while true {
            let late = board.late(present, for: revision)
            let left = end - node.clock.now().elapsed
            if late.isEmpty || left <= .zero { return late }
            await board.change(within: left, node.clock) { board.late(present, for: revision).isEmpty }
        }
    }

    // MARK: going

    /// A node that has ended its tasks takes its leave.
    private func leave() async throws -> GatewayResponse {
        let id = try nodeCalling()
        visitor.noteChange(.changeNode(.leave, id.description))
        _ = try await admission.remove(id)
        node.logger.notice("a node has left", metadata: ["node": "\(id)"])
        return .complete(.noContent)
    }

    /// Shuts a node out: its certificate is refused, its sessions end.
    private func evict(_ text: String) async throws -> GatewayResponse {
        guard let id = NodeID(hex: text) else {
            throw GatewayError(.badRequest, "'\(text.prefix(64))' is no node's id; `rondo keys list` shows them")
        }
        visitor.noteChange(.changeNode(.evict, id.description))
        if try await admission.isMaster(id) {
            throw GatewayError(.conflict, "node \(id) is the master itself; end the cluster with `rondo cluster leave`")
        }
        guard try await admission.remove(id) else {
            throw GatewayError(.notFound, "no node \(id) is in this cluster; it is shut out all the same")
        }
        node.directory.endSessions(of: id)
        node.logger.warning("a node was evicted", metadata: ["node": "\(id)"])
        return .complete(.noContent)
    }

    /// Who was let in, who was shut out, and the names of the keys, never the keys.
    private func members() async throws -> GatewayResponse {
        let nodes = try await admission.nodes()
        let present = Set(node.directory.nodes.map(\.description))
        let keys = admission.board.keys
        return .json { json in
            json.listField("keys") { json in
                for (index, key) in keys.gossip.enumerated() {
                    json.object { json in
                        json.field("id", Self.name(ofKey: key))
                        json.field("seals", index == 0)
                    }
                }
            }
            json.listField("evicted") { json in for id in keys.evicted { json.string(id) } }
            json.listField("members") { json in
                for each in nodes {
                    json.object { json in
                        json.field("id", each.id)
                        json.field("name", each.name)
                        json.field("role", each.role)
                        json.field("joinedAt", each.joinedAt.text)
                        json.field("connected", present.contains(each.id))
                    }
                }
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func certificate(_ issued: IssuedCertificate) {
        field("certificate", String(decoding: issued.pem, as: UTF8.self))
        field("attestation", ByteText.hex(issued.attestation))
    }

    fileprivate mutating func keys(_ keys: ClusterKeys) {
        objectField("keys") { json in
            json.field("revision", keys.revision)
            json.listField("gossip") { json in for key in keys.gossip { json.string(ByteText.hex(key)) } }
            json.listField("evicted") { json in for id in keys.evicted { json.string(id) } }
        }
    }
}
