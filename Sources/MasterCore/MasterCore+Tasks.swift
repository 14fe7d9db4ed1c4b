import ClusterModel
import Scheduling

extension MasterCore {
    /// A task of this agent that holds resources or waits for an acknowledgement. Its id alone is not enough: while
    /// one agent still ends a task that was called lost, another may run its successor of the same name.
    func task(_ key: TaskKey, on agent: AgentID) -> TaskRecord? {
        if let ending = endingTasks[key], ending.agentID == agent { return ending }
        guard let task = frameworks[key.framework]?.tasks[key.task], task.agentID == agent else { return nil }
        return task
    }

    /// Whether this agent is to end a task that nobody waits for any more.
    func isEnding(_ key: TaskKey, on agent: AgentID) -> Bool { endingTasks[key]?.agentID == agent }

    /// A status that the master makes itself: no uuid, so no acknowledgement.
    func status(_ key: TaskKey, _ state: TaskState, _ reason: StatusReason, _ message: String) -> TaskStatus {
        let agent = frameworks[key.framework]?.tasks[key.task]?.agentID
        return TaskStatus(
            taskID: key.task, state: state, source: .master, reason: reason, message: message, agentID: agent,
            timestamp: now.wall)
    }

    /// Tells a framework a status that the master made, now or when it comes back.
    mutating func inform(_ key: TaskKey, _ status: TaskStatus) {
        frameworks[key.framework]?.tasks[key.task]?.told = status.state
        frameworks[key.framework]?.tasks[key.task]?.record(status, keeping: settings.statusesKept)
        deliver(status, to: key.framework)
        if let task = frameworks[key.framework]?.tasks[key.task] { say(.publish(.taskUpdated(task))) }
    }

    /// Sends a status without recording it: for tasks that do not exist.
    mutating func deliver(_ status: TaskStatus, to framework: FrameworkID) {
        guard let known = frameworks[framework] else { return }
        if let connection = known.connection {
            say(.send(connection, .update(status)))
        } else if known.undelivered.count < settings.completedTasksKept {
            frameworks[framework]?.undelivered.append(status)
        }
    }

    /// Ends a task by the master's own word: nobody will report its end, or nobody may be believed any more.
    mutating func conclude(_ key: TaskKey, lost state: TaskState, reason: StatusReason, message: String) {
        guard let task = frameworks[key.framework]?.tasks[key.task] else { return }
        frameworks[key.framework]?.tasks[key.task]?.state = state
        inform(key, status(key, state, reason, message))
        release(key, on: task.agentID)
        retire(key)
    }

    /// Gives back what an ended task held.
    mutating func release(_ key: TaskKey, on agent: AgentID) {
        if let ending = endingTasks[key], ending.agentID == agent {
            endingTasks[key] = nil
            giveBack(ending)
            agents[ending.agentID]?.tasks.remove(key)
            if frameworks[key.framework] == nil, !endingTasks.keys.contains(where: { $0.framework == key.framework }) {
                allocator.removeFramework(key.framework)
            }
            return
        }
        guard let task = task(key, on: agent), task.holdsResources else { return }
        frameworks[key.framework]?.tasks[key.task]?.holdsResources = false
        giveBack(task)
    }

    mutating func giveBack(_ task: TaskRecord) {
        recover(returned(with: task), of: task.launch.frameworkID, task.launch.role, on: task.agentID)
        allocateSoon()
    }

    /// Moves an ended task out of the way: its framework knows of the end.
    mutating func retire(_ key: TaskKey) {
        guard let task = frameworks[key.framework]?.tasks.removeValue(forKey: key.task) else { return }
        agents[task.agentID]?.tasks.remove(key)
        frameworks[key.framework]?.completedTasks.append(task)
        // Dropped in batches, so that the cost of moving the rest is shared by many ends.
        if let count = frameworks[key.framework]?.completedTasks.count, count > settings.completedTasksKept * 5 / 4 {
            frameworks[key.framework]?.completedTasks.removeFirst(count - settings.completedTasksKept)
        }
    }

    /// An agent reports a task's state.
    mutating func take(_ status: TaskStatus, of key: TaskKey, _ directory: String, from agent: AgentID) {
        if isEnding(key, on: agent) || frameworks[key.framework] == nil {
            if status.state.isTerminal { release(key, on: agent) }
            if let uuid = status.uuid { tell(agent, .acknowledge(key, uuid)) }
            // Only this task of a framework that is still there: it may have others on the agent.
            if !status.state.isTerminal {
                tell(
                    agent,
                    frameworks[key.framework] == nil
                        ? .shutdownFramework(key.framework) : .kill(key, gracePeriod: nil))
            }
            return
        }
        guard let task = frameworks[key.framework]?.tasks[key.task], task.agentID == agent else {
            return takeUnknown(status, of: key, from: agent)
        }
        if let uuid = status.uuid, task.pending?.uuid != uuid,
            task.acknowledged == uuid || task.statuses.contains(where: { $0.uuid == uuid })
        {
            // Sent again or late; its framework has acknowledged it. To tell it again would turn the story back.
            tell(agent, .acknowledge(key, uuid))
            return
        }
        if task.state == .unreachable || status.state.rank >= task.state.rank, !task.state.isTerminal {
            frameworks[key.framework]?.tasks[key.task]?.state = status.state
        }
        frameworks[key.framework]?.tasks[key.task]?.directory = directory
        frameworks[key.framework]?.tasks[key.task]?.record(status, keeping: settings.statusesKept)
        frameworks[key.framework]?.tasks[key.task]?.told = status.state
        if status.uuid != nil { frameworks[key.framework]?.tasks[key.task]?.pending = status }
        if status.state.isTerminal { release(key, on: agent) }
        if let connection = frameworks[key.framework]?.connection { say(.send(connection, .update(status))) }
        if let updated = frameworks[key.framework]?.tasks[key.task] { say(.publish(.taskUpdated(updated))) }
        if status.uuid == nil, status.state.isTerminal { retire(key) }
    }

