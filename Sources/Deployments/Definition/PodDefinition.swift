public import ClusterModel

/// Containers that run together on one agent, share its network and volumes, and live and die together.
public struct PodDefinition: Hashable, Sendable {
    /// Its name.
    public var id: ServiceID
    /// Its containers; at least one.
    public var containers: [PodContainer] = []
    /// How many instances shall run: Marathon's `scaling`, of kind `fixed`.
    public var instances = 1
    /// The account to run as.
    public var user: String?
    /// Environment variables of all containers.
    public var environment: [String: EnvironmentValue] = [:]
    /// What containers can mount.
    public var volumes: [PodVolume] = []
    /// The networks; empty until `normalized`.
    public var networks: [Network] = []
    /// Where instances may run.
    public var constraints: [Constraint] = []
    /// Roles whose resources may be used; all that are offered when empty.
    public var acceptedResourceRoles: [String] = []
    /// How fast it is started again after failures.
    public var backoff = BackoffStrategy()
    /// How many instances are up during an upgrade; nil for the default of its kind until `normalized`.
    public var upgradeStrategy: UpgradeStrategy?
    /// What becomes of instances whose agent is out of reach.
    public var unreachableStrategy: UnreachableStrategy?
    /// Which instances are ended first when there are too many.
    public var killSelection = KillSelection.youngestFirst
    /// Free text, shown and kept.
    public var labels: [String: String] = [:]
    /// Names for secrets of the cluster, and the paths they stand for.
    public var secrets: [String: String] = [:]
    /// What the executor takes beside the containers.
    public var executorResources = ExecutorResources()
    /// The role whose share it uses.
    public var role: String?
    /// Seccomp and shared memory of the whole.
    public var linux: LinuxSettings?
    /// Whether the containers share one cgroup, as before Mesos had one for each.
    public var legacySharedCgroups: Bool?
    /// `container`, `sandbox` or `microvm`; `container` when nil.
    public var isolation: String?
    /// Which version this is and since when it holds; set when the definition is accepted.
    public var versionInfo = VersionInfo()

    /// Makes a definition with Marathon's defaults.
    public init(id: ServiceID) { self.id = id }

    /// Which version this is.
    public var version: ServiceVersion { versionInfo.version }
    /// Whether it uses persistent volumes.
    public var isResident: Bool { volumes.contains { if case .persistent = $0.source { true } else { false } } }
}

/// A container of a pod.
public struct PodContainer: Hashable, Sendable {
    /// Its name, unique in the pod.
    public var name: String
    /// What it runs; the image's own command when nil.
    public var command: CheckCommand?
    /// Whether the first argument takes the place of the image's entry point.
    public var overridesEntrypoint: Bool?
    /// Cores.
    public var cpus = 1.0
    /// MiB of memory.
    public var mem = 128.0
    /// MiB of disk.
    public var disk = 0.0
    /// GPUs.
    public var gpus = 0
    /// How much more than asked for it may use.
    public var resourceLimits: ResourceLimits?
    /// Its ports.
    public var endpoints: [Endpoint] = []
    /// Its image.
    public var image: PodImage?
    /// Environment variables, over those of the pod.
    public var environment: [String: EnvironmentValue] = [:]
    /// The account to run as, over that of the pod.
    public var user: String?
    /// Whether it is well, and when it is not.
    public var healthCheck: PodHealthCheck?
    /// A check whose result is only shown.
    public var check: PodCheck?
    /// Volumes of the pod that it mounts.
    public var volumeMounts: [VolumeMount] = []
    /// What is fetched into its work directory first.
    public var artifacts: [Artifact] = []
    /// Free text.
    public var labels: [String: String] = [:]
    /// Seconds from SIGTERM to SIGKILL.
    public var killGracePeriodSeconds: Double?
    /// Seccomp and shared memory.
    public var linux: LinuxSettings?
    /// Whether its process gets a terminal.
    public var tty: Bool?

    /// Makes a container with Marathon's defaults.
    public init(name: String) { self.name = name }
}

/// A port of a pod's container.
public struct Endpoint: Hashable, Sendable {
    /// Its name, unique in the pod.
    public var name: String
    /// The port in the container; nil with host networking, 0 for the same number as on the agent.
    public var containerPort: Int?
    /// The port on the agent; 0 for any, nil for none.
    public var hostPort: Int?
    /// `tcp`, `udp`.
    public var networkProtocols: [String]
    /// Free text.
    public var labels: [String: String]
    /// The networks it belongs to; all when empty.
    public var networkNames: [String]

