public import ClusterModel
public import Schedules

/// The decisions of the jobs framework: what runs when, on which offer, and what becomes of it.
///
/// It is one value with one inbox. `handle` takes an input and the time, changes the value and returns what must become
/// durable and what must then be said, in order. It reads no clock, opens nothing, and draws chance from the seed it was
/// given. The driver commits before it speaks; when a commit fails it throws the value away and makes a new one from
/// the store.
///
/// Two promises hold at every point at which the process may end:
///
/// - **A run has at most one task that may run.** A task's name and agent are stored before its offer is accepted. After
///   a restart the master is asked for it; another one is started only after the master, or its agent, has said that the
///   first is over, or has said for `unknownFor` that there is no such task. A task that nobody here knows is ended.
/// - **A time of a schedule starts at most one run.** The run and the mark that its time is dealt with are one
///   transaction. Of times that were missed, the last one is made up for if its starting deadline has not passed.
///
/// It never does: reserve resources, run two attempts of a run at once, judge what a command does.
public struct JobsCore: Sendable {
    /// A job with what belongs to it.
    public struct JobState: Sendable {
        /// The job.
        public internal(set) var job: Job
        /// What must not be forgotten of it.
        public internal(set) var marks: JobMarks
        /// What became of its runs.
        public internal(set) var history: JobHistory
        /// Its runs that have not ended, oldest first.
        public internal(set) var active: [RunID] = []
        /// When its schedule comes next; nil when it has none, when that is not enabled, or its zone is not known.
        public internal(set) var next: UnixTime?
    }

    /// What is known of a run in this life only.
    struct RunClock: Sendable {
        /// When the next task may be started.
        var notBefore: Duration
        /// When the run has failed unless a task of it was heard of.
        var launchBy: Duration?
        /// What no offer had enough of.
        var shortage: String?
    }

    /// What is known in this life of a task that may run.
    struct TaskClock: Sendable {
        /// Whose it is; nil when its run is forgotten and only its end is waited for.
        var run: RunID?
        var agent: AgentID
        /// When to ask for it, while nobody has spoken of it since the stream was opened.
        var askAt: Duration?
        /// Since when the master says that it does not know it.
        var unknownSince: Duration?
        /// When to say again that it must end.
        var killAt: Duration?
    }

    /// Timing and limits.
    public let settings: JobsSettings
    /// All jobs.
    public internal(set) var jobs: [JobID: JobState] = [:]
    /// All runs that have not ended.
    public internal(set) var runs: [RunID: JobRun] = [:]
    /// The id under which the master knows the framework.
    public internal(set) var framework: FrameworkID?
    /// Whether the event stream is open.
    public internal(set) var isConnected = false

    var zones: [String: TimeZoneRules] = [:]
    var clocks: [RunID: RunClock] = [:]
    var tasks: [TaskID: TaskClock] = [:]
    /// Which jobs wait for a job.
    var dependents: [JobID: Set<JobID>] = [:]
    var isSuppressed = false
    /// Whether somebody waits who was not there when the last offers were declined.
    var wantsRevival = false
    /// Runs without a task that may run.
    var idle: Set<RunID> = []
    /// Jobs whose marks have changed in a way that may be lost; stored last, each by itself.
    var lateMarks: Set<JobID> = []
    var sweepAt: Duration?
    var chance: JobsChance

    var now: Moment
    var turn = JobsTurn()

    /// Starts from what is stored.
    ///
    /// - Parameters:
    ///   - settings: timing and limits.
    ///   - records: what the store holds.
    ///   - zones: the rules of the zones that the stored schedules name; a schedule whose zone is missing waits.
    ///   - seed: chance, for the names of runs and tasks; another one in every life.
    ///   - now: the time.
    public init(
        settings: JobsSettings = JobsSettings(), records: JobsRecords = JobsRecords(),
        zones: [String: TimeZoneRules] = [:], seed: UInt64, now: Moment
    ) {
        self.settings = settings
        self.zones = zones
        self.now = now
        chance = JobsChance(seed: seed)
        for job in records.jobs {
            jobs[job.id] = JobState(
                job: job, marks: records.marks[job.id] ?? JobMarks(),
                history: records.histories[job.id] ?? JobHistory())
            for parent in job.dependencies { dependents[parent, default: []].insert(job.id) }
            plan(job.id)
        }
        for run in records.runs.sorted(by: { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }) { recover(run) }
    }

