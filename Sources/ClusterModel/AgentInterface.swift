/// A task that the agent must start. The agent stores it durably before it starts anything.
public struct TaskLaunch: Hashable, Sendable, Codable {
    /// Whose task.
    public var frameworkID: FrameworkID
    /// The framework's name, for directories that people read and for display.
    public var frameworkName: String
    /// The account to run as when the task's command names none.
    public var user: String
    /// Whether the task survives a restart of the agent (Mesos' `checkpoint`; here every task does).
    public var checkpoint: Bool
    /// The role whose offer was used.
    public var role: RoleName
    /// Whether the framework wants TASK_KILLING.
    public var wantsKillingState: Bool
    /// What to run.
    public var task: TaskInfo
    /// The values of ``TaskInfo/secrets`` in base64, in their order. They are there on the way from the master to the
    /// agent, which takes them out before it stores the launch.
    public var secrets: [String]?
    /// Who to be at the registry of the task's image, `USER:PASSWORD` in base64. It travels as the secrets do.
    public var registryCredential: String?
    /// What it has in common with the other tasks of its group; nil for a task on its own.
    public var group: TaskGroup?

    /// Makes a launch.
    public init(
        frameworkID: FrameworkID, frameworkName: String, user: String, checkpoint: Bool, role: RoleName,
        wantsKillingState: Bool, task: TaskInfo
    ) {
        self.frameworkID = frameworkID
        self.frameworkName = frameworkName
        self.user = user
        self.checkpoint = checkpoint
        self.role = role
        self.wantsKillingState = wantsKillingState
        self.task = task
    }

    /// The task among all tasks of the cluster.
    public var key: TaskKey { TaskKey(framework: frameworkID, task: task.taskID) }
}

/// A task as an agent reports it when it registers: all that a master needs to know of it again.
public struct ReportedTask: Hashable, Sendable, Codable {
    /// How it was launched.
    public var launch: TaskLaunch
    /// The newest status the agent has, acknowledged or not.
    public var status: TaskStatus
    /// The state in the update that waits for its acknowledgement, or in the one acknowledged last. Its framework may
    /// know this much; `status` can be ahead of it.
    public var told: TaskState
    /// Where its files are on the agent.
    public var directory: String

    /// Makes a report; `told` is the state of `status` unless it says otherwise.
    public init(launch: TaskLaunch, status: TaskStatus, told: TaskState? = nil, directory: String) {
        self.launch = launch
        self.status = status
        self.told = told ?? status.state
        self.directory = directory
    }
}

/// The first call of an agent: opens its event stream and says all that it runs.
public struct AgentRegistration: Hashable, Sendable, Codable {
    /// Who it is; `id` is set when it has registered before.
    public var info: AgentInfo
    /// Every task it has, including ended ones whose last update is not acknowledged.
    public var tasks: [ReportedTask]
    /// Which process of which place speaks; nil when it does not say.
    public var origin: AgentOrigin?

    /// Makes a registration.
    public init(info: AgentInfo, tasks: [ReportedTask] = [], origin: AgentOrigin? = nil) {
        self.info = info
        self.tasks = tasks
        self.origin = origin
    }
}

/// What tells an agent that was started again from a second one that runs with a copy of its data.
public struct AgentOrigin: Hashable, Sendable, Codable {
    /// Drawn by chance when the process starts.
    public var process: String
    /// The data directory as the running kernel knows it. An agent locks its directory, so a second process of the same
    /// place means that the first one is gone.
    public var place: String

    /// Makes an origin.
    public init(process: String, place: String) {
        self.process = process
        self.place = place
    }

    /// Whether both may be running at the same time, so that one may be a copy.
    public func mayRunBeside(_ other: AgentOrigin) -> Bool { process != other.process && place != other.place }
}

/// What an agent says to the master.
public enum AgentCall: Hashable, Sendable, Codable {
    /// A task's state changed; sent again until it is acknowledged. `directory` says where the task's files are.
    case status(TaskKey, TaskStatus, directory: String)
    /// The task has ended while earlier updates of it still wait for acknowledgements: what it used is free, although
    /// its framework cannot be told yet.
    case ended(TaskKey, TaskState)
    /// The agent is alive.
    case heartbeat
    /// The agent stops for good; its tasks have ended.
    case leave
}

/// A request that the agent must answer by dialling the master's `streams/{id}` endpoint.
public struct StreamRequest: Hashable, Sendable, Codable {
    /// Which stream to open.
    public var id: StreamID
    /// The HTTP method to apply to the agent's own routes.
    public var method: String
    /// Path and query.
    public var target: String
    /// Header fields, in order.
    public var headers: [Label]

    /// Makes a request.
    public init(id: StreamID, method: String, target: String, headers: [Label] = []) {
        self.id = id
        self.method = method
        self.target = target
        self.headers = headers
    }
}

/// What the master says to an agent.
public enum AgentEvent: Hashable, Sendable, Codable {
    /// The registration is stored; the agent keeps this id for life.
    case subscribed(AgentID, master: MasterInfo, heartbeatInterval: Duration)
    /// Start a task.
    case run(TaskLaunch)
    /// Start the tasks of a group, all or none.
    case runGroup([TaskLaunch])
    /// End a task; `gracePeriod` overrides the task's own. With a `drain` it is said at once that the task is being ended,
    /// so that nobody finds it any more, and the task hears of it only then.
    case kill(TaskKey, gracePeriod: Duration?, drain: Duration? = nil)
    /// The framework has the update with this uuid.
    case acknowledge(TaskKey, StatusUUID)
    /// End all tasks of a framework.
    case shutdownFramework(FrameworkID)
    /// Dial back for a request.
    case openStream(StreamRequest)
    /// The master is alive.
    case heartbeat
    /// The master doubts that the agent is there; any call is an answer, and one is wanted at once.
    case ping
    /// Something that the operator of this machine should know.
    case warning(String)
    /// The agent may not take part, and why; it ends its tasks when `isFinal`, and does not come back.
    case refused(reason: String, isFinal: Bool)
    /// Another agent with the same key takes part and answers. This one is to keep quiet and ask again after a while.
    case duplicate(reason: String, retryAfter: Duration)
}
