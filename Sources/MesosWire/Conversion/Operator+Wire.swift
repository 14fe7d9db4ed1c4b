public import ClusterModel
import FoundationEssentials

extension WireTask {
    /// Makes the message for a task as the master knows it.
    /// - Parameters:
    ///   - info: how its framework described it.
    ///   - frameworkID: whose task.
    ///   - state: where it stands now.
    ///   - statuses: what was reported of it, oldest first; the last one is what the framework was told.
    ///   - user: the account it runs as, if known.
    ///   - role: the role whose offer it uses.
    public init(
        _ info: TaskInfo, of frameworkID: FrameworkID, state: TaskState, statuses: [TaskStatus], user: String? = nil,
        role: RoleName? = nil
    ) {
        self.init()
        name = info.name
        taskID = WireTaskID(info.taskID)
        self.frameworkID = WireFrameworkID(frameworkID)
        agentID = WireAgentID(info.agentID)
        self.state = state.wire
        resources = info.resources.wire(ResourceForm(.both, allocatedTo: role))
        self.statuses = statuses.map { WireTaskStatus($0) }
        if let told = statuses.last {
            statusUpdateState = told.state.wire
            if let uuid = told.uuid { statusUpdateUuid = Data(uuid.bytes) }
        }
        if !info.labels.isEmpty { labels = WireLabels(info.labels) }
        if let discovery = info.discovery { self.discovery = WireDiscoveryInfo(discovery) }
        if let period = info.killGracePeriod { killPolicy.gracePeriod = WireDurationInfo(period) }
        if let user = info.command?.user ?? user { self.user = user }
    }
}

extension WireOperatorResponse.GetAgents.Agent {
    /// Makes the message for an agent as the master knows it.
    /// - Parameters:
    ///   - info: how it describes itself; its resources are its total.
    ///   - isActive: whether its session is up.
    ///   - registered: when it first came.
    ///   - reregistered: when it last came back, if it did.
    ///   - allocated: what its tasks use.
    ///   - offered: what is in offers now.
    public init(
        _ info: AgentInfo, isActive: Bool, registered: UnixTime, reregistered: UnixTime? = nil,
        allocated: Resources = Resources(), offered: Resources = Resources()
    ) {
        self.init()
        let form = ResourceForm(.both)
        agentInfo = WireAgentInfo(info, form)
        active = isActive
        version = info.version
        let host = info.address.contains(":") ? "[\(info.address)]" : info.address
        pid = "slave(1)@\(host):\(info.port)"
        registeredTime = WireTimeInfo(registered)
        if let reregistered { reregisteredTime = WireTimeInfo(reregistered) }
        totalResources = info.resources.wire(form)
        allocatedResources = allocated.wire(form)
        offeredResources = offered.wire(form)
        let known: [WireAgentInfo.Capability.TypeEnum] = [.multiRole, .hierarchicalRole, .reservationRefinement]
        capabilities = known.map { type in
            var capability = WireAgentInfo.Capability()
            capability.type = type
            return capability
        }
    }
}

extension WireOperatorResponse.GetFrameworks.Framework {
    /// Makes the message for a framework as the master knows it.
    /// - Parameters:
    ///   - info: how it describes itself, with the id it was given.
    ///   - isActive: whether it gets offers.
    ///   - isConnected: whether its stream is open.
    ///   - isRecovered: known from its tasks only, not heard from since the master started.
    ///   - registered: when it first subscribed.
    ///   - reregistered: when it last subscribed again, if it did.
    ///   - unregistered: when it ended, if it did.
    ///   - offers: its outstanding offers.
    ///   - allocated: what its tasks use.
    ///   - offered: the sum of its offers.
    public init(
        _ info: FrameworkInfo, isActive: Bool, isConnected: Bool, isRecovered: Bool = false, registered: UnixTime,
        reregistered: UnixTime? = nil, unregistered: UnixTime? = nil, offers: [Offer] = [],
        allocated: Resources = Resources(), offered: Resources = Resources()
    ) {
        self.init()
        frameworkInfo = WireFrameworkInfo(info)
        active = isActive
        connected = isConnected
        recovered = isRecovered
        registeredTime = WireTimeInfo(registered)
        if let reregistered { reregisteredTime = WireTimeInfo(reregistered) }
        if let unregistered { unregisteredTime = WireTimeInfo(unregistered) }
        self.offers = offers.map { WireOffer($0, for: [.multiRole, .reservationRefinement, .regionAware]) }
        allocatedResources = allocated.wire(ResourceForm(.both))
        offeredResources = offered.wire(ResourceForm(.both))
    }
}
