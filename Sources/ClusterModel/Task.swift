/// A file that is put into the work directory before the command starts.
public struct CommandURI: Hashable, Sendable, Codable {
    /// A local path, `file://…` or `http://…`.
    public var value: String
    /// Whether the file gets the execute bit; such a file is not unpacked.
    public var isExecutable: Bool
    /// Whether an archive (`.tar`, `.tar.gz`, `.tgz`, `.gz`, `.zip` …) is unpacked.
    public var isExtracted: Bool
    /// The name in the work directory, if it should not be the last part of the address.
    public var outputFile: String?

    /// Makes a URI.
    public init(value: String, isExecutable: Bool = false, isExtracted: Bool = true, outputFile: String? = nil) {
        self.value = value
        self.isExecutable = isExecutable
        self.isExtracted = isExtracted
        self.outputFile = outputFile
    }
}

/// What to execute.
public struct CommandInfo: Hashable, Sendable, Codable {
    /// An environment variable.
    public struct Variable: Hashable, Sendable, Codable {
        /// Its name.
        public var name: String
        /// Its value; empty when it is a secret.
        public var value: String
        /// Where its value comes from when it is a secret.
        public var secret: TaskSecret?

        /// Makes a variable.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        /// Makes a variable whose value is a secret.
        public init(name: String, secret: TaskSecret) {
            self.name = name
            self.value = ""
            self.secret = secret
        }
    }

    /// Whether `value` is a line for `/bin/sh -c`; otherwise it is the program and `arguments` its argv from 0.
    public var isShell: Bool
    /// The shell line or the program.
    public var value: String?
    /// The argument vector, `argv[0]` first; ignored for a shell line.
    public var arguments: [String]
    /// Added to the environment that the agent makes.
    public var environment: [Variable]
    /// Fetched into the work directory first.
    public var uris: [CommandURI]
    /// The account to run as; the framework's user when absent.
    public var user: String?

    /// Makes a command.
    public init(
        isShell: Bool = true, value: String?, arguments: [String] = [], environment: [Variable] = [],
        uris: [CommandURI] = [], user: String? = nil
    ) {
        self.isShell = isShell
        self.value = value
        self.arguments = arguments
        self.environment = environment
        self.uris = uris
        self.user = user
    }
}

/// Where others find a task's service.
public struct Discovery: Hashable, Sendable, Codable {
    /// One port of the service.
    public struct Port: Hashable, Sendable, Codable {
        /// The number.
        public var number: UInt32
        /// A name for it.
        public var name: String?
        /// `tcp` or `udp`.
        public var transport: String?
        /// Free text.
        public var labels: [Label]

        /// Makes a port.
        public init(number: UInt32, name: String? = nil, transport: String? = nil, labels: [Label] = []) {
            self.number = number
            self.name = name
            self.transport = transport
            self.labels = labels
        }
    }

    /// `FRAMEWORK`, `CLUSTER` or `EXTERNAL`.
    public var visibility: String
    /// The service's name.
    public var name: String?
    /// Deployment environment, location and version, as Mesos has them.
    public var environment: String?
    /// See `environment`.
    public var location: String?
    /// See `environment`.
    public var version: String?
    /// Its ports.
    public var ports: [Port]
    /// Free text.
    public var labels: [Label]

    /// Makes discovery information.
    public init(
        visibility: String, name: String? = nil, environment: String? = nil, location: String? = nil,
        version: String? = nil, ports: [Port] = [], labels: [Label] = []
    ) {
        self.visibility = visibility
        self.name = name
        self.environment = environment
        self.location = location
        self.version = version
        self.ports = ports
        self.labels = labels
    }
}

/// How much a task may use where that is more than its resources. In thousandths; the largest number is no limit.
public struct TaskLimits: Hashable, Sendable, Codable {
    /// Of cores.
    public var cpus: Int64?
    /// Of MiB of memory.
    public var mem: Int64?

    /// Makes limits.
    public init(cpus: Int64? = nil, mem: Int64? = nil) {
        self.cpus = cpus
        self.mem = mem
    }
}

/// A task as its framework describes it.
public struct TaskInfo: Hashable, Sendable, Codable {
    /// For people.
    public var name: String
    /// The framework's name for it.
    public var taskID: TaskID
    /// The agent whose offer was accepted.
    public var agentID: AgentID
    /// What it uses of the offer.
    public var resources: Resources
    /// What to execute; absent only in tasks that are refused.
    public var command: CommandInfo?
    /// How long the command may take to end after SIGTERM, when the framework says.
    public var killGracePeriod: Duration?
    /// Ends the task when it runs longer than this.
    public var maxCompletionTime: Duration?
    /// Bytes for the executor; a command task has no use for them.
    public var data: [UInt8]?
    /// Free text, shown and kept.
    public var labels: [Label]
    /// Where others find the task's service.
    public var discovery: Discovery?
    /// Secrets in files; nil for none, as in what older releases wrote.
    public var secretFiles: [SecretFile]?
    /// Its container, unless it runs in the host's own root.
    public var container: ContainerInfo?
    /// What its agent tries again and again, and ends it for.
    public var healthCheck: HealthCheck?
    /// Further ones, for which Mesos' messages have no room: the task is well when all of them are.
    public var moreHealthChecks: [HealthCheck]?
    /// What its agent tries again and again, and only tells.
    public var check: TaskProbe?
    /// What its agent tries until the task is ready to serve; Mesos' messages have no room for it either.
    public var readinessCheck: TaskReadinessCheck?
    /// What it may use beyond its resources.
    public var limits: TaskLimits?
    /// Names of fields that were set and that this release cannot honour; such a task gets TASK_ERROR naming them.
    public var unsupported: [String]
    /// What was wrong with the description itself (a negative amount, ports twice …); such a task gets TASK_ERROR.
    public var defect: String?

    /// Makes a task description.
    public init(
        name: String, taskID: TaskID, agentID: AgentID, resources: Resources, command: CommandInfo?,
        killGracePeriod: Duration? = nil, maxCompletionTime: Duration? = nil, data: [UInt8]? = nil,
        labels: [Label] = [], discovery: Discovery? = nil, secretFiles: [SecretFile]? = nil,
        container: ContainerInfo? = nil, healthCheck: HealthCheck? = nil, check: TaskProbe? = nil,
        unsupported: [String] = [], defect: String? = nil
    ) {
        self.name = name
        self.taskID = taskID
        self.agentID = agentID
        self.resources = resources
        self.command = command
        self.killGracePeriod = killGracePeriod
        self.maxCompletionTime = maxCompletionTime
        self.data = data
        self.labels = labels
        self.discovery = discovery
        self.secretFiles = secretFiles
        self.container = container
        self.healthCheck = healthCheck
        self.check = check
        self.unsupported = unsupported
        self.defect = defect
    }

    /// All of its health checks.
    public var healthChecks: [HealthCheck] { (healthCheck.map { [$0] } ?? []) + (moreHealthChecks ?? []) }
}
