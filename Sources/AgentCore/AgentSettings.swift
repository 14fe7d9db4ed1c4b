public import ClusterModel
public import TaskLifecycle

/// What an agent is told by its operator, and the times it keeps.
public struct AgentSettings: Sendable {
    /// The agent as it describes itself; the id is the core's business and overwritten.
    public var info: AgentInfo
    /// The directory under which work directories are: an absolute path, without a slash at the end.
    public var workRoot: String
    /// Which process of which place this is, for the master to tell a restart from a copy.
    public var origin: AgentOrigin?
    /// The pause before the first attempt to reach the master again; doubles up to `longestBackoff`. Each pause is
    /// drawn between half of it and all of it, so that a thousand agents do not come back in step.
    public var firstBackoff: Duration = .milliseconds(250)
    /// Higher spares a struggling master, lower finds a restarted one sooner. Well below the 15 s after which a
    /// master calls an agent unreachable.
    public var longestBackoff: Duration = .seconds(4)
    /// How long an attempt to subscribe may take.
    public var connectTimeout: Duration = .seconds(10)
    /// The interval of heartbeats until the master has said which it wants.
    public var heartbeatInterval: Duration = .seconds(5)
    /// How many intervals without a word make the master silent.
    public var silentIntervals = 3
    /// How soon an unacknowledged update is sent again.
    public var resend: StatusUpdateStream.Schedule = .standard
    /// The time between SIGTERM and SIGKILL when neither the call nor the task says; Mesos' 3 s.
    public var gracePeriod: Duration = .seconds(3)
    /// The longest grace period that is honoured; longer ones are cut to it.
    public var longestGracePeriod: Duration = .seconds(86_400)
    /// How long past the grace period a killed container may be there before its cgroup is destroyed.
    public var killSlack: Duration = .seconds(15)
    /// How long a monitor may take to start a command.
    public var launchTimeout: Duration = .seconds(60)
    /// The pause before what could not be stored (a full disk) is tried again; doubles up to `longestStorePause`.
    public var firstStorePause: Duration = .seconds(1)
    /// See `firstStorePause`.
    public var longestStorePause: Duration = .seconds(30)
    /// How long a leaving agent waits for acknowledgements after its last task ended.
    public var leaveTimeout: Duration = .seconds(10)
    /// How many work directories of ended tasks stay, the newest; more keep logs longer and use more disk.
    public var keptWorkDirectories = 200
    /// How long the work directory of an ended task stays at most; Mesos' seven days.
    public var keptFor: Duration = .seconds(7 * 86_400)

    /// Makes settings with the usual times.
    public init(info: AgentInfo, workRoot: String) {
        self.info = info
        self.workRoot = workRoot
    }
}
