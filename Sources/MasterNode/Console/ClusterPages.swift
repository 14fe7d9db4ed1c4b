internal import ClusterModel
internal import Console
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import Scheduling

/// Nodes, frameworks and tasks.
extension ConsoleDesk {
    // MARK: nodes

    func nodes() async throws -> GatewayResponse {
        let view = ClusterView(try await node.snapshot())
        let query = listQuery(
            ["nodes"], sorts: NodesPage.sorts, choices: ["state"], descending: ["cpu", "memory", "tasks", "since"])
        let wanted = query.choices["state"]
        let rows = view.core.agents.values.lazy
            .filter { wanted == nil || $0.session.word == wanted }
            .filter { query.matches($0.info.hostname, $0.info.address, $0.id.value) }
            .map { Self.row($0, view) }
        return page(NodesPage(nodes: query.listing(Array(rows), of: view.core.agents.count, by: Self.order(query))))
    }

    private static func order(_ query: ListQuery) -> (NodeRow, NodeRow) -> Bool {
        switch query.sort {
        case "state": { ($0.state, $0.hostname, $0.id) < ($1.state, $1.hostname, $1.id) }
        case "cpu": { ($0.cpus.share, $0.id) < ($1.cpus.share, $1.id) }
        case "memory": { ($0.memory.share, $0.id) < ($1.memory.share, $1.id) }
        case "tasks": { ($0.tasks, $0.id) < ($1.tasks, $1.id) }
        case "since": { ($0.since?.nanoseconds ?? 0, $0.id) < ($1.since?.nanoseconds ?? 0, $1.id) }
        default: { ($0.hostname, $0.id) < ($1.hostname, $1.id) }
        }
    }

    private static func row(_ agent: AgentState, _ view: ClusterView) -> NodeRow {
        let used = view.used(on: agent)
        let offered = view.offered(on: agent.id)
        func amount(_ name: String) -> Amount { Self.amount(name, agent.info.resources, used, offered) }
        return NodeRow(
            id: agent.id.value, hostname: agent.info.hostname, address: "\(agent.info.address):\(agent.info.port)",
            state: agent.session.word, cpus: amount("cpus"), memory: amount("mem"), tasks: agent.tasks.count,
            since: agent.reregisteredAt ?? agent.registeredAt)
    }

    static func amount(_ name: String, _ total: Resources, _ used: Resources, _ offered: Resources) -> Amount {
        Amount(
            name, total: total.total(name).value, used: used.total(name).value, offered: offered.total(name).value)
    }

    /// By id, or by host name when only one node has it.
    func nodePage(_ id: String) async throws -> GatewayResponse {
        let view = ClusterView(try await node.snapshot())
        let named = view.core.agents.values.filter { $0.info.hostname == id }
        guard let agent = view.core.agents[AgentID(id)] ?? (named.count == 1 ? named.first : nil) else {
            throw GatewayError(.notFound, "There is no node '\(id.prefix(100))'.")
        }
        let used = view.used(on: agent)
        let offered = view.offered(on: agent.id)
        let all = agent.info.resources
        var names = ["cpus", "mem", "disk", "gpus"]
        for item in all.items {
            if case .scalar = item.value, !names.contains(item.kind.name) { names.append(item.kind.name) }
        }
        let query = listQuery(
            ["nodes", id], sorts: TasksPage.sorts, choices: [], descending: ["changed", "cpu", "memory"])
        let tasks = agent.tasks.compactMap { view.core.frameworks[$0.framework]?.tasks[$0.task] }
        let ports = all.allRanges("ports")
        return page(
            NodePage(
                node: Self.row(agent, view), version: agent.info.version, registered: agent.registeredAt,
                domain: agent.info.domain.map { "\($0.region), \($0.zone)" },
                amounts: names.map { Self.amount($0, all, used, offered) },
                ports: ports.isEmpty ? nil : "\(ports) (in use: \(used.allRanges("ports")))",
                reservations: all.byReservation.sorted { $0.key < $1.key }
                    .map { ($0.key.value, $0.value.words) },
                attributes: agent.info.attributes.map { ($0.name, Self.text($0.value)) },
                tasks: Self.listing(tasks, of: tasks.count, query, view)))
    }

    private static func text(_ value: ClusterModel.Attribute.Value) -> String {
        switch value {
        case .text(let text): text
        case .scalar(let number): number.description
        case .ranges(let ranges): ranges.description
        }
    }

    // MARK: tasks

