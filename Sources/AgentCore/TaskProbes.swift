public import ClusterModel
internal import TaskLifecycle

/// Which of a task's two probes.
public enum ProbeRole: Hashable, Sendable {
    /// Its failure may end the task.
    case health
    /// Its result is only told.
    case check
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

/// The probes of a running task: when the next ones are due, what they have found, and what of it was told.
struct TaskProbes: Sendable {
    /// A probe that follows the one before this soon would be all that the agent does.
    private static let shortestInterval = Duration.milliseconds(100)

    struct Timer: Sendable {
        var probe: TaskProbe
        /// Nil while one is being made.
        var due: Duration?
    }

    var health: Timer?
    var check: Timer?
    var judge: HealthJudge?
    var result: CheckResult?
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
        guard task.healthCheck != nil || task.check != nil else { return nil }
        func timer(_ probe: TaskProbe) -> Timer { Timer(probe: probe, due: max(now, startedAt + probe.delay)) }
        health = task.healthCheck.map { timer($0.probe) }
        check = task.check.map { timer($0) }
        judge = task.healthCheck.map {
            HealthJudge(
                $0, startedAt: startedAt, isHealthy: history.last?.isHealthy,
                wasHealthy: history.contains { $0.isHealthy == true })
        }
        result = history.last?.checkResult ?? task.check?.nothing
    }

    var nextDeadline: Duration? { [health?.due, check?.due, newsDue].compactMap { $0 }.min() }

    /// The probes that are due; they count as being made from here on.
    mutating func takeDue(now: Duration) -> [(ProbeRole, TaskProbe)] {
        var due: [(ProbeRole, TaskProbe)] = []
        if let timer = health, let at = timer.due, at <= now {
            due.append((.health, timer.probe))
            health?.due = nil
        }
        if let timer = check, let at = timer.due, at <= now {
            due.append((.check, timer.probe))
            check?.due = nil
        }
        return due
    }

    /// Sets when the next probe is made.
    mutating func repeatAfter(_ role: ProbeRole, now: Duration) {
        let timer = role == .health ? health : check
        guard let timer else { return }
        let due = now + max(timer.probe.interval, Self.shortestInterval)
        if role == .health { health?.due = due } else { check?.due = due }
    }
}
