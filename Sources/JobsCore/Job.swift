public import ClusterModel
public import Schedules

/// What a job's and a run's identifiers are about.
public enum JobScope {}
/// See ``JobScope``.
public enum RunScope {}

/// Names a job; given by whoever makes it: parts of lower-case letters, digits and dashes, with dots between them.
public typealias JobID = Identifier<JobScope>
/// Names one run; made of the time and of chance, never used twice.
public typealias RunID = Identifier<RunScope>

/// Something to run: once when somebody asks, again and again by a schedule, or after other jobs.
public struct Job: Hashable, Sendable, Codable {
    /// Its name.
    public var id: JobID
    /// For people.
    public var summary: String?
    /// Free text by key.
    public var labels: [String: String]
    /// Jobs that must have succeeded since this one was started for the last time; then it is started by itself.
    public var dependencies: [JobID]
    /// When it is started; at most one, as in Metronome.
    public var schedules: [JobSchedule]
    /// What a run is.
    public var run: RunPlan

    /// Makes a job.
    public init(
        id: JobID, summary: String? = nil, labels: [String: String] = [:], dependencies: [JobID] = [],
        schedules: [JobSchedule] = [], run: RunPlan
    ) {
        self.id = id
        self.summary = summary
        self.labels = labels
        self.dependencies = dependencies
        self.schedules = schedules
        self.run = run
    }
}

/// When a job is started by itself.
public struct JobSchedule: Hashable, Sendable, Codable {
    /// What to do when the last run has not ended yet.
    public enum Concurrency: String, Hashable, Sendable, Codable, CaseIterable {
        /// Start another one beside it.
        case allow = "ALLOW"
        /// Leave this time out.
        case forbid = "FORBID"
    }

    /// Its name within the job.
    public var id: String
    /// At which times.
    public var cron: CronExpression
    /// Whose clocks: a name of the time zone database.
    public var zone: String
    /// How many seconds after its time a run may still be started. Longer makes up for longer outages.
    public var startingDeadline: Int
    /// What to do when the last run has not ended yet.
    public var concurrency: Concurrency
    /// Whether it counts.
    public var isEnabled: Bool

    /// Makes a schedule; a quarter of an hour of deadline, as in Metronome.
    public init(
        id: String, cron: CronExpression, zone: String = "UTC", startingDeadline: Int = 900,
        concurrency: Concurrency = .allow, isEnabled: Bool = true
    ) {
        self.id = id
        self.cron = cron
        self.zone = zone
        self.startingDeadline = startingDeadline
        self.concurrency = concurrency
        self.isEnabled = isEnabled
    }
}

/// What one run of a job is: the command, what it needs, and what happens when it fails.
public struct RunPlan: Hashable, Sendable, Codable {
    /// Cores, MiB and MiB.
    public var cpus: Quantity
    /// See ``cpus``.
    public var memory: Quantity
    /// See ``cpus``.
    public var disk: Quantity
    /// Whole devices.
    public var gpus: Int
    /// A line for the shell.
    public var command: String?
    /// Arguments of the image's entry point, in place of a line.
    public var arguments: [String]?
    /// The account to run as.
    public var user: String?
    /// Variables by name.
    public var environment: [String: Variable]
    /// Which agents will do.
    public var constraints: [PlacementConstraint]
    /// Files that are fetched first.
    public var artifacts: [Artifact]
    /// How many seconds a run may wait for its start before it has failed.
    public var maxLaunchDelay: Int
    /// An image, in the field that Metronome calls `docker`.
    public var docker: DockerImage?
    /// An image, in the field that Metronome calls `ucr`.
    public var ucr: UniversalImage?
    /// What is mounted.
    public var volumes: [Volume]
    /// What happens when it fails.
    public var restart: Restart
    /// Seconds between SIGTERM and SIGKILL.
    public var killGrace: Int?
    /// Paths of secrets by the names that variables and volumes use.
    public var secrets: [String: String]
    /// Which networks it is in.
    public var networks: [Network]

    /// Makes a plan with Metronome's defaults.
    public init(cpus: Quantity, memory: Quantity, disk: Quantity = .zero, command: String? = nil) {
        self.cpus = cpus
        self.memory = memory
        self.disk = disk
        gpus = 0
        self.command = command
        environment = [:]
        constraints = []
        artifacts = []
        maxLaunchDelay = 3_600
        volumes = []
        restart = Restart()
        secrets = [:]
        networks = []
    }

    /// The value of a variable.
    public enum Variable: Hashable, Sendable, Codable {
        /// The text itself.
        case text(String)
        /// The secret with this name in ``RunPlan/secrets``.
        case secret(String)
    }