    func tasks() async throws -> GatewayResponse {
        let view = ClusterView(try await node.snapshot())
        let query = listQuery(
            ["tasks"], sorts: TasksPage.sorts, choices: TasksPage.choices, descending: ["changed", "cpu", "memory"])
        var all = 0
        var matching: [TaskRecord] = []
        for framework in view.frameworks + view.core.completedFrameworks {
            all += framework.tasks.count + framework.completedTasks.count
            if let wanted = query.choices["framework"], wanted != framework.id.value { continue }
            for task in framework.tasks.values where Self.isWanted(task, query, view) { matching.append(task) }
            for task in framework.completedTasks where Self.isWanted(task, query, view) { matching.append(task) }
        }
        return page(
            TasksPage(
                tasks: Self.listing(matching, of: all, query, view),
                frameworks: view.frameworks.map { ($0.id.value, $0.info.name.isEmpty ? $0.id.value : $0.info.name) }))
    }

    private static func isWanted(_ task: TaskRecord, _ query: ListQuery, _ view: ClusterView) -> Bool {
        let isInState =
            switch query.choices["state"] {
            case nil: !task.state.isTerminal
            case "all": true
            case "bad": States.task(task.state.wireName).tone == .bad
            case let name?: task.state.wireName == "TASK_" + name.uppercased()
            }
        return isInState
            && (query.text.isEmpty
                || query.matches(
                    task.id.value, task.launch.task.name, view.core.agents[task.agentID]?.info.hostname,
                    task.launch.frameworkName))
    }

    /// Sorted by the records themselves: only the rows that are shown are written out.
    static func listing(
        _ tasks: [TaskRecord], of all: Int, _ query: ListQuery, _ view: ClusterView
    ) -> Listing<TaskRow> {
        let listing: Listing<TaskRecord>
        switch query.sort {
        case "id": listing = sorted(tasks, all, query) { $0.id.value }
        case "state": listing = sorted(tasks, all, query) { $0.state.wireName }
        case "framework": listing = sorted(tasks, all, query) { $0.launch.frameworkName }
        case "node":
            listing = sorted(tasks, all, query) {
                view.core.agents[$0.agentID]?.info.hostname ?? $0.agentID.value
            }
        case "cpu": listing = sorted(tasks, all, query) { $0.resources.total("cpus").thousandths }
        case "memory": listing = sorted(tasks, all, query) { $0.resources.total("mem").thousandths }
        default: listing = sorted(tasks, all, query) { $0.statuses.last?.timestamp.nanoseconds ?? .max }
        }
        return listing.map { row($0, view) }
    }

    private static func sorted<Key: Comparable>(
        _ tasks: [TaskRecord], _ all: Int, _ query: ListQuery, _ key: (TaskRecord) -> Key
    ) -> Listing<TaskRecord> {
        let keyed = tasks.enumerated().map { (key: key($0.element), id: $0.element.key, index: $0.offset) }
        let order = keyed.sorted {
            query.isDescending ? ($1.key, $1.id) < ($0.key, $0.id) : ($0.key, $0.id) < ($1.key, $1.id)
        }
        return query.listing(order.map(\.index), of: all).map { tasks[$0] }
    }

    static func row(_ task: TaskRecord, _ view: ClusterView) -> TaskRow {
        TaskRow(
            id: task.id.value, name: task.launch.task.name, framework: task.launch.frameworkID.value,
            frameworkName: task.launch.frameworkName, state: task.state.wireName,
            isHealthy: task.isHealthy ?? task.statuses.last?.isHealthy, node: task.agentID.value,
            hostname: view.core.agents[task.agentID]?.info.hostname, cpus: task.resources.total("cpus").value,
            memory: task.resources.total("mem").value, changed: task.statuses.last?.timestamp,
            message: task.statuses.last?.message)
    }

    // MARK: frameworks

    func frameworks() async throws -> GatewayResponse {
        let view = ClusterView(try await node.snapshot())
        let query = listQuery(
            ["frameworks"], sorts: FrameworksPage.sorts, choices: FrameworksPage.choices,
            descending: ["tasks", "cpu", "memory", "offers", "since"])
        let all = view.frameworks + view.core.completedFrameworks
        let rows = all.lazy
            .filter { framework in
                let word = Self.word(framework)
                return switch query.choices["state"] {
                case nil: word != "removed"
                case "all": true
                case let wanted?: word == wanted
                }
            }
            .filter { framework in
                query.choices["role"].map { role in framework.info.roles.contains { $0.value == role } } ?? true
            }
            .filter { query.matches($0.info.name, $0.id.value) }
            .map { Self.row($0, view) }
        return page(FrameworksPage(frameworks: query.listing(Array(rows), of: all.count, by: Self.order(query))))
    }

