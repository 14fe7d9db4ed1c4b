internal import ClusterModel
internal import MasterCore
internal import Scheduling

/// What documents about the cluster need beyond the core's own values: who uses and who is offered how much.
struct ClusterView {
    let core: MasterCore
    /// What is offered to each framework now.
    private let offered: [FrameworkID: Resources]
    private let offeredOn: [AgentID: Resources]

    init(_ core: MasterCore) {
        self.core = core
        var offered: [FrameworkID: Resources] = [:]
        var offeredOn: [AgentID: Resources] = [:]
        for offer in core.offers.all {
            offered[offer.frameworkID] = Self.sum(offered[offer.frameworkID], offer.resources)
            offeredOn[offer.agentID] = Self.sum(offeredOn[offer.agentID], offer.resources)
        }
        self.offered = offered
        self.offeredOn = offeredOn
    }

    private static func sum(_ left: Resources?, _ right: Resources) -> Resources {
        guard let left else { return right }
        // What is offered fits into agents, but ports of two agents may have the same numbers.
        return (try? left.adding(right)) ?? union(left, right)
    }

    /// Adds scalars and joins ports, for sums over agents whose ports have the same numbers.
    private static func union(_ left: Resources, _ right: Resources) -> Resources {
        let scalars = right.filter { if case .scalar = $0.value { true } else { false } }
        return (try? left.adding(scalars)) ?? left
    }

    var frameworks: [FrameworkState] { core.frameworks.values.sorted { $0.id < $1.id } }
    var agents: [AgentState] { core.agents.values.sorted { $0.id < $1.id } }

    func offered(to framework: FrameworkID) -> Resources { offered[framework] ?? Resources() }
    func offered(on agent: AgentID) -> Resources { offeredOn[agent] ?? Resources() }

    /// What a framework's tasks hold.
    func used(by framework: FrameworkState) -> Resources {
        var total: Resources?
        for task in framework.tasks.values where task.holdsResources { total = Self.sum(total, task.resources) }
        for (_, group) in executors(of: framework) { total = Self.sum(total, group.resources) }
        return total ?? Resources()
    }

    /// The task groups of a framework that hold resources, each with its agent.
    func executors(of framework: FrameworkState) -> [(agent: AgentID, group: TaskGroup)] {
        var seen: Set<String> = []
        return tasks(of: framework).compactMap { task in
            guard task.holdsResources, let group = task.launch.group,
                seen.insert("\(task.agentID)/\(group.executorID)").inserted
            else { return nil }
            return (task.agentID, group)
        }
    }

    /// What tasks hold on an agent: what is neither free nor offered.
    func used(on agent: AgentState) -> Resources {
        guard let total = core.allocator.total(of: agent.id), let free = core.allocator.free(on: agent.id),
            let taken = try? total.subtracting(free)
        else { return Resources() }
        return (try? taken.subtracting(offered(on: agent.id))) ?? taken
    }

    /// A framework's tasks in the order of their ids.
    func tasks(of framework: FrameworkState) -> [TaskRecord] {
        framework.tasks.values.sorted { $0.id < $1.id }
    }
}

extension Resources {
    /// What is reserved for a role, by role.
    var byReservation: [RoleName: Resources] {
        var result: [RoleName: Resources] = [:]
        for role in Set(items.filter { !$0.kind.reservations.isEmpty }.map(\.kind.role)) {
            result[role] = filter { !$0.kind.reservations.isEmpty && $0.kind.role == role }
        }
        return result
    }

    /// What anybody may have.
    var unreserved: Resources { filter { $0.kind.reservations.isEmpty } }
}
