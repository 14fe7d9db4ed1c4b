public import ClusterModel

/// When a version of a definition was made; it names the version. In whole milliseconds, because Marathon writes no
/// more, and never the same twice for one service.
public typealias ServiceVersion = UnixTime

/// A service as somebody wants it: what Marathon calls an app, with every field of Marathon 1.11 in its newest form.
///
/// What Marathon accepts in older forms (`ports`, `uris`, `ipAddress`, `container.docker.network`,
/// `container.docker.portMappings`) is brought into this form by whoever reads the JSON. Numbers are kept as they were
/// sent, so that `validate` can say what is wrong with them; `normalized` fills in what follows from other fields.
public struct ServiceDefinition: Hashable, Sendable {
    /// Its name.
    public var id: ServiceID
    /// A line for `/bin/sh -c`.
    public var cmd: String?
    /// The program and its arguments; beside an image, the arguments of its entry point.
    public var args: [String] = []
    /// The account to run as; the framework's user when nil.
    public var user: String?
    /// Environment variables.
    public var environment: [String: EnvironmentValue] = [:]
    /// How many instances shall run.
    public var instances = 1
    /// Cores per instance.
    public var cpus = 1.0
    /// MiB of memory per instance.
    public var mem = 128.0
    /// MiB of disk per instance.
    public var disk = 0.0
    /// GPUs per instance.
    public var gpus = 0
    /// How much more than asked for an instance may use.
    public var resourceLimits: ResourceLimits?
    /// For an executor of its own; kept and shown.
    public var executorResources: ExecutorResources?
    /// The executor: empty or `//cmd` for the built-in one.
    public var executor = ""
    /// Where instances may run.
    public var constraints: [Constraint] = []
    /// What is fetched into the work directory first.
    public var fetch: [Artifact] = []
    /// Deprecated in Marathon and without effect there; kept and shown.
    public var storeUrls: [String] = []
    /// The image and what goes with it.
    public var container: Container?
    /// The networks; empty until `normalized`.
    public var networks: [Network] = []
    /// Ports on the agent, for host networking; nil when nothing was said.
    public var portDefinitions: [PortDefinition]?
    /// Whether the numbers in `portDefinitions` are those on the agent.
    public var requirePorts = false
    /// Whether it is well, and when it is not.
    public var healthChecks: [HealthCheck] = []
    /// A check whose result is only shown.
    public var check: StatusCheck?
    /// Whether it is ready to serve; at most one.
    public var readinessChecks: [ReadinessCheck] = []
    /// How fast it is started again after failures.
    public var backoff = BackoffStrategy()
    /// What must run before it: services, pods or groups.
    public var dependencies: [ServiceID] = []
    /// How many instances are up during an upgrade; nil for the default of its kind until `normalized`.
    public var upgradeStrategy: UpgradeStrategy?
    /// What becomes of instances whose agent is out of reach.
    public var unreachableStrategy: UnreachableStrategy?
    /// Which instances are ended first when there are too many.
    public var killSelection = KillSelection.youngestFirst
    /// Seconds from SIGTERM to SIGKILL; the cluster's default when nil.
    public var taskKillGracePeriodSeconds: Int?
    /// Free text, shown and kept.
    public var labels: [String: String] = [:]
    /// Names for secrets of the cluster, and the paths they stand for.
    public var secrets: [String: String] = [:]
    /// Roles whose resources may be used; all that are offered when nil.
    public var acceptedResourceRoles: [String]?
    /// The role whose share it uses; that of its group or of the framework until `normalized`.
    public var role: String?
    /// `container`, `sandbox` or `microvm`; `container` when nil.
    public var isolation: String?
    /// Whether its process gets a terminal.
    public var tty: Bool?
    /// Deprecated in Marathon; refused as long as there are no persistent volumes.
    public var residency: Residency?
    /// Which version this is and since when it holds; set when the definition is accepted.
    public var versionInfo = VersionInfo()

    /// Makes a definition with Marathon's defaults.
    public init(id: ServiceID) { self.id = id }

    /// Which version this is.
    public var version: ServiceVersion { versionInfo.version }

    /// Whether it may have one instance only: Marathon's label for services that cannot share.
    public var isSingleInstance: Bool { labels["MARATHON_SINGLE_INSTANCE_APP"] == "true" }
    /// Whether it uses persistent volumes.
    public var isResident: Bool {
        residency != nil
            || container?.volumes.contains { if case .persistent = $0.source { true } else { false } } == true
    }
}

/// Which version a definition is, and since when its parts hold.
public struct VersionInfo: Hashable, Sendable {
    /// The version.
    public var version: ServiceVersion
    /// The version in which the number of instances changed last.
    public var lastScalingAt: ServiceVersion
    /// The version in which something else changed last; instances of this and later versions are alike.
    public var lastConfigChangeAt: ServiceVersion

    /// Makes it; the epoch stands for a definition that is not accepted yet.
    public init(
        version: ServiceVersion = ServiceVersion(nanoseconds: 0),
        lastScalingAt: ServiceVersion = ServiceVersion(nanoseconds: 0),
        lastConfigChangeAt: ServiceVersion = ServiceVersion(nanoseconds: 0)
    ) {
        self.version = version
        self.lastScalingAt = lastScalingAt
        self.lastConfigChangeAt = lastConfigChangeAt
    }

    /// A first version.
    public init(first version: ServiceVersion) {
        self.init(version: version, lastScalingAt: version, lastConfigChangeAt: version)
    }
}
