/// Some of an agent's resources, held for one framework in one role until it answers or the offer is rescinded.
public struct Offer: Hashable, Sendable {
    /// Its name, never used twice.
    public var id: OfferID
    /// To whom.
    public var frameworkID: FrameworkID
    /// Whose resources.
    public var agentID: AgentID
    /// In which role.
    public var role: RoleName
    /// What may be used.
    public var resources: Resources
    /// The agent as it described itself, for its host name, address, attributes and domain.
    public var agent: AgentInfo
    /// Executors of the framework that run there already.
    public var executorIDs: [ExecutorID]

    /// Makes an offer.
    public init(
        id: OfferID, frameworkID: FrameworkID, agentID: AgentID, role: RoleName, resources: Resources,
        agent: AgentInfo, executorIDs: [ExecutorID] = []
    ) {
        self.id = id
        self.frameworkID = frameworkID
        self.agentID = agentID
        self.role = role
        self.resources = resources
        self.agent = agent
        self.executorIDs = executorIDs
    }
}

/// How long a framework does not want to see again what it declines or leaves unused.
public struct OfferFilters: Hashable, Sendable {
    /// Mesos' default of five seconds.
    public static let standard = OfferFilters(refuse: .seconds(5))
    /// The time during which resources of this agent contained in the declined ones are not offered again.
    public var refuse: Duration

    /// Makes filters.
    public init(refuse: Duration) { self.refuse = refuse }
}

/// What a framework does with the offers it accepts.
public enum OfferOperation: Hashable, Sendable {
    /// Start tasks.
    case launch([TaskInfo])
    /// Start tasks that live and die together.
    case launchGroup(TaskGroup, tasks: [TaskInfo])
    /// An operation that this release does not carry out, by its wire name, with its id when the framework wants a
    /// status for it.
    case unsupported(kind: String, id: OperationID?)
}

extension OfferOperation {
    /// The tasks that it is to start.
    public var tasks: [TaskInfo] {
        switch self {
        case .launch(let tasks), .launchGroup(_, let tasks): tasks
        case .unsupported: []
        }
    }

    /// The same with other tasks.
    public func with(_ tasks: [TaskInfo]) -> OfferOperation {
        switch self {
        case .launch: .launch(tasks)
        case .launchGroup(let group, _): .launchGroup(group, tasks: tasks)
        case .unsupported: self
        }
    }
}
