public import ClusterModel

/// What becomes of a task by the results of its health check, by Mesos' rules: failures do not count until the task has
/// been well once or its time of grace is over, and so many in a row end it.
public struct HealthJudge: Hashable, Sendable {
    /// What follows from a result.
    public enum Verdict: Hashable, Sendable {
        /// What was told of the task holds.
        case unchanged
        /// The task is well, or not, and was not said to be so.
        case changed
        /// The task is to be ended: so many failures in a row.
        case end(failures: UInt32)
    }

    /// The check.
    public let check: HealthCheck
    /// When the task began, on the clock of the results.
    public let startedAt: Duration
    /// What is said of the task; nil before there is anything to say.
    public private(set) var isHealthy: Bool?
    private var wasHealthy: Bool
    private var failures: UInt32 = 0

    /// Begins to judge a task.
    ///
    /// - Parameters:
    ///   - check: the task's.
    ///   - startedAt: when the task began; before now when its agent was started anew.
    ///   - isHealthy: what was said of it last.
    ///   - wasHealthy: whether it was ever said to be well.
    public init(_ check: HealthCheck, startedAt: Duration, isHealthy: Bool? = nil, wasHealthy: Bool = false) {
        self.check = check
        self.startedAt = startedAt
        self.isHealthy = isHealthy
        self.wasHealthy = wasHealthy || isHealthy == true
    }

    /// Takes a result.
    ///
    /// - Parameters:
    ///   - isWell: whether the probe found all well.
    ///   - now: on the clock of `startedAt`.
    /// - Returns: what follows.
    public mutating func take(isWell: Bool, now: Duration) -> Verdict {
        let before = isHealthy
        if isWell {
            wasHealthy = true
            failures = 0
            isHealthy = true
        } else {
            if !wasHealthy, now - startedAt <= check.grace { return .unchanged }
            failures = failures == .max ? .max : failures + 1
            isHealthy = false
            if check.consecutiveFailures > 0, failures >= check.consecutiveFailures { return .end(failures: failures) }
        }
        return isHealthy == before ? .unchanged : .changed
    }
}
