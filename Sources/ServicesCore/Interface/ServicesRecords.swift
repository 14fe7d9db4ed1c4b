public import ClusterModel
public import Deployments

/// A change to what the services framework must not forget.
public enum ServicesChange: Hashable, Sendable {
    /// The framework has an id.
    case putFramework(FrameworkID)
    /// The framework was removed; it subscribes as a new one.
    case removeFramework
    /// A version of a definition.
    case putDefinition(Workload)
    /// A version that is forgotten.
    case removeDefinition(ServiceID, ServiceVersion)
    /// What shall be, and what is worked towards.
    case putService(ServiceRecord)
    /// A service or pod is gone.
    case removeService(ServiceID)
    /// A group, without what is in it.
    case putGroup(GroupRecord)
    /// A group is gone.
    case removeGroup(ServiceID)
    /// A running deployment.
    case putDeployment(DeploymentRecord)
    /// A deployment is over.
    case removeDeployment(DeploymentID)
    /// An instance, before anybody is told to start it.
    case putInstance(InstanceRecord)
    /// An instance is gone.
    case removeInstance(InstanceID)
}

/// A service or pod as it is stored; its definitions are stored by themselves.
public struct ServiceRecord: Hashable, Sendable, Codable {
    /// What its instances are worked towards now.
    public struct Goal: Hashable, Sendable, Codable {
        /// The definition of new instances.
        public var version: ServiceVersion
        /// How many there shall be.
        public var count: Int
        /// Whether instances of other configurations are replaced; they are only counted otherwise.
        public var isReplacing: Bool

        /// Makes a goal.
        public init(version: ServiceVersion, count: Int, isReplacing: Bool) {
            self.version = version
            self.count = count
            self.isReplacing = isReplacing
        }
    }

    /// Which one.
    public var id: ServiceID
    /// The version that shall be; nil when it shall end.
    public var target: ServiceVersion?
    /// What its instances are worked towards now; nil before its deployment comes to it.
    public var goal: Goal?

    /// Makes a record.
    public init(id: ServiceID, target: ServiceVersion?, goal: Goal?) {
        self.id = id
        self.target = target
        self.goal = goal
    }
}

/// A group as it is stored, without what is in it.
public struct GroupRecord: Hashable, Sendable, Codable {
    /// Which one.
    public var id: ServiceID
    /// What must run before everything in it.
    public var dependencies: [ServiceID]
    /// Whether it has a role of its own.
    public var enforceRole: Bool?
    /// When something in it changed last.
    public var version: ServiceVersion

    /// Makes a record.
    public init(_ group: GroupDefinition) {
        id = group.id
        dependencies = group.dependencies
        enforceRole = group.enforceRole
        version = group.version
    }
}

/// A deployment as it is stored: it names definitions by their versions. To store it is what makes its change count:
/// definitions are stored before it, the services' targets after it, and a restart takes those from it.
public struct DeploymentRecord: Hashable, Sendable, Codable {
    /// Versions before and after; nil where the service is not there.
    public struct Change: Hashable, Sendable, Codable {
        /// Before.
        public var original: ServiceVersion?
        /// After.
        public var target: ServiceVersion?

        /// Makes a change.
        public init(original: ServiceVersion?, target: ServiceVersion?) {
            self.original = original
            self.target = target
        }
    }

    /// A group before and after; nil where it is not there.
    public struct GroupChange: Hashable, Sendable, Codable {
        /// Before.
        public var original: GroupRecord?
        /// After.
        public var target: GroupRecord?

        /// Makes a change.
        public init(original: GroupRecord?, target: GroupRecord?) {
            self.original = original
            self.target = target
        }
    }

    /// Which one.
    public var id: DeploymentID
    /// When it was made.
    public var version: ServiceVersion
    /// Counts deployments, so that their order is known.
    public var sequence: UInt64
    /// What it does.
    public var steps: [DeploymentStep]
    /// The step that is worked on, counted from 0.
    public var step: Int
    /// What it changes.
    public var changes: [ServiceID: Change]
    /// The groups it changes.
    public var groups: [ServiceID: GroupChange]
    /// Deployments that ended when it began.
    public var replaces: [DeploymentID]

