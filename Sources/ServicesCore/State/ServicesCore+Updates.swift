internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// The master says something.
    mutating func take(_ event: SchedulerEvent) {
        switch event {
        case .subscribed(let id, _, let master): connect(id, master)
        case .offers(let offers): match(offers)
        case .update(let status): take(status)
        case .error(let text): leave(text)
        // Offers are answered at once, so none is held; what became of tasks is said by updates.
        case .rescind, .message, .failure, .operation, .heartbeat: break
        }
    }

    mutating func take(_ status: TaskStatus) {
        defer { acknowledge(status) }
        guard let id = taskOwners[status.taskID] else { return takeUnknown(status) }
        guard var instance = instances[id],
            let index = instance.tasks.firstIndex(where: { $0.record.id == status.taskID })
        else { return }
        let before = instance.condition
        unsettled.remove(id)
        instance.isHeard = true
        note(status, in: &instance, index)
        instances[id] = instance
        publish(.statusUpdate(instance.record, instance.tasks[index], status))
        switch status.state {
        case .unreachable: becomeUnreachable(id, status)
        case .unknown:
            // The master has never heard of it, or its agent was given up and is not expected any more.
            finish(id, status)
            return
        default: comeBack(id)
        }
        guard let changed = instances[id] else { return }
        if changed.hasEnded { return finish(id, status) }
        if status.state.isTerminal, status.state != .finished { endTogether(id) }
        afterUpdate(id, before)
    }

    private mutating func acknowledge(_ status: TaskStatus) {
        guard let uuid = status.uuid, let agent = status.agentID else { return }
        call(.acknowledge(agent: agent, task: status.taskID, uuid: uuid))
    }

    private func note(_ status: TaskStatus, in instance: inout Instance, _ index: Int) {
        var task = instance.tasks[index]
        if task.state != status.state { task.changedAt = status.timestamp }
        task.state = status.state
        task.message = status.message
        if !status.addresses.isEmpty { task.addresses = status.addresses }
        if let container = status.containerID { task.containerID = container }
        if status.state == .running {
            if task.startedAt == nil { task.startedAt = status.timestamp }
            if instance.runningSince == nil, instance.tasks.allSatisfy({ $0.state != nil }) {
                instance.runningSince = now.elapsed
            }
        }
        if let isHealthy = status.isHealthy {
            // What is said again in answer to a question is no further result.
            if task.isHealthy != isHealthy || !isHealthy && status.reason != .reconciliation {
                if task.health.isEmpty { task.health.append(HealthView()) }
                task.health[0].note(
                    HealthReport(task: status.taskID, isHealthy: isHealthy, cause: status.message, at: status.timestamp)
                )
            }
            task.isHealthy = isHealthy
        }
        if let found = status.readiness {
            let definition = services[instance.record.service]?.definitions[instance.record.version]
            var report = ReadinessReport(task: status.taskID, isReady: found.isReady)
            report.name = definition?.readinessCheck?.name ?? report.name
            if let answer = found.answer, let status = found.status {
                report.response = ReadinessReport.Response(
                    status: Int(status), contentType: answer.contentType, body: answer.body)
            }
            task.readiness = report
        }
        instance.tasks[index] = task
    }

    /// What follows from an instance's new state while it lives.
    private mutating func afterUpdate(_ id: InstanceID, _ before: InstanceCondition) {
        guard let instance = instances[id] else { return }
        recount(id)
        if instance.condition != before { publish(.instanceChanged(instance.record, instance.condition)) }
        if instance.isHealthy != nil, instance.facet.counts.healthy + instance.facet.counts.unhealthy == 1,
            before != instance.condition
        {
            publish(.instanceHealthChanged(instance.record, isHealthy: instance.isHealthy))
        }
        noteReadiness(of: id)
    }

    private mutating func becomeUnreachable(_ id: InstanceID, _ status: TaskStatus) {
        guard var instance = instances[id] else { return }
        if instance.record.isStopping { return giveUp(id) }
        if instance.unreachableSince == nil {
            instance.unreachableSince = now.elapsed
            instance.unreachableAt = status.timestamp
            instances[id] = instance
        }
        checkUnreachable(id)
    }

    /// Carries out the unreachable strategy, as far as its times have come.
    mutating func checkUnreachable(_ id: InstanceID) {
        guard let instance = instances[id], let since = instance.unreachableSince else { return }
        let state = services[instance.record.service]
        let strategy = (state?.goal?.workload ?? state?.definitions[instance.record.version])?.unreachableStrategy
        guard case .enabled(let inactive, let expunge) = strategy ?? .standard else { return }
        let expungeAt = since + Duration.clamped(seconds: Double(expunge))
        if expungeAt <= now.elapsed { return giveUp(id) }
        timers.add(.instance(id), at: expungeAt)
        let inactiveAt = since + Duration.clamped(seconds: Double(inactive))
        if inactiveAt <= now.elapsed {
            if instance.isInactive { return }
            instances[id]?.isInactive = true
            recount(id)
            publish(.instanceChanged(instance.record, .unreachableInactive))
        } else {
            timers.add(.instance(id), at: inactiveAt)
        }
    }

    /// An instance was out of reach, and something else is heard of it.
    private mutating func comeBack(_ id: InstanceID) {
        guard instances[id]?.unreachableSince != nil else { return }
        instances[id]?.unreachableSince = nil
        instances[id]?.unreachableAt = nil
        instances[id]?.isInactive = false
    }

    /// A container of a pod ended badly: the others end with it.
    private mutating func endTogether(_ id: InstanceID) {
        guard let instance = instances[id], instance.tasks.count > 1, !instance.record.isStopping else { return }
        noteFailure(of: instance)
        kill(id, because: .scaled)
    }

    /// An instance has ended.
    private mutating func finish(_ id: InstanceID, _ status: TaskStatus) {
        guard let instance = instances[id] else { return }
        if !instance.record.isStopping { note(failure: status, of: instance) }
        remove(id)
        let condition = status.state == .unknown ? .unknown : instance.condition
        publish(.instanceChanged(instance.record, condition))
    }

    private mutating func note(failure status: TaskStatus, of instance: Instance) {
        switch status.state {
        case .failed, .error, .finished, .killed, .dropped: noteFailure(of: instance)
        case .lost, .gone, .goneByOperator, .unknown: break
        case .staging, .starting, .running, .killing, .unreachable: return
        }
        let worst = instance.tasks.first { $0.state == .failed || $0.state == .error }
        services[instance.record.service]?.lastFailure = TaskFailure(
            task: worst?.record.id ?? status.taskID, instance: instance.id, state: worst?.state ?? status.state,
            message: worst?.message ?? status.message ?? "", hostname: instance.record.hostname,
            agentID: instance.record.agentID, timestamp: status.timestamp, version: instance.record.version)
    }

    // MARK: tasks that nobody knows

    /// A task that was given up, or one of a service that was removed. It is not to run beside its successor.
    private mutating func takeUnknown(_ status: TaskStatus) {
        switch status.state {
        case .staging, .starting, .running, .killing:
            // Once, and then by the timer: a master that cannot reach the agent answers a kill with such a status.
            if strangers.updateValue(status.agentID, forKey: status.taskID) == nil,
                now.elapsed >= recoveryEnd || abandoned.contains(status.taskID)
            {
                call(.kill(task: status.taskID, agent: status.agentID, gracePeriod: nil))
                timers.add(.strangers, at: now.elapsed + settings.killRetry)
            }
        case .unreachable, .unknown: strangers[status.taskID] = nil
        case .finished, .failed, .killed, .error, .dropped, .gone, .goneByOperator, .lost:
            strangers[status.taskID] = nil
            publish(.unknownInstanceTerminated(status.taskID, Instance.condition(of: status.state)))
        }
    }

    mutating func killStrangers() {
        if strangers.isEmpty { return }
        for (task, agent) in strangers.sorted(by: { $0.key < $1.key }) {
            call(.kill(task: task, agent: agent, gracePeriod: nil))
        }
        nextStrangers = now.elapsed + settings.killRetry
        timers.add(.strangers, at: nextStrangers)
    }

    // MARK: health

    mutating func take(_ report: HealthReport) {
        guard let id = taskOwners[report.task], var instance = instances[id],
            let index = instance.tasks.firstIndex(where: { $0.record.id == report.task }),
            let workload = services[instance.record.service]?.definitions[instance.record.version],
            let limits = HealthLimits(workload, instance.tasks[index].record.container, report.check)
        else { return }
        var task = instance.tasks[index]
        while task.health.count < limits.checks { task.health.append(HealthView()) }
        let wasHealthy = task.isHealthy
        task.health[report.check].note(report)
        let failures = task.health[report.check].consecutiveFailures
        let inGrace =
            task.health[report.check].firstSuccess == nil
            && report.at < (task.startedAt ?? report.at) + limits.grace
        if report.isHealthy || !inGrace { task.isHealthy = task.verdict }
        instance.tasks[index] = task
        instances[id] = instance
        if !report.isHealthy { publish(.failedHealthCheck(instance.record, report.task, check: report.check)) }
        if task.isHealthy != wasHealthy {
            if let isAlive = task.isHealthy {
                publish(.healthStatusChanged(instance.record, report.task, isAlive: isAlive))
            }
            publish(.instanceHealthChanged(instance.record, isHealthy: instance.isHealthy))
        }
        recount(id)
        if !report.isHealthy, !inGrace, limits.failuresMax > 0, failures >= limits.failuresMax,
            !instance.record.isStopping
        {
            publish(.unhealthyInstanceKill(instance.record, report.task, reason: report.cause ?? "health check failed"))
            kill(id, because: .unhealthy)
        }
    }
}

