/// A probe of a running task, which its agent makes.
public struct TaskProbe: Hashable, Sendable, Codable {
    /// What is tried.
    public enum Kind: Hashable, Sendable, Codable {
        /// A command in the task's container; well with exit status 0.
        case command(CommandInfo)
        /// A GET of a page; well with a status of 200 to 399, or one of those named.
        case http(scheme: String, port: UInt16, path: String, statuses: [UInt16], version: IPVersion)
        /// A connection; well when it is accepted.
        case tcp(port: UInt16, version: IPVersion)
    }

    /// Which loopback address is asked.
    public enum IPVersion: String, Hashable, Sendable, Codable {
        case v4
        case v6
    }

    /// What is tried.
    public var kind: Kind
    /// How long after the start the first one is made.
    public var delay: Duration
    /// From the end of one to the begin of the next.
    public var interval: Duration
    /// How long one may take; zero for no limit.
    public var timeout: Duration

    /// Makes a probe with Mesos' usual times.
    public init(
        _ kind: Kind, delay: Duration = .seconds(15), interval: Duration = .seconds(10),
        timeout: Duration = .seconds(20)
    ) {
        self.kind = kind
        self.delay = delay
        self.interval = interval
        self.timeout = timeout
    }
}

/// A probe whose repeated failure ends the task.
public struct HealthCheck: Hashable, Sendable, Codable {
    /// What is tried, and when.
    public var probe: TaskProbe
    /// Failures after the start that do not count, as long as none has gone well.
    public var grace: Duration
    /// So many failures in a row end the task; 0 for never.
    public var consecutiveFailures: UInt32

    /// Makes a health check with Mesos' usual numbers.
    public init(_ probe: TaskProbe, grace: Duration = .seconds(10), consecutiveFailures: UInt32 = 3) {
        self.probe = probe
        self.grace = grace
        self.consecutiveFailures = consecutiveFailures
    }
}

/// A probe that is made after the start until the task says that it is ready to serve.
public struct TaskReadinessCheck: Hashable, Sendable, Codable {
    /// What is tried, and when.
    public var probe: TaskProbe
    /// Whether the beginning of the last answer is told as well.
    public var keepsAnswer: Bool

    /// Makes a check.
    public init(_ probe: TaskProbe, keepsAnswer: Bool = false) {
        self.probe = probe
        self.keepsAnswer = keepsAnswer
    }
}

/// What a task's readiness check has found last.
public struct TaskReadiness: Hashable, Sendable, Codable {
    /// Whether the task is ready; once it is, it is not asked again.
    public var isReady: Bool
    /// The status of the answer; nil when none came.
    public var status: UInt16?
    /// The beginning of the answer, when the check keeps it.
    public var answer: Answer?

    /// The beginning of an answer.
    public struct Answer: Hashable, Sendable, Codable {
        /// The kind of content.
        public var contentType: String
        /// The content, cut off.
        public var body: String

        /// Makes it.
        public init(contentType: String, body: String) {
            self.contentType = contentType
            self.body = body
        }
    }

    /// Makes a finding.
    public init(isReady: Bool, status: UInt16? = nil, answer: Answer? = nil) {
        self.isReady = isReady
        self.status = status
        self.answer = answer
    }
}

/// What a probe has found.
public enum CheckResult: Hashable, Sendable, Codable {
    /// The exit status of a command; nil as long as none has ended in time.
    case command(Int32?)
    /// The status of an answer; nil as long as none came.
    case http(UInt16?)
    /// Whether a connection was accepted; nil as long as none was tried.
    case tcp(Bool?)
}

extension TaskProbe {
    /// What is known before the first probe, or when one has failed to find anything.
    public var nothing: CheckResult {
        switch kind {
        case .command: .command(nil)
        case .http: .http(nil)
        case .tcp: .tcp(nil)
        }
    }

    /// Whether a result means that all is well.
    ///
    /// - Parameter result: of this probe.
    /// - Returns: false also when nothing was found.
    public func isWell(_ result: CheckResult) -> Bool {
        switch (kind, result) {
        case (.command, .command(let status)): return status == 0
        case (.http(_, _, _, let statuses, _), .http(let status?)):
            return statuses.isEmpty ? (200..<400).contains(status) : statuses.contains(status)
        case (.tcp, .tcp(let accepted)): return accepted == true
        default: return false
        }
    }
}
