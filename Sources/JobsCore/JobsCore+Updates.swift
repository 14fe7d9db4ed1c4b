internal import ClusterModel

extension JobsCore {
    // MARK: the stream

    mutating func connected(_ id: FrameworkID) {
        framework = id
        isConnected = true
        isSuppressed = false
        sweepAt = now.elapsed + settings.sweepInterval
        for task in tasks.keys { tasks[task]?.askAt = now.elapsed + settings.askInterval }
        call(.reconcile([]))
        let known = tasks.keys.sorted().map { SchedulerCall.TaskQuery(task: $0, agent: tasks[$0]?.agent) }
        if !known.isEmpty { call(.reconcile(known)) }
        for (task, clock) in tasks.sorted(by: { $0.key < $1.key }) {
            if clock.run.flatMap({ runs[$0]?.isStopping }) ?? true { kill(task) }
        }
    }

    mutating func disconnected() {
        isConnected = false
        sweepAt = nil
        // What the master says after this is said by another life of it.
        for task in tasks.keys { tasks[task]?.unknownSince = nil }
    }

    /// The master has ended all tasks with the framework.
    mutating func removed() {
        isConnected = false
        framework = nil
        for (task, clock) in tasks.sorted(by: { $0.key < $1.key }) {
            tasks[task] = nil
            guard let id = clock.run, let run = runs[id] else { continue }
            taskEnded(run, .gone, "the framework was removed")
        }
    }

    mutating func askAndKill() {
        if let at = sweepAt, at <= now.elapsed {
            sweepAt = now.elapsed + settings.sweepInterval
            call(.reconcile([]))
        }
        var queries: [SchedulerCall.TaskQuery] = []
        for (task, clock) in tasks.sorted(by: { $0.key < $1.key }) {
            if let at = clock.askAt, at <= now.elapsed {
                queries.append(SchedulerCall.TaskQuery(task: task, agent: clock.agent))
                tasks[task]?.askAt = now.elapsed + settings.askInterval
            }
            if let at = clock.killAt, at <= now.elapsed { kill(task) }
        }
        if !queries.isEmpty { call(.reconcile(queries)) }
    }

    // MARK: statuses

    mutating func update(_ status: TaskStatus) {
        defer {
            // Last, so that it is said after everything that it led to is stored.
            if let uuid = status.uuid, let agent = status.agentID {
                call(.acknowledge(agent: agent, task: status.taskID, uuid: uuid))
            }
        }
        guard let clock = tasks[status.taskID] else {
            // A task of a run that is over, or of a life whose store was lost.
            if !status.state.isTerminal, status.state != .unknown {
                tasks[status.taskID] = TaskClock(run: nil, agent: status.agentID ?? AgentID(""))
                call(.kill(task: status.taskID, agent: status.agentID, gracePeriod: nil))
                tasks[status.taskID]?.killAt = now.elapsed + settings.killInterval
            }
            return
        }
        guard status.state != .unknown else {
            unknown(status.taskID, clock)
            return
        }
        tasks[status.taskID]?.askAt = nil
        tasks[status.taskID]?.unknownSince = nil
        guard let id = clock.run, let run = runs[id] else {
            if status.state.isTerminal { tasks[status.taskID] = nil }
            return
        }
        if status.state.isTerminal {
            tasks[status.taskID] = nil
            taskEnded(run, status.state, status.message, at: status.timestamp)
        } else {
            heard(run, status)
        }
    }

    /// The master does not know a task. It may not know it yet: after a restart it learns from agents what runs.
    private mutating func unknown(_ task: TaskID, _ clock: TaskClock) {
        let since = clock.unknownSince ?? now.elapsed
        tasks[task]?.unknownSince = since
        guard now.elapsed - since >= settings.unknownFor else {
            tasks[task]?.askAt = now.elapsed + settings.askInterval
            return
        }
        tasks[task] = nil
        guard let id = clock.run, let run = runs[id] else { return }
        let isConfirmed = run.tasks.last?.isConfirmed ?? false
        taskEnded(run, isConfirmed ? .gone : .dropped, "nobody knows the task any more")
    }

    /// A sign of life.
    private mutating func heard(_ before: JobRun, _ status: TaskStatus) {
        guard var task = before.tasks.last, task.id == status.taskID else { return }
        // That it is staged is the master's knowledge, not yet an agent's; it shows that the offer was taken.
        let isNew = !task.isConfirmed || task.state != status.state
        guard isNew else { return }
        var run = before
        task.isConfirmed = true
        task.state = status.state
        task.message = status.message
        run.tasks[run.tasks.count - 1] = task
        if run.status == .starting {
            run.status = .active
            clocks[run.id]?.launchBy = nil
        }
        begin()
        put(run)
    }

    /// The task of a run is over.
    mutating func taskEnded(_ before: JobRun, _ state: TaskState, _ message: String?, at time: UnixTime? = nil) {
        var run = before
        idle.insert(run.id)
        if var task = run.tasks.last {
            task.state = state
            task.message = message
            task.isOver = true
            task.completedAt = time ?? now.wall
            run.tasks[run.tasks.count - 1] = task
        }
        let reason = message.map { "\(state.wireName): \($0)" } ?? state.wireName
        switch state {
        case .finished: finish(run, .success, nil)
        case .dropped:
            runs[run.id] = run
            attemptEnded(run, failed: false, reason)
        default:
            run.status = .active
            runs[run.id] = run
            attemptEnded(run, failed: true, reason)
        }
    }
}
