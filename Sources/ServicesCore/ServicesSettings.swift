public import ClusterModel
public import Deployments

/// Settings of the services framework's decisions.
public struct ServicesSettings: Hashable, Sendable {
    /// The role of services that name none, and in which offers are taken.
    public var role = RoleName.everyone
    /// What an unnamed container network stands for.
    public var defaultNetworkName: String?
    /// The isolation levels there are.
    public var isolationLevels: Set<String> = ["container"]
    /// What the cluster can do; what it cannot is refused.
    public var features = Set(WorkloadFeature.allCases)
    /// Service ports are chosen from these.
    public var servicePorts = ServicePorts.standardRange
    /// How long a restarted framework waits before it ends tasks that it does not know.
    public var recoveryWindow: Duration = .seconds(60)
    /// How often it asks for tasks that nobody has said anything of since it connected; doubles up to eight times it.
    public var reconcileInterval: Duration = .seconds(5)
    /// How often it asks for all tasks. Marathon has 600 s.
    public var auditInterval: Duration = .seconds(600)
    /// How long a kill may go unanswered before it is repeated; doubles up to eight times it.
    public var killRetry: Duration = .seconds(10)
    /// How long an instance that serves is only said to be on its way to its end, before it hears of it: longer than
    /// names are kept by those who asked for them. For services with health checks, which say when an instance serves.
    public var drain: Duration = .seconds(4)
    /// How long an instance may take until it runs; it is ended then. Covers fetching images. Marathon has 300 s.
    public var stagingTimeout: Duration = .seconds(600)
    /// An instance that ran that long has not failed at its start: the wait after its end is the shortest again.
    public var stableAfter: Duration = .seconds(60)
    /// Offers are asked for at most this often.
    public var reviveInterval: Duration = .milliseconds(100)
    /// How long resources are not offered again when something waits that they were not fit for.
    public var refuseUnfit: Duration = .seconds(5)
    /// How long they are not offered again when nothing waits.
    public var refuseUnneeded: Duration = .seconds(120)
    /// Instances started with one offer.
    public var launchesPerOffer = 100
    /// Versions kept of each definition.
    public var versionsKept = 25
    /// Services and pods at once.
    public var servicesMax = 10_000
    /// Unused offers kept for display, per service.
    public var unusedOffersKept = 50
    /// Whether agents with GPUs are kept for those who need them.
    public var sparesGPUs = false

    /// Production defaults.
    public init() {}
}