/// What a definition says about one of its health checks.
struct HealthLimits {
    var checks: Int
    var grace: Duration
    var failuresMax: Int

    /// nil when there is no such check.
    init?(_ workload: Workload, _ container: String?, _ check: Int) {
        switch workload {
        case .service(let service):
            guard service.healthChecks.indices.contains(check) else { return nil }
            checks = service.healthChecks.count
            grace = .seconds(service.healthChecks[check].gracePeriodSeconds)
            failuresMax = service.healthChecks[check].maxConsecutiveFailures
        case .pod(let pod):
            let found = pod.containers.first { $0.name == container }?.healthCheck
            guard check == 0, let found else { return nil }
            checks = 1
            grace = .seconds(found.gracePeriodSeconds)
            failuresMax = found.maxConsecutiveFailures
        }
    }
}

extension HealthView {
    mutating func note(_ report: HealthReport) {
        isAlive = report.isHealthy
        if report.isHealthy {
            consecutiveFailures = 0
            if firstSuccess == nil { firstSuccess = report.at }
            lastSuccess = report.at
        } else {
            consecutiveFailures += 1
            lastFailure = report.at
            lastFailureCause = report.cause
        }
    }
}

extension TaskView {
    /// Healthy when all checks passed, unhealthy when one failed; not known before each was done once.
    var verdict: Bool? {
        if health.contains(where: { !$0.isAlive && $0.consecutiveFailures > 0 }) { return false }
        return health.allSatisfy(\.isAlive) ? true : nil
    }
}
