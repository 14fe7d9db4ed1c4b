internal import ClusterModel
internal import TaskLifecycle

/// One task of an agent, from `run` until its end is acknowledged.
struct AgentTask: Sendable {
    /// How far the container is.
    enum Stage: Hashable, Sendable {
        /// The checkpoint is being written.
        case storing
        /// Files of the command are being fetched.
        case fetching
        /// All is there, and the rest of its group is waited for.
        case ready
        /// The monitor is being started.
        case launching
        /// The command runs, or is being killed.
        case running
        /// The cgroup is being destroyed; then the task ends like this.
        case destroying(End)
        /// Nothing of the container is left, and the last update was made.
        case ended
    }

    /// What an update says, the last one of a task mostly.
    struct End: Hashable, Sendable {
        var state: TaskState
        var source: StatusSource
        var reason: StatusReason?
        var message: String?
    }

    /// Why the agent kills a task.
    enum KillCause: Hashable, Sendable {
        case requested
        case maxCompletionTime
        case agentLeaves
        /// Its health check failed too often, and how.
        case unhealthy(String)
        /// Another task of its group has ended otherwise than well, and how.
        case group(String)
    }

    let stored: StoredTask
    var stage: Stage
    /// Why the task may not run here, decided when it came; reported once it is stored.
    var refusal: End?
    /// Updates that were made and are not stored yet; the first `storingCount` of them are on their way to the disk.
    var unstored: [TaskStatus] = []
    var storingCount = 0
    /// When storing is tried again after a failure, and the pause after the next failure.
    var storeAgain: Duration?
    var storePause: Duration
    /// False when the checkpoint itself could not be written: updates are then sent from memory.
    var isStored = false
    /// Stored updates that wait for acknowledgements.
    var stream: StatusUpdateStream
    /// All that was reported, for people.
    var history: [TaskStatus] = []
    /// The newest stored status, or STAGING; this is what a registration says.
    var reported: TaskStatus
    /// Addresses of its own.
    var addresses: [String] = []
    /// How far the updates that were made are.
    var progress = TaskProgress()
    /// Set when the task is to be killed, and by when it must be gone.
    var kill: (cause: KillCause, grace: Duration)?
    var killDeadline: Duration?
    /// When a task of which others know that it is to be killed is told so itself.
    var drainDeadline: Duration?
    var launchDeadline: Duration?
    var completionDeadline: Duration?
    /// Health checks, check and readiness check, from the start of the command.
    var probes: TaskProbes?
    /// How the command has ended, as wait(2) tells it.
    var waitStatus: Int32?
    /// Its end is acknowledged; it is kept for the rest of its group, so that a restarted agent knows what became of it.
    var isDone = false
    /// The earliest entry of this task in the queue of deadlines.
    var scheduled: Duration?

    var key: TaskKey { stored.launch.key }

    var isEnded: Bool { stage == .ended }

    var nextDeadline: Duration? {
        let probing = stage == .running && kill == nil ? probes?.nextDeadline : nil
        return [
            stream.nextDeadline, storeAgain, killDeadline, drainDeadline, launchDeadline, completionDeadline, probing,
        ]
        .compactMap { $0 }.min()
    }

    init(stored: StoredTask, stage: Stage, agentID: AgentID?, settings: AgentSettings, now: Moment) {
        self.stored = stored
        self.stage = stage
        storePause = settings.firstStorePause
        stream = StatusUpdateStream(schedule: settings.resend)
        let task = stored.launch.task
        reported = TaskStatus(
            taskID: task.taskID, state: .staging, source: .agent, agentID: agentID,
            executorID: stored.launch.executorID, timestamp: now.wall, containerID: stored.containerID)
    }

    /// The grace period of a kill whose call named none.
    func gracePeriod(_ settings: AgentSettings, asked: Duration? = nil) -> Duration {
        let grace = asked ?? stored.launch.task.killGracePeriod ?? settings.gracePeriod
        return min(max(grace, .zero), settings.longestGracePeriod)
    }
}

extension AgentTask.End {
    /// The end of a task whose command never ran.
    static func launchFailed(_ message: String) -> Self {
        Self(state: .failed, source: .agent, reason: .containerLaunchFailed, message: message)
    }

    /// The end of a task that was killed before its command ran.
    static func killedDuringLaunch(_ message: String) -> Self {
        Self(state: .killed, source: .agent, reason: .taskKilledDuringLaunch, message: message)
    }
}
