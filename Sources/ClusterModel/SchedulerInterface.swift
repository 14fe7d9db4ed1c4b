/// What a framework says to the master: the v1 scheduler API without SUBSCRIBE, in the words of this model.
public enum SchedulerCall: Hashable, Sendable {
    /// Uses offers; what is left of them is filtered.
    case accept(offers: [OfferID], operations: [OfferOperation], filters: OfferFilters)
    /// Gives offers back.
    case decline(offers: [OfferID], filters: OfferFilters)
    /// Answers a request to free resources; accepted and without effect until maintenance exists.
    case acceptInverseOffers([OfferID])
    /// See `acceptInverseOffers`.
    case declineInverseOffers([OfferID])
    /// Drops filters and suppression, for these roles or, when empty, for all.
    case revive(roles: [RoleName])
    /// Stops offers, for these roles or, when empty, for all.
    case suppress(roles: [RoleName])
    /// Ends a task; see ``AgentEvent/kill(_:gracePeriod:drain:)``. Only the master's own frameworks can ask for a drain.
    case kill(task: TaskID, agent: AgentID?, gracePeriod: Duration?, drain: Duration? = nil)
    /// Ends an executor.
    case shutdown(executor: ExecutorID, agent: AgentID)
    /// Says that an update arrived.
    case acknowledge(agent: AgentID, task: TaskID, uuid: StatusUUID)
    /// Says that an operation's status arrived.
    case acknowledgeOperation(operation: OperationID, uuid: StatusUUID)
    /// Asks where tasks stand; all of them when empty.
    case reconcile([TaskQuery])
    /// Asks where operations stand.
    case reconcileOperations([OperationID])
    /// Sends bytes to an executor.
    case message(agent: AgentID, executor: ExecutorID, data: [UInt8])
    /// Asks for resources; a hint without effect.
    case request
    /// Ends the framework and all its tasks.
    case teardown
    /// Changes the framework's description and suppressed roles.
    case updateFramework(FrameworkInfo, suppressedRoles: Set<RoleName>)

    /// A task to reconcile.
    public struct TaskQuery: Hashable, Sendable {
        /// The task.
        public var task: TaskID
        /// Where its framework thinks it runs.
        public var agent: AgentID?

        /// Makes a query.
        public init(task: TaskID, agent: AgentID? = nil) {
            self.task = task
            self.agent = agent
        }
    }
}

/// The first call of a framework: opens its event stream.
public struct Subscription: Hashable, Sendable {
    /// Who it is; `id` is set when it comes back.
    public var info: FrameworkInfo
    /// Roles for which it wants no offers yet.
    public var suppressedRoles: Set<RoleName>

    /// Makes a subscription.
    public init(info: FrameworkInfo, suppressedRoles: Set<RoleName> = []) {
        self.info = info
        self.suppressedRoles = suppressedRoles
    }
}

/// Who leads, as frameworks are told.
public struct MasterInfo: Hashable, Sendable, Codable {
    /// This life of the master process.
    public var id: MasterID
    /// For people and links.
    public var hostname: String
    /// IP literal where its API listens.
    public var address: String
    /// Port of its API.
    public var port: UInt16
    /// The Mesos release whose interface it speaks: digits and dots only, clients parse it.
    public var version: String

    /// Makes a description.
    public init(id: MasterID, hostname: String, address: String, port: UInt16, version: String) {
        self.id = id
        self.hostname = hostname
        self.address = address
        self.port = port
        self.version = version
    }
}

/// Where an offer operation stands, for the framework that gave it an id.
public struct OperationStatus: Hashable, Sendable {
    /// The ends that this release can tell.
    public enum State: String, Hashable, Sendable {
        /// The operation is not carried out, for the reason in the message.
        case error = "OPERATION_ERROR"
        /// No such operation is known.
        case unknown = "OPERATION_UNKNOWN"
    }

    /// Which operation.
    public var id: OperationID
    /// Where it stands.
    public var state: State
    /// Why, and what to do.
    public var message: String
    /// Whose resources it was about, if known.
    public var agentID: AgentID?

    /// Makes a status; it has no uuid, so it takes no acknowledgement.
    public init(id: OperationID, state: State, message: String, agentID: AgentID? = nil) {
        self.id = id
        self.state = state
        self.message = message
        self.agentID = agentID
    }
}

/// What the master says to a framework.
public enum SchedulerEvent: Hashable, Sendable {
    /// The stream is open.
    case subscribed(FrameworkID, heartbeatInterval: Duration, master: MasterInfo)
    /// Resources to use.
    case offers([Offer])
    /// An offer is void.
    case rescind(OfferID)
    /// A task's state changed, or was asked for.
    case update(TaskStatus)
    /// Bytes from an executor.
    case message(agent: AgentID, executor: ExecutorID, data: [UInt8])
    /// An agent was removed, or an executor ended (`status` is its wait status).
    case failure(agent: AgentID?, executor: ExecutorID?, status: Int32?)
    /// The subscription failed or is over; the stream ends after it.
    case error(String)
    /// Where an operation stands.
    case operation(OperationStatus)
    /// The connection is alive.
    case heartbeat
}
