public import ClusterModel

/// What happens to an agent. The driver feeds these in one at a time.
public enum AgentCoreEvent: Hashable, Sendable {
    /// The disk was read; always the first event. `identity` is the id the agent has, if it has registered before.
    case recovered(identity: AgentID?, tasks: [RecoveredTask], ended: [EndedWorkDirectory])
    /// The stream of a session ended, could not be opened, or a call of it was not delivered.
    case connectionLost(session: Int, reason: String)
    /// An event from the master, in the session it came in.
    case master(AgentEvent, session: Int)
    /// Answers `.storeTask`: it is on disk.
    case taskStored(ContainerID)
    /// Answers `.storeTask`: it is not, and why.
    case taskStoreFailed(ContainerID, reason: String)
    /// Answers `.storeUpdates`: all of them are on disk.
    case updatesStored(ContainerID)
    /// Answers `.storeUpdates`: none of them is, and why.
    case updatesStoreFailed(ContainerID, reason: String)
    /// Answers `.fetch`.
    case fetched(ContainerID)
    /// Answers `.fetch`: what could not be fetched, and why.
    case fetchFailed(ContainerID, reason: String)
    /// Answers `.launch`: the command did not start, and why. Nothing of the container is left.
    case launchFailed(ContainerID, reason: String)
    /// The container has addresses of its own; comes before `.started`.
    case connected(ContainerID, addresses: [String])
    /// Answers `.launch`: the command runs.
    case started(ContainerID)
    /// The container is gone, with how its command ended. Nothing of the container is left.
    case ended(ContainerID, ContainerEnd)
    /// The monitor is gone and did not say how the command ended.
    case monitorLost(ContainerID, reason: String)
    /// Answers `.destroy`: nothing of the container is left.
    case destroyed(ContainerID)
    /// Answers `.probe`: what was found, nil for nothing, and the same for people.
    case probed(ContainerID, ProbeRole, ProbeFinding)
    /// The time of `nextDeadline` has come; harmless at any other time.
    case tick
    /// The operator wants the agent out of the cluster.
    case leave
}

/// How a container's command ended.
public struct ContainerEnd: Hashable, Sendable, Codable {
    /// As `wait(2)` gives it.
    public var waitStatus: Int32
    /// Whether the kernel killed something in the container for want of memory.
    public var isOutOfMemory: Bool
    /// Whether the command was killed because the agent asked for it, and had not ended before.
    public var isKilledByRequest: Bool
    /// What the monitor adds for people, such as why the program could not be executed.
    public var message: String?

    /// Makes an end.
    public init(waitStatus: Int32, isOutOfMemory: Bool = false, isKilledByRequest: Bool = false, message: String? = nil)
    {
        self.waitStatus = waitStatus
        self.isOutOfMemory = isOutOfMemory
        self.isKilledByRequest = isKilledByRequest
        self.message = message
    }
}

/// A task as it was found on disk after a restart.
public struct RecoveredTask: Hashable, Sendable {
    /// What is known of its container.
    public enum Container: Hashable, Sendable {
        /// Its monitor was never started: the launch can go on.
        case notLaunched
        /// Its monitor answers and the command runs.
        case running
        /// Its monitor wrote down how the command ended.
        case ended(ContainerEnd)
        /// Its command could not be started, and why; nothing of the container is left.
        case launchFailed(reason: String)
        /// Its monitor was started, is gone, and said nothing; or the machine was restarted.
        case lost(reason: String)
    }

    /// What was stored.
    public var stored: StoredTask
    /// All updates that were stored, in order.
    public var updates: [TaskStatus]
    /// Those of them that were acknowledged.
    public var acknowledged: Set<StatusUUID>
    /// What is known of its container.
    public var container: Container
    /// Its own addresses, where it has any.
    public var addresses: [String]

    /// Makes a recovered task.
    public init(
        stored: StoredTask, updates: [TaskStatus], acknowledged: Set<StatusUUID>, container: Container,
        addresses: [String] = []
    ) {
        self.stored = stored
        self.updates = updates
        self.acknowledged = acknowledged
        self.container = container
        self.addresses = addresses
    }
}

/// What an agent keeps of a task on disk, from before the task starts until its end is acknowledged.
public struct StoredTask: Hashable, Sendable, Codable {
    /// What was asked for.
    public var launch: TaskLaunch
    /// The container that the agent made for it.
    public var containerID: ContainerID
    /// The absolute path of its work directory.
    public var directory: String

    /// Makes a stored task.
    public init(launch: TaskLaunch, containerID: ContainerID, directory: String) {
        self.launch = launch
        self.containerID = containerID
        self.directory = directory
    }

    /// What the container of a group is called, whose tasks' containers have its name and a number: it holds the group's
    /// network. Nil for a task on its own.
    public var groupContainer: ContainerID? {
        launch.group == nil ? nil : containerID.parent
    }

    /// The directory that the tasks of a group have together; nil for a task on its own.
    public var groupDirectory: String? {
        guard launch.group != nil, directory.hasSuffix("/tasks/\(launch.task.taskID)") else { return nil }
        return String(directory.dropLast("/tasks/\(launch.task.taskID)".count))
    }
}

/// The work directory of a task that is over.
public struct EndedWorkDirectory: Hashable, Sendable {
    /// Its absolute path.
    public var path: String
    /// Since when nothing runs in it.
    public var endedAt: UnixTime

    /// Makes an entry.
    public init(path: String, endedAt: UnixTime) {
        self.path = path
        self.endedAt = endedAt
    }
}