    /// Makes an endpoint.
    public init(
        name: String, containerPort: Int? = nil, hostPort: Int? = nil, networkProtocols: [String] = [],
        labels: [String: String] = [:], networkNames: [String] = []
    ) {
        self.name = name
        self.containerPort = containerPort
        self.hostPort = hostPort
        self.networkProtocols = networkProtocols
        self.labels = labels
        self.networkNames = networkNames
    }
}

/// The image of a pod's container.
public struct PodImage: Hashable, Sendable {
    /// Its reference; all images are of Docker's or OCI's kind.
    public var reference: String
    /// Whether the registry is asked even when the image is there.
    public var forcePull: Bool
    /// The name in `secrets` of the credentials for the registry.
    public var pullSecret: String?
    /// Free text.
    public var labels: [String: String]

    /// Makes an image.
    public init(
        reference: String, forcePull: Bool = false, pullSecret: String? = nil, labels: [String: String] = [:]
    ) {
        self.reference = reference
        self.forcePull = forcePull
        self.pullSecret = pullSecret
        self.labels = labels
    }
}

/// What a check of a pod's container asks; exactly one of the three.
public struct PodProbe: Hashable, Sendable {
    /// An HTTP request to an endpoint.
    public struct HTTP: Hashable, Sendable {
        /// The endpoint's name.
        public var endpoint: String
        /// What is asked for; `/` when nil.
        public var path: String?
        /// `HTTP` or `HTTPS`.
        public var scheme: String

        /// Makes it.
        public init(endpoint: String, path: String? = nil, scheme: String = "HTTP") {
            self.endpoint = endpoint
            self.path = path
            self.scheme = scheme
        }
    }

    /// An HTTP request.
    public var http: HTTP?
    /// The name of an endpoint that accepts TCP connections.
    public var tcpEndpoint: String?
    /// A command.
    public var command: CheckCommand?

    /// Makes a probe.
    public init(http: HTTP? = nil, tcpEndpoint: String? = nil, command: CheckCommand? = nil) {
        self.http = http
        self.tcpEndpoint = tcpEndpoint
        self.command = command
    }
}

/// Whether a pod's container is well.
public struct PodHealthCheck: Hashable, Sendable {
    /// What is asked.
    public var probe: PodProbe
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

    /// Makes a check with Marathon's defaults.
    public init(probe: PodProbe) { self.probe = probe }
}

/// A check of a pod's container whose result is only shown.
public struct PodCheck: Hashable, Sendable {
    /// What is asked.
    public var probe: PodProbe
    /// Seconds from one question to the next.
    public var intervalSeconds = 60
    /// Seconds an answer may take.
    public var timeoutSeconds = 20
    /// Seconds from the start to the first question.
    public var delaySeconds = 15

    /// Makes a check with Marathon's defaults.
    public init(probe: PodProbe) { self.probe = probe }
}

/// A volume that containers of a pod can mount.
public struct PodVolume: Hashable, Sendable {
    /// Where it comes from.
    public enum Source: Hashable, Sendable {
        /// Made for the instance, gone with it.
        case ephemeral
        /// A path of the agent, or relative to the work directory.
        case host(String)
        /// A name of the definition's `secrets`.
        case secret(String)
        /// Outlives the instance; refused until there are such volumes.
        case persistent(Volume.Persistent)
    }

    /// Its name, unique in the pod.
    public var name: String
    /// Where it comes from.
    public var source: Source

    /// Makes a volume.
    public init(name: String, source: Source = .ephemeral) {
        self.name = name
        self.source = source
    }
}

/// A volume of a pod in one of its containers.
public struct VolumeMount: Hashable, Sendable {
    /// The volume's name.
    public var name: String
    /// Where it appears.
    public var mountPath: String
    /// Whether it cannot be written to.
    public var isReadOnly: Bool?

    /// Makes a mount.
    public init(name: String, mountPath: String, isReadOnly: Bool? = nil) {
        self.name = name
        self.mountPath = mountPath
        self.isReadOnly = isReadOnly
    }
}
