public import ClusterModel

/// A call on the scheduler endpoint, read and checked: the one that opens the stream, or one of a framework that has
/// one.
public enum SchedulerRequest: Hashable, Sendable {
    /// SUBSCRIBE.
    case subscribe(Subscription)
    /// Every other call, with the framework that makes it.
    case call(FrameworkID, SchedulerCall)

    /// Reads a call.
    /// - Throws: `.missingField` or `.invalidField` with the full path. Tasks with faults do not make the call invalid;
    ///   see `TaskInfo.defect`.
    public init(_ wire: WireSchedulerCall) throws(WireError) {
        guard wire.hasType, wire.type != .unknown else {
            throw .invalidField(
                path: "type",
                problem: "is missing or unknown; it must name a call: SUBSCRIBE, TEARDOWN, ACCEPT, DECLINE, REVIVE, "
                    + "SUPPRESS, KILL, SHUTDOWN, ACKNOWLEDGE, RECONCILE, MESSAGE, REQUEST, UPDATE_FRAMEWORK, "
                    + "ACCEPT_INVERSE_OFFERS, DECLINE_INVERSE_OFFERS, ACKNOWLEDGE_OPERATION_STATUS or "
                    + "RECONCILE_OPERATIONS")
        }
        let frameworkID: FrameworkID? =
            try wire.hasFrameworkID
            ? within("framework_id") { () throws(WireError) in try wire.frameworkID.checked() } : nil
        if wire.type == .subscribe {
            self = .subscribe(try Self.subscription(wire, frameworkID))
            return
        }
        guard let frameworkID else { throw .missingField(path: "framework_id") }
        self = .call(frameworkID, try SchedulerCall(wire, of: frameworkID))
    }

    private static func subscription(
        _ wire: WireSchedulerCall, _ frameworkID: FrameworkID?
    ) throws(WireError) -> Subscription {
        guard wire.hasSubscribe else { throw .missingField(path: "subscribe") }
        let (info, suppressed) = try within("subscribe") { () throws(WireError) in
            try framework(wire.subscribe.frameworkInfo, frameworkID, suppressed: wire.subscribe.suppressedRoles)
        }
        return Subscription(info: info, suppressedRoles: suppressed)
    }

    /// Reads a framework's description and the roles it suppresses, which must be among its own.
    static func framework(
        _ wire: WireFrameworkInfo, _ frameworkID: FrameworkID?, suppressed: [String]
    ) throws(WireError) -> (FrameworkInfo, Set<RoleName>) {
        var info = try within("framework_info") { () throws(WireError) in try FrameworkInfo(wire) }
        if let frameworkID, let own = info.id, own != frameworkID {
            throw .invalidField(path: "framework_info.id", problem: "differs from 'framework_id'")
        }
        info.id = info.id ?? frameworkID
        for (index, text) in suppressed.enumerated() where !info.roles.contains(RoleName(text)) {
            throw .invalidField(path: "suppressed_roles[\(index)]", problem: "is not a role of the framework")
        }
        return (info, Set(suppressed.map { RoleName($0) }))
    }
}

extension SchedulerCall {
    /// Reads any call but SUBSCRIBE, whose framework id has been read.
    fileprivate init(_ wire: WireSchedulerCall, of frameworkID: FrameworkID) throws(WireError) {
        switch wire.type {
        case .accept, .decline, .acceptInverseOffers, .declineInverseOffers, .revive, .suppress, .request:
            self = try Self.aboutOffers(wire)
        case .kill, .acknowledge, .reconcile: self = try Self.aboutTasks(wire)
        case .shutdown, .message: self = try Self.aboutExecutors(wire)
        case .acknowledgeOperationStatus, .reconcileOperations: self = try Self.aboutOperations(wire)
        case .teardown: self = .teardown
        case .updateFramework:
            guard wire.hasUpdateFramework else { throw .missingField(path: "update_framework") }
            let (info, suppressed) = try within("update_framework") { () throws(WireError) in
                try SchedulerRequest.framework(
                    wire.updateFramework.frameworkInfo, frameworkID, suppressed: wire.updateFramework.suppressedRoles)
            }
            self = .updateFramework(info, suppressedRoles: suppressed)
        case .subscribe, .unknown: throw .invalidField(path: "type", problem: "is not a call of a subscribed framework")
        }
    }

