public import ClusterModel

extension WireOffer {
    /// Makes the message for an offer.
    /// - Parameters:
    ///   - offer: what is offered, and to whom.
    ///   - capabilities: what the framework can read; see `ResourceForm`.
    public init(_ offer: Offer, for capabilities: Set<FrameworkCapability>) {
        self.init()
        id = WireOfferID(offer.id)
        frameworkID = WireFrameworkID(offer.frameworkID)
        agentID = WireAgentID(offer.agentID)
        hostname = offer.agent.hostname
        url.scheme = "http"
        url.address.hostname = offer.agent.hostname
        url.address.ip = offer.agent.address
        url.address.port = Int32(offer.agent.port)
        url.path = "/slave(1)"
        let form = ResourceForm(for: capabilities, role: offer.role)
        resources = offer.resources.wire(form)
        attributes = offer.agent.attributes.map { WireAttribute($0) }
        executorIds = offer.executorIDs.map { WireExecutorID($0) }
        if let role = form.role { allocationInfo.role = role.value }
        if capabilities.contains(.regionAware), let domain = offer.agent.domain { self.domain = WireDomainInfo(domain) }
    }
}

extension Offer {
    /// Reads an offer, as a framework gets it.
    /// - Parameters:
    ///   - wire: the message.
    ///   - role: the framework's role, used when the offer does not say one.
    /// - Throws: `.invalidField` or `.missingField` with the path in the message.
    public init(_ wire: WireOffer, role: RoleName = .everyone) throws(WireError) {
        guard let port = UInt16(exactly: wire.url.address.port) else {
            throw .invalidField(path: "url.address.port", problem: "must be from 0 to 65535")
        }
        var attributes: [Attribute] = []
        for (index, one) in wire.attributes.enumerated() {
            attributes.append(try within("attributes[\(index)]") { () throws(WireError) in try Attribute(one) })
        }
        let resources = try within("resources") { () throws(WireError) in try Resources(wire.resources) }
        let agentID: AgentID = try within("agent_id") { () throws(WireError) in try wire.agentID.checked() }
        let agent = AgentInfo(
            id: agentID, hostname: wire.hostname, address: wire.url.address.ip, port: port, resources: resources,
            attributes: attributes, domain: wire.hasDomain ? Domain(wire.domain) : nil, version: "")
        self.init(
            id: try within("id") { () throws(WireError) in try wire.id.checked() },
            frameworkID: try within("framework_id") { () throws(WireError) in try wire.frameworkID.checked() },
            agentID: agentID, role: wire.allocationInfo.hasRole ? RoleName(wire.allocationInfo.role) : role,
            resources: resources, agent: agent, executorIDs: wire.executorIds.map { $0.unchecked() })
    }
}

extension OfferFilters {
    /// The longest time for which resources can be refused: Mesos holds `refuse_seconds` at 365 days.
    static let longest = 31_536_000.0

    /// Reads filters. A negative time counts as the default, as in Mesos; one that is too long as the longest.
    public init(_ wire: WireFilters) {
        let seconds = wire.refuseSeconds
        self.init(refuse: seconds < 0 ? Self.standard.refuse : .clamped(seconds: min(seconds, Self.longest)))
    }
}

extension WireFilters {
    /// Makes the message for filters.
    public init(_ filters: OfferFilters) {
        self.init()
        refuseSeconds = filters.refuse.inSeconds
    }
}

extension OfferOperation {
    /// Reads an operation.
    /// - Throws: `.missingField` or `.invalidField` with the path in the message.
    public init(_ wire: WireOffer.Operation) throws(WireError) {
        let id: OperationID? = wire.hasID ? wire.id.unchecked() : nil
        switch wire.type {
        case .launch:
            guard wire.hasLaunch else { throw .missingField(path: "launch") }
            if wire.hasID { throw .invalidField(path: "id", problem: "must not be set for LAUNCH") }
            self = .launch(wire.launch.taskInfos.map { TaskInfo($0) })
        case .launchGroup:
            guard wire.hasLaunchGroup else { throw .missingField(path: "launch_group") }
            if wire.hasID { throw .invalidField(path: "id", problem: "must not be set for LAUNCH_GROUP") }
            self = .launchGroup(
                TaskGroup(wire.launchGroup.executor),
                tasks: wire.launchGroup.taskGroup.tasks.map { TaskInfo($0) })
        case .reserve: self = .unsupported(kind: "RESERVE", id: id)
        case .unreserve: self = .unsupported(kind: "UNRESERVE", id: id)
        case .create: self = .unsupported(kind: "CREATE", id: id)
        case .destroy: self = .unsupported(kind: "DESTROY", id: id)
        case .growVolume: self = .unsupported(kind: "GROW_VOLUME", id: id)
        case .shrinkVolume: self = .unsupported(kind: "SHRINK_VOLUME", id: id)
        case .createDisk: self = .unsupported(kind: "CREATE_DISK", id: id)
        case .destroyDisk: self = .unsupported(kind: "DESTROY_DISK", id: id)
        case .unknown:
            throw .invalidField(
                path: "type",
                problem: "is missing or unknown; it must be LAUNCH, LAUNCH_GROUP, RESERVE, UNRESERVE, CREATE, DESTROY, "
                    + "GROW_VOLUME, SHRINK_VOLUME, CREATE_DISK or DESTROY_DISK")
        }
    }
}
