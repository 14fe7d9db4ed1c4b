internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import NIOCore
internal import Scheduling

/// Mesos' read endpoints: `/state`, `/state-summary`, `/slaves`, `/tasks`, `/frameworks`, `/roles`, `/version` and so on.
struct ReadFacade: Sendable {
    let node: MasterNode
    let visitor: Visitor

    func document(_ document: Route.Document, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch document {
        case .version: return version()
        case .health: return .complete(.ok)
        case .flags: return flags()
        default: break
        }
        let core = try await node.snapshot()
        let view = ClusterView(core)
        switch document {
        case .state:
            return .json(capacity: 64 << 10) { state(view, into: &$0) }
        case .stateSummary: return .json(capacity: 16 << 10) { summary(view, into: &$0) }
        case .agents: return try agents(view, request.query)
        case .tasks: return try tasks(view, request)
        case .frameworks:
            return .json(capacity: 64 << 10) { json in
                frameworks(view, into: &json)
                json.listField("unregistered_frameworks") { _ in }
            }
        case .roles: return roles(view)
        case .metrics:
            return .json(capacity: 8 << 10) { json in
                for (name, value) in MesosMetrics.values(of: core, node) { json.field(name, value) }
            }
        case .version, .health, .flags: return .complete(.ok)
        }
    }

    /// Commands' environments often hold secrets, so they are for those only who may see them.
    private func showsEnvironment(_ task: TaskRecord) -> Bool { visitor.showsEnvironment(of: task.launch.role) }

    // MARK: /version, /flags

    private func version() -> GatewayResponse {
        .json { json in
            json.field("version", MasterNode.mesosVersion)
            json.field("build_date", "" as StaticString)
            json.field("build_time", 0.0)
            json.field("build_user", "" as StaticString)
            json.field("rondo_version", node.settings.version)
        }
    }

    private func flags() -> GatewayResponse {
        .json { json in
            json.objectField("flags") { json in
                for (name, value) in node.settings.flags.sorted(by: { $0.key < $1.key }) { json.field(name, value) }
            }
        }
    }

    // MARK: /state

    private func state(_ view: ClusterView, into json: inout JSONWriter) {
        head(view, into: &json)
        json.listField("slaves") { json in
            for agent in view.agents where agent.isListed {
                json.object { json in
                    json.agentFields(agent, view)
                    json.objectField("reserved_resources_full") { _ in }
                    json.fullResources("unreserved_resources_full", agent.info.resources.unreserved)
                    json.fullResources("used_resources_full", view.used(on: agent))
                    json.fullResources("offered_resources_full", view.offered(on: agent.id))
                }
            }
        }
        json.listField("recovered_slaves") { json in
            for agent in view.agents where agent.session == .recovered {
                json.object { json in
                    json.field("id", agent.id.value)
                    json.field("hostname", agent.info.hostname)
                }
            }
        }
        frameworks(view, into: &json)
        json.listField("orphan_tasks") { _ in }
        json.listField("unregistered_frameworks") { _ in }
    }

    private func head(_ view: ClusterView, into json: inout JSONWriter) {
        let settings = node.settings
        let authority = node.master.authority
        json.field("version", MasterNode.mesosVersion)
        json.field("build_date", "" as StaticString)
        json.field("build_time", 0.0)
        json.field("build_user", "" as StaticString)
        json.field("start_time", node.startedAt.seconds)
        json.field("elected_time", node.startedAt.seconds)
        json.field("id", node.master.id.value)
        json.field("pid", "master@\(authority)")
        json.field("hostname", settings.hostname)
        json.field("leader", "master@\(authority)")
        json.objectField("leader_info") { json in
            json.field("id", node.master.id.value)
            json.field("pid", "master@\(authority)")
            json.field("port", node.master.port)
            json.field("hostname", settings.hostname)
        }
        json.field("cluster", settings.clusterName)
        if settings.logPath != nil { json.field("log_dir", "/master" as StaticString) }
        json.listField("capabilities") { json in
            for name in ["AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2"] { json.string(name) }
        }
        let agents = view.core.agents.values
        json.field("activated_slaves", agents.count { $0.isActive })
        json.field("deactivated_slaves", agents.count { $0.session == .disconnected })
        json.field("unreachable_slaves", agents.count { $0.session == .unreachable })
        json.objectField("flags") { json in
            for (name, value) in settings.flags.sorted(by: { $0.key < $1.key }) { json.field(name, value) }
        }
    }

