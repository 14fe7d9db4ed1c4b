/// What can be deployed: a service or a pod. Here is what both have, so that planning and placing know no difference.
public indirect enum Workload: Hashable, Sendable {
    case service(ServiceDefinition)
    case pod(PodDefinition)

    /// Its name.
    public var id: ServiceID {
        switch self {
        case .service(let service): service.id
        case .pod(let pod): pod.id
        }
    }

    /// Whether it is a pod.
    public var isPod: Bool { if case .pod = self { true } else { false } }
    /// The service, if it is one.
    public var service: ServiceDefinition? { if case .service(let service) = self { service } else { nil } }
    /// The pod, if it is one.
    public var pod: PodDefinition? { if case .pod(let pod) = self { pod } else { nil } }

    /// Which version it is, and since when its parts hold.
    public var versionInfo: VersionInfo {
        get {
            switch self {
            case .service(let service): service.versionInfo
            case .pod(let pod): pod.versionInfo
            }
        }
        set {
            switch self {
            case .service(var service):
                service.versionInfo = newValue
                self = .service(service)
            case .pod(var pod):
                pod.versionInfo = newValue
                self = .pod(pod)
            }
        }
    }

    /// Which version it is.
    public var version: ServiceVersion { versionInfo.version }

    /// How many instances shall run.
    public var instances: Int {
        get {
            switch self {
            case .service(let service): service.instances
            case .pod(let pod): pod.instances
            }
        }
        set {
            switch self {
            case .service(var service):
                service.instances = newValue
                self = .service(service)
            case .pod(var pod):
                pod.instances = newValue
                self = .pod(pod)
            }
        }
    }

    /// What must run before it. A pod depends only on what its groups depend on.
    public var dependencies: [ServiceID] { service?.dependencies ?? [] }

    /// Where instances may run.
    public var constraints: [Constraint] {
        switch self {
        case .service(let service): service.constraints
        case .pod(let pod): pod.constraints
        }
    }

    /// Roles whose resources may be used; all that are offered when empty.
    public var acceptedResourceRoles: [String] {
        switch self {
        case .service(let service): service.acceptedResourceRoles ?? []
        case .pod(let pod): pod.acceptedResourceRoles
        }
    }

    /// The role whose share it uses; nil before `normalized`.
    public var role: String? {
        switch self {
        case .service(let service): service.role
        case .pod(let pod): pod.role
        }
    }

    /// Free text.
    public var labels: [String: String] {
        switch self {
        case .service(let service): service.labels
        case .pod(let pod): pod.labels
        }
    }

    /// How fast it is started again after failures.
    public var backoff: BackoffStrategy {
        switch self {
        case .service(let service): service.backoff
        case .pod(let pod): pod.backoff
        }
    }

    /// How many instances are up during an upgrade.
    public var upgradeStrategy: UpgradeStrategy {
        switch self {
        case .service(let service):
            service.upgradeStrategy
                ?? (service.isSingleInstance ? .single : service.isResident ? .resident : UpgradeStrategy())
        case .pod(let pod): pod.upgradeStrategy ?? (pod.isResident ? .resident : UpgradeStrategy())
        }
    }

    /// What becomes of instances whose agent is out of reach.
    public var unreachableStrategy: UnreachableStrategy {
        switch self {
        case .service(let service): service.unreachableStrategy ?? (service.isResident ? .disabled : .standard)
        case .pod(let pod): pod.unreachableStrategy ?? (pod.isResident ? .disabled : .standard)
        }
    }

    /// Which instances are ended first when there are too many.
    public var killSelection: KillSelection {
        switch self {
        case .service(let service): service.killSelection
        case .pod(let pod): pod.killSelection
        }
    }

    /// Seconds from SIGTERM to SIGKILL, when the definition says; of one container of a pod.
    public func killGracePeriodSeconds(of container: String?) -> Double? {
        switch self {
        case .service(let service): service.taskKillGracePeriodSeconds.map { Double($0) }
        case .pod(let pod): pod.containers.first { $0.name == container }?.killGracePeriodSeconds
        }
    }

    /// The label that says how long an instance that serves is only said to be on its way to its end, in seconds.
    public static let drainLabel = "RONDO_DRAIN_SECONDS"

    /// Seconds of that, when the definition says.
    public var drainSeconds: Double? { labels[Self.drainLabel].flatMap(Self.drainSeconds) }

    /// A value of the label; nil when it is none.
    static func drainSeconds(_ text: String) -> Double? {
        guard let first = text.utf8.first, (0x30...0x39).contains(first), let seconds = Double(text), seconds <= 3_600
        else { return nil }
        return seconds
    }

    /// How many health checks an instance must pass to count as healthy.
    public var healthCheckCount: Int {
        switch self {
        case .service(let service): service.healthChecks.count
        case .pod(let pod): pod.containers.count { $0.healthCheck != nil }
        }
    }

    /// The readiness check, if it has one.
    public var readinessCheck: ReadinessCheck? { service?.readinessChecks.first }

    /// The definition as it would be with other instances and another version: what is left is its configuration.
    private var configuration: Workload {
        var bare = self
        bare.versionInfo = VersionInfo()
        bare.instances = 0
        return bare
    }

    /// Whether instances of the other definition are as good as its own: they differ in nothing but their number.
    public func hasSameConfiguration(as other: Workload) -> Bool { configuration == other.configuration }

    /// Whether the two say the same, whenever they said it.
    public func saysTheSame(as other: Workload) -> Bool {
        instances == other.instances && hasSameConfiguration(as: other)
    }
}
