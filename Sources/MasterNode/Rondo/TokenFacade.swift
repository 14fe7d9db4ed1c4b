internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes

/// `/rondo/v1/tokens`: join tokens, for the administrator.
struct TokenFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    private struct NewToken: Decodable {
        var role: String?
        var lifetimeSeconds: Double?
        var uses: Int?
    }

    /// The longest life of a token, in seconds: 30 days.
    static let lifetimeLimit = 2_592_000.0

    func respond(_ route: RondoRoute, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch visitor.caller {
        case .root: break
        case .user: try visitor.require(.manageJoinTokens(.agent))
        case .node: throw GatewayError(.forbidden, "join tokens are the administrator's; use that credential")
        case .anonymous:
            throw GatewayError(
                .unauthorized, "the administrator's credential is missing or wrong; run this on the master's machine",
                headers: [.wwwAuthenticate: "Bearer"])
        }
        guard let stored = node.credentials as? StoredCredentials else {
            throw GatewayError(.conflict, "this cluster takes no further nodes; start one with `rondo cluster init`")
        }
        if case .token(let id) = route {
            visitor.noteChange("tokens.revoke", id)
            guard try await stored.revokeToken(id) else {
                throw GatewayError(.notFound, "no join token '\(id.prefix(64))'")
            }
            return .complete(.noContent)
        }
        if request.method == .post { return try await make(stored, request) }
        let tokens = try await stored.tokens()
        return .json { json in
            json.listField("tokens") { json in
                for token in tokens { json.object { $0.token(token) } }
            }
        }
    }

    private func make(_ stored: StoredCredentials, _ request: GatewayRequest) async throws -> GatewayResponse {
        let wanted = try await RondoFacade.body(NewToken.self, of: request)
        let role = wanted.role ?? "agent"
        guard role == "agent" || role == "master" else {
            throw GatewayError(.badRequest, "field 'role' must be agent or master")
        }
        let seconds = wanted.lifetimeSeconds ?? 3_600
        guard seconds.isFinite, seconds >= 1, seconds <= Self.lifetimeLimit else {
            throw GatewayError(.badRequest, "field 'lifetimeSeconds' must be from 1 to 2592000")
        }
        let uses = wanted.uses ?? 1
        guard (1...10_000).contains(uses) else {
            throw GatewayError(.badRequest, "field 'uses' must be from 1 to 10000")
        }
        visitor.noteChange("tokens.create", "\(role), \(uses) uses, \(Int(seconds)) s")
        if case .user = visitor.caller, role == "master" { try visitor.require(.manageJoinTokens(.master)) }
        let made = try await stored.makeToken(
            role: role, lifetime: .clamped(seconds: seconds), uses: uses, now: node.clock.now().wall)
        return .json(.created) { json in
            json.token(made.token)
            json.field("token", made.text)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func token(_ token: StoredCredentials.Token) {
        field("id", token.id)
        field("role", token.role)
        field("expiresAt", token.expiresAt.text)
        field("usesLeft", token.usesLeft)
    }
}
