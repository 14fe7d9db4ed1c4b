/// What a monitor tells of its task: on connecting and at every change.
public struct MonitorState: Equatable, Sendable {
    /// Where the task is on its way.
    public enum Phase: Equatable, Sendable {
        /// The command is not yet executed.
        case starting
        /// The command runs.
        case running(ProcessIdentity)
        /// The command runs and has been told to end.
        case killing(ProcessIdentity)
        /// It ended, or could not start; the exit file is already on disk.
        case ended(MonitorExit)
    }

    /// Whose state it is.
    public var containerID: String
    /// Where the task is on its way.
    public var phase: Phase
    /// The walls that the task really has; less than asked only with `bestEffort`.
    public var applied: MonitorSpec.Isolation
    /// The monitor itself.
    public var monitor: ProcessIdentity
    /// First process of the task's namespaces, parent of the command; nil before it is started and after its end.
    public var initProcess: ProcessIdentity?

    /// A state as a monitor reports it.
    public init(
        containerID: String, phase: Phase, applied: MonitorSpec.Isolation, monitor: ProcessIdentity,
        initProcess: ProcessIdentity?
    ) {
        self.containerID = containerID
        self.phase = phase
        self.applied = applied
        self.monitor = monitor
        self.initProcess = initProcess
    }
}

/// How a task ended; the content of the `exit` file, which is written before anyone is told.
public struct MonitorExit: Equatable, Sendable {
    /// How the command ended.
    public enum Outcome: Equatable, Sendable {
        /// It returned this status, 0 to 255.
        case exited(UInt8)
        /// A signal ended it.
        case signaled(Int32)
        /// It never ran; ``MonitorExit/message`` says why and this is the error number, 0 when there is none.
        case couldNotStart(errno: Int32)
    }

    /// Whose end it is.
    public var containerID: String
    /// How the command ended.
    public var outcome: Outcome
    /// As `wait4` gave it; 0 when the command never ran.
    public var rawWaitStatus: Int32
    /// The kernel killed in this cgroup for want of memory and the command did not end well.
    public var oomKilled: Bool
    /// Someone asked for the end before it came.
    public var killRequested: Bool
    /// The reason in a sentence for people, without a full stop.
    public var message: String
    /// When the command was executed, in milliseconds since 1970; nil when it never was.
    public var startedAtMilliseconds: Int64?
    /// When the end was noticed, in milliseconds since 1970.
    public var endedAtMilliseconds: Int64
    /// Processor time used in nanoseconds, when it was accounted.
    public var cpuNanoseconds: UInt64?
    /// Most memory used at a time, in bytes, when the kernel tells it.
    public var peakMemoryBytes: UInt64?

    /// An end as the monitor records it.
    public init(
        containerID: String, outcome: Outcome, rawWaitStatus: Int32, oomKilled: Bool, killRequested: Bool,
        message: String, startedAtMilliseconds: Int64?, endedAtMilliseconds: Int64, cpuNanoseconds: UInt64? = nil,
        peakMemoryBytes: UInt64? = nil
    ) {
        self.containerID = containerID
        self.outcome = outcome
        self.rawWaitStatus = rawWaitStatus
        self.oomKilled = oomKilled
        self.killRequested = killRequested
        self.message = message
        self.startedAtMilliseconds = startedAtMilliseconds
        self.endedAtMilliseconds = endedAtMilliseconds
        self.cpuNanoseconds = cpuNanoseconds
        self.peakMemoryBytes = peakMemoryBytes
    }
}

/// What an agent may ask of a monitor.
public enum MonitorCommand: Equatable, Sendable {
    /// SIGTERM to the command, and after the grace SIGKILL to everything in its cgroup. Asking again can only shorten
    /// the grace; 0 kills at once.
    case kill(graceMilliseconds: UInt32)
    /// One signal to the command's process group; no further consequence.
    case signal(Int32)
    /// The end was recorded: the monitor may go. Ignored while the task runs.
    case quit
    /// Answer with the controlling end of the command's terminal; see ``MonitorTerminal``. Whoever asks a monitor whose
    /// command has none is disconnected.
    case terminal
}
