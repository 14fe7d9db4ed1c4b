/// What a monitor runs, written by the agent as `task.spec` before it starts the monitor.
///
/// Bounded: the encoded form is at most ``encodedLimit`` bytes, lists have at most ``listLimit`` entries.
public struct MonitorSpec: Equatable, Sendable {
    /// At most so many bytes once encoded; the kernel itself takes about 2 MiB of arguments and environment.
    public static let encodedLimit = 1 << 20
    /// At most so many arguments, environment variables, groups or limits.
    public static let listLimit = 8192

    /// Log files of the task and when they are rotated.
    public struct Logs: Equatable, Sendable {
        /// File that gets standard output; older parts are `<path>.1`, `<path>.2` …, the newest has the bare name.
        public var stdoutPath: String
        /// File that gets standard error; may not be the same as ``stdoutPath``.
        public var stderrPath: String
        /// A file is rotated before it would grow beyond this many bytes; at least 4096.
        public var maximumBytes: UInt64
        /// How many files are kept per stream, the live one included; at least 1.
        public var maximumFiles: UInt32

        /// Log files with a bound of `maximumBytes` × `maximumFiles` per stream.
        public init(stdoutPath: String, stderrPath: String, maximumBytes: UInt64 = 10 << 20, maximumFiles: UInt32 = 3) {
            self.stdoutPath = stdoutPath
            self.stderrPath = stderrPath
            self.maximumBytes = maximumBytes
            self.maximumFiles = maximumFiles
        }
    }

    /// Whom the command runs as.
    public struct Credentials: Equatable, Sendable {
        /// User id.
        public var uid: UInt32
        /// Primary group id.
        public var gid: UInt32
        /// Supplementary groups.
        public var groups: [UInt32]

        /// Names a user and its groups by number; see ``AccountDatabase`` for names.
        public init(uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
        }
    }

    /// One `setrlimit`.
    public struct ResourceLimit: Equatable, Sendable {
        /// `RLIMIT_…` number.
        public var resource: Int32
        /// Soft limit; `UInt64.max` is no limit.
        public var soft: UInt64
        /// Hard limit; `UInt64.max` is no limit.
        public var hard: UInt64

        /// Limits one resource by its `RLIMIT_…` number.
        public init(resource: Int32, soft: UInt64, hard: UInt64) {
            self.resource = resource
            self.soft = soft
            self.hard = hard
        }
    }

    /// The walls around the command.
    public struct Isolation: OptionSet, Equatable, Sendable {
        /// Bits as they are written to files; never renumbered.
        public let rawValue: UInt32
        /// Takes bits as they are written to files.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Own process ids; everything in it dies with the command.
        public static let pids = Isolation(rawValue: 1)
        /// Own mount table, private to it; together with ``pids`` also a fresh `/proc`.
        public static let mounts = Isolation(rawValue: 2)
        /// Own System V and POSIX message queues.
        public static let ipc = Isolation(rawValue: 4)
        /// Own host name.
        public static let uts = Isolation(rawValue: 8)
        /// Own cgroup with the limits of the spec.
        public static let cgroup = Isolation(rawValue: 16)
        /// What every command task gets.
        public static let standard: Isolation = [.pids, .mounts, .ipc, .uts, .cgroup]
        static let known = standard
    }

    /// Directory name of the task below the agent's run directory and name of its cgroup: 1 to 128 characters out of
    /// letters, digits, `.`, `_` and `-`, starting with a letter or digit.
    public var containerID: String
    /// Program to run: a path, or a name that is looked up in the `PATH` of ``environment``.
    public var executable: String
    /// The argument vector, `argv[0]` included.
    public var arguments: [String]
    /// Complete environment; nothing is inherited. `HOME` is the user's when it is not named here.
    public var environment: [(name: String, value: String)] {
        get { variables.map { ($0.name, $0.value) } }
        set { variables = newValue.map { Variable(name: $0.name, value: $0.value) } }
    }
    /// Absolute path, entered as the task's user.
    public var workingDirectory: String
    /// Nil keeps the user of the monitor.
    public var credentials: Credentials?
    /// Limits of the cgroup.
    public var limits: CgroupLimits
    /// Where output goes.
    public var logs: Logs
    /// How long a command that got SIGTERM from the monitor's own end (SIGTERM to the monitor) may go on.
    public var killGraceMilliseconds: UInt32
    /// Resource limits of the command.
    public var resourceLimits: [ResourceLimit]
    /// Walls wanted.
    public var isolation: Isolation
    /// An empty directory that becomes a file system in memory, the task's user's alone, before the command starts; for
    /// the files of ``MonitorSecrets``.
    public var secretDirectory: String?
    /// The size of the command's terminal; nil for a command without one. What is written to a terminal is kept as
    /// standard output.
    public var terminal: TerminalSize?
    /// The container's own root; nil for the host's.
    public var root: ImageRoot?
    /// Run without those walls that cannot be had (no privileges) instead of failing; the state says which there are.
    public var bestEffort: Bool

    struct Variable: Equatable, Sendable {
        var name: String
        var value: String
    }
    var variables: [Variable]

    /// A task with standard isolation; set the other properties afterwards.
    public init(
        containerID: String, executable: String, arguments: [String],
        environment: [(name: String, value: String)] = [], workingDirectory: String, credentials: Credentials? = nil,
        limits: CgroupLimits = CgroupLimits(), logs: Logs, killGraceMilliseconds: UInt32 = 5000,
        resourceLimits: [ResourceLimit] = [], isolation: Isolation = .standard, bestEffort: Bool = false
    ) {
        self.containerID = containerID
        self.executable = executable
        self.arguments = arguments
        self.workingDirectory = workingDirectory
        self.credentials = credentials
        self.limits = limits
        self.logs = logs
        self.killGraceMilliseconds = killGraceMilliseconds
        self.resourceLimits = resourceLimits
        self.isolation = isolation
        self.bestEffort = bestEffort
        variables = environment.map { Variable(name: $0.name, value: $0.value) }
    }

    /// Whether a text may name a container: it becomes a file name and a cgroup name.
    public static func isValidContainerID(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...128).contains(bytes.count), let first = bytes.first else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        return isAlphanumeric(first)
            && bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D }
    }
}
