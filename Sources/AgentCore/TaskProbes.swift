public import ClusterModel
internal import TaskLifecycle

/// Which of a task's probes.
public enum ProbeRole: Hashable, Sendable {
    /// Its failure may end the task; the number counts ``TaskInfo/healthChecks``.
    case health(Int)
    /// Its result is only told.
    case check
    /// It is made until the task is ready.
    case readiness
}

/// A probe that is to be made now.
public struct ProbeRequest: Hashable, Sendable {
    /// The task with its container.
    public var task: StoredTask
    /// What it is for.
    public var role: ProbeRole
    /// What to try.
    public var probe: TaskProbe
}

/// What a probe has found.
public struct ProbeFinding: Hashable, Sendable {
    /// The result; nil for nothing.
    public var result: CheckResult?
    /// The same for people.
    public var words: String
    /// The beginning of the answer, where a readiness check keeps it.
    public var answer: TaskReadiness.Answer?

    /// Makes a finding.
    public init(_ result: CheckResult? = nil, words: String, answer: TaskReadiness.Answer? = nil) {
        self.result = result
        self.words = words
        self.answer = answer
    }
}

/// The probes of a running task: when the next ones are due, what they have found, and what of it was told.
struct TaskProbes: Sendable {
    /// A probe that follows the one before this soon would be all that the agent does.
    private static let shortestInterval = Duration.milliseconds(100)

    struct Timer: Sendable {
        var role: ProbeRole
        var probe: TaskProbe
        /// Nil while one is being made.
        var due: Duration?
    }

    private var timers: [Timer] = []
    /// One for each health check.
    var judges: [HealthJudge]
    var result: CheckResult?
    var readiness: TaskReadiness?
    /// What is news since the last update, and when it is told.
    var news: StatusReason?
    var newsDue: Duration?

    /// The probes of a task that asks for some.
    ///
    /// - Parameters:
    ///   - task: the task.
    ///   - startedAt: when its command began.
    ///   - now: the same unless the agent was started anew.
    ///   - history: what was told before.
    init?(_ task: TaskInfo, startedAt: Duration, now: Duration, history: [TaskStatus]) {
        let checks = task.healthChecks
        judges = checks.map {
            HealthJudge(
                $0, startedAt: startedAt, isHealthy: history.last?.isHealthy,
                wasHealthy: history.contains { $0.isHealthy == true })
        }
        result = history.last?.checkResult ?? task.check?.nothing
        readiness = history.last?.readiness
        func add(_ role: ProbeRole, _ probe: TaskProbe) {
            timers.append(Timer(role: role, probe: probe, due: max(now, startedAt + probe.delay)))
        }
        for (index, check) in checks.enumerated() { add(.health(index), check.probe) }
        if let check = task.check { add(.check, check) }
        if let check = task.readinessCheck, readiness?.isReady != true { add(.readiness, check.probe) }
        if timers.isEmpty, readiness == nil { return nil }
    }

    /// Whether the task is well by all of its health checks; nil as long as that is not known.
    var isHealthy: Bool? {
        if judges.contains(where: { $0.isHealthy == false }) { return false }
        return !judges.isEmpty && judges.allSatisfy { $0.isHealthy == true } ? true : nil
    }

    var nextDeadline: Duration? { (timers.map(\.due) + [newsDue]).compactMap { $0 }.min() }

    /// The probes that are due; they count as being made from here on.
    mutating func takeDue(now: Duration) -> [(ProbeRole, TaskProbe)] {
        var due: [(ProbeRole, TaskProbe)] = []
        for index in timers.indices {
            guard let at = timers[index].due, at <= now else { continue }
            due.append((timers[index].role, timers[index].probe))
            timers[index].due = nil
        }
        return due
    }

    /// What is tried, as long as it is.
    func probe(_ role: ProbeRole) -> TaskProbe? { timers.first { $0.role == role }?.probe }

    /// Sets when the next probe is made.
    mutating func repeatAfter(_ role: ProbeRole, now: Duration) {
        guard let index = timers.firstIndex(where: { $0.role == role }) else { return }
        timers[index].due = now + max(timers[index].probe.interval, Self.shortestInterval)
    }

    /// Makes a probe no more.
    mutating func end(_ role: ProbeRole) { timers.removeAll { $0.role == role } }
}