    /// A task has ended, and its end waits behind updates that are not acknowledged.
    mutating func ended(_ key: TaskKey, _ state: TaskState, on agent: AgentID) {
        guard state.isTerminal, let task = task(key, on: agent) else { return }
        if !isEnding(key, on: agent), !task.state.isTerminal {
            frameworks[key.framework]?.tasks[key.task]?.state = state
        }
        release(key, on: agent)
    }

    /// An update of a task that the framework has done with: the acknowledgement did not reach the agent.
    private mutating func takeUnknown(_ status: TaskStatus, of key: TaskKey, from agent: AgentID) {
        if let uuid = status.uuid { tell(agent, .acknowledge(key, uuid)) }
    }

    /// A framework has an update; its agent may send the next.
    mutating func acknowledge(_ framework: FrameworkID, _ agent: AgentID, _ id: TaskID, _ uuid: StatusUUID) {
        let key = TaskKey(framework: framework, task: id)
        guard let task = frameworks[framework]?.tasks[id] else {
            // Acknowledged before; the agent may still wait for it.
            if frameworks[framework]?.completedTasks.last(where: { $0.id == id })?.acknowledged == uuid {
                tell(agent, .acknowledge(key, uuid))
            }
            return
        }
        guard let pending = task.pending, pending.uuid == uuid, task.agentID == agent else { return }
        frameworks[framework]?.tasks[id]?.pending = nil
        frameworks[framework]?.tasks[id]?.acknowledged = uuid
        tell(agent, .acknowledge(key, uuid))
        if pending.state.isTerminal { retire(key) }
    }

    mutating func kill(_ key: TaskKey, agent: AgentID?, gracePeriod: Duration?, drain: Duration? = nil) {
        guard let task = frameworks[key.framework]?.tasks[key.task] else {
            answer(SchedulerCall.TaskQuery(task: key.task, agent: agent), for: key.framework)
            return
        }
        // As in Mesos: a framework that names another agent means another task, and gets nothing.
        if task.state.isTerminal || agent.map({ $0 != task.agentID }) == true { return }
        frameworks[key.framework]?.tasks[key.task]?.killRequested = TaskRecord.KillRequest(
            gracePeriod: gracePeriod, drain: drain)
        if agents[task.agentID]?.isActive == true {
            tell(task.agentID, .kill(key, gracePeriod: gracePeriod, drain: drain))
        } else {
            answer(SchedulerCall.TaskQuery(task: key.task), for: key.framework)
        }
    }

    // MARK: reconciliation

    mutating func reconcile(_ framework: FrameworkID, _ queries: [SchedulerCall.TaskQuery]) {
        if queries.isEmpty {
            let live = frameworks[framework]?.tasks.values.filter { !$0.state.isTerminal || $0.pending != nil } ?? []
            for task in live.sorted(by: { $0.id < $1.id }) {
                answer(SchedulerCall.TaskQuery(task: task.id), for: framework)
            }
        } else {
            for query in queries { answer(query, for: framework) }
        }
    }

    /// Says where a task stands. Silent while an agent that may know more has not come back after a restart; the
    /// framework asks again, as with Mesos.
    private mutating func answer(_ query: SchedulerCall.TaskQuery, for id: FrameworkID) {
        guard let framework = frameworks[id] else { return }
        var status = TaskStatus(
            taskID: query.task, state: .unknown, source: .master, reason: .reconciliation, timestamp: now.wall)
        if let task = framework.tasks[query.task] {
            status.state = task.told
            status.agentID = task.agentID
            status.executorID = task.statuses.last?.executorID
            status.containerID = task.statuses.last { $0.containerID != nil }?.containerID
            status.isHealthy = task.statuses.last?.isHealthy
            status.checkResult = task.statuses.last?.checkResult
            status.readiness = task.statuses.last?.readiness
            status.message = "Reconciliation: Latest task state"
        } else if let ended = framework.completedTasks.last(where: { $0.id == query.task }) {
            // Mesos has forgotten it by now and calls it unknown; the truth is the better answer while it is known.
            status.state = ended.state
            status.agentID = ended.agentID
            status.message = "Reconciliation: the task has ended"
        } else if mayKnowMore(agent: query.agent) {
            return
        } else {
            // Also when the agent is known to be unreachable, which Mesos would answer: the task may have ended before
            // this life of the master, and an end that was told must not be followed by anything else.
            status.agentID = query.agent
            status.state = framework.isPartitionAware ? .unknown : .lost
            status.message = "Reconciliation: Task is unknown"
        }
        deliver(status, to: id)
    }
}
