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
