public import ClusterModel
public import Deployments

/// Names an instance: `shop_web.instance-UUID`. The id of a task of it begins with it.
public typealias InstanceID = Identifier<InstanceScope>
/// The scope of instances' ids.
public enum InstanceScope {}

/// One request that waits for an answer, numbered by the driver.
public struct ServicesRequestID: Hashable, Sendable {
    /// The driver's number.
    public let number: UInt64

    /// Wraps the driver's number.
    public init(_ number: UInt64) { self.number = number }
}

/// All that can happen to the services framework. Every input goes through the one inbox, one at a time.
public enum ServicesInput: Sendable {
    /// The master says something; `subscribed` begins a connection.
    case event(SchedulerEvent)
    /// The connection to the master is gone.
    case disconnected
    /// Somebody wants a change.
    case command(ServicesRequestID, ServicesCommand)
    /// An agent did one of a task's health checks, and the result differs from the one before, or failed again.
    case health(HealthReport)
    /// `nextDeadline` has come.
    case tick
}

/// A change that somebody wants. `force` ends running deployments that stand in the way.
public enum ServicesCommand: Hashable, Sendable {
    /// Something new; refused when there is something of that name.
    case create(Workload, force: Bool)
    /// Whole definitions, new or in the place of what is there: together they are one deployment.
    case put([WorkloadUpdate], force: Bool)
    /// New instances in the place of all there are.
    case restart(ServiceID, force: Bool)
    /// The definition of an earlier version.
    case rollBack(ServiceID, to: ServiceVersion, force: Bool)
    /// Another number of instances.
    case scale(ServiceID, instances: Int, force: Bool)
    /// All instances end, and it is forgotten.
    case remove(ServiceID, force: Bool)
    /// These instances end; with `scale` the service gets smaller by them, else they are replaced.
    case kill([InstanceID], scale: Bool, force: Bool)
    /// A group as it shall be. With `mustBeNew` it is refused when there is a group of that name.
    case putGroup(GroupUpdate, mustBeNew: Bool, force: Bool)
    /// All services and pods of a group get that many times as many instances.
    case scaleGroup(ServiceID, by: Double, force: Bool)
    /// All services and pods of a group get the definitions they had at that time.
    case rollBackGroup(ServiceID, to: ServiceVersion, force: Bool)
    /// A group with all that is in it ends.
    case removeGroup(ServiceID, force: Bool)
    /// A running deployment is undone by another one, or, with `force`, just ends where it is.
    case cancelDeployment(DeploymentID, force: Bool)
    /// The wait after failures ends now.
    case resetDelay(ServiceID)
}

/// A whole definition in the place of what is there.
public struct WorkloadUpdate: Hashable, Sendable {
    /// What shall be.
    public var workload: Workload
    /// The version that it was made from, when it was made from one: another one now in its place is `stale`.
    public var basedOn: ServiceVersion?

    /// Makes an update.
    public init(workload: Workload, basedOn: ServiceVersion? = nil) {
        self.workload = workload
        self.basedOn = basedOn
    }
}

/// The answer to a command.
public enum ServicesReply: Hashable, Sendable {
    /// A deployment began; one without steps is done already. `version` is that of the change.
    case deployment(DeploymentID, version: ServiceVersion)
    /// These instances are being ended.
    case killed([InstanceID])
    /// Carried out.
    case done
    /// Refused.
    case refused(ServicesRefusal)
}

/// Why a command is refused; each has one HTTP status.
public enum ServicesRefusal: Hashable, Sendable {
    /// The definition is wrong (422).
    case invalid([Violation])
    /// There is no such service or pod (404).
    case noService(ServiceID)
    /// There is no such group (404).
    case noGroup(ServiceID)
    /// There is no such version, or it is forgotten (404).
    case noVersion(ServiceID, ServiceVersion)
    /// There is no such deployment (404).
    case noDeployment(DeploymentID)
    /// Something of that name is there (409).
    case exists(ServiceID)
    /// Running deployments change the same (409).
    case locked([DeploymentID])
    /// What the change was made from is not there any more (409); read again and repeat.
    case stale(ServiceID)
    /// The change is too large for one deployment (413).
    case tooLarge(String)
}

/// What the driver must do once the turn's changes are durable, in this order.
public enum ServicesEffect: Sendable {
    /// Answer a request.
    case reply(ServicesRequestID, ServicesReply)
    /// Say something to the master; dropped when there is no connection.
    case call(SchedulerCall)
    /// Use an offer for these instances, whose ids are stored.
    case accept(OfferID, [Launch], OfferFilters)
    /// Take part in these roles: a call `updateFramework` with the driver's description of the framework.
    case subscribe(roles: Set<RoleName>, suppressed: Set<RoleName>)
    /// Tell those who listen.
    case publish(ServicesEvent)
}

/// What one input led to: first all changes become durable in their order, then the effects are carried out.
public struct ServicesTurn: Sendable {
    /// To be stored. They may be more than a transaction holds: each beginning of the list is a state to start from.
    public var changes: [ServicesChange] = []
    /// To be carried out after that.
    public var effects: [ServicesEffect] = []
    /// Contradictions found inside the core; empty unless there is a bug. To be logged as errors.
    public var faults: [String] = []
}

/// An instance on its way to an agent.
public struct Launch: Hashable, Sendable {
    /// The instance, as it is stored.
    public var instance: InstanceRecord
    /// What it is an instance of; for what the operation's tasks cannot say.
    public var workload: Workload
    /// What the master is told.
    public var operation: OfferOperation

    /// Makes a launch.
    public init(instance: InstanceRecord, workload: Workload, operation: OfferOperation) {
        self.instance = instance
        self.workload = workload
        self.operation = operation
    }
}

/// The result of one of a task's health checks.
public struct HealthReport: Hashable, Sendable {
    /// Whose.
    public var task: TaskID
    /// Which of the service's checks, counted from 0; 0 for a container of a pod.
    public var check: Int
    /// Whether it passed.
    public var isHealthy: Bool
    /// Why not.
    public var cause: String?
    /// When.
    public var at: UnixTime

    /// Makes a report.
    public init(task: TaskID, check: Int = 0, isHealthy: Bool, cause: String? = nil, at: UnixTime) {
        self.task = task
        self.check = check
        self.isHealthy = isHealthy
        self.cause = cause
        self.at = at
    }
}

/// The result of a readiness check.
public struct ReadinessReport: Hashable, Sendable {
    /// Whose.
    public var task: TaskID
    /// The check's name.
    public var name = "readinessCheck"
    /// Whether it is ready.
    public var isReady: Bool
    /// The last answer, when the check wants it to be shown.
    public var response: Response?

    /// What was answered.
    public struct Response: Hashable, Sendable {
        /// The HTTP status.
        public var status: Int
        /// The kind of content.
        public var contentType: String
        /// The content, cut off.
        public var body: String

        /// Makes it.
        public init(status: Int, contentType: String, body: String) {
            self.status = status
            self.contentType = contentType
            self.body = body
        }
    }

    /// Makes a report.
    public init(task: TaskID, isReady: Bool, response: Response? = nil) {
        self.task = task
        self.isReady = isReady
        self.response = response
    }
}
