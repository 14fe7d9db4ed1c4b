import ClusterModel
import Scheduling

extension MasterCore {
    mutating func decline(_ id: FrameworkID, _ offerIDs: [OfferID], _ filters: OfferFilters) {
        var seen: Set<OfferID> = []
        for offerID in offerIDs where seen.insert(offerID).inserted {
            guard let offer = offers[offerID], offer.frameworkID == id else { continue }
            offers.end(offerID, as: .declined)
            refuse(offer, offer.resources, filters)
        }
    }

    /// Gives resources back that the framework does not want for a while.
    private mutating func refuse(_ offer: Offer, _ resources: Resources, _ filters: OfferFilters) {
        recover(resources, of: offer.frameworkID, offer.role, on: offer.agentID, refuse: filters.refuse)
        let refusal = OfferRefusal(
            agentID: offer.agentID, role: offer.role, resources: resources, at: now.wall,
            until: now.wall + filters.refuse)
        frameworks[offer.frameworkID]?.refusals.append(refusal)
        if let count = frameworks[offer.frameworkID]?.refusals.count, count > 64 {
            frameworks[offer.frameworkID]?.refusals.removeFirst(32)
        }
        allocateLater()
    }

    mutating func accept(
        _ id: FrameworkID, _ offerIDs: [OfferID], _ operations: [OfferOperation], _ filters: OfferFilters
    ) {
        let accepted: [Offer]
        do throws(OfferError) {
            accepted = try offers.validate(offerIDs, for: id)
        } catch {
            refuse(operations, of: id, because: error.description)
            for offerID in Set(offerIDs).sorted() {
                if let offer = offers[offerID], offer.frameworkID == id { rescind(offer, tell: false) }
            }
            allocateLater()
            return
        }
        guard let first = accepted.first else { return }
        var free = Resources()
        for offer in accepted {
            offers.end(offer.id, as: .accepted)
            // Offers of one agent never overlap, so the sum exists; an empty sum would only refuse the tasks.
            free = (try? free.adding(offer.resources)) ?? free
        }
        var check = LaunchCheck(offered: free)
        for operation in operations { carryOut(operation, of: id, in: first, &check) }
        if check.left.isEmpty {
            allocateLater()
        } else {
            refuse(first, check.left, filters)
        }
    }

    private mutating func carryOut(
        _ operation: OfferOperation, of id: FrameworkID, in offer: Offer, _ check: inout LaunchCheck
    ) {
        switch operation {
        case .launch(let tasks):
            for task in tasks { launch(task, of: id, in: offer, &check) }
        case .launchGroup(let group, let tasks): launch(group, tasks, of: id, in: offer, &check)
        case .unsupported(let kind, let operation):
            refuse(
                operation, of: id, on: offer.agentID, "\(kind) is not supported yet; its resources are offered again")
        }
    }

    private mutating func launch(
        _ task: TaskInfo, of id: FrameworkID, in offer: Offer, _ check: inout LaunchCheck
    ) {
        if let problem = defect(of: task, of: id, in: offer) {
            reject(task, of: id, .taskInvalid, problem)
            return
        }
        guard let framework = frameworks[id], agents[offer.agentID]?.isActive == true else {
            reject(task, of: id, .agentDisconnected, "the agent is not connected")
            return
        }
        do throws(LaunchError) {
            try check.take(task.resources)
        } catch {
            reject(task, of: id, .taskInvalid, error.description)
            return
        }
        let launch = Self.launch(of: task, by: framework, in: offer)
        add(launch, of: id, in: offer)
        tell(offer.agentID, .run(launch))
    }

    static func launch(of task: TaskInfo, by framework: FrameworkState, in offer: Offer) -> TaskLaunch {
        TaskLaunch(
            frameworkID: offer.frameworkID, frameworkName: framework.info.name, user: framework.info.user,
            checkpoint: framework.info.checkpoint, role: offer.role,
            wantsKillingState: framework.info.capabilities.contains(.taskKillingState), task: task)
    }

