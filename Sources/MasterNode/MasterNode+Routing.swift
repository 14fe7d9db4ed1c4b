internal import CatalogService
internal import ClusterModel
internal import Console
public import HTTPGateway
internal import HTTPTypes
internal import JobsFramework
internal import MasterCore
internal import NIOCore
internal import StateStore

extension MasterNode {
    /// Answers one request to the master's port; the handler of every listener.
    ///
    /// - Parameters:
    ///   - request: what is asked for.
    ///   - isLocal: whether it came over a unix socket that only root may open; whoever shows no credential there is root.
    /// - Returns: the answer.
    /// - Throws: ``GatewayError`` with the status and a message that says what to do.
    public func handle(_ request: GatewayRequest, isLocal: Bool = false) async throws -> GatewayResponse {
        let refusal: GatewayError
        do { return try await answer(request, isLocal: isLocal) } catch {
            guard let known = Self.refusal(for: error) else { throw error }
            refusal = known
        }
        metrics.refused(refusal.status.code)
        switch request.target.segments.first {
        case "rondo", "secrets": return RondoFacade.failure(refusal)
        case "acs": return DCOSUserFacade.failure(refusal)
        case "service", "marathon", "v2": return JobsFramework.failure(refusal)
        case "package", "cosmos": return CatalogService.failure(refusal)
        case "ui", nil: return try await consoleFailure(refusal, request, isLocal: isLocal)
        default: throw refusal
        }
    }

    private static func refusal(for error: any Error) -> GatewayError? {
        switch error {
        case let error as GatewayError: error
        case let error as StoreError: Driver.refusal(for: error)
        case let error as MasterNodeError: GatewayError(.internalServerError, error.description)
        default: nil
        }
    }

    /// Finds out who asks, whether that one may, and writes down what is changed or refused.
    private func answer(_ original: GatewayRequest, isLocal: Bool) async throws -> GatewayResponse {
        let route = Route(original.target)
        var request = original
        // The frameworks answer HEAD as GET; whoever sends the answer leaves its body out.
        switch route {
        case .jobs, .services: if original.method == .head { request.method = .get }
        default: break
        }
        let need = route?.requirement(request.method) ?? .known
        let visitor: Visitor
        do {
            visitor = try await authentication.visitor(
                request, certificates: request.peerCertificates, isLocal: isLocal, forgives: need == .open)
        } catch let error as GatewayError {
            await trail.refused(request, error, source: Authentication.source(of: request, isLocal: isLocal))
            throw error
        }
        do {
            try Self.check(visitor, need)
            guard let route else { throw Self.nothing(at: request.path) }
            try Self.check(request, route.methods)
            if route.isChange(request.method) {
                visitor.noteChange(request.method.rawValue, request.path)
                try await trail.check(visitor)
            }
            let response = try await answer(route, request, visitor)
            await trail.record(visitor, request, status: response.status.code)
            return response
        } catch {
            let refusal = Self.refusal(for: error)
            await trail.record(visitor, request, status: refusal?.status.code ?? 500, reason: refusal?.message)
            throw error
        }
    }

    private static func check(_ visitor: Visitor, _ need: Requirement) throws {
        switch need {
        case .open: break
        case .known: if visitor.mode == .enforced, !visitor.isKnown { throw Visitor.unknown }
        case .right(let action): try visitor.require(action)
        }
    }

    private static func check(_ request: GatewayRequest, _ methods: [HTTPRequest.Method]) throws {
        guard methods.contains(request.method) else {
            let allowed = methods.map(\.rawValue).joined(separator: ", ")
            throw GatewayError(
                .methodNotAllowed, "\(request.path) does not take \(request.method.rawValue); use \(allowed)",
                headers: [.allow: allowed])
        }
        try refuseForeignPages(request)
    }

