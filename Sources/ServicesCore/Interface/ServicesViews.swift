public import ClusterModel
public import Deployments

/// How an instance is, in Marathon's words.
public enum InstanceCondition: String, Hashable, Sendable, CaseIterable {
    case provisioned = "Provisioned"
    case staging = "Staging"
    case starting = "Starting"
    case running = "Running"
    case killing = "Killing"
    case unreachable = "Unreachable"
    case unreachableInactive = "UnreachableInactive"
    case finished = "Finished"
    case failed = "Failed"
    case killed = "Killed"
    case error = "Error"
    case dropped = "Dropped"
    case gone = "Gone"
    case unknown = "Unknown"
}

/// What is known of one of a task's health checks.
public struct HealthView: Hashable, Sendable {
    /// Whether it passed the last time.
    public var isAlive = false
    /// How often it failed since it passed.
    public var consecutiveFailures = 0
    /// When it passed first.
    public var firstSuccess: UnixTime?
    /// When it passed last.
    public var lastSuccess: UnixTime?
    /// When it failed last.
    public var lastFailure: UnixTime?
    /// Why it failed last.
    public var lastFailureCause: String?
}

/// A task of an instance.
public struct TaskView: Hashable, Sendable {
    /// What does not change.
    public var record: TaskRecord
    /// Where it stands; nil before the first update.
    public var state: TaskState?
    /// When it began to run.
    public var startedAt: UnixTime?
    /// When its state changed last.
    public var changedAt: UnixTime
    /// What the last update said.
    public var message: String?
    /// Addresses of its own.
    public var addresses: [String] = []
    /// Its container on the agent.
    public var containerID: ContainerID?
    /// Its health checks, in the order of the definition; empty as long as nothing was said of them.
    public var health: [HealthView] = []
    /// Whether it is healthy; nil as long as that is not known.
    public var isHealthy: Bool?
    /// What its readiness check has found last.
    public var readiness: ReadinessReport?

    /// The ports on the agent that there are.
    public var ports: [Int] { record.hostPorts.compactMap { $0 } }
}

/// An instance of a service or pod.
public struct InstanceView: Hashable, Sendable {
    /// What does not change.
    public var record: InstanceRecord
    /// How it is.
    public var condition: InstanceCondition
    /// Its tasks.
    public var tasks: [TaskView]
    /// Whether it is healthy; nil as long as that is not known, or without checks.
    public var isHealthy: Bool?
    /// Whether it is ready; true without a readiness check.
    public var isReady: Bool
    /// Since when its agent is out of reach.
    public var unreachableSince: UnixTime?

    /// When it began to run.
    public var startedAt: UnixTime? { tasks.compactMap(\.startedAt).max() }
}

/// How many of a service's tasks are in which state, as Marathon counts them.
public struct TaskCounts: Hashable, Sendable {
    /// On their way to running.
    public var staged = 0
    /// Running.
    public var running = 0
    /// Running, and all health checks pass.
    public var healthy = 0
    /// Running, and a health check fails.
    public var unhealthy = 0
}

/// The last failure of a task of a service.
public struct TaskFailure: Hashable, Sendable {
    /// The task.
    public var task: TaskID
    /// The instance.
    public var instance: InstanceID
    /// Where it stands.
    public var state: TaskState
    /// Why.
    public var message: String
    /// Where it ran.
    public var hostname: String
    /// Where it ran.
    public var agentID: AgentID
    /// When.
    public var timestamp: UnixTime
    /// The definition it was started from.
    public var version: ServiceVersion
}

/// An instance of a pod that has ended or was given up.
public struct Termination: Hashable, Sendable {
    /// How many are kept of a pod.
    public static let kept = 10

    /// A container of it.
    public struct Container: Hashable, Sendable {
        /// Its task.
        public var task: TaskID
        /// Where it stood last; nil when nothing was heard of it.
        public var state: TaskState?
        /// What its last update said.
        public var message: String?
    }

    /// Which one.
    public var instance: InstanceID
    /// When it began to run, or was decided.
    public var startedAt: UnixTime
    /// When its last container ended, or it was given up.
    public var endedAt: UnixTime
    /// Why, as far as that is known.
    public var message: String?
    /// Its containers.
    public var containers: [Container]
}

/// A running deployment.
public struct DeploymentView: Hashable, Sendable {
    /// What it does.
    public var plan: DeploymentPlan
    /// The step that is worked on, counted from 1, as in Marathon.
    public var currentStep: Int
    /// What is worked on.
    public var currentActions: [DeploymentAction]
    /// Answers of readiness checks, when they are to be shown, by service.
    public var readiness: [ServiceID: [ReadinessReport]]
    /// What each current action still waits for, for people.
    public var waitsFor: [ServiceID: String]
}

/// Why an offer could not be used: the first of these that applies, as in Marathon.
public enum RejectReason: String, Hashable, Sendable, CaseIterable {
    case unfulfilledRole = "UnfulfilledRole"
    case unfulfilledConstraint = "UnfulfilledConstraint"
    case noCorrespondingReservation = "NoCorrespondingReservationFound"
    case agentMaintenance = "AgentMaintenance"
    case insufficientCpus = "InsufficientCpus"
    case insufficientMemory = "InsufficientMemory"
    case insufficientDisk = "InsufficientDisk"
    case insufficientGpus = "InsufficientGpus"
    case insufficientPorts = "InsufficientPorts"
    case declinedScarceResources = "DeclinedScarceResources"
}

/// An offer that could not be used.
public struct UnusedOffer: Hashable, Sendable {
    /// The offer, with what was left of it.
    public var offer: Offer
    /// Why; all that apply.
    public var reasons: [RejectReason]
    /// The same for people: what was short, and by how much.
    public var details: [String]
    /// When.
    public var at: UnixTime
}

/// How many offers got as far as one reason, and how many failed it.
public struct RejectStep: Hashable, Sendable {
    /// The reason.
    public var reason: RejectReason
    /// Offers that failed it.
    public var declined: Int
    /// Offers that passed all reasons before it.
    public var processed: Int
}

/// A service that waits for offers, or for its delay to end.
public struct QueueView: Hashable, Sendable {
    /// What shall be started.
    public var workload: Workload
    /// How many instances.
    public var count: Int
    /// Since when.
    public var since: UnixTime
    /// How long it waits after failures; zero when it waits for offers.
    public var delay: Duration
    /// Offers looked at for this launch.
    public var processedOffers: Int
    /// Those that could not be used.
    public var unusedOffers: Int
    /// When one could not be used last.
    public var lastUnusedAt: UnixTime?
    /// When one was used last.
    public var lastUsedAt: UnixTime?
    /// Why offers could not be used since it waits.
    public var rejectedSinceStart: [RejectStep]
    /// The same, of the last offer of each agent only.
    public var rejectedLastOffers: [RejectStep]
    /// The last offer of each agent that could not be used.
    public var lastUnusedOffers: [UnusedOffer]
}
