internal import ClusterModel
public import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import NIOCore
internal import StateStore

extension MasterNode {
    /// Answers one request to the master's port; the handler of every listener.
    ///
    /// - Throws: ``GatewayError`` with the status and a message that says what to do.
    public func handle(_ request: GatewayRequest) async throws -> GatewayResponse {
        do {
            return try await route(request)
        } catch {
            let refusal: GatewayError
            switch error {
            case let error as GatewayError: refusal = error
            case let error as StoreError: refusal = Driver.refusal(for: error)
            case let error as MasterNodeError: refusal = GatewayError(.internalServerError, error.description)
            default: throw error
            }
            metrics.refused(refusal.status.code)
            if request.target.segments.first == "rondo" { return RondoFacade.failure(refusal) }
            throw refusal
        }
    }

    private func route(_ request: GatewayRequest) async throws -> GatewayResponse {
        guard let route = Route(request.target) else { throw Self.nothing(at: request.path) }
        let methods = route.methods
        guard methods.contains(request.method) else {
            let allowed = methods.map(\.rawValue).joined(separator: ", ")
            throw GatewayError(
                .methodNotAllowed, "\(request.path) does not take \(request.method.rawValue); use \(allowed)",
                headers: [.allow: allowed])
        }
        try Self.refuseForeignPages(request)
        switch route {
        case .scheduler: return try await SchedulerFacade(node: self).respond(to: request)
        case .agent: return try await AgentFacade(node: self).respond(to: request)
        default: return try await apart { try await self.answer(route, request) }
        }
    }

    /// Runs what reads files or writes long documents away from the thread that carries the connection; calls of
    /// frameworks and agents are short and stay there.
    private func apart(
        _ operation: @escaping @Sendable () async throws -> GatewayResponse
    ) async throws -> GatewayResponse {
        var response = try await withTaskExecutorPreference(globalConcurrentExecutor) { try await operation() }
        if case .stream(let produce) = response.content {
            response.content = .stream { writer in
                try await withTaskExecutorPreference(globalConcurrentExecutor) { try await produce(writer) }
            }
        }
        return response
    }

    private func answer(_ route: Route, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch route {
        case .scheduler, .agent: throw Self.nothing(at: request.path)
        case .agentStream(let id): return try await AgentFacade(node: self).takeStream(id, request)
        case .agentProxy(let agent, let target): return try await relay(request, to: agent, target)
        case .operatorCalls: return try await OperatorFacade(node: self).respond(to: request)
        case .document(let document): return try await ReadFacade(node: self).document(document, request)
        case .file(let action): return try LogFile(path: settings.logPath).respond(action, request.query)
        case .teardown: return try await teardown(request)
        case .redirect: return redirect()
        case .prometheus: return try await PrometheusDocument(node: self).response()
        case .statusPage: return try await StatusPage(node: self).response()
        case .rondo(let path):
            guard let route = RondoRoute(path) else { throw Self.nothing(at: request.path) }
            return try await RondoFacade(node: self).respond(route, request)
        }
    }

    /// A page of another site must not act through somebody's browser: browsers then send that site as the Origin.
    private static func refuseForeignPages(_ request: GatewayRequest) throws {
        guard request.method != .get, request.method != .head, let origin = request.headers[.origin] else { return }
        let host = request.headers[.host] ?? ""
        guard origin == "http://\(host)" || origin == "https://\(host)" else {
            throw GatewayError(.forbidden, "requests from pages of other sites are refused")
        }
    }

    private static func nothing(at path: String) -> GatewayError {
        GatewayError(
            .notFound,
            "there is nothing at \(path.prefix(200)); the interfaces are /api/v1/scheduler, /api/v1, /state, /tasks, "
                + "/slaves, /metrics and /rondo/v1/cluster")
    }

    /// `POST /master/teardown`, with `frameworkId=ID` in the body, as Mesos had it before its operator interface.
    private func teardown(_ request: GatewayRequest) async throws -> GatewayResponse {
        let body = try await request.body.collect(upTo: 64 << 10)
        let form = try QueryParameters(parsing: String(buffer: body))
        guard let id = form["frameworkId"], !id.isEmpty else {
            throw GatewayError(.badRequest, "the body has no frameworkId; send frameworkId=ID")
        }
        do {
            return try await ask { .command($0, .teardown(FrameworkID(id))) }.response()
        } catch let error as GatewayError where error.status == .notFound || error.status == .gone {
            throw GatewayError(.badRequest, error.message)  // as Mesos answers here
        }
    }

    /// Where the leading master is: here, as there is one.
    private func redirect() -> GatewayResponse {
        let location = "//\(settings.advertisedAuthority)"
        return .complete(.temporaryRedirect, headers: [.location: location])
    }
}

extension HTTPField.Name {
    static let host = Self("Host") ?? .eTag
}

extension MasterNode.Settings {
    /// `ADDRESS:PORT`, with brackets around IPv6.
    var advertisedAuthority: String {
        let host = advertisedAddress.contains(":") ? "[\(advertisedAddress)]" : advertisedAddress
        return "\(host):\(advertisedPort)"
    }
}

extension GatewayResponse {
    /// A JSON document.
    static func json(_ status: HTTPResponse.Status = .ok, _ bytes: ByteBuffer) -> GatewayResponse {
        .complete(status, headers: [.contentType: "application/json"], bytes: bytes)
    }

    /// A JSON document that a closure writes.
    static func json(
        _ status: HTTPResponse.Status = .ok, capacity: Int = 4_096, _ fields: (inout JSONWriter) throws -> Void
    ) rethrows -> GatewayResponse {
        var writer = JSONWriter(capacity: capacity)
        try writer.object(fields)
        return .json(status, writer.buffer)
    }
}
