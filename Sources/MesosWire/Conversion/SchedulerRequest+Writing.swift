public import ClusterModel
import FoundationEssentials

extension WireSchedulerCall {
    /// Makes the message for a call, as a framework of our own sends it. Operations that are not supported cannot be
    /// written and are left out.
    /// - Parameters:
    ///   - request: the call.
    ///   - form: how resources of tasks are written.
    public init(_ request: SchedulerRequest, _ form: ResourceForm = ResourceForm(.refined)) {
        self.init()
        switch request {
        case .subscribe(let subscription):
            type = .subscribe
            if let id = subscription.info.id { frameworkID = WireFrameworkID(id) }
            subscribe.frameworkInfo = WireFrameworkInfo(subscription.info)
            subscribe.suppressedRoles = subscription.suppressedRoles.map(\.value).sorted()
        case .call(let id, let call):
            frameworkID = WireFrameworkID(id)
            write(call, form)
        }
    }

    private mutating func write(_ call: SchedulerCall, _ form: ResourceForm) {
        switch call {
        case .accept(let offers, let operations, let filters):
            type = .accept
            accept.offerIds = offers.map { WireOfferID($0) }
            accept.operations = operations.compactMap { WireOffer.Operation($0, form) }
            accept.filters = WireFilters(filters)
        case .decline(let offers, let filters):
            type = .decline
            decline.offerIds = offers.map { WireOfferID($0) }
            decline.filters = WireFilters(filters)
        case .acceptInverseOffers(let offers):
            type = .acceptInverseOffers
            acceptInverseOffers.inverseOfferIds = offers.map { WireOfferID($0) }
        case .declineInverseOffers(let offers):
            type = .declineInverseOffers
            declineInverseOffers.inverseOfferIds = offers.map { WireOfferID($0) }
        case .revive(let roles):
            type = .revive
            revive.roles = roles.map(\.value)
        case .suppress(let roles):
            type = .suppress
            suppress.roles = roles.map(\.value)
        case .request:
            type = .request
            request = Request()
        case .teardown: type = .teardown
        case .updateFramework(let info, let suppressedRoles):
            type = .updateFramework
            updateFramework.frameworkInfo = WireFrameworkInfo(info)
            updateFramework.suppressedRoles = suppressedRoles.map(\.value).sorted()
        case .kill, .acknowledge, .reconcile, .shutdown, .message, .acknowledgeOperation, .reconcileOperations:
            writeAboutTasks(call)
        }
    }

    private mutating func writeAboutTasks(_ call: SchedulerCall) {
        switch call {
        case .kill(let task, let agent, let gracePeriod, _):
            type = .kill
            kill.taskID = WireTaskID(task)
            if let agent { kill.agentID = WireAgentID(agent) }
            if let gracePeriod { kill.killPolicy.gracePeriod = WireDurationInfo(gracePeriod) }
        case .acknowledge(let agent, let task, let uuid):
            type = .acknowledge
            acknowledge.agentID = WireAgentID(agent)
            acknowledge.taskID = WireTaskID(task)
            acknowledge.uuid = Data(uuid.bytes)
        case .reconcile(let tasks):
            type = .reconcile
            reconcile = Reconcile()
            reconcile.tasks = tasks.map { query in
                var task = Reconcile.Task()
                task.taskID = WireTaskID(query.task)
                if let agent = query.agent { task.agentID = WireAgentID(agent) }
                return task
            }
        case .shutdown(let executor, let agent):
            type = .shutdown
            shutdown.executorID = WireExecutorID(executor)
            shutdown.agentID = WireAgentID(agent)
        case .message(let agent, let executor, let data):
            type = .message
            message.agentID = WireAgentID(agent)
            message.executorID = WireExecutorID(executor)
            message.data = Data(data)
        case .acknowledgeOperation(let operation, let uuid):
            type = .acknowledgeOperationStatus
            acknowledgeOperationStatus.operationID = WireOperationID(operation)
            acknowledgeOperationStatus.uuid = Data(uuid.bytes)
        case .reconcileOperations(let operations):
            type = .reconcileOperations
            reconcileOperations = ReconcileOperations()
            reconcileOperations.operations = operations.map { id in
                var operation = ReconcileOperations.Operation()
                operation.operationID = WireOperationID(id)
                return operation
            }
        default: break
        }
    }
}

extension WireOffer.Operation {
    /// Makes the message for launching tasks; nil for what cannot be written.
    public init?(_ operation: OfferOperation, _ form: ResourceForm) {
        self.init()
        switch operation {
        case .launch(let tasks):
            type = .launch
            launch.taskInfos = tasks.map { WireTaskInfo($0, form) }
        case .launchGroup(let group, let tasks):
            type = .launchGroup
            launchGroup.executor = WireExecutorInfo(group, form)
            launchGroup.taskGroup.tasks = tasks.map { WireTaskInfo($0, form) }
        case .unsupported: return nil
        }
    }
}
