public import ClusterModel

/// A task as people may see it.
public struct AgentTaskView: Hashable, Sendable {
    /// What is stored of it.
    public var stored: StoredTask
    /// All updates that were stored, in order.
    public var history: [TaskStatus]
    /// The newest status.
    public var status: TaskStatus
    /// Whether its container is there or will be.
    public var isLive: Bool
    /// Whether its command has not started yet.
    public var isQueued: Bool
    /// How its command has ended, as wait(2) tells it; nil when it has not or nobody knows.
    public var waitStatus: Int32?
}

extension AgentCore {
    /// The id that the master gave, if it has.
    public var agentID: AgentID? { identity }

    /// Whether a master has accepted the agent in the current session.
    public var isRegistered: Bool {
        if case .registered = link { true } else { false }
    }

    /// The agent's description, with its id.
    public var info: AgentInfo {
        var info = settings.info
        info.id = identity
        return info
    }

    /// Every task whose end is not acknowledged, ordered by key.
    public var currentTasks: [AgentTaskView] {
        tasks.values.filter { !$0.isDone }.map(Self.view).sorted { $0.stored.launch.key < $1.stored.launch.key }
    }

    /// The tasks that were forgotten last, at most as many as work directories are kept, oldest first.
    public var completedTasks: [AgentTaskView] { completed }

    /// The task in a container, if its end is not acknowledged.
    public func task(in container: ContainerID) -> AgentTaskView? { tasks[container].map(Self.view) }

    /// Whether a task runs in a container or will, or in one of the group that the container is of.
    public func isLive(_ container: ContainerID) -> Bool {
        if let task = tasks[container] { return !task.isEnded }
        return (0..<TaskGroup.limit).contains { number in
            tasks[ContainerID("\(container).\(number)")].map { !$0.isEnded } ?? false
        }
    }

    /// The container of a task, if its end is not acknowledged.
    public func container(of key: TaskKey) -> ContainerID? { containers[key] }

    static func view(_ task: AgentTask) -> AgentTaskView {
        let isQueued =
            switch task.stage {
            case .storing, .fetching, .ready, .launching: true
            case .running, .destroying, .ended: false
            }
        return AgentTaskView(
            stored: task.stored, history: task.history, status: task.reported, isLive: !task.isEnded,
            isQueued: isQueued, waitStatus: task.waitStatus)
    }
}
