public import ClusterModel

/// Which state of a task may follow which; master and agent use the same rule.
///
/// ```
/// STAGING → STARTING → RUNNING → KILLING → FINISHED | FAILED | KILLED | ERROR | DROPPED | GONE …
/// ```
/// A step may be left out, none is taken back, and the end is final. The three states that only say "not known"
/// (`unreachable`, `unknown`, `lost`) may be entered from any live state and left for the truth, in any direction.
public struct TaskProgress: Hashable, Sendable {
    /// What became of a state that was reported.
    public enum Step: Hashable, Sendable {
        /// It is the task's state now.
        case advanced
        /// It is the state the task had already: the same update again, or a change of health only.
        case repeated
        /// It comes too late: the task is further, or has ended.
        case refused
    }

    /// Where the task stands.
    public private(set) var state: TaskState

    /// Begins at a state, usually `staging`.
    public init(state: TaskState = .staging) { self.state = state }

    /// Takes a reported state over if it may follow.
    public mutating func advance(to next: TaskState) -> Step {
        if next == state { return .repeated }
        guard Self.may(next, follow: state) else { return .refused }
        state = next
        return .advanced
    }

    /// Whether a task in the second state may go to the first, different one.
    public static func may(_ next: TaskState, follow state: TaskState) -> Bool {
        if isUncertain(state) { return next != state }
        if state.isTerminal || next == state { return false }
        return isUncertain(next) || next.rank > state.rank
    }

    /// Whether a state only says that the truth is not known.
    public static func isUncertain(_ state: TaskState) -> Bool {
        switch state {
        case .unreachable, .unknown, .lost: true
        case .staging, .starting, .running, .killing, .finished, .failed, .killed, .error, .dropped, .gone,
            .goneByOperator:
            false
        }
    }
}