    private func answer(
        _ route: Route, _ request: GatewayRequest, _ visitor: Visitor
    ) async throws -> GatewayResponse {
        switch route {
        case .scheduler: return try await SchedulerFacade(node: self, visitor: visitor).respond(to: request)
        case .agent: return try await AgentFacade(node: self, visitor: visitor).respond(to: request)
        default: return try await apart { try await self.answerApart(route, request, visitor) }
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

    private func answerApart(
        _ route: Route, _ request: GatewayRequest, _ visitor: Visitor
    ) async throws -> GatewayResponse {
        let login = LoginFacade(node: self, visitor: visitor)
        switch route {
        case .scheduler, .agent: throw Self.nothing(at: request.path)
        case .agentStream(let id): return try await AgentFacade(node: self, visitor: visitor).takeStream(id, request)
        case .agentProxy(let agent, let target) where request.method == .post && route.isContainerCalls:
            let checked = try await ContainerAccess(node: self, visitor: visitor).admit(request, to: agent)
            return try await relay(checked, to: agent, target)
        case .agentProxy(let agent, let target): return try await relay(request, to: agent, target)
        case .agentMetrics(let agent, let target): return try await relay(request, to: agent, target)
        case .nodeHealth(let path): return try NodeHealth(await snapshot(), own: master).respond(path)
        case .operatorCalls: return try await OperatorFacade(node: self, visitor: visitor).respond(to: request)
        case .document(let document):
            return try await ReadFacade(node: self, visitor: visitor).document(document, request)
        case .file(let action): return try LogFile(path: settings.logPath).respond(action, request.query)
        case .teardown: return try await teardown(request, visitor)
        case .redirect: return redirect()
        case .prometheus: return try await PrometheusDocument(node: self).response()
        case .root: return ConsoleDesk(node: self, visitor: visitor, request: request).redirect(to: .overview)
        case .console(let route):
            return try await ConsoleDesk(node: self, visitor: visitor, request: request).respond(route)
        case .ping: return .text(.ok, "pong")
        case .dcosVersion: return login.version()
        case .buildInfo: return .json { _ in }
        case .metadata: return login.metadata()
        case .capabilities: return login.capabilities()
        case .loginProviders: return login.providers()
        case .login: return try await login.login(request)
        case .clusterCertificate: return try login.certificate()
        case .dcosUsers(let name):
            return try await DCOSUserFacade(node: self, visitor: visitor).respond(name, request)
        case .sealStatus(let store): return try SecretFacade(node: self, visitor: visitor).sealStatus(store)
        case .secret(let store, let path, let lists):
            return try await SecretFacade(node: self, visitor: visitor).respond(store, path, lists: lists, request)
        case .names(let path): return try NameFacade(node: self).document(path)
        case .jobs(let path): return try await jobs(path, request, visitor)
        case .services(let path): return try await services(path, request, visitor)
        case .cosmos(let path): return try await catalog().respond(to: request, path: path, visitor: visitor)
        case .rondo(let path):
            guard let route = RondoRoute(path) else { throw Self.nothing(at: request.path) }
            return try await RondoFacade(node: self, visitor: visitor).respond(route, request)
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
    private func teardown(_ request: GatewayRequest, _ visitor: Visitor) async throws -> GatewayResponse {
        let body = try await request.body.collect(upTo: 64 << 10)
        let form = try QueryParameters(parsing: String(buffer: body))
        guard let id = form["frameworkId"], !id.isEmpty else {
            throw GatewayError(.badRequest, "the body has no frameworkId; send frameworkId=ID")
        }
        try await FrameworkAccess(node: self, visitor: visitor).mayTearDown(FrameworkID(id))
        do {
            return try await ask { .command($0, .teardown(FrameworkID(id))) }.response()
        } catch let error as GatewayError where error.status == .notFound || error.status == .gone {
            throw GatewayError(.badRequest, error.message)  // as Mesos answers here
        }
    }

    /// Where the leading master is: here, as there is one.
    private func redirect() -> GatewayResponse {
        let location = "//\(master.authority)"
        return .complete(.temporaryRedirect, headers: [.location: location])
    }
}

extension HTTPField.Name {
    static let host = Self("Host") ?? .eTag
}

extension MasterInfo {
    /// `ADDRESS:PORT`, with brackets around IPv6.
    var authority: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }
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
