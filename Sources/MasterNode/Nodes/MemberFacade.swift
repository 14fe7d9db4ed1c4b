internal import HTTPGateway
internal import HTTPTypes

/// What administrators see and do about the nodes of a secured cluster: `/rondo/v1/members` and the rotation of keys.
struct MemberFacade: Sendable {
    let node: MasterNode

    func respond(_ route: RondoRoute, _ request: GatewayRequest) async throws -> GatewayResponse {
        try await node.requireAdministrator(request)
        let facade = try AdmissionFacade(node: node)
        switch route {
        case .rotateKeys: return try await facade.rotate()
        case .evict(let id): return try await facade.evict(id)
        default: return try await facade.members()
        }
    }
}

extension MasterNode {
    /// Lets nobody but administrators pass.
    func requireAdministrator(_ request: GatewayRequest) async throws {
        switch try await credentials.caller(authorization: request.headers[.authorization]) {
        case .administrator: return
        case .node: throw GatewayError(.forbidden, "this is for administrators; use such a credential")
        case .anonymous:
            throw GatewayError(
                .unauthorized, "the administrator's credential is missing or wrong; run this on the master's machine",
                headers: [.wwwAuthenticate: "Bearer"])
        }
    }
}