    /// A file to fetch.
    public struct Artifact: Hashable, Sendable, Codable {
        /// Where it is.
        public var uri: String
        /// Whether an archive is unpacked.
        public var isExtracted: Bool
        /// Whether it gets the execute bit.
        public var isExecutable: Bool
        /// Whether a copy may be kept; has no effect here.
        public var isCached: Bool

        /// Makes an artifact.
        public init(uri: String, isExtracted: Bool = true, isExecutable: Bool = false, isCached: Bool = false) {
            self.uri = uri
            self.isExtracted = isExtracted
            self.isExecutable = isExecutable
            self.isCached = isCached
        }
    }

    /// An image with Docker's words.
    public struct DockerImage: Hashable, Sendable, Codable {
        /// A free parameter.
        public struct Parameter: Hashable, Sendable, Codable {
            /// Its name.
            public var key: String
            /// Its value.
            public var value: String

            /// Makes a parameter.
            public init(key: String, value: String) {
                self.key = key
                self.value = value
            }
        }

        /// The reference.
        public var image: String
        /// Whether it is pulled although it is there.
        public var forcesPull: Bool
        /// Whether it has all privileges.
        public var isPrivileged: Bool
        /// Parameters for Docker's command line.
        public var parameters: [Parameter]

        /// Makes an image.
        public init(
            image: String, forcesPull: Bool = false, isPrivileged: Bool = false, parameters: [Parameter] = []
        ) {
            self.image = image
            self.forcesPull = forcesPull
            self.isPrivileged = isPrivileged
            self.parameters = parameters
        }
    }

    /// An image with Mesos' words.
    public struct UniversalImage: Hashable, Sendable, Codable {
        /// The reference.
        public var image: String
        /// `docker` or `appc`.
        public var kind: String
        /// Whether it is pulled although it is there.
        public var forcesPull: Bool
        /// Whether it has all privileges.
        public var isPrivileged: Bool

        /// Makes an image.
        public init(image: String, kind: String = "docker", forcesPull: Bool = false, isPrivileged: Bool = false) {
            self.image = image
            self.kind = kind
            self.forcesPull = forcesPull
            self.isPrivileged = isPrivileged
        }
    }

    /// What is mounted where.
    public enum Volume: Hashable, Sendable, Codable {
        /// A directory of the host.
        case host(containerPath: String, hostPath: String, isReadOnly: Bool)
        /// A file with the secret of this name in ``RunPlan/secrets``.
        case secret(containerPath: String, name: String)
    }

    /// What happens when a run's task fails.
    public struct Restart: Hashable, Sendable, Codable {
        /// Whether it is tried again.
        public enum Policy: String, Hashable, Sendable, Codable, CaseIterable {
            /// The run has failed with its task.
            case never = "NEVER"
            /// Another task is started, until one succeeds or the deadline has passed.
            case onFailure = "ON_FAILURE"
        }

        /// Whether it is tried again.
        public var policy: Policy
        /// For how many seconds after the run was made; nil for ever.
        public var activeDeadline: Int?

        /// Makes a policy.
        public init(policy: Policy = .never, activeDeadline: Int? = nil) {
            self.policy = policy
            self.activeDeadline = activeDeadline
        }
    }

    /// A network to be in.
    public struct Network: Hashable, Sendable, Codable {
        /// The kinds of network.
        public enum Mode: String, Hashable, Sendable, Codable, CaseIterable {
            /// The host's.
            case host
            /// An own one behind the host's.
            case bridge = "container/bridge"
            /// One that an operator has set up.
            case container
        }

        /// Which one.
        public var name: String?
        /// What kind it is.
        public var mode: Mode
        /// For the network's driver.
        public var labels: [String: String]

        /// Makes a network.
        public init(name: String? = nil, mode: Mode, labels: [String: String] = [:]) {
            self.name = name
            self.mode = mode
            self.labels = labels
        }
    }
}

/// A condition on the agent of a task.
public struct PlacementConstraint: Hashable, Sendable, Codable {
    /// How the value is compared.
    public enum Operator: String, Hashable, Sendable, Codable, CaseIterable {
        /// The same text. Metronome also calls it `EQ`.
        case same = "IS"
        /// A pattern fits the whole text.
        case like = "LIKE"
        /// A pattern does not fit, or there is no such attribute.
        case unlike = "UNLIKE"
    }

    /// The name of an attribute, or `hostname`, `@hostname`, `@region` or `@zone`.
    public var attribute: String
    /// How the value is compared.
    public var comparison: Operator
    /// What it is compared with.
    public var value: String

    /// Makes a constraint.
    public init(attribute: String, comparison: Operator, value: String) {
        self.attribute = attribute
        self.comparison = comparison
        self.value = value
    }
}
