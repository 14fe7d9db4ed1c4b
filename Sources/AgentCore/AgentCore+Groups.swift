internal import ClusterModel
internal import TaskLifecycle

// Task groups. Their tasks are stored before any of them is begun, start together once all has been fetched, and share
// their fate: when one ends otherwise than well, the others are killed. What is known of one stays on the disk until all
// have ended. So a restarted agent that misses one of a group knows that none was begun.
extension AgentCore {
    /// Takes a group in, all of its tasks or none.
    mutating func runGroup(_ launches: [TaskLaunch], _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let first = launches.first, let group = first.group, group.tasks == launches.map(\.task.taskID),
            Set(group.tasks).count == launches.count, launches.count <= TaskGroup.limit,
            launches.allSatisfy({ $0.group == group && $0.frameworkID == first.frameworkID }),
            // The same message again.
            !launches.contains(where: { containers[$0.key] != nil })
        else { return }
        let container = StatusUUID(using: &turn.generator).text
        let directory = "\(settings.workRoot)/\(first.frameworkID)/\(group.executorID)/\(container)"
        let refusal = refusal(of: launches, group)
        if refusal == nil { use.add(group.resources) }
        for (number, launch) in launches.enumerated() {
            let stored = StoredTask(
                launch: launch, containerID: ContainerID("\(container).\(number)"),
                directory: "\(directory)/tasks/\(launch.task.taskID)")
            take(stored, refusal: refusal, &turn)
        }
    }

    /// Why a group cannot run here.
    private func refusal(of launches: [TaskLaunch], _ group: TaskGroup) -> AgentTask.End? {
        let tasks = launches.map(\.task)
        if let defect = group.defect(with: tasks) { return .launchFailed(defect) }
        guard let total = group.total(tasks) else { return .launchFailed("the group's resources are too large") }
        for launch in launches {
            if let refusal = refusal(of: launch, wanting: total) { return refusal }
        }
        return nil
    }

    /// The tasks of a group that are kept, with the given one; none for a task on its own.
    func members(_ id: ContainerID) -> [ContainerID] {
        guard let stored = tasks[id]?.stored, let container = stored.groupContainer else { return [] }
        return (0..<(stored.launch.group?.tasks.count ?? 0)).lazy
            .map { ContainerID("\(container).\($0)") }.filter { tasks[$0] != nil }
    }

    /// Whether no other task of its group is still to end.
    func isLastOrSingle(_ id: ContainerID) -> Bool {
        members(id).allSatisfy { $0 == id || tasks[$0]?.isEnded == true }
    }

    /// Goes on with the tasks of a group once each is stored, or never will be.
    mutating func beginGroup(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        let members = members(id)
        guard members.allSatisfy({ tasks[$0].map { $0.isStored || $0.isEnded } ?? true }) else { return }
        for member in members where tasks[member]?.stage == .storing { begin(member, &turn) }
    }

    /// Gives back what the group of a task had beside its tasks; to be called once, when the last of them ends.
    mutating func releaseGroup(of task: AgentTask, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let group = task.stored.launch.group, let container = task.stored.groupContainer else { return }
        if task.refusal == nil { use.remove(group.resources) }
        turn.effects.append(.releaseGroup(container))
    }

    /// What the end of a task means for the rest of its group.
    mutating func endGroup(
        of id: ContainerID, _ end: AgentTask.End, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        let others = members(id).filter { $0 != id }
        guard let task = tasks[id], !others.isEmpty else { return }
        if end.state != .finished {
            kill(others, because: Self.words(on: task, end.state), &turn)
        }
        forgetDone(others, &turn)
    }

    private static func words(on task: AgentTask, _ state: TaskState) -> String {
        "task '\(task.stored.launch.task.taskID)' of its group has ended with \(state.wireName)"
    }

    private mutating func kill(
        _ ids: [ContainerID], because why: String, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        for id in ids {
            guard let task = tasks[id], !task.isEnded, task.kill == nil else { continue }
            killTask(id, cause: .group(why), grace: task.gracePeriod(settings), &turn)
        }
    }

    /// A task whose end is acknowledged is kept while the rest of its group goes on.
    mutating func keepDone(_ id: ContainerID, _ uuid: StatusUUID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id] else { return }
        if task.isStored { turn.effects.append(.storeAcknowledgement(id, uuid)) }
        containers[task.key] = nil
        tasks[id]?.isDone = true
        if task.refusal == nil { complete(task) }
    }

    /// Forgets those that are done once all of the group have ended.
    private mutating func forgetDone(_ ids: [ContainerID], _ turn: inout Turn<some RandomNumberGenerator>) {
        for id in ids where tasks[id]?.isDone == true && isLastOrSingle(id) { forget(id, &turn) }
    }

    // MARK: recovery

    /// Goes on with recovered groups once all that is left of them is there.
    mutating func resumeGroups(_ recovered: [RecoveredTask], _ turn: inout Turn<some RandomNumberGenerator>) {
        var groups: [ContainerID: [RecoveredTask]] = [:]
        for task in recovered {
            if let container = task.stored.groupContainer { groups[container, default: []].append(task) }
        }
        for container in groups.keys.sorted() { resumeGroup(groups[container] ?? [], &turn) }
    }

    private mutating func resumeGroup(_ recovered: [RecoveredTask], _ turn: inout Turn<some RandomNumberGenerator>) {
        let ids = recovered.map(\.stored.containerID).filter { tasks[$0] != nil }
        let live = ids.filter { tasks[$0]?.isEnded == false }
        guard let first = live.first, let group = tasks[first]?.stored.launch.group else {
            return forgetDone(ids, &turn)
        }
        use.add(group.resources)
        let failed = ids.compactMap { tasks[$0] }.first { $0.isEnded && $0.progress.state != .finished }
        let isWhole = ids.count == group.tasks.count
        for task in recovered where live.contains(task.stored.containerID) && task.container == .notLaunched {
            tasks[task.stored.containerID]?.stage = .storing
        }
        for task in recovered where live.contains(task.stored.containerID) && task.container != .notLaunched {
            // One before it may have taken it with itself.
            guard tasks[task.stored.containerID]?.isEnded == false else { continue }
            resume(task.stored.containerID, task.container, &turn)
        }
        if let failed {
            kill(live, because: Self.words(on: failed, failed.progress.state), &turn)
        } else if !isWhole {
            kill(live, because: "the agent was stopped before it had stored the whole group", &turn)
        }
        if let waiting = live.first(where: { tasks[$0]?.stage == .storing }) { beginGroup(waiting, &turn) }
    }
}
