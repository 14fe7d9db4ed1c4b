/// What the tasks of a group have in common; each of them is launched with it.
///
/// Mesos has an executor for this, which is here the agent itself: only its resources, its network and its name are
/// left of it.
public struct TaskGroup: Hashable, Sendable, Codable {
    /// How many tasks a group may have.
    public static let limit = 64

    /// The framework's name for the executor, used once at a time per agent.
    public var executorID: ExecutorID
    /// The framework that the executor names, if it names one.
    public var frameworkID: FrameworkID?
    /// What the executor takes of the offer beside its tasks, as long as one of these has not ended.
    public var resources: Resources
    /// Its network and port mappings; nil for the host's network.
    public var container: ContainerInfo?
    /// Its tasks in the framework's order.
    public var tasks: [TaskID]
    /// What was wrong with its description, or could not be honoured.
    public var defect: String?

    /// Describes what a group has in common; the master fills in its tasks.
    public init(
        executorID: ExecutorID, resources: Resources, container: ContainerInfo? = nil, frameworkID: FrameworkID? = nil,
        tasks: [TaskID] = [], defect: String? = nil
    ) {
        self.executorID = executorID
        self.frameworkID = frameworkID
        self.resources = resources
        self.container = container
        self.tasks = tasks
        self.defect = defect
    }

    /// Where the network of all its tasks comes from.
    public var network: ContainerInfo.NetworkMode { container?.network ?? .host }

    /// All that the group takes of an agent; nil when amounts are too large to add.
    public func total(_ tasks: [TaskInfo]) -> Resources? {
        tasks.reduce(resources) { sum, task in sum.flatMap { try? $0.adding(task.resources) } }
    }

    /// Says what is wrong with the group whichever agent it is for, or nil.
    public func defect(with tasks: [TaskInfo]) -> String? {
        if let defect = executorID.defect { return "the executor's id \(defect)" }
        if let defect { return defect }
        if tasks.isEmpty || tasks.count > Self.limit { return "a task group has 1 to \(Self.limit) tasks" }
        var seen: Set<TaskID> = []
        for task in tasks where !seen.insert(task.taskID).inserted {
            return "the task group has two tasks with the ID '\(task.taskID)'"
        }
        if let defect = containerDefect { return defect }
        for task in tasks {
            if task.container?.kind == .docker {
                return "task '\(task.taskID)': Docker ContainerInfo is not supported in a task group; use type MESOS"
            }
            if task.container.map({ $0.network != .host || !$0.portMappings.isEmpty }) == true {
                return "task '\(task.taskID)': NetworkInfos must not be set on the task; its group's executor has them"
            }
            if network != .host, task.container?.image == nil {
                return "task '\(task.taskID)' has no image, but its group has a network of its own; name an image, or "
                    + "leave network_infos out"
            }
        }
        return portDefect(tasks)
    }

    private var containerDefect: String? {
        guard let container else { return nil }
        if container.kind != .mesos { return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor" }
        if container.image != nil {
            return "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor"
        }
        var rest = container
        rest.network = .host
        rest.portMappings = []
        if rest != ContainerInfo(kind: .mesos) {
            return
                "'ExecutorInfo.container' may have nothing but network_infos; give volumes, limits and rights to tasks"
        }
        if !container.portMappings.isEmpty, network == .host || network == .none {
            return "port mappings of a task group need a network of its own, such as bridge"
        }
        return nil
    }

    private func portDefect(_ tasks: [TaskInfo]) -> String? {
        for mapping in container?.portMappings ?? [] {
            let isThere =
                resources.hasPort(mapping.hostPort) || tasks.contains { $0.resources.hasPort(mapping.hostPort) }
            if !isThere {
                return "the host's port \(mapping.hostPort) of a port mapping is not among the group's resources"
            }
        }
        return nil
    }
}

extension TaskLaunch {
    /// The executor: the group's, or the one that Mesos makes for a single task.
    public var executorID: ExecutorID { group?.executorID ?? ExecutorID(task.taskID.value) }

    /// Where the task's network comes from.
    public var network: ContainerInfo.NetworkMode {
        group.map(\.network) ?? task.container?.network ?? .host
    }
}
