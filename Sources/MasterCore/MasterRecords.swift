public import ClusterModel

/// A task as the master knows it.
public struct TaskRecord: Hashable, Sendable {
    /// How it was launched.
    public var launch: TaskLaunch
    /// The newest state known.
    public var state: TaskState
    /// The state its framework was told last; `state` can be ahead of it while updates wait for acknowledgements.
    public var told: TaskState
    /// The statuses so far, oldest first; the middle is dropped when there are many.
    public var statuses: [TaskStatus]
    /// The newest update that its framework has not acknowledged.
    public var pending: TaskStatus?
    /// The uuid acknowledged last, to answer an agent that did not hear of it.
    public var acknowledged: StatusUUID?
    /// Where its files are on the agent, once the agent said so.
    public var directory: String?
    /// Whether somebody asked to end it; asked again when its agent comes back.
    public var killRequested: KillRequest?
    /// Whether its resources are still counted as used.
    public var holdsResources: Bool
    /// The addresses that its agent told last.
    public var addresses: [String] = []
    /// What its health check has found, as its agent told last; nil for nothing yet.
    public var isHealthy: Bool?

    /// A wish to end a task.
    public struct KillRequest: Hashable, Sendable {
        /// Overrides the task's own grace period.
        public var gracePeriod: Duration?
        /// How long it is told to others only.
        public var drain: Duration?
    }

    /// The task among all tasks.
    public var key: TaskKey { launch.key }
    /// The task's id.
    public var id: TaskID { launch.task.taskID }
    /// Where it runs.
    public var agentID: AgentID { launch.task.agentID }
    /// What it uses.
    public var resources: Resources { launch.task.resources }

    init(launch: TaskLaunch, state: TaskState) {
        self.launch = launch
        self.state = state
        told = state
        statuses = []
        holdsResources = true
    }

    mutating func record(_ status: TaskStatus, keeping limit: Int) {
        if !status.addresses.isEmpty { addresses = status.addresses }
        isHealthy = status.isHealthy
        if statuses.last?.uuid != nil, statuses.last?.uuid == status.uuid { return }
        if isKnown(status) { statuses.removeLast() }
        // What came before the last one is told late: its agent says when it registers how its tasks are by now.
        let isLate =
            statuses.last.map { isReport($0) && status.uuid != nil && status.timestamp < $0.timestamp } ?? false
        statuses.insert(status, at: isLate ? statuses.count - 1 : statuses.count)
        if statuses.count > max(2, limit) { statuses.remove(at: 1) }
    }

    /// Takes over how an agent says that a task is, for a master that knows nothing else of it. Without the uuid, so that
    /// the update itself, should it come again, is news for the framework.
    mutating func record(reported status: TaskStatus) {
        guard statuses.isEmpty, status.state != .staging else { return }
        isHealthy = status.isHealthy
        var status = status
        status.uuid = nil
        statuses = [status]
    }

    private func isReport(_ status: TaskStatus) -> Bool { status.uuid == nil && status.source != .master }

    /// Whether the last status is this one, as its agent reported it.
    private func isKnown(_ status: TaskStatus) -> Bool {
        guard let last = statuses.last else { return false }
        return isReport(last) && last.state == status.state && last.timestamp == status.timestamp
    }
}

/// A framework as the master knows it.
public struct FrameworkState: Sendable {
    /// As it described itself last; `id` is set.
    public var info: FrameworkInfo
    /// Its open stream.
    public var connection: ConnectionID?
    /// When it subscribed first.
    public var registeredAt: UnixTime
    /// When it subscribed last.
    public var reregisteredAt: UnixTime?
    /// When it was removed.
    public var removedAt: UnixTime?
    /// When its tasks are ended unless it comes back.
    public var failoverDeadline: Duration?
    /// Roles for which it wants no offers now.
    public var suppressedRoles: Set<RoleName>
    /// Tasks that have not ended, or whose end it has not acknowledged.
    public var tasks: [TaskID: TaskRecord] = [:]
    /// Ended tasks, oldest first.
    public var completedTasks: [TaskRecord] = []
    /// Its most recent refusals, newest last, for `why`.
    public var refusals: [OfferRefusal] = []
    /// Statuses that the master made while it was away, told when it comes back.
    var undelivered: [TaskStatus] = []

    /// The id that the master gave it.
    public var id: FrameworkID { info.id ?? FrameworkID("") }
    /// Whether its stream is open.
    public var isConnected: Bool { connection != nil }
    /// Whether it was removed; its tasks may still be ending.
    public var isRemoved: Bool { removedAt != nil }
    /// Whether it wants to hear of partitions in the newer words.
    var isPartitionAware: Bool { info.capabilities.contains(.partitionAware) }
}

/// An offer that a framework did not use.
public struct OfferRefusal: Hashable, Sendable {
    /// Whose resources.
    public var agentID: AgentID
    /// In which role.
    public var role: RoleName
    /// What was left or declined.
    public var resources: Resources
    /// When.
    public var at: UnixTime
    /// Until when such resources of the agent are not offered to it again.
    public var until: UnixTime
}

/// An agent as the master knows it.
public struct AgentState: Sendable {
    /// Whether the agent can be reached.
    public enum Session: Hashable, Sendable {
        /// Stored before the master started; has not come back yet.
        case recovered
        /// Its stream is open.
        case connected(ConnectionID)
        /// Its stream is closed, and it is not given up yet.
        case disconnected
        /// Given up; it may come back.
        case unreachable
        /// Declared dead; it may not come back.
        case gone
    }

    /// As it described itself last; `id` is set.
    public var info: AgentInfo
    /// Whether it can be reached.
    public var session: Session
    /// When it was heard last, on the monotonic clock.
    public var lastHeard: Duration
    /// When it registered first.
    public var registeredAt: UnixTime
    /// When it registered last.
    public var reregisteredAt: UnixTime?
    /// Its tasks that hold resources or are not yet acknowledged.
    public var tasks: Set<TaskKey> = []
    /// See `AgentRecord.condemned`.
    public var condemned: Set<TaskKey> = []
    /// Which process opened the session last, when it said so.
    var origin: AgentOrigin?
    /// Places of copies that were refused and spoken of.
    var copies: Set<String> = []

    /// The id that the master gave it.
    public var id: AgentID { info.id ?? AgentID("") }
    /// The open stream, if any.
    public var connection: ConnectionID? {
        if case .connected(let connection) = session { connection } else { nil }
    }
    /// Whether its resources can be offered and used.
    public var isActive: Bool { connection != nil }
}