    private func frameworks(_ view: ClusterView, into json: inout JSONWriter) {
        json.listField("frameworks") { json in
            for framework in view.frameworks {
                self.framework(framework, view, into: &json)
            }
        }
        json.listField("completed_frameworks") { json in
            for framework in view.core.completedFrameworks {
                self.framework(framework, view, into: &json)
            }
        }
    }

    private func framework(
        _ framework: FrameworkState, _ view: ClusterView, into json: inout JSONWriter
    ) {
        json.object { json in
            json.frameworkFields(framework, view)
            let tasks = view.tasks(of: framework)
            json.listField("tasks") { json in
                for task in tasks where task.state != .unreachable {
                    json.task(task, showsEnvironment: showsEnvironment(task))
                }
            }
            json.listField("unreachable_tasks") { json in
                for task in tasks where task.state == .unreachable {
                    json.task(task, showsEnvironment: showsEnvironment(task))
                }
            }
            json.listField("completed_tasks") { json in
                for task in framework.completedTasks { json.task(task, showsEnvironment: showsEnvironment(task)) }
            }
            json.listField("executors") { json in
                for (agent, group) in view.executors(of: framework) {
                    json.object { json in
                        json.field("executor_id", group.executorID.value)
                        json.field("framework_id", framework.id.value)
                        json.field("slave_id", agent.value)
                        json.field("type", "DEFAULT" as StaticString)
                        json.resources("resources", group.resources)
                    }
                }
            }
            json.listField("offers") { json in
                for offer in view.core.offers.offers(to: framework.id) {
                    json.object { json in
                        json.field("id", offer.id.value)
                        json.field("framework_id", offer.frameworkID.value)
                        json.field("slave_id", offer.agentID.value)
                        json.resources("resources", offer.resources)
                        json.objectField("allocation_info") { $0.field("role", offer.role.value) }
                    }
                }
            }
        }
    }

    // MARK: /state-summary

    private static let countedStates: [TaskState] = [
        .staging, .starting, .running, .killing, .finished, .killed, .failed, .lost, .error, .unreachable, .dropped,
        .gone, .goneByOperator,
    ]

    private func summary(_ view: ClusterView, into json: inout JSONWriter) {
        var byAgent: [AgentID: [TaskState: Int]] = [:]
        var frameworksOn: [AgentID: Set<FrameworkID>] = [:]
        var byFramework: [FrameworkID: [TaskState: Int]] = [:]
        var agentsOf: [FrameworkID: Set<AgentID>] = [:]
        for framework in view.core.frameworks.values {
            for task in Array(framework.tasks.values) + framework.completedTasks {
                byAgent[task.agentID, default: [:]][task.state, default: 0] += 1
                byFramework[framework.id, default: [:]][task.state, default: 0] += 1
                frameworksOn[task.agentID, default: []].insert(framework.id)
                agentsOf[framework.id, default: []].insert(task.agentID)
            }
        }
        json.field("hostname", node.settings.hostname)
        json.field("cluster", node.settings.clusterName)
        json.listField("slaves") { json in
            for agent in view.agents where agent.isListed {
                json.object { json in
                    json.agentFields(agent, view)
                    for state in Self.countedStates { json.field(state.wireName, byAgent[agent.id]?[state] ?? 0) }
                    json.listField("framework_ids") { json in
                        for id in (frameworksOn[agent.id] ?? []).sorted() { json.string(id.value) }
                    }
                }
            }
        }
        json.listField("frameworks") { json in
            for framework in view.frameworks {
                json.object { json in
                    json.frameworkFields(framework, view)
                    for state in Self.countedStates {
                        json.field(state.wireName, byFramework[framework.id]?[state] ?? 0)
                    }
                    json.listField("slave_ids") { json in
                        for id in (agentsOf[framework.id] ?? []).sorted() { json.string(id.value) }
                    }
                }
            }
        }
    }

