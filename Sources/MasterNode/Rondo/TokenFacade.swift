internal import Access
internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import Identity

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
        case .anonymous: throw Visitor.unknown
        }
        let admission = try AdmissionFacade(node: node, visitor: visitor).admission
        if case .token(let id) = route {
            visitor.noteChange("tokens.revoke", id)
            guard try await admission.revokeToken(id) else {
                throw GatewayError(.notFound, "no join token '\(id.prefix(64))'")
            }
            return .complete(.noContent)
        }
        if request.method == .post { return try await make(admission, request) }
        let tokens = try await admission.tokens()
        return .json { json in
            json.listField("tokens") { json in
                for token in tokens { json.object { $0.token(token) } }
            }
        }
    }

    private func make(_ admission: NodeAdmission, _ request: GatewayRequest) async throws -> GatewayResponse {
        let wanted = try await RondoFacade.body(NewToken.self, of: request)
        guard let role = JoinToken.Role(rawValue: wanted.role ?? "agent") else {
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
        visitor.noteChange("tokens.create", "\(role.rawValue), \(uses) uses, \(Int(seconds)) s")
        if case .user = visitor.caller, role == .master { try visitor.require(.manageJoinTokens(.master)) }
        let made = try await admission.makeToken(
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
