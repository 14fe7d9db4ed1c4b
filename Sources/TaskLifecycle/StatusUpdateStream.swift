public import ClusterModel

/// The updates of one task on their way to its framework: in order, one at a time, each until it is acknowledged.
///
/// The caller MUST have stored an update durably before it appends it, and MUST send every status that a method
/// returns. The stream is paused while there is no session: updates queue up and nothing is due.
///
/// The rule is Mesos' (`task_status_update_manager`): the next update is held back until the one before it is
/// acknowledged with its own uuid; an unacknowledged one is sent again after 10 s, then after twice as long each time,
/// up to 10 min; a new session starts over at once.
public struct StatusUpdateStream: Hashable, Sendable {
    /// How soon an update is sent again.
    public struct Schedule: Hashable, Sendable {
        /// Mesos' values: 10 s, doubling to 10 min.
        public static let standard = Schedule(first: .seconds(10), longest: .seconds(600))
        /// The pause before the first repetition.
        public var first: Duration
        /// The pause never grows beyond this.
        public var longest: Duration

        /// Makes a schedule.
        public init(first: Duration, longest: Duration) {
            self.first = first
            self.longest = longest
        }
    }

    /// What an acknowledgement did.
    public enum Acknowledgement: Hashable, Sendable {
        /// It names no update that is waiting for one; late and repeated acknowledgements are such.
        case ignored
        /// The update is done; the next one, if any, is to be sent now.
        case accepted(next: TaskStatus?)
        /// The update that ended the task is done: the stream is finished.
        case finished
    }

    /// Updates that are not acknowledged, oldest first; only the first one is ever sent.
    public private(set) var pending: [TaskStatus]
    /// Whether the update that ended the task was acknowledged.
    public private(set) var isFinished = false
    /// When the first pending update is due again; nil when nothing waits or there is no session.
    public private(set) var nextDeadline: Duration?

    private let schedule: Schedule
    private var pause: Duration
    private var isConnected = false
    private var hasTerminal: Bool

    /// Makes a paused stream, with the updates that were not acknowledged in an earlier life of the process.
    public init(pending: [TaskStatus] = [], schedule: Schedule = .standard) {
        self.pending = pending
        self.schedule = schedule
        pause = schedule.first
        hasTerminal = pending.last?.state.isTerminal ?? false
    }

    /// Adds an update at the end.
    /// - Returns: the update to send now, if nothing is ahead of it and there is a session. An update after the one
    ///   that ended the task, or one without uuid, is dropped: it could never be acknowledged.
    public mutating func append(_ status: TaskStatus, now: Duration) -> TaskStatus? {
        guard !hasTerminal, !isFinished, status.uuid != nil else { return nil }
        pending.append(status)
        hasTerminal = status.state.isTerminal
        return pending.count == 1 ? sendFirst(now: now) : nil
    }

    /// Takes an acknowledgement in.
    public mutating func acknowledge(_ uuid: StatusUUID, now: Duration) -> Acknowledgement {
        guard let first = pending.first, first.uuid == uuid else { return .ignored }
        pending.removeFirst()
        nextDeadline = nil
        guard !first.state.isTerminal else {
            isFinished = true
            return .finished
        }
        return .accepted(next: sendFirst(now: now))
    }

    /// A session began: what waits is to be sent at once, and the pauses start over.
    public mutating func connect(now: Duration) -> TaskStatus? {
        isConnected = true
        return sendFirst(now: now)
    }

    /// The session ended: nothing is due until the next one.
    public mutating func disconnect() {
        isConnected = false
        nextDeadline = nil
    }

    /// The update that is to be sent again now, if its pause is over.
    public mutating func resend(now: Duration) -> TaskStatus? {
        guard let deadline = nextDeadline, deadline <= now, let first = pending.first else { return nil }
        pause = min(pause * 2, schedule.longest)
        nextDeadline = now + pause
        return first
    }

    private mutating func sendFirst(now: Duration) -> TaskStatus? {
        guard isConnected, let first = pending.first else { return nil }
        pause = schedule.first
        nextDeadline = now + pause
        return first
    }
}