    // MARK: /slaves, /tasks, /roles

    private func agents(_ view: ClusterView, _ query: QueryParameters) throws -> GatewayResponse {
        let wanted = query["slave_id"].map { AgentID($0) }
        return .json(capacity: 16 << 10) { json in
            json.listField("slaves") { json in
                for agent in view.agents where agent.isListed && (wanted == nil || agent.id == wanted) {
                    json.object { $0.agentFields(agent, view) }
                }
            }
            json.listField("recovered_slaves") { json in
                for agent in view.agents where agent.session == .recovered {
                    json.object { json in
                        json.field("id", agent.id.value)
                        json.field("hostname", agent.info.hostname)
                    }
                }
            }
        }
    }

    /// `?limit&offset&order&task_id&framework_id`: newest first unless `order=asc`; limit 100, -1 for all.
    private func tasks(_ view: ClusterView, _ request: GatewayRequest) throws -> GatewayResponse {
        let query = request.query
        let limit = try Self.number(query["limit"], "limit", least: -1) ?? 100
        let offset = try Self.number(query["offset"], "offset", least: 0) ?? 0
        if let order = query["order"], order != "asc", order != "des", order != "desc" {
            throw GatewayError(.badRequest, "parameter 'order' is '\(order.prefix(20))'; send asc or des")
        }
        var tasks: [TaskRecord] = []
        for framework in view.frameworks + view.core.completedFrameworks
        where query["framework_id"] == nil || framework.id.value == query["framework_id"] {
            if let id = query["task_id"] {
                tasks += framework.tasks[TaskID(id)].map { [$0] } ?? []
                tasks += framework.completedTasks.filter { $0.id.value == id }
            } else {
                tasks += view.tasks(of: framework) + framework.completedTasks
            }
        }
        let isRising = query["order"] == "asc"
        let begun = tasks.map { (task: $0, at: $0.statuses.first?.timestamp ?? UnixTime(nanoseconds: 0)) }
            .sorted { isRising ? $0.at < $1.at : $1.at < $0.at }
        let page = begun.dropFirst(offset).prefix(limit < 0 ? Int.max : limit)
        return .json(capacity: 64 << 10) { json in
            json.listField("tasks") { json in
                for entry in page { json.task(entry.task, showsEnvironment: showsEnvironment(entry.task)) }
            }
        }
    }

    static func number(_ text: String?, _ name: String, least: Int) throws -> Int? {
        guard let text else { return nil }
        guard let number = Int(text), number >= least else {
            throw GatewayError(
                .badRequest, "parameter '\(name)' is '\(text.prefix(20))'; send a whole number from \(least) up")
        }
        return number
    }

    private func roles(_ view: ClusterView) -> GatewayResponse {
        .json { json in
            json.listField("roles") { json in
                for share in view.core.allocator.shares().sorted(by: { $0.role < $1.role }) {
                    json.object { json in
                        json.field("name", share.role.value)
                        json.field("weight", share.weight)
                        json.listField("frameworks") { json in
                            for framework in share.frameworks { json.string(framework.framework.value) }
                        }
                        json.objectField("resources") { json in
                            for scalar in ["cpus", "gpus", "mem", "disk"] {
                                let amount = share.allocated.first { $0.name == scalar }?.amount
                                json.field(scalar, amount?.value ?? 0.0)
                            }
                        }
                    }
                }
            }
        }
    }
}

extension AgentState {
    /// Whether Mesos' documents show it: it is connected, or may come back any moment.
    var isListed: Bool {
        switch session {
        case .connected, .disconnected: true
        case .recovered, .unreachable, .gone: false
        }
    }
}
