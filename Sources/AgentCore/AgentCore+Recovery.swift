internal import ClusterModel
internal import TaskLifecycle

// A restarted agent takes up what its earlier life left on the disk and what the monitors say.
extension AgentCore {
    mutating func recover(
        _ identity: AgentID?, _ recovered: [RecoveredTask], _ ended: [EndedWorkDirectory],
        _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard link == .off, session == 0 else { return }
        self.identity = identity
        kept = ended.sorted { ($0.endedAt, $0.path) < ($1.endedAt, $1.path) }
        var groups: [RecoveredTask] = []
        for task in recovered.sorted(by: { $0.stored.containerID < $1.stored.containerID })
        where adopt(task, &turn) {
            groups.append(task)
        }
        resumeGroups(groups, &turn)
        connect(&turn)
    }

    /// Takes up a task.
    ///
    /// - Returns: whether it is one of a group, which goes on once all of them are there.
    private mutating func adopt(
        _ recovered: RecoveredTask, _ turn: inout Turn<some RandomNumberGenerator>
    ) -> Bool {
        let id = recovered.stored.containerID
        var task = AgentTask(
            stored: recovered.stored, stage: .running, agentID: identity, settings: settings, now: turn.now)
        task.isStored = true
        task.addresses = recovered.addresses
        task.history = recovered.updates
        task.reported = recovered.updates.last ?? task.reported
        for update in recovered.updates { _ = task.progress.advance(to: update.state) }
        let pending = recovered.updates.filter { update in
            update.uuid.map { !recovered.acknowledged.contains($0) } ?? false
        }
        task.stream = StatusUpdateStream(pending: pending, schedule: settings.resend)
        let isGrouped = task.stored.groupContainer != nil
        let hasEnded = task.progress.state.isTerminal
        task.isDone = isGrouped && hasEnded && pending.isEmpty
        // Without an id no master knows the task: it belongs to an agent that was sent away.
        guard identity != nil, task.isDone || containers[task.key] == nil else {
            turn.effects += [.destroy(id), .forgetTask(id)]
            keep(task, &turn)
            return false
        }
        if hasEnded { task.stage = .ended }
        tasks[id] = task
        if task.isDone {
            complete(task)
            return true
        }
        containers[task.key] = id
        if hasEnded {
            // It was stopped between the last acknowledgement and the removal.
            if pending.isEmpty { forget(id, &turn) }
            return isGrouped
        }
        use.add(task.stored.launch.task.resources)
        if !isGrouped { resume(id, recovered.container, &turn) }
        return isGrouped
    }

    mutating func resume(
        _ id: ContainerID, _ container: RecoveredTask.Container, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        switch container {
        case .notLaunched: begin(id, &turn)
        case .running:
            if let task = tasks[id] { beginProbes(id, startedAt: turn.now.elapsed - age(of: task, turn.now), &turn) }
            report(id, [.starting, .running], &turn)
            scheduleCompletion(id, &turn)
        case .ended(let result):
            report(id, [.starting, .running], &turn)
            ended(id, result, &turn)
        case .launchFailed(let reason): launchFailed(id, reason, &turn)
        case .lost(let reason): monitorLost(id, reason, &turn)
        }
    }

    /// What is left of the task's time, by the time of day, as the monotonic clock has another origin now.
    private mutating func scheduleCompletion(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], let limit = task.stored.launch.task.maxCompletionTime else { return }
        let left = max(limit - age(of: task, turn.now), .zero)
        tasks[id]?.completionDeadline = turn.now.elapsed + left
        schedule(id)
    }

    /// How long a task's command runs.
    private func age(of task: AgentTask, _ now: Moment) -> Duration {
        let since = task.history.first { $0.state == .running }?.timestamp ?? now.wall
        return .nanoseconds(max(0, now.wall.nanoseconds.subtractingClamped(since.nanoseconds)))
    }
}

extension Int64 {
    /// The difference, held at the ends of the representable range.
    fileprivate func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (self < other ? .min : .max) : difference
    }
}