    private static func aboutOffers(_ wire: WireSchedulerCall) throws(WireError) -> SchedulerCall {
        switch wire.type {
        case .accept:
            guard wire.hasAccept else { throw .missingField(path: "accept") }
            var operations: [OfferOperation] = []
            operations.reserveCapacity(wire.accept.operations.count)
            for (index, one) in wire.accept.operations.enumerated() {
                let operation = try within("accept.operations[\(index)]") { () throws(WireError) in
                    try OfferOperation(one)
                }
                operations.append(operation)
            }
            return .accept(
                offers: wire.accept.offerIds.map { $0.unchecked() }, operations: operations,
                filters: OfferFilters(wire.accept.filters))
        case .decline:
            guard wire.hasDecline else { throw .missingField(path: "decline") }
            return .decline(
                offers: wire.decline.offerIds.map { $0.unchecked() }, filters: OfferFilters(wire.decline.filters))
        case .acceptInverseOffers:
            guard wire.hasAcceptInverseOffers else { throw .missingField(path: "accept_inverse_offers") }
            return .acceptInverseOffers(wire.acceptInverseOffers.inverseOfferIds.map { $0.unchecked() })
        case .declineInverseOffers:
            guard wire.hasDeclineInverseOffers else { throw .missingField(path: "decline_inverse_offers") }
            return .declineInverseOffers(wire.declineInverseOffers.inverseOfferIds.map { $0.unchecked() })
        case .revive: return .revive(roles: try roles(wire.revive.roles, path: "revive.roles"))
        case .suppress: return .suppress(roles: try roles(wire.suppress.roles, path: "suppress.roles"))
        // Clients exist that put `requests` beside `request`; it has no effect anyway.
        default: return .request
        }
    }

    private static func roles(_ texts: [String], path: String) throws(WireError) -> [RoleName] {
        var roles: [RoleName] = []
        for (index, text) in texts.enumerated() {
            roles.append(try within("\(path)[\(index)]") { () throws(WireError) in try RoleName.checked(text) })
        }
        return roles
    }

    private static func aboutTasks(_ wire: WireSchedulerCall) throws(WireError) -> SchedulerCall {
        switch wire.type {
        case .kill:
            guard wire.hasKill else { throw .missingField(path: "kill") }
            var gracePeriod: Duration?
            if wire.kill.killPolicy.hasGracePeriod {
                gracePeriod = try within("kill.kill_policy.grace_period") { () throws(WireError) in
                    try wire.kill.killPolicy.gracePeriod.checked()
                }
            }
            let task: TaskID = try within("kill.task_id") { () throws(WireError) in try wire.kill.taskID.checked() }
            return .kill(
                task: task, agent: wire.kill.hasAgentID ? wire.kill.agentID.unchecked() : nil,
                gracePeriod: gracePeriod)
        case .acknowledge:
            guard wire.hasAcknowledge else { throw .missingField(path: "acknowledge") }
            return .acknowledge(
                agent: wire.acknowledge.agentID.unchecked(), task: wire.acknowledge.taskID.unchecked(),
                uuid: try within("acknowledge.uuid") { () throws(WireError) in
                    try StatusUUID.checked(wire.acknowledge.uuid)
                })
        default:
            guard wire.hasReconcile else { throw .missingField(path: "reconcile") }
            return .reconcile(
                wire.reconcile.tasks.map { task in
                    TaskQuery(
                        task: task.taskID.unchecked(), agent: task.hasAgentID ? task.agentID.unchecked() : nil)
                })
        }
    }

    private static func aboutExecutors(_ wire: WireSchedulerCall) throws(WireError) -> SchedulerCall {
        if wire.type == .shutdown {
            guard wire.hasShutdown else { throw .missingField(path: "shutdown") }
            return .shutdown(
                executor: wire.shutdown.executorID.unchecked(), agent: wire.shutdown.agentID.unchecked())
        }
        guard wire.hasMessage else { throw .missingField(path: "message") }
        return .message(
            agent: wire.message.agentID.unchecked(), executor: wire.message.executorID.unchecked(),
            data: [UInt8](wire.message.data))
    }

    private static func aboutOperations(_ wire: WireSchedulerCall) throws(WireError) -> SchedulerCall {
        if wire.type == .reconcileOperations {
            guard wire.hasReconcileOperations else { throw .missingField(path: "reconcile_operations") }
            return .reconcileOperations(wire.reconcileOperations.operations.map { $0.operationID.unchecked() })
        }
        guard wire.hasAcknowledgeOperationStatus else { throw .missingField(path: "acknowledge_operation_status") }
        return .acknowledgeOperation(
            operation: wire.acknowledgeOperationStatus.operationID.unchecked(),
            uuid: try within("acknowledge_operation_status.uuid") { () throws(WireError) in
                try StatusUUID.checked(wire.acknowledgeOperationStatus.uuid)
            })
    }
}
