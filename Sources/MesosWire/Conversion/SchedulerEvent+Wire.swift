public import ClusterModel
import FoundationEssentials

extension WireSchedulerEvent {
    /// Makes the message for an event.
    /// - Parameters:
    ///   - event: what happened.
    ///   - capabilities: what the framework can read; see `ResourceForm`.
    public init(_ event: SchedulerEvent, for capabilities: Set<FrameworkCapability>) {
        self.init()
        switch event {
        case .subscribed(let id, let heartbeatInterval, let master):
            type = .subscribed
            subscribed.frameworkID = WireFrameworkID(id)
            subscribed.heartbeatIntervalSeconds = heartbeatInterval.inSeconds
            subscribed.masterInfo = WireMasterInfo(master)
        case .offers(let offers):
            type = .offers
            // Also when empty: clients look the key up.
            self.offers = Offers()
            self.offers.offers = offers.map { WireOffer($0, for: capabilities) }
        case .rescind(let id):
            type = .rescind
            rescind.offerID = WireOfferID(id)
        case .update(let status):
            type = .update
            update.status = WireTaskStatus(status)
        case .message(let agent, let executor, let data):
            type = .message
            message.agentID = WireAgentID(agent)
            message.executorID = WireExecutorID(executor)
            message.data = Data(data)
        case .failure(let agent, let executor, let status):
            type = .failure
            failure = Failure()
            if let agent { failure.agentID = WireAgentID(agent) }
            if let executor {
                failure.executorID = WireExecutorID(executor)
                // Clients read it whenever there is an executor.
                failure.status = status ?? 0
            } else if let status {
                failure.status = status
            }
        case .error(let text):
            type = .error
            error.message = text
        case .operation(let status):
            type = .updateOperationStatus
            updateOperationStatus.status.operationID = WireOperationID(status.id)
            switch status.state {
            case .error: updateOperationStatus.status.state = .operationError
            case .unknown: updateOperationStatus.status.state = .operationUnknown
            }
            updateOperationStatus.status.message = status.message
            if let agent = status.agentID { updateOperationStatus.status.agentID = WireAgentID(agent) }
        case .heartbeat: type = .heartbeat
        }
    }
}

extension SchedulerEvent {
    /// Reads an event, as a framework of our own gets it; nil for those that this release has no word for, which a
    /// framework may ignore.
    /// - Parameters:
    ///   - wire: the message.
    ///   - role: the framework's role, for offers that do not say one.
    /// - Throws: `.missingField` or `.invalidField` with the path in the message.
    public init?(_ wire: WireSchedulerEvent, role: RoleName = .everyone) throws(WireError) {
        switch wire.type {
        case .subscribed:
            guard wire.hasSubscribed else { throw .missingField(path: "subscribed") }
            let (id, master) = try within("subscribed") { () throws(WireError) -> (FrameworkID, MasterInfo) in
                (
                    try within("framework_id") { () throws(WireError) in try wire.subscribed.frameworkID.checked() },
                    try within("master_info") { () throws(WireError) in try MasterInfo(wire.subscribed.masterInfo) }
                )
            }
            self = .subscribed(
                id, heartbeatInterval: .clamped(seconds: wire.subscribed.heartbeatIntervalSeconds), master: master)
        case .offers:
            var offers: [Offer] = []
            for (index, one) in wire.offers.offers.enumerated() {
                let offer = try within("offers.offers[\(index)]") { () throws(WireError) in
                    try Offer(one, role: role)
                }
                offers.append(offer)
            }
            self = .offers(offers)
        case .rescind:
            guard wire.hasRescind else { throw .missingField(path: "rescind") }
            self = .rescind(wire.rescind.offerID.unchecked())
        case .update:
            guard wire.hasUpdate else { throw .missingField(path: "update") }
            self = .update(
                try within("update.status") { () throws(WireError) in try TaskStatus(wire.update.status) })
        case .message:
            guard wire.hasMessage else { throw .missingField(path: "message") }
            self = .message(
                agent: wire.message.agentID.unchecked(), executor: wire.message.executorID.unchecked(),
                data: [UInt8](wire.message.data))
        case .failure:
            self = .failure(
                agent: wire.failure.hasAgentID ? wire.failure.agentID.unchecked() : nil,
                executor: wire.failure.hasExecutorID ? wire.failure.executorID.unchecked() : nil,
                status: wire.failure.hasStatus ? wire.failure.status : nil)
        case .error: self = .error(wire.error.message)
        case .heartbeat: self = .heartbeat
        case .unknown, .inverseOffers, .rescindInverseOffer, .updateOperationStatus: return nil
        }
    }
}
