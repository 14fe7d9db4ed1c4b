internal import CatalogService
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import NIOCore
internal import Scheduling

/// `/rondo/v1`: what the command line and the web page need beyond Mesos' interfaces. JSON in and out; described in
/// Documentation/openapi.yaml.
struct RondoFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    func respond(_ route: RondoRoute, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch route {
        case .health: return health()
        case .killTask(let key):
            try await FrameworkAccess(node: node, visitor: visitor).mayKill(key)
            return try await done(.killTask(key))
        case .teardown(let id):
            try await FrameworkAccess(node: node, visitor: visitor).mayTearDown(id)
            return try await done(.teardown(id))
        case .join, .certificate, .keys, .leave, .members, .rotateKeys, .evict:
            return try await AdmissionFacade(node: node, visitor: visitor).respond(route, request)
        case .tokens, .token: return try await TokenFacade(node: node, visitor: visitor).respond(route, request)
        case .users, .user, .userTokens, .userToken:
            return try await UserFacade(node: node, visitor: visitor).respond(route, request)
        case .names: return try await NameFacade(node: node).changes(request.query)
        case .catalog: return try node.catalog().document()
        case .refreshCatalog: return try await node.catalog().refreshed()
        case .catalogPackages: return try node.catalog().packages(request)
        case .catalogArchives: return try await node.catalog().addArchive(request, visitor: visitor)
        case .catalogImages: return try await node.catalog().images(request, visitor: visitor)
        case .registry(let path): return try node.catalog().registry(path, request)
        case .audit: return try AuditFacade(trail: node.trail).respond(request.query)
        default: break
        }
        let core = try await node.snapshot()
        let view = ClusterView(core)
        switch route {
        case .cluster: return cluster(view)
        case .tasks: return try tasks(view, request.query)
        case .task(let path): return try task(path, view)
        case .nodes:
            return .json { json in
                json.listField("nodes") { json in
                    for agent in view.agents { json.object { $0.node(agent, view) } }
                }
            }
        case .node(let id): return try nodeDocument(id, view)
        case .frameworks:
            return .json { json in
                json.listField("frameworks") { json in
                    for framework in view.frameworks + core.completedFrameworks {
                        json.object { $0.framework(framework, view) }
                    }
                }
            }
        case .framework(let id): return try framework(id, view)
        case .roles: return roles(view)
        case .why(let name): return try why(name, core)
        default: return health()
        }
    }

    /// A refusal in the form of this interface.
    static func failure(_ error: GatewayError) -> GatewayResponse {
        var response = GatewayResponse.json(error.status) { json in
            json.field("code", code(of: error.status))
            json.field("message", error.message)
        }
        for field in error.headers { response.headers.append(field) }
        return response
    }

    /// Stable names of the refusals; one per status.
    static func code(of status: HTTPResponse.Status) -> String {
        switch status.code {
        case 400: "request.invalid"
        case 401: "request.unauthorized"
        case 403: "request.forbidden"
        case 404: "request.not-found"
        case 405: "request.method-not-allowed"
        case 408: "request.timeout"
        case 409: "request.conflict"
        case 410: "request.gone"
        case 413: "request.too-large"
        case 414: "request.target-too-long"
        case 415: "request.media-type"
        case 429: "request.too-many"
        case 501: "request.not-supported"
        case 503: "master.unavailable"
        case 507: "master.storage-full"
        default: status.code < 500 ? "request.refused" : "master.failed"
        }
    }

    // MARK: the cluster

    private func health() -> GatewayResponse {
        .json { json in
            json.field("healthy", true)
            json.field("writable", node.condition.readOnly == nil)
            json.field("reason", node.condition.readOnly?.message)
        }
    }

    private func cluster(_ view: ClusterView) -> GatewayResponse {
        .json { json in
            json.field("id", node.cluster.id)
            json.field("name", node.settings.clusterName)
            json.field("version", node.settings.version)
            json.field("mesosVersion", MasterNode.mesosVersion)
            json.field("createdAt", node.cluster.createdAt.text)
            json.field("startedAt", node.startedAt.text)
            json.objectField("leader") { json in
                json.field("id", node.master.id.value)
                json.field("hostname", node.settings.hostname)
                json.field("address", node.master.address)
                json.field("port", node.master.port)
            }
            json.objectField("nodes") { json in
                for state in ["connected", "disconnected", "recovered", "unreachable", "gone"] {
                    json.field(state, view.core.agents.values.count { $0.session.word == state })
                }
            }
            json.objectField("frameworks") { json in
                json.field("connected", view.core.frameworks.values.count { $0.isConnected })
                json.field("disconnected", view.core.frameworks.values.count { !$0.isConnected })
            }
            json.field("tasks", view.core.frameworks.values.reduce(0) { $0 + $1.tasks.count })
            json.objectField("resources") { json in
                for amount in view.core.allocator.clusterTotal() { json.field(amount.name, amount.amount.value) }
            }
        }
    }

    private func done(_ command: OperatorCommand) async throws -> GatewayResponse {
        let names =
            switch command {
            case .killTask(let key): [("framework", key.framework.defect), ("task", key.task.defect)]
            case .teardown(let id): [("framework", id.defect)]
            case .markAgentGone, .setWeight: [(String, String?)]()
            }
        for case (let name, let defect?) in names {
            throw GatewayError(.badRequest, "the id of the \(name) \(defect)")
        }
        _ = try await node.ask { .command($0, command) }.response()
        return .json { _ in }
    }

    // MARK: tasks

    /// `?framework=ID&state=NAME`; a state is `running` or `TASK_RUNNING`, `active` for all that have not ended.
    private func tasks(_ view: ClusterView, _ query: QueryParameters) throws -> GatewayResponse {
        var isWanted: (TaskState) -> Bool = { _ in true }
        if let text = query["state"] {
            let name = text.uppercased().hasPrefix("TASK_") ? text.uppercased() : "TASK_" + text.uppercased()
            if text.lowercased() == "active" {
                isWanted = { !$0.isTerminal }
            } else if let state = TaskState(rawValue: name) {
                isWanted = { $0 == state }
            } else {
                throw GatewayError(
                    .badRequest, "parameter 'state' is '\(text.prefix(40))'; send active, running, finished, failed …")
            }
        }
        let frameworks = view.frameworks + view.core.completedFrameworks
        if let id = query["framework"], !frameworks.contains(where: { $0.id.value == id }) {
            throw Self.noFramework(id)
        }
        return .json(capacity: 64 << 10) { json in
            json.listField("tasks") { json in
                for framework in frameworks where query["framework"] == nil || framework.id.value == query["framework"]
                {
                    for task in view.tasks(of: framework) + framework.completedTasks where isWanted(task.state) {
                        json.object { $0.taskSummary(task, view) }
                    }
                }
            }
        }
    }

    /// `TASK` or `FRAMEWORK/TASK`.
    private func task(_ path: [String], _ view: ClusterView) throws -> GatewayResponse {
        let id = TaskID(path.last ?? "")
        if let defect = id.defect { throw GatewayError(.badRequest, "the id of the task \(defect)") }
        var found: [TaskRecord] = []
        for framework in view.frameworks + view.core.completedFrameworks
        where path.count == 1 || framework.id.value == path[0] {
            if let task = framework.tasks[id] ?? framework.completedTasks.last(where: { $0.id == id }) {
                found.append(task)
            }
        }
        guard let task = found.first else {
            throw GatewayError(.notFound, "no task '\(id)'; `rondo task list` shows those there are")
        }
        if found.count > 1 {
            let names = found.prefix(5).map { "\($0.launch.frameworkID)/\(id)" }.joined(separator: ", ")
            throw GatewayError(.conflict, "\(found.count) frameworks have a task '\(id)'; ask for one of \(names)")
        }
        let shows = visitor.showsEnvironment(of: task.launch.role)
        return .json { json in
            json.taskSummary(task, view)
            json.labels(task.launch.task.labels)
            json.listField("statuses") { json in
                for status in task.statuses { json.status(status) }
            }
            if let command = task.launch.task.command { json.command(command, showsEnvironment: shows) }
        }
    }

    // MARK: nodes, frameworks, roles

    /// By id, or by host name when only one node has it.
    private func nodeDocument(_ id: AgentID, _ view: ClusterView) throws -> GatewayResponse {
        let named = view.agents.filter { $0.info.hostname == id.value }
        guard let agent = view.core.agents[id] ?? (named.count == 1 ? named.first : nil) else {
            throw GatewayError(.notFound, "no node '\(id)'; `rondo node list` shows those there are")
        }
        return .json { json in
            json.node(agent, view)
            json.listField("taskList") { json in
                for key in agent.tasks.sorted() {
                    guard let task = view.core.frameworks[key.framework]?.tasks[key.task] else { continue }
                    json.object { $0.taskSummary(task, view) }
                }
            }
        }
    }

    private static func noFramework(_ id: String) -> GatewayError {
        GatewayError(.notFound, "no framework '\(id.prefix(255))'; `rondo framework list` shows those there are")
    }

    private func framework(_ id: FrameworkID, _ view: ClusterView) throws -> GatewayResponse {
        let removed = view.core.completedFrameworks.first { $0.id == id }
        guard let framework = view.core.frameworks[id] ?? removed else { throw Self.noFramework(id.value) }
        return .json { json in
            json.framework(framework, view)
            json.listField("offers") { json in
                for offer in view.core.offers.offers(to: id) {
                    json.object { json in
                        json.field("id", offer.id.value)
                        json.field("node", offer.agentID.value)
                        json.field("hostname", offer.agent.hostname)
                        json.field("role", offer.role.value)
                        json.resources("resources", offer.resources)
                    }
                }
            }
            json.listField("taskList") { json in
                for task in view.tasks(of: framework) + framework.completedTasks {
                    json.object { $0.taskSummary(task, view) }
                }
            }
        }
    }

    private func roles(_ view: ClusterView) -> GatewayResponse {
        .json { json in
            json.listField("roles") { json in
                for share in view.core.allocator.shares() { json.object { $0.role(share, view) } }
            }
        }
    }

    // MARK: why

    private func why(_ name: String, _ core: MasterCore) throws -> GatewayResponse {
        let explanations = core.explain(name, now: node.clock.now())
        if explanations.isEmpty {
            throw GatewayError(
                .notFound, "no task and no framework '\(name.prefix(255))'; `rondo task list` shows those there are")
        }
        return .json { json in
            json.listField("explanations") { json in
                for explanation in explanations { json.object { $0.explanation(explanation) } }
            }
        }
    }

    // MARK: reading requests

    static func defect(ofName name: String) -> String? {
        if name.isEmpty || name.utf8.count > 255 { return "must have 1 to 255 bytes" }
        let isPrintable = name.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7f }
        return isPrintable ? nil : "must not contain white space or control characters"
    }

    /// The longest body of this interface, in bytes.
    static let bodyLimit = 64 << 10

    static func body<Body: Decodable>(_ type: Body.Type, of request: GatewayRequest) async throws -> Body {
        guard let media = request.headers[.contentType] else {
            throw GatewayError(.badRequest, "there is no Content-Type; send application/json")
        }
        guard media.lowercased().hasPrefix("application/json") else {
            throw GatewayError(
                .unsupportedMediaType, "the Content-Type '\(media.prefix(80))' is not supported; send application/json")
        }
        let body = try await request.body.collect(upTo: bodyLimit)
        do {
            return try JSONDecoder().decode(Body.self, from: Data(body.readableBytesView))
        } catch {
            throw GatewayError(.badRequest, "the body cannot be read: \(JSONFault.text(error))")
        }
    }
}