    private mutating func recover(_ run: JobRun) {
        runs[run.id] = run
        jobs[run.job.id]?.active.append(run.id)
        clocks[run.id] = RunClock(notBefore: now.elapsed, launchBy: launchDeadline(of: run))
        guard let task = run.liveTask else {
            idle.insert(run.id)
            return
        }
        tasks[task.id] = TaskClock(run: run.id, agent: task.agent, askAt: now.elapsed)
        // It may have been running all the time: the master is asked first.
        if let by = clocks[run.id]?.launchBy {
            clocks[run.id]?.launchBy = max(by, now.elapsed + settings.unknownFor)
        }
    }

    /// Takes one input.
    ///
    /// - Parameters:
    ///   - input: what happened.
    ///   - now: the time, on the monotonic clock never earlier than in the call before.
    /// - Returns: what to store and then what to do.
    public mutating func handle(_ input: JobsInput, now: Moment) -> JobsTurn {
        self.now = now
        switch input {
        case .connected(let id): connected(id)
        case .disconnected: disconnected()
        case .removed: removed()
        case .offers(let offers): match(offers)
        case .rescind: break  // offers are answered in the turn in which they come
        case .update(let status): update(status)
        case .command(let request, let command): say(.reply(request, perform(command)))
        case .tick: break
        }
        runTimers()
        adjustOffers()
        for id in lateMarks.sorted() {
            guard let marks = jobs[id]?.marks else { continue }
            begin()
            change(.putMarks(id, marks))
        }
        lateMarks = []
        defer { turn = JobsTurn() }
        return turn
    }

    /// When `handle(.tick)` is due on the monotonic clock, if ever.
    public var nextDeadline: Duration? {
        var earliest: Duration?
        func consider(_ time: Duration?) {
            if let time, time < earliest ?? time + .seconds(1) { earliest = time }
        }
        if let next = jobs.values.compactMap(\.next).min() {
            let wait = Duration.nanoseconds(
                max(0, next.nanoseconds.subtractingReportingOverflow(now.wall.nanoseconds).0))
            consider(now.elapsed + min(wait, settings.clockInterval))
        }
        for clock in clocks.values { consider(clock.launchBy) }
        for run in idle {
            // An attempt that may be started already waits for offers, not for time.
            if let at = clocks[run]?.notBefore, at > now.elapsed { consider(at) }
        }
        if isConnected {
            consider(sweepAt)
            for task in tasks.values {
                consider(task.askAt)
                consider(task.killAt)
            }
        }
        return earliest
    }

    /// Runs that wait for an offer, oldest first, with what the last offers lacked.
    public var waiting: [(run: JobRun, shortage: String?)] {
        inOrder(idle).map { ($0, clocks[$0.id]?.shortage) }
    }

    /// Runs that have not ended, oldest first.
    public func inOrder(_ ids: some Sequence<RunID>) -> [JobRun] {
        ids.compactMap { runs[$0] }.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }

    // MARK: telling

    /// Opens the transaction that the following changes belong to.
    mutating func begin() { turn.transactions.append([]) }

    mutating func change(_ change: JobsChange) {
        if turn.transactions.isEmpty { begin() }
        turn.transactions[turn.transactions.count - 1].append(change)
    }

    mutating func say(_ effect: JobsEffect) { turn.effects.append(effect) }

    mutating func call(_ call: SchedulerCall) {
        if isConnected { say(.call(call)) }
    }

    // MARK: timers

    private mutating func runTimers() {
        runSchedules()
        let late = clocks.filter { $0.value.launchBy.map { $0 <= now.elapsed } ?? false }.keys
        for run in inOrder(late) {
            clocks[run.id]?.launchBy = nil
            if run.liveTask == nil {
                finish(run, .failed, "it was not launched in time")
            } else {
                stop(run)
            }
        }
        guard isConnected else { return }
        askAndKill()
    }

    /// Takes offers while a run waits for one, and none otherwise.
    private mutating func adjustOffers() {
        guard isConnected else { return }
        let wants = idle.contains { (clocks[$0]?.notBefore ?? .zero) <= now.elapsed }
        if wants, isSuppressed || wantsRevival {
            isSuppressed = false
            wantsRevival = false
            call(.revive(roles: []))
        } else if !wants, !isSuppressed {
            isSuppressed = true
            call(.suppress(roles: []))
        }
    }
}

/// Chance from a seed (splitmix64): enough for names that must not come twice and need not be secret.
struct JobsChance: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
