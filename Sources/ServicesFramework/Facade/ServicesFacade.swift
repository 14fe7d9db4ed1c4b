internal import Access
internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
public import HTTPGateway
public import HTTPTypes
internal import NIOCore
internal import ServicesCore

extension ServicesFramework {
    /// The methods that a path takes.
    ///
    /// - Parameter path: the segments after `/service/marathon`.
    /// - Returns: nil when nothing is there.
    public static func methods(of path: [String]) -> [HTTPRequest.Method]? { ServicesRoute(path)?.methods }

    /// Answers one request to Marathon's interface.
    ///
    /// - Parameters:
    ///   - request: what is asked for.
    ///   - path: the segments after `/service/marathon`.
    ///   - visitor: who asks.
    /// - Returns: the answer; refusals of this interface are answers, too.
    /// - Throws: ``GatewayError`` for what is refused before it gets here: bodies that are too long, missing rights.
    public func respond(
        to request: GatewayRequest, path: [String], visitor: any ServicesVisitor
    ) async throws -> GatewayResponse {
        guard let route = ServicesRoute(path) else {
            throw GatewayError(
                .notFound,
                "there is nothing here; Marathon's interface has /v2/apps, /v2/groups, /v2/deployments, /v2/queue, "
                    + "/v2/tasks, /v2/events, /v2/info, /v2/leader and /ping")
        }
        do {
            return try await ServicesFacade(framework: self, visitor: visitor, request: request).respond(route)
        } catch FrameworkFailure.storeFull(let reason) {
            throw GatewayError(HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage"), reason)
        } catch let failure as FrameworkFailure {
            throw GatewayError(.serviceUnavailable, failure.description)
        }
    }
}

/// One request to Marathon's interface.
struct ServicesFacade: Sendable {
    let framework: ServicesFramework
    let visitor: any ServicesVisitor
    let request: GatewayRequest

    /// The longest body: a group of a thousand apps.
    static let bodyLimit = 4 << 20
    /// The largest definition as it is stored.
    static let definitionLimit = 256 << 10

    /// An answer that ends the work on a request early.
    struct Answer: Error {
        var response: GatewayResponse
    }

    func respond(_ route: ServicesRoute) async throws -> GatewayResponse {
        do { return try await answer(route) } catch let answer as Answer { return answer.response }
    }

    private func answer(_ route: ServicesRoute) async throws -> GatewayResponse {
        let isRead = request.method == .get || request.method == .head
        switch route {
        case .ping: return .text(.ok, "pong")
        case .metrics: return try await metrics()
        case .info: return try await info()
        case .leader: return leader()
        case .plugins: return Self.json { $0.list("plugins") { _ in } }
        case .events: return try events()
        case .apps:
            if request.method == .post { return try await createApp() }
            return isRead ? try await listApps(in: .root) : try await putApps()
        case .appsOf(let group): return try await listApps(in: group)
        case .app(let id):
            if request.method == .delete { return try await deleteApp(id) }
            return isRead ? try await app(id) : try await putApp(id)
        case .restart(let id): return try await restart(id)
        case .versions(let id): return try await versions(id)
        case .version(let id, let text): return try await version(id, text)
        case .tasksOf(let id): return isRead ? try await tasks(of: id) : try await killTasks(of: id)
        case .taskOf(let id, let task): return try await killTask(task, of: id)
        case .tasks: return try await tasks()
        case .deleteTasks: return try await deleteTasks()
        case .deployments: return try await deployments()
        case .deployment(let id): return try await cancel(id)
        case .queue: return try await queue()
        case .delay(let id): return try await resetDelay(id)
        case .groups: return try await group(.root, isRead: isRead)
        case .group(let id): return try await group(id, isRead: isRead)
        case .groupVersions(let id): return try await groupVersions(id)
        case .groupVersion(let id, let version):
            return isRead ? try await groupVersion(id, version) : try await rollBack(id, to: try time(version))
        case .pods, .podStatuses, .pod, .podPart: return try await pods(route, isRead: isRead)
        }
    }

    // MARK: what all of them need

    var force: Bool { flag("force") }

    /// A parameter that is `true` in any case, as Python writes it.
    func flag(_ name: String) -> Bool { request.query[name]?.lowercased() == "true" }

    func snapshot() async throws -> ServicesCore { try await framework.driver.snapshot().core }

    func ask(_ command: ServicesCommand) async throws -> ServicesReply { try await framework.driver.ask(command) }

