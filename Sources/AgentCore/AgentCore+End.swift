internal import ClusterModel
internal import TaskLifecycle

// From a kill or an end to the last update.
extension AgentCore {
    mutating func kill(
        _ key: TaskKey, grace: Duration?, drain: Duration? = nil, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard let id = containers[key], let task = tasks[id] else { return }
        let grace = task.gracePeriod(settings, asked: grace)
        guard let drain, drain > .zero, task.stage == .running, task.stored.launch.wantsKillingState else {
            return killTask(id, cause: .requested, grace: grace, &turn)
        }
        // It is on its way to its end; the second wish is no shorter one.
        if task.kill != nil { return }
        tasks[id]?.kill = (.requested, grace)
        tasks[id]?.drainDeadline = turn.now.elapsed + min(drain, settings.longestGracePeriod)
        report(id, [.killing], &turn)
        schedule(id)
    }

    /// Whoever wanted to know that the task is being ended knows it by now.
    mutating func endDrain(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], task.stage == .running, let grace = task.kill?.grace else { return }
        sendKill(id, grace, &turn)
    }

    mutating func shutDown(_ framework: FrameworkID, _ turn: inout Turn<some RandomNumberGenerator>) {
        for key in containers.keys.sorted() where key.framework == framework { kill(key, grace: nil, &turn) }
    }

    mutating func killTask(
        _ id: ContainerID, cause: AgentTask.KillCause, grace: Duration, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard var task = tasks[id] else { return }
        // The first cause is the one that is reported; a later kill only changes how long is waited.
        task.kill = (task.kill?.cause ?? cause, grace)
        tasks[id] = task
        switch task.stage {
        case .storing, .launching, .destroying, .ended: break
        case .fetching:
            turn.effects.append(.cancelFetch(id))
            end(id, killedBeforeStart(task), &turn)
        case .ready: end(id, killedBeforeStart(task), &turn)
        case .running: sendKill(id, grace, &turn)
        }
    }

    mutating func sendKill(_ id: ContainerID, _ grace: Duration, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id] else { return }
        if task.stored.launch.wantsKillingState, task.kill?.cause != .maxCompletionTime {
            report(id, [.killing], &turn)
        }
        let deadline = turn.now.elapsed + grace + settings.killSlack
        tasks[id]?.killDeadline = min(task.killDeadline ?? deadline, deadline)
        tasks[id]?.completionDeadline = nil
        tasks[id]?.drainDeadline = nil
        turn.effects.append(.kill(id, gracePeriod: grace))
        schedule(id)
    }

    mutating func ended(_ id: ContainerID, _ result: ContainerEnd, _ turn: inout Turn<some RandomNumberGenerator>) {
        // A short command can be over before its start was told.
        if tasks[id]?.stage == .launching { started(id, &turn) }
        guard let task = tasks[id], task.stage == .running else { return }
        tasks[id]?.waitStatus = result.waitStatus
        end(id, Self.verdict(on: task, result, now: turn.now), &turn)
    }

    mutating func monitorLost(_ id: ContainerID, _ reason: String, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], task.stage == .running || task.stage == .launching else { return }
        destroy(id, then: Self.verdict(onLoss: task, reason), &turn)
    }

    mutating func destroy(
        _ id: ContainerID, then end: AgentTask.End, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard var task = tasks[id] else { return }
        task.stage = .destroying(end)
        task.killDeadline = nil
        task.drainDeadline = nil
        task.launchDeadline = nil
        task.completionDeadline = nil
        tasks[id] = task
        turn.effects.append(.destroy(id))
    }

    mutating func destroyed(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], case .destroying(let end) = task.stage else { return }
        self.end(id, end, &turn)
    }

    /// Makes the last update of a task.
    mutating func end(_ id: ContainerID, _ end: AgentTask.End, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id], !task.isEnded else { return }
        if task.refusal == nil { use.remove(task.stored.launch.task.resources) }
        task.stage = .ended
        task.killDeadline = nil
        task.drainDeadline = nil
        task.launchDeadline = nil
        task.completionDeadline = nil
        tasks[id] = task
        if isLastOrSingle(id) { releaseGroup(of: task, &turn) }
        report(id, end, &turn)
        endGroup(of: id, end, &turn)
    }

    /// What an ended command means.
    static func verdict(on task: AgentTask, _ result: ContainerEnd, now: Moment) -> AgentTask.End {
        let status = WaitStatus(result.waitStatus)
        let words = "Command \(status.text)" + (result.message.map { ": \($0)" } ?? "")
        let wasKilled = result.isKilledByRequest
        if result.isOutOfMemory, status != .exited(0), !wasKilled {
            let limit = task.stored.launch.task.resources.total("mem")
            return End(
                state: .failed, source: .agent, reason: .containerLimitationMemory,
                message: "memory limit of \(limit) MiB exceeded; \(words)")
        }
        if wasKilled { return killedEnd(task, words, now: now) }
        if status == .exited(0) { return End(state: .finished, source: .executor, message: words) }
        return End(state: .failed, source: .executor, reason: .commandExecutorFailed, message: words)
    }

    /// What it means that nobody knows how a command ended.
    static func verdict(onLoss task: AgentTask, _ reason: String) -> AgentTask.End {
        if task.kill != nil { return killedEnd(task, "its monitor was lost meanwhile: \(reason)", now: nil) }
        return End(
            state: .failed, source: .agent, reason: .executorTerminated,
            message: "the task's monitor was lost, its processes were killed: \(reason)")
    }

    /// The end of a task that the agent killed, by the cause.
    static func killedEnd(_ task: AgentTask, _ words: String, now: Moment?) -> AgentTask.End {
        switch task.kill?.cause {
        case .maxCompletionTime: return outOfTime(task, words)
        case .unhealthy(let why):
            return End(state: .killed, source: .executor, message: "killed because \(why); \(words)")
        case .group(let why): return End(state: .killed, source: .executor, message: "killed: \(why); \(words)")
        case .requested: return End(state: .killed, source: .executor, message: words)
        case .agentLeaves:
            return End(state: .killed, source: .agent, reason: .agentRemoved, message: "the agent left; \(words)")
        case nil:
            // The agent was restarted between the kill and the end, and only the clock can tell the two causes apart.
            let running = task.history.first { $0.state == .running }
            guard let limit = task.stored.launch.task.maxCompletionTime, let running, let now,
                running.timestamp + limit <= now.wall
            else { return End(state: .killed, source: .executor, message: words) }
            return outOfTime(task, words)
        }
    }

    private static func outOfTime(_ task: AgentTask, _ words: String) -> AgentTask.End {
        let limit = task.stored.launch.task.maxCompletionTime?.inSeconds ?? 0
        return End(
            state: .failed, source: .executor, reason: .maxCompletionTimeReached,
            message: "ran longer than its limit of \(limit) s; \(words)")
    }

    typealias End = AgentTask.End
}
