internal import ClusterModel
internal import TaskLifecycle

// Health checks and checks of running tasks.
extension AgentCore {
    /// Updates that name no new state wait for so long for each update that there was before, so that a task whose
    /// health comes and goes does not fill the disk.
    private static let pausePerUpdate = Duration.milliseconds(10)

    /// Begins to probe a task whose command runs.
    mutating func beginProbes(_ id: ContainerID, startedAt: Duration, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard let task = tasks[id], task.kill == nil else { return }
        tasks[id]?.probes = TaskProbes(
            task.stored.launch.task, startedAt: startedAt, now: turn.now.elapsed, history: task.history)
        schedule(id)
    }

    /// Makes the probes that are due, and tells what is news.
    mutating func expireProbes(_ id: ContainerID, _ turn: inout Turn<some RandomNumberGenerator>) {
        guard var task = tasks[id], task.stage == .running, task.kill == nil else { return }
        for (role, probe) in task.probes?.takeDue(now: turn.now.elapsed) ?? [] {
            turn.effects.append(.probe(ProbeRequest(task: task.stored, role: role, probe: probe)))
        }
        var reason: StatusReason?
        if let due = task.probes?.newsDue, due <= turn.now.elapsed {
            reason = task.probes?.news
            task.probes?.news = nil
            task.probes?.newsDue = nil
        }
        tasks[id] = task
        if let reason { tell(id, reason, &turn) }
    }

    mutating func probed(
        _ id: ContainerID, _ role: ProbeRole, _ found: ProbeFinding, _ turn: inout Turn<some RandomNumberGenerator>
    ) {
        guard var task = tasks[id], task.stage == .running, task.kill == nil, var probes = task.probes else { return }
        let now = turn.now.elapsed
        probes.repeatAfter(role, now: now)
        var failures: UInt32?
        var reason: StatusReason?
        switch role {
        case .health(let index):
            guard probes.judges.indices.contains(index), let probe = probes.probe(role) else { return }
            let before = probes.isHealthy
            let isWell = found.result.map { probe.isWell($0) } ?? false
            if case .end(let count) = probes.judges[index].take(isWell: isWell, now: now) {
                failures = count
            } else if probes.isHealthy != before {
                reason = .taskHealthCheckStatusUpdated
            }
        case .check:
            let result = found.result ?? probes.probe(role)?.nothing
            if result != probes.result { reason = .taskCheckStatusUpdated }
            probes.result = result
        case .readiness:
            guard let probe = probes.probe(role) else { return }
            var readiness = TaskReadiness(
                isReady: found.result.map { probe.isWell($0) } ?? false, answer: found.answer)
            if case .http(let status)? = found.result { readiness.status = status }
            if readiness != probes.readiness { reason = .taskCheckStatusUpdated }
            probes.readiness = readiness
            if readiness.isReady { probes.end(role) }
        }
        if let reason {
            probes.news = reason
            probes.newsDue = probes.newsDue ?? now + Self.pausePerUpdate * task.history.count
        }
        task.probes = probes
        tasks[id] = task
        if let failures {
            tell(id, .taskHealthCheckStatusUpdated, &turn)
            let cause = AgentTask.KillCause.unhealthy(
                "\(failures) health checks in a row failed, the last one: \(found.words)")
            killTask(id, cause: cause, grace: task.gracePeriod(settings), &turn)
        }
        expireProbes(id, &turn)
        schedule(id)
    }
}