    /// Makes a record.
    public init(
        id: DeploymentID, version: ServiceVersion, sequence: UInt64, steps: [DeploymentStep], step: Int = 0,
        changes: [ServiceID: Change], groups: [ServiceID: GroupChange] = [:], replaces: [DeploymentID] = []
    ) {
        self.id = id
        self.version = version
        self.sequence = sequence
        self.steps = steps
        self.step = step
        self.changes = changes
        self.groups = groups
        self.replaces = replaces
    }
}

/// A task of an instance: what does not change.
public struct TaskRecord: Hashable, Sendable, Codable {
    /// Its id.
    public var id: TaskID
    /// The pod's container; nil for a service.
    public var container: String?
    /// The ports on the agent, in the order of the definition's; nil for those that have none.
    public var hostPorts: [Int?]

    /// Makes a record.
    public init(id: TaskID, container: String? = nil, hostPorts: [Int?] = []) {
        self.id = id
        self.container = container
        self.hostPorts = hostPorts
    }
}

/// An instance as it is stored: what does not change, and whether it is to end.
public struct InstanceRecord: Hashable, Sendable, Codable {
    /// Its id.
    public var id: InstanceID
    /// What it is an instance of.
    public var service: ServiceID
    /// The definition it was started from.
    public var version: ServiceVersion
    /// Since when that configuration held: instances of the same service and configuration are alike.
    public var configuration: ServiceVersion
    /// Where it runs.
    public var agentID: AgentID
    /// That agent's name.
    public var hostname: String
    /// That agent's domain.
    public var domain: Domain?
    /// That agent's attributes.
    public var attributes: [Attribute]
    /// The role of its resources.
    public var role: RoleName
    /// Its tasks: one, or one for each container.
    public var tasks: [TaskRecord]
    /// When it was decided.
    public var stagedAt: UnixTime
    /// Whether it is to end.
    public var isStopping: Bool

    /// Makes a record.
    public init(
        id: InstanceID, service: ServiceID, version: ServiceVersion, configuration: ServiceVersion, agentID: AgentID,
        hostname: String, domain: Domain? = nil, attributes: [Attribute] = [], role: RoleName = .everyone,
        tasks: [TaskRecord], stagedAt: UnixTime, isStopping: Bool = false
    ) {
        self.id = id
        self.service = service
        self.version = version
        self.configuration = configuration
        self.agentID = agentID
        self.hostname = hostname
        self.domain = domain
        self.attributes = attributes
        self.role = role
        self.tasks = tasks
        self.stagedAt = stagedAt
        self.isStopping = isStopping
    }
}

/// All that the framework knows when it starts: what `ServicesChange`s have left in the store.
public struct ServicesRegistry: Hashable, Sendable {
    /// The framework's id; nil before it subscribed.
    public var framework: FrameworkID?
    /// Definitions, by service and version.
    public var definitions: [ServiceID: [ServiceVersion: Workload]] = [:]
    /// Services and pods.
    public var services: [ServiceID: ServiceRecord] = [:]
    /// Groups.
    public var groups: [ServiceID: GroupRecord] = [:]
    /// Running deployments.
    public var deployments: [DeploymentID: DeploymentRecord] = [:]
    /// Instances.
    public var instances: [InstanceID: InstanceRecord] = [:]

    /// Makes an empty registry.
    public init() {}

    /// Applies a change, as the store does.
    public mutating func apply(_ change: ServicesChange) {
        switch change {
        case .putFramework(let id): framework = id
        case .removeFramework: framework = nil
        case .putDefinition(let workload): definitions[workload.id, default: [:]][workload.version] = workload
        case .removeDefinition(let id, let version):
            definitions[id]?[version] = nil
            if definitions[id]?.isEmpty == true { definitions[id] = nil }
        case .putService(let record): services[record.id] = record
        case .removeService(let id): services[id] = nil
        case .putGroup(let record): groups[record.id] = record
        case .removeGroup(let id): groups[id] = nil
        case .putDeployment(let record): deployments[record.id] = record
        case .removeDeployment(let id): deployments[id] = nil
        case .putInstance(let record): instances[record.id] = record
        case .removeInstance(let id): instances[id] = nil
        }
    }
}
