internal import AgentNode
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import Logging
internal import NIOCore
internal import Transport

/// The unix socket for commands on this machine. Who may open it is root, or the node's own user.
///
/// It serves what the master's port serves, with the administrator's rights; on an agent's machine it passes requests
/// on to the master. Two paths are its own: `GET /rondo/v1/local` and `POST /rondo/v1/local/leave`.
struct LocalDoor: Sendable {
    /// What an agent's machine passes requests on to.
    struct Master: Sendable {
        var masters: MasterList
        var caller: HTTPCaller
    }

    /// Who answers all that is not the door's own.
    enum Behind: Sendable {
        case master(HTTPServer.Handler)
        case remote(Master)
    }

    /// How a node was told to leave.
    struct Leave: Sendable {
        var purge: Bool
        var force: Bool
    }

    let role: String
    let files: NodeFiles
    let behind: Behind
    let leave: @Sendable (Leave) async throws -> Void

    func open(_ transport: Transport, _ logger: Logger) async throws -> HTTPServer {
        let endpoint: Endpoint
        do throws(EndpointError) { endpoint = try Endpoint(unixPath: files.socketPath) } catch {
            throw ApplianceError(.failure, "\(error); name a shorter directory with --data or --runtime")
        }
        let door = self
        return try await HTTPServer.start(on: endpoint, transport: transport, logger: logger) { request in
            try await door.answer(request)
        }
    }

    private func answer(_ request: GatewayRequest) async throws -> GatewayResponse {
        guard Array(request.target.segments.prefix(3)) == ["rondo", "v1", "local"] else {
            return try await pass(request)
        }
        switch (request.method, request.target.segments.dropFirst(3).first) {
        case (.get, nil):
            return .text(
                .ok, "{\"role\":\"\(role)\",\"pid\":\(getpid()),\"version\":\"\(Program.version)\"}",
                type: "application/json")
        case (.post, "leave"):
            try await leave(Leave(purge: request.query["purge"] == "true", force: request.query["force"] == "true"))
            return .text(.accepted, "{\"pid\":\(getpid())}", type: "application/json")
        default:
            throw GatewayError(.notFound, "there is nothing at \(request.path.prefix(200))")
        }
    }

    private func pass(_ request: GatewayRequest) async throws -> GatewayResponse {
        switch behind {
        case .master(let handler): return try await handler(request)
        case .remote(let master): return try await pass(request, to: master)
        }
    }

    /// Hop-by-hop fields (RFC 9110 §7.6.1) and the length are each connection's own.
    private static let ownFields: Set<String> = [
        "connection", "content-length", "transfer-encoding", "keep-alive", "te", "upgrade", "host", "expect",
    ]

    private func pass(_ request: GatewayRequest, to master: Master) async throws -> GatewayResponse {
        let body = try await request.body.collect()
        let headers = HTTPFields(request.headers.filter { !Self.ownFields.contains($0.name.canonicalName) })
        let response: HTTPCaller.StreamedResponse
        do throws(HTTPCallError) {
            response = try await master.caller.stream(
                request.method, master.masters.endpoints[0], request.target.raw, headers: headers,
                body: body.readableBytes > 0 ? body : nil)
        } catch { throw GatewayError(.badGateway, "\(error)") }
        let fields = HTTPFields(response.headers.filter { !Self.ownFields.contains($0.name.canonicalName) })
        let content = response.body
        return .stream(response.status, headers: fields) { writer in
            for try await piece in content { try await writer.write(piece) }
        }
    }
}
