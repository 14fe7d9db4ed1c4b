internal import ClusterModel
internal import TaskLifecycle

// From `run` to a running command.
extension AgentCore {
    mutating func run(_ launch: TaskLaunch, _ turn: inout Turn<some RandomNumberGenerator>) {
        // The same task again is the same message again: a task id is used once.
        guard containers[launch.key] == nil, launch.group == nil else { return }
        let container = ContainerID(StatusUUID(using: &turn.generator).text)
        let directory = "\(settings.workRoot)/\(launch.frameworkID)/\(launch.task.taskID)/\(container)"
        let stored = StoredTask(launch: launch, containerID: container, directory: directory)
        take(stored, refusal: refusal(of: launch, wanting: launch.task.resources), &turn)
    }

    /// Begins with a task, or with telling why it cannot run.
    mutating func take(
        _ stored: StoredTask, refusal: AgentTask.End?, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        let launch = stored.launch
        var task = AgentTask(
            stored: stored, stage: .storing, agentID: identity, settings: settings, now: turn.now)
        task.refusal = refusal
        if refusal == nil { use.add(launch.task.resources) }
        if openSession != nil { _ = task.stream.connect(now: turn.now.elapsed) }
        tasks[stored.containerID] = task
        containers[launch.key] = stored.containerID
        turn.effects.append(.storeTask(stored))
    }

    /// Why a task cannot run here. The master checks the same; an agent trusts nobody with its machine.
    func refusal(of launch: TaskLaunch, wanting resources: Resources) -> AgentTask.End? {
        if closing != nil { return .killedDuringLaunch("the agent is leaving the cluster") }
        if let defect = launch.frameworkID.defect { return .launchFailed("the framework's id \(defect)") }
        if let defect = launch.task.taskID.defect { return .launchFailed("the task's id \(defect)") }
        if launch.task.command == nil { return .launchFailed("the task has no command") }
        if let defect = launch.task.container?.defect ?? launch.task.isolationDefect { return .launchFailed(defect) }
        if let short = use.shortage(for: resources, of: settings.info.resources) {
            return .launchFailed("the agent does not have the task's resources: \(short)")
        }
        return nil
    }

    mutating func taskStored(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id], task.stage == .storing else { return }
        task.isStored = true
        tasks[id] = task
        if task.stored.groupContainer == nil { begin(id, &turn) } else { beginGroup(id, &turn) }
    }

    /// Goes on with a stored task whose container is not there yet.
    mutating func begin(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id] else { return }
        if let refusal = task.refusal {
            end(id, refusal, &turn)
        } else if task.kill != nil {
            end(id, killedBeforeStart(task), &turn)
        } else if !task.stored.launch.task.needsFetching {
            prepared(id, &turn)
        } else {
            tasks[id]?.stage = .fetching
            turn.effects.append(.fetch(task.stored))
        }
    }

    mutating func taskStoreFailed(
        _ id: ContainerID, _ reason: String, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard let task = tasks[id], task.stage == .storing else { return }
        let refusal = task.refusal ?? .launchFailed("the agent cannot store the task: \(reason)")
        let others = members(id).filter { $0 != id }
        end(id, refusal, &turn)
        if let other = others.first { beginGroup(other, &turn) }
    }

    mutating func fetched(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], task.stage == .fetching else { return }
        prepared(id, &turn)
    }

    /// All that a task needs is there; the tasks of a group start together.
    private mutating func prepared(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        tasks[id]?.stage = .ready
        let group = members(id)
        guard !group.contains(where: { tasks[$0]?.stage == .storing || tasks[$0]?.stage == .fetching }) else { return }
        for member in group.isEmpty ? [id] : group where tasks[member]?.stage == .ready { launch(member, &turn) }
    }

    func killedBeforeStart(_ task: AgentTask) -> AgentTask.End {
        if case .group(let why) = task.kill?.cause {
            return .killedDuringLaunch("killed before its command was started: \(why)")
        }
        return .killedDuringLaunch("killed before its command was started")
    }

    mutating func fetchFailed(_ id: ContainerID, _ reason: String, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], task.stage == .fetching else { return }
        end(id, .launchFailed(reason), &turn)
    }

    private mutating func launch(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id] else { return }
        task.stage = .launching
        task.launchDeadline = turn.now.elapsed + settings.launchTimeout
        tasks[id] = task
        turn.effects.append(.launch(task.stored))
        schedule(id)
    }

    mutating func launchFailed(_ id: ContainerID, _ reason: String, _ turn: inout Turn<some RandomNumberGenerator>) {
        // An adopted task counts as running although its monitor may still be at the start.
        guard let task = tasks[id], task.stage == .launching || task.stage == .running else { return }
        end(id, task.kill == nil ? .launchFailed(reason) : killedBeforeStart(task), &turn)
    }

    mutating func connected(_ id: ContainerID, _ addresses: [String]) { tasks[id]?.addresses = addresses }

    mutating func started(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id], task.stage == .launching else { return }
        task.stage = .running
        task.launchDeadline = nil
        if let limit = task.stored.launch.task.maxCompletionTime {
            task.completionDeadline = turn.now.elapsed + max(limit, .zero)
        }
        tasks[id] = task
        beginProbes(id, startedAt: turn.now.elapsed, &turn)
        report(id, [.starting, .running], &turn)
        if let kill = task.kill { sendKill(id, kill.grace, &turn) }
        schedule(id)
    }
}