    func body() async throws -> JSONValue {
        let body = try await request.body.collect(upTo: Self.bodyLimit)
        guard let value = JSONValue(parsing: Array(body.readableBytesView)) else {
            throw Answer(response: Self.message(.badRequest, "Invalid JSON"))
        }
        return value
    }

    /// Ends the work with 422 when something is wrong.
    static func check(_ defects: [FieldDefect]) throws {
        if !defects.isEmpty { throw Answer(response: invalid(defects)) }
    }

    // MARK: rights

    /// Asks for what the visitor would need to run the same tasks by a framework of its own. The services framework
    /// itself may run as anybody and read every secret, so it is here that this is asked.
    func mayRun(_ workload: Workload) throws {
        for right in framework.rights(toRun: workload) { try visitor.require(right) }
        guard ServicesStore.definition(workload).count <= Self.definitionLimit else {
            try Self.check([FieldDefect("/", "is too large: more than \(Self.definitionLimit >> 10) KiB")])
            return
        }
    }

    func mayEnd() throws { try visitor.require(.killTask(framework.settings.role)) }

    /// The definition without its environment for those who may not see any.
    func shown(_ app: ServiceDefinition) -> ServiceDefinition {
        guard !visitor.may(.view(.environments, of: .everyone)) else { return app }
        var app = app
        app.environment = [:]
        return app
    }

    // MARK: answers

    /// `{deploymentId, version}`, or why not.
    func answer(_ reply: ServicesReply, _ status: HTTPResponse.Status = .ok, at path: String? = nil) -> GatewayResponse
    {
        switch reply {
        case .deployment(let id, let version):
            var response = Self.json(status) { json in
                json.field("version", TimeText.iso8601(version))
                json.field("deploymentId", id.value)
            }
            response.headers[Self.deploymentHeader] = id.value
            if let path { response.headers[.location] = location(path) }
            return response
        case .killed, .done: return Self.json(status) { _ in }
        case .refused(let refusal): return Self.refusal(refusal)
        }
    }

    static let deploymentHeader = HTTPField.Name("Marathon-Deployment-Id") ?? .eTag

    /// A path of this interface in the form in which it was asked.
    func location(_ path: String) -> String {
        let segments = request.target.segments
        let prefix = segments.prefix { $0 != "v2" }.map { "/" + $0 }.joined()
        return prefix + path
    }

    /// Refusals with the statuses and words of Marathon.
    static func refusal(_ refusal: ServicesRefusal) -> GatewayResponse {
        switch refusal {
        case .invalid(let violations): invalid(violations.map { FieldDefect($0.path, $0.message) })
        case .noService(let id): message(.notFound, "App '\(id)' does not exist")
        case .noGroup(let id): message(.notFound, "Group '\(id)' does not exist")
        case .noVersion(let id, let version):
            message(.notFound, "App '\(id)' does not exist in version \(TimeText.iso8601(version))")
        case .noDeployment(let id): message(.notFound, "DeploymentPlan \(id) does not exist")
        case .exists(let id): message(.conflict, "An app with id [\(id)] already exists.")
        case .locked(let ids):
            json(.conflict) { json in
                json.field(
                    "message",
                    "App is locked by one or more deployments. Override with the option '?force=true'. "
                        + "View details at '/v2/deployments/<DEPLOYMENT_ID>'.")
                json.list("deployments") { json in for id in ids { json.object { $0.field("id", id.value) } } }
            }
        case .stale(let id): message(.conflict, "App '\(id)' was changed meanwhile; read it again and repeat")
        case .tooLarge(let text): message(.contentTooLarge, text)
        }
    }

    static func message(_ status: HTTPResponse.Status, _ text: String) -> GatewayResponse {
        json(status) { $0.field("message", text) }
    }

    /// 422 with everything that is wrong and where.
    static func invalid(_ defects: [FieldDefect]) -> GatewayResponse {
        json(.unprocessableContent) { $0.invalid(defects) }
    }

    static func json(
        _ status: HTTPResponse.Status = .ok, _ fields: (inout JSONText) -> Void
    ) -> GatewayResponse {
        var text = JSONText()
        text.object(fields)
        return .complete(
            status, headers: [.contentType: "application/json"], bytes: ByteBuffer(bytes: text.bytes))
    }

    static func list(_ elements: (inout JSONText) -> Void) -> GatewayResponse {
        var text = JSONText()
        text.list(elements)
        return .complete(.ok, headers: [.contentType: "application/json"], bytes: ByteBuffer(bytes: text.bytes))
    }
}
