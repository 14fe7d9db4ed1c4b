public import ClusterModel
public import StateStore

/// What a framework decides: a core with the form in which it is stored.
///
/// A value with one inbox, as the cores of master and agent: `handle` takes an input and the time and says what must
/// become durable and what must then be done. ``FrameworkDriver`` feeds it and carries that out.
public protocol FrameworkLogic: Sendable {
    /// What people and programs want of the framework.
    associatedtype Command: Sendable
    /// The answer.
    associatedtype Reply: Sendable

    /// When `handle(.tick)` is due on the monotonic clock, if ever.
    var nextDeadline: Duration? { get }

    /// Takes one input.
    ///
    /// - Parameters:
    ///   - input: what happened.
    ///   - now: the time.
    /// - Returns: what to store, then what to do.
    mutating func handle(_ input: FrameworkInput<Command>, now: Moment) -> FrameworkTurn<Reply>
}

/// All that can happen to a framework.
public enum FrameworkInput<Command: Sendable>: Sendable {
    /// The event stream is open, and the master knows the framework by this id.
    case connected(FrameworkID)
    /// The event stream has ended.
    case disconnected
    /// The master has removed the framework with all its tasks; another one will subscribe.
    case removed
    /// The master says something other than that the stream is open.
    case event(SchedulerEvent)
    /// Somebody wants something; the number comes back with the reply.
    case command(UInt64, Command)
    /// ``FrameworkLogic/nextDeadline`` has come.
    case tick
}

/// What one input led to.
public struct FrameworkTurn<Reply: Sendable>: Sendable {
    /// What to do once all is durable.
    public enum Effect: Sendable {
        /// Say something to the master.
        case call(SchedulerCall)
        /// Answer a command.
        case reply(UInt64, Reply)
        /// Write a line to the log.
        case note(String)
        /// Do something that neither waits nor fails.
        case work(@Sendable () -> Void)
    }

    /// To be stored in order. The operations of one element belong together; a later one on the same key replaces an
    /// earlier one.
    public var transactions: [[StoreTransaction.Operation]]
    /// To be done after that, in order.
    public var effects: [Effect]
    /// Contradictions that the logic found in itself; logged as errors.
    public var faults: [String]

    /// Makes a turn.
    public init(
        transactions: [[StoreTransaction.Operation]] = [], effects: [Effect] = [], faults: [String] = []
    ) {
        self.transactions = transactions
        self.effects = effects
        self.faults = faults
    }
}

/// Why a framework does not answer.
public enum FrameworkFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is stopping.
    case stopped
    /// Its store does not take writes now.
    case storeUnavailable(String)
    /// Its store is full.
    case storeFull(String)
    /// A commit may or may not be on disk; the process must end with ``StoreError/outcomeUnknownExitCode``.
    case outcomeUnknown(String)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .stopped: "the framework is stopping; try again"
        case .storeUnavailable(let reason): "writes are refused: \(reason); try again"
        case .storeFull(let reason): reason
        case .outcomeUnknown(let reason): "a commit may or may not be on disk: \(reason)"
        }
    }

    init(_ error: StoreError) {
        switch error {
        case .full: self = .storeFull("\(error)")
        case .outcomeUnknown(let reason): self = .outcomeUnknown(reason)
        default: self = .storeUnavailable("\(error)")
        }
    }
}

/// The clocks of a driver.
public struct FrameworkClock: Sendable {
    /// Both clocks, now.
    public var now: @Sendable () -> Moment
    /// Returns when the monotonic clock has reached a time, or throws when the task is cancelled first.
    public var sleep: @Sendable (Duration) async throws -> Void

    /// Clocks of the caller's choice.
    public init(
        now: @escaping @Sendable () -> Moment, sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.now = now
        self.sleep = sleep
    }
}
