import ClusterModel
import Scheduling

extension MasterCore {
    mutating func handleCall(
        _ request: RequestID, _ id: FrameworkID, _ connection: ConnectionID?, _ call: SchedulerCall
    ) {
        guard let framework = frameworks[id] else {
            say(.reply(request, .refused(.invalid, "Framework cannot be found; subscribe first")))
            return
        }
        guard let current = framework.connection else {
            say(.reply(request, .refused(.forbidden, "Framework is not subscribed; send SUBSCRIBE again")))
            return
        }
        guard current == connection else {
            say(
                .reply(
                    request,
                    .refused(
                        .invalid,
                        "The stream ID in this request does not match the stream ID of the framework's subscription")))
            return
        }
        // Before the effects, so that a framework that waits for its 202 does not get events in between.
        if case .updateFramework = call {} else { say(.reply(request, .accepted)) }
        carryOut(call, of: id, request)
    }

    private mutating func carryOut(_ call: SchedulerCall, of id: FrameworkID, _ request: RequestID) {
        switch call {
        case .accept(let offers, let operations, let filters): accept(id, offers, operations, filters)
        case .decline(let offers, let filters): decline(id, offers, filters)
        case .acceptInverseOffers, .declineInverseOffers: break
        case .revive(let roles): revive(id, roles)
        case .suppress(let roles): suppress(id, roles)
        case .kill(let task, let agent, let grace, let drain):
            kill(TaskKey(framework: id, task: task), agent: agent, gracePeriod: grace, drain: drain)
        case .acknowledge(let agent, let task, let uuid): acknowledge(id, agent, task, uuid)
        case .reconcile(let queries): reconcile(id, queries)
        case .reconcileOperations(let operations): reconcile(operations, of: id)
        case .shutdown(let executor, let agent): shutDown(executor, on: agent, of: id)
        // Without executors and operations of frameworks these have nobody to go to; they are received, as an executor
        // that has ended would have it.
        case .message, .acknowledgeOperation, .request: break
        case .teardown: remove(id)
        case .updateFramework(let info, let suppressed):
            if let problem = update(id, to: info, suppressed: suppressed) {
                say(.reply(request, .refused(.invalid, problem)))
            } else {
                say(.reply(request, .accepted))
            }
        }
    }

    /// No operation is carried out yet, so none is known.
    private mutating func reconcile(_ operations: [OperationID], of id: FrameworkID) {
        guard let connection = frameworks[id]?.connection else { return }
        for operation in operations {
            say(
                .send(
                    connection,
                    .operation(
                        OperationStatus(
                            id: operation, state: .unknown, message: "Reconciliation: Operation is unknown"))))
        }
    }

    private mutating func revive(_ id: FrameworkID, _ roles: [RoleName]) {
        let mine = frameworks[id]?.info.roles ?? []
        let wanted = roles.isEmpty ? Set(mine) : Set(roles).intersection(mine)
        frameworks[id]?.suppressedRoles.subtract(wanted)
        if !wanted.isEmpty { allocator.revive(id, roles: wanted.sorted()) }
        allocateSoon()
    }

    private mutating func suppress(_ id: FrameworkID, _ roles: [RoleName]) {
        let mine = frameworks[id]?.info.roles ?? []
        let wanted = roles.isEmpty ? Set(mine) : Set(roles).intersection(mine)
        frameworks[id]?.suppressedRoles.formUnion(wanted)
        if !wanted.isEmpty { allocator.suppress(id, roles: wanted.sorted()) }
    }

    mutating func perform(_ request: RequestID, _ command: OperatorCommand) {
        switch command {
        case .teardown(let id):
            guard frameworks[id] != nil else {
                let reply: Reply =
                    isRemoved(id)
                    ? .refused(.gone, "framework '\(id)' was removed already")
                    : .refused(.notFound, "no framework '\(id)'; `rondo framework list` shows those there are")
                say(.reply(request, reply))
                return
            }
            remove(id)
        case .killTask(let key):
            guard let task = frameworks[key.framework]?.tasks[key.task], !task.state.isTerminal else {
                say(
                    .reply(
                        request, .refused(.notFound, "no running task \(key); `rondo task list` shows those there are"))
                )
                return
            }
            kill(key, agent: nil, gracePeriod: nil)
        case .markAgentGone(let id):
            guard let agent = agents[id] else {
                say(
                    .reply(request, .refused(.notFound, "no agent '\(id)'; `rondo node list` shows those there are")))
                return
            }
            if agent.session != .gone { markGone(id) }
        case .setWeight(let role, let weight):
            if let problem = defect(role, weight) {
                say(.reply(request, .refused(.invalid, problem)))
                return
            }
            setWeight(role, weight)
            store(.putWeight(role, weight))
        }
        say(.reply(request, .done))
    }

    private func defect(_ role: RoleName, _ weight: Double) -> String? {
        if let defect = role.defect { return "role \(defect)" }
        return weight >= 0.000_001 && weight <= 1_000_000
            ? nil : "a weight must be at least 0.000001 and at most 1000000"
    }
}
