public import ClusterModel

/// One run of a job, from its start to its end. Runs that have ended are kept in the job's history only.
///
/// ```
/// STARTING ─ first word of its task ─► ACTIVE ─ its task has finished ──────────────────► SUCCESS
///    │                                   │ ─ its task failed, and the policy allows it ──► (another task)
///    └─ not launched in time, stopped ───┴─ failed, stopped ─────────────────────────────► FAILED
/// ```
public struct JobRun: Hashable, Sendable, Codable {
    /// Where a run stands, in Metronome's words.
    public enum Status: String, Hashable, Sendable, Codable, CaseIterable {
        /// Not stored yet; nobody sees a run in it.
        case initial = "INITIAL"
        /// Stored; none of its tasks has been heard of.
        case starting = "STARTING"
        /// A task of it has been heard of.
        case active = "ACTIVE"
        /// A task has finished.
        case success = "SUCCESS"
        /// No task has finished, and no other will be started.
        case failed = "FAILED"
    }

    /// Its name.
    public var id: RunID
    /// The job as it was when the run began; later changes do not touch the run.
    public var job: Job
    /// Where it stands.
    public var status: Status
    /// When it was made.
    public var createdAt: UnixTime
    /// When it ended.
    public var completedAt: UnixTime?
    /// The time of the schedule that it was made for.
    public var scheduledFor: UnixTime?
    /// By when it must have been launched, if it was made by a schedule.
    public var startBy: UnixTime?
    /// Its last tasks, oldest first; only the last one may still run.
    public var tasks: [RunTask]
    /// How many of its tasks have failed.
    public var failures: Int
    /// Whether it ends with its task, whatever comes of that.
    public var isStopping: Bool

    /// Tasks kept per run.
    static let tasksKept = 10

    init(id: RunID, job: Job, createdAt: UnixTime, scheduledFor: UnixTime? = nil, startBy: UnixTime? = nil) {
        self.id = id
        self.job = job
        status = .starting
        self.createdAt = createdAt
        self.scheduledFor = scheduledFor
        self.startBy = startBy
        tasks = []
        failures = 0
        isStopping = false
    }

    /// The task that may still run.
    public var liveTask: RunTask? { tasks.last.flatMap { $0.isOver ? nil : $0 } }
}

/// One attempt of a run.
public struct RunTask: Hashable, Sendable, Codable {
    /// Its name, never used twice.
    public var id: TaskID
    /// Whose offer was taken.
    public var agent: AgentID
    /// When the offer was taken.
    public var startedAt: UnixTime
    /// When it ended, as far as that is known.
    public var completedAt: UnixTime?
    /// Where it stands.
    public var state: TaskState
    /// Whether anybody has said that it exists. Before that it is only an intention, which a crash may have ended.
    public var isConfirmed: Bool
    /// What was said of it last.
    public var message: String?
    /// Whether nothing more will come of it.
    public var isOver: Bool

    init(id: TaskID, agent: AgentID, startedAt: UnixTime) {
        self.id = id
        self.agent = agent
        self.startedAt = startedAt
        state = .staging
        isConfirmed = false
        isOver = false
    }
}

/// What became of a job's runs: all are counted, the last ones are described.
public struct JobHistory: Hashable, Sendable, Codable {
    /// A run that has ended.
    public struct Entry: Hashable, Sendable, Codable {
        /// Which one.
        public var id: RunID
        /// When it was made.
        public var createdAt: UnixTime
        /// When it ended.
        public var finishedAt: UnixTime
        /// Its tasks.
        public var tasks: [TaskID]

        init(_ run: JobRun, at time: UnixTime) {
            id = run.id
            createdAt = run.createdAt
            finishedAt = time
            tasks = run.tasks.map(\.id)
        }
    }

    /// How many runs succeeded.
    public var successCount = 0
    /// How many failed.
    public var failureCount = 0
    /// When the last one succeeded.
    public var lastSuccessAt: UnixTime?
    /// When the last one failed.
    public var lastFailureAt: UnixTime?
    /// The last ones that succeeded, newest first.
    public var successes: [Entry] = []
    /// The last ones that failed, newest first.
    public var failures: [Entry] = []

    /// Nothing has run yet.
    public init() {}

    mutating func add(_ run: JobRun, at time: UnixTime, kept: Int) {
        let entry = Entry(run, at: time)
        if run.status == .success {
            successCount += 1
            lastSuccessAt = time
            successes = Array(([entry] + successes).prefix(kept))
        } else {
            failureCount += 1
            lastFailureAt = time
            failures = Array(([entry] + failures).prefix(kept))
        }
    }
}

/// What must not be forgotten of a job beside itself, its runs and its history.
public struct JobMarks: Hashable, Sendable, Codable {
    /// Times of the schedule up to this one have been dealt with.
    public var scheduledThrough: UnixTime?
    /// Dependencies that have succeeded since they last started this job.
    public var satisfied: [JobID] = []

    /// Nothing to remember.
    public init() {}
}
