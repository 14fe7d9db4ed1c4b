/// A command of a check.
public enum CheckCommand: Hashable, Sendable {
    /// A line for `/bin/sh -c`.
    case shell(String)
    /// A program and its arguments.
    case arguments([String])
}

/// Whether an instance is well: asked again and again; too many failures in a row end it.
public struct HealthCheck: Hashable, Sendable {
    /// What is asked. Those with MESOS, and COMMAND, are part of the task in Mesos; here agents do all of them.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case http = "HTTP"
        case https = "HTTPS"
        case tcp = "TCP"
        case command = "COMMAND"
        case mesosHTTP = "MESOS_HTTP"
        case mesosHTTPS = "MESOS_HTTPS"
        case mesosTCP = "MESOS_TCP"

        /// Whether Mesos would have it as part of the task.
        public var isMesos: Bool {
            switch self {
            case .http, .https, .tcp: false
            case .command, .mesosHTTP, .mesosHTTPS, .mesosTCP: true
            }
        }
    }

    /// What is asked.
    public var kind = Kind.http
    /// What is run, for COMMAND.
    public var command: CheckCommand?
    /// What is asked for, for HTTP; `/` when nil.
    public var path: String?
    /// The port, when it is not one of the service's.
    public var port: Int?
    /// Which of the service's ports.
    public var portIndex: Int?
    /// `IPv4` or `IPv6`.
    public var ipProtocol = "IPv4"
    /// Failures in this time after the start do not count, until it was healthy once.
    public var gracePeriodSeconds = 300
    /// Seconds from one question to the next.
    public var intervalSeconds = 60
    /// Seconds an answer may take.
    public var timeoutSeconds = 20
    /// Seconds from the start to the first question.
    public var delaySeconds = 15
    /// After that many failures in a row the instance is ended; 0 for never.
    public var maxConsecutiveFailures = 3
    /// Whether an answer with a status from 100 to 199 counts for nothing.
    public var ignoreHttp1xx: Bool?

    /// Makes a check with Marathon's defaults.
    public init(kind: Kind = .http) { self.kind = kind }
}

/// A check whose result is only shown.
public struct StatusCheck: Hashable, Sendable {
    /// What is asked.
    public enum Kind: Hashable, Sendable {
        /// An HTTP request; the scheme is `HTTP` or `HTTPS`.
        case http(port: Int?, portIndex: Int?, path: String?, scheme: String)
        /// A TCP connection.
        case tcp(port: Int?, portIndex: Int?)
        /// A command.
        case command(CheckCommand)
    }

    /// What is asked.
    public var kind: Kind
    /// Seconds from one question to the next.
    public var intervalSeconds = 60
    /// Seconds an answer may take.
    public var timeoutSeconds = 20
    /// Seconds from the start to the first question.
    public var delaySeconds = 15

    /// Makes a check with Marathon's defaults.
    public init(kind: Kind) { self.kind = kind }
}

/// Whether an instance is ready to serve; asked during deployments, until it is.
public struct ReadinessCheck: Hashable, Sendable {
    /// For people.
    public var name = "readinessCheck"
    /// Whether HTTPS instead of HTTP.
    public var isHTTPS = false
    /// What is asked for.
    public var path = "/"
    /// The name of the port.
    public var portName = "http-api"
    /// Seconds from one question to the next.
    public var intervalSeconds = 30
    /// Seconds an answer may take.
    public var timeoutSeconds = 10
    /// Statuses that mean ready.
    public var httpStatusCodesForReady: [Int] = [200]
    /// Whether the last answer is shown in the deployment.
    public var preservesLastResponse = false

    /// Makes a check with Marathon's defaults.
    public init() {}
}