    private static func order(_ query: ListQuery) -> (FrameworkRow, FrameworkRow) -> Bool {
        switch query.sort {
        case "state": { ($0.state, $0.id) < ($1.state, $1.id) }
        case "tasks": { ($0.tasks, $0.id) < ($1.tasks, $1.id) }
        case "cpu": { ($0.cpus, $0.id) < ($1.cpus, $1.id) }
        case "memory": { ($0.memory, $0.id) < ($1.memory, $1.id) }
        case "offers": { ($0.offers, $0.id) < ($1.offers, $1.id) }
        case "since": { ($0.since?.nanoseconds ?? 0, $0.id) < ($1.since?.nanoseconds ?? 0, $1.id) }
        default: { ($0.name, $0.id) < ($1.name, $1.id) }
        }
    }

    private static func word(_ framework: FrameworkState) -> String {
        framework.isRemoved ? "removed" : framework.isConnected ? "connected" : "disconnected"
    }

    private static func row(_ framework: FrameworkState, _ view: ClusterView) -> FrameworkRow {
        let used = view.used(by: framework)
        return FrameworkRow(
            id: framework.id.value, name: framework.info.name, state: word(framework),
            roles: framework.info.roles.map(\.value), tasks: framework.tasks.count, cpus: used.total("cpus").value,
            memory: used.total("mem").value, offers: view.core.offers.offers(to: framework.id).count,
            since: framework.removedAt ?? framework.reregisteredAt ?? framework.registeredAt)
    }

    func framework(_ id: String) async throws -> GatewayResponse {
        let core = try await node.snapshot()
        let view = ClusterView(core)
        let removed = core.completedFrameworks.first { $0.id.value == id }
        guard let framework = core.frameworks[FrameworkID(id)] ?? removed else {
            throw GatewayError(.notFound, "There is no framework '\(id.prefix(100))'.")
        }
        let info = framework.info
        let explanation = core.explain(id, now: node.clock.now()).first { $0.subject.hasPrefix("framework ") }
        let lines = explanation?.agents ?? []
        let query = listQuery(["frameworks", id], sorts: ["node"])
        let facts: [(name: String, value: String?)] = [
            ("User", info.user), ("Principal", info.principal), ("Host", info.hostname),
            ("Its own page", info.webuiURL), ("Failover timeout", Times.span(max(0, info.failoverTimeout.inSeconds))),
            ("Capabilities", info.capabilities.map(\.rawValue).sorted().joined(separator: ", ")),
            ("Ended tasks", Numbers.grouped(framework.completedTasks.count)),
        ]
        return page(
            FrameworkPage(
                framework: Self.row(framework, view), facts: facts, reasons: explanation?.facts ?? [],
                suppressed: framework.suppressedRoles.map(\.value).sorted(),
                offers: core.offers.offers(to: framework.id).sorted { $0.id < $1.id }.prefix(200).map {
                    FrameworkPage.Offer(
                        id: $0.id.value, node: $0.agentID.value, hostname: $0.agent.hostname, role: $0.role.value,
                        resources: $0.resources.words)
                },
                refusals: framework.refusals.reversed().prefix(20).map {
                    FrameworkPage.Refusal(
                        node: $0.agentID.value, hostname: core.agents[$0.agentID]?.info.hostname, role: $0.role.value,
                        resources: $0.resources.description, at: $0.at, until: $0.until)
                },
                obstacles: query.listing(lines, of: lines.count).map {
                    FrameworkPage.Obstacle(
                        node: $0.agent.value, hostname: $0.hostname, role: $0.role.value, text: $0.text,
                        offerable: $0.offerable.words)
                }))
    }
}

extension Resources {
    /// For people: `3.2 CPU, 7.7 GiB memory, 320 ports`. What has another kind is told by its name.
    fileprivate var words: String {
        var names: [String] = []
        for item in items where !names.contains(item.kind.name) { names.append(item.kind.name) }
        let parts = names.compactMap { name -> String? in
            if name == "ports" {
                let count = allRanges(name).count
                return count == 0 ? nil : "\(Numbers.grouped(Int(clamping: count))) ports"
            }
            let amount = Amount(name, total: 0, used: 0)
            let total = total(name)
            return total.isZero ? nil : "\(amount.words(total.value)) \(name == "mem" ? "memory" : amount.label)"
        }
        return parts.isEmpty ? "nothing" : parts.joined(separator: ", ")
    }
}