    mutating func add(_ launch: TaskLaunch, of id: FrameworkID, in offer: Offer) {
        let task = launch.task
        let record = TaskRecord(launch: launch, state: .staging)
        frameworks[id]?.tasks[task.taskID] = record
        agents[offer.agentID]?.tasks.insert(launch.key)
        if agents[offer.agentID]?.condemned.remove(launch.key) != nil, let agent = agents[offer.agentID] {
            store(agent, as: .member)  // the id is used again, for a task that may live
        }
        say(.publish(.taskAdded(record)))
    }

    func defect(of task: TaskInfo, of id: FrameworkID, in offer: Offer) -> String? {
        if let defect = task.taskID.defect { return "task id \(defect)" }
        if let defect = task.defect { return defect }
        let size = StoredSize.of(task)
        if size > Limits.task {
            return
                "Task has a description of \(size) bytes, \(Limits.task) at most; put large data into a file and fetch it"
        }
        if task.agentID != offer.agentID {
            return "Task uses agent \(task.agentID) while the offer is of agent \(offer.agentID)"
        }
        if frameworks[id]?.tasks[task.taskID] != nil || endingTasks[TaskKey(framework: id, task: task.taskID)] != nil {
            return "Task has the ID of a task that has not ended, or whose end is not acknowledged"
        }
        if !task.unsupported.isEmpty {
            return "not supported yet: \(task.unsupported.joined(separator: ", ")); leave it out of the task"
        }
        if let defect = task.container?.defect ?? task.isolationDefect { return defect }
        for mapping in task.container?.portMappings ?? [] where !task.resources.hasPort(mapping.hostPort) {
            return "the host's port \(mapping.hostPort) of a port mapping is not among the task's resources"
        }
        guard let command = task.command else { return "Task needs a command" }
        if command.isShell, command.value?.isEmpty ?? true { return "a shell command needs a value" }
        if !command.isShell, command.value?.isEmpty ?? true, command.arguments.isEmpty, task.container?.image == nil {
            return "a command without a shell needs a value, the program to execute"
        }
        return nil
    }

    /// Answers a task that is not launched. Nothing of it is kept.
    mutating func reject(_ task: TaskInfo, of id: FrameworkID, _ reason: StatusReason, _ why: String) {
        let isLost = reason == .agentDisconnected || reason == .invalidOffers
        let lost: TaskState = frameworks[id]?.isPartitionAware == true ? .dropped : .lost
        deliver(
            TaskStatus(
                taskID: task.taskID, state: isLost ? lost : .error, source: .master, reason: reason, message: why,
                agentID: task.agentID, timestamp: now.wall), to: id)
    }

    private mutating func refuse(_ operations: [OfferOperation], of id: FrameworkID, because why: String) {
        for operation in operations {
            for task in operation.tasks { refuse(task, of: id, because: why) }
            if case .unsupported(_, let operation) = operation { refuse(operation, of: id, on: nil, why) }
        }
    }

    /// A client that does not trust its first answer sends an ACCEPT again. Its offers are used up by then, and its
    /// tasks exist: to call them lost would end them in the framework's books while they run.
    private mutating func refuse(_ task: TaskInfo, of id: FrameworkID, because why: String) {
        guard let framework = frameworks[id] else { return }
        if framework.tasks[task.taskID] != nil {
            reconcile(id, [SchedulerCall.TaskQuery(task: task.taskID)])
        } else if let ended = framework.completedTasks.last(where: { $0.id == task.taskID }) {
            deliver(
                TaskStatus(
                    taskID: task.taskID, state: ended.state, source: .master, reason: .reconciliation,
                    message: "the task has ended before: \(why)", agentID: ended.agentID, timestamp: now.wall), to: id)
        } else {
            reject(task, of: id, .invalidOffers, why)
        }
    }

    /// Mesos tells of an operation that is not carried out when the framework gave it an id, and drops it silently
    /// when not.
    private mutating func refuse(_ operation: OperationID?, of id: FrameworkID, on agent: AgentID?, _ why: String) {
        guard let operation, let connection = frameworks[id]?.connection else { return }
        say(.send(connection, .operation(OperationStatus(id: operation, state: .error, message: why, agentID: agent))))
    }
}
