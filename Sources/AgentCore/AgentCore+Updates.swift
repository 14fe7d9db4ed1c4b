internal import ClusterModel
internal import TaskLifecycle

// Updates: made, stored, sent, acknowledged, in this order.
extension AgentCore {
    /// Makes updates that only name a state, those of them that the task may still go to.
    mutating func report(
        _ id: ContainerID, _ states: [TaskState], _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        for state in states { add(End(state: state, source: .executor), to: id, &turn) }
        // Together, so that they share one write.
        store(id, &turn)
    }

    /// Makes an update, if the task may still go to its state.
    mutating func report(_ id: ContainerID, _ end: End, _ turn: inout Turn<some RandomNumberGenerator>) {
        add(end, to: id, &turn)
        store(id, &turn)
    }

    private mutating func add(
        _ end: End, to id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard var task = tasks[id], task.progress.advance(to: end.state) == .advanced else { return }
        append(end, to: &task, &turn)
        tasks[id] = task
    }

    private func append(_ end: End, to task: inout AgentTask, _ turn: inout Turn<some RandomNumberGenerator>) {
        let taskID = task.stored.launch.task.taskID
        var status = TaskStatus(
            taskID: taskID, state: end.state, source: end.source, reason: end.reason, message: end.message,
            agentID: identity, executorID: task.stored.launch.executorID, timestamp: turn.now.wall,
            uuid: StatusUUID(using: &turn.generator), isHealthy: task.probes?.isHealthy,
            containerID: task.stored.containerID, addresses: task.addresses)
        status.checkResult = task.probes?.result
        status.readiness = task.probes?.readiness
        task.unstored.append(status)
    }

    /// Makes an update about the health of a running task.
    mutating func tell(
        _ id: ContainerID, _ reason: StatusReason, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard var task = tasks[id], task.progress.state == .running else { return }
        append(End(state: .running, source: .executor, reason: reason), to: &task, &turn)
        tasks[id] = task
        store(id, &turn)
    }

    /// Sends what was made to the disk, unless some is on its way already or a failed attempt is being waited out.
    private mutating func store(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], task.storingCount == 0, task.storeAgain == nil, !task.unstored.isEmpty else {
            return
        }
        guard task.isStored else {
            // The task itself is not on disk, so a restarted agent will not know it and cannot contradict this.
            tasks[id]?.storingCount = task.unstored.count
            updatesStored(id, &turn)
            return
        }
        tasks[id]?.storingCount = task.unstored.count
        turn.effects.append(.storeUpdates(id, task.unstored))
    }

    mutating func updatesStored(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id], task.storingCount > 0 else { return }
        let stored = task.unstored.prefix(task.storingCount)
        task.unstored.removeFirst(task.storingCount)
        task.storingCount = 0
        task.storePause = settings.firstStorePause
        task.history.append(contentsOf: stored)
        task.reported = stored.last ?? task.reported
        let due = stored.compactMap { task.stream.append($0, now: turn.now.elapsed) }
        tasks[id] = task
        for status in due { send(status, of: id, &turn) }
        if let end = task.stream.pending.last, end.state.isTerminal, task.stream.pending.count > 1, let openSession {
            // The end waits behind updates that nobody has acknowledged; what the task used need not wait with it.
            turn.effects.append(.send(.ended(task.key, end.state), session: openSession))
        }
        store(id, &turn)
        schedule(id)
    }

    /// A full disk, mostly: the task goes on, and what it has to say waits.
    mutating func updatesStoreFailed(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id], task.storingCount > 0 else { return }
        task.storingCount = 0
        task.storeAgain = turn.now.elapsed + task.storePause
        task.storePause = min(task.storePause * 2, settings.longestStorePause)
        tasks[id] = task
        schedule(id)
    }

    func send(_ status: TaskStatus, of id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], let openSession else { return }
        turn.effects.append(
            .send(.status(task.key, status, directory: task.stored.directory), session: openSession))
    }

    mutating func acknowledge(_ key: TaskKey, _ uuid: StatusUUID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let id = containers[key], var task = tasks[id] else { return }
        let outcome = task.stream.acknowledge(uuid, now: turn.now.elapsed)
        tasks[id] = task
        switch outcome {
        case .ignored: break
        case .accepted(let next):
            // Before the next one is sent: a restarted agent must not send an older update after a newer one.
            if task.isStored { turn.effects.append(.storeAcknowledgement(id, uuid)) }
            if let next { send(next, of: id, &turn) }
            schedule(id)
        case .finished: isLastOrSingle(id) ? forget(id, &turn) : keepDone(id, uuid, &turn)
        }
    }

    /// The framework knows the end: only the work directory stays for a while.
    mutating func forget(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        let isAlone = members(id).count <= 1
        guard let task = tasks.removeValue(forKey: id) else { return }
        // The id may have been used again while the rest of the group went on.
        if containers[task.key] == id { containers[task.key] = nil }
        turn.effects.append(.forgetTask(id))
        // A refused task has no directory, and the text of its ids must not become part of a path.
        guard task.refusal == nil else { return }
        if isAlone { keep(task, &turn) }
        if !task.isDone { complete(task) }
    }

    /// Keeps the work directory of an ended task for a while, or that of its group.
    mutating func keep(_ task: AgentTask, _ turn: inout Turn<some RandomNumberGenerator>) {
        let path = task.stored.groupDirectory ?? task.stored.directory
        kept.append(EndedWorkDirectory(path: path, endedAt: turn.now.wall))
    }

    mutating func complete(_ task: AgentTask) {
        completed.append(Self.view(task))
        if completed.count > max(settings.keptWorkDirectories, 0) { completed.removeFirst() }
    }

    /// What is due for one task.
    mutating func expire(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id] else { return }
        let now = turn.now.elapsed
        let again = task.stream.resend(now: now)
        if let due = task.storeAgain, due <= now { task.storeAgain = nil }
        tasks[id] = task
        if let again { send(again, of: id, &turn) }
        store(id, &turn)
        expireProbes(id, &turn)
        if let due = task.completionDeadline, due <= now {
            killTask(id, cause: .maxCompletionTime, grace: task.gracePeriod(settings), &turn)
        }
        if let due = task.drainDeadline, due <= now { endDrain(id, &turn) }
        if let due = task.killDeadline, due <= now {
            let words = "it did not end within its grace period, its processes were killed"
            destroy(id, then: Self.killedEnd(task, words, now: turn.now), &turn)
        }
        if let due = task.launchDeadline, due <= now {
            let words = "its monitor did not start the command within \(settings.launchTimeout.inSeconds) s"
            destroy(id, then: task.kill == nil ? .launchFailed(words) : .killedDuringLaunch(words), &turn)
        }
    }

    /// Removes work directories that are too old or too many.
    mutating func collectGarbage(_ turn: inout Turn<some RandomNumberGenerator>) {
        while let oldest = kept.first,
            kept.count > max(settings.keptWorkDirectories, 0) || oldest.endedAt + settings.keptFor <= turn.now.wall
        {
            turn.effects.append(.removeWorkDirectory(path: oldest.path))
            kept.removeFirst()
        }
    }
}
