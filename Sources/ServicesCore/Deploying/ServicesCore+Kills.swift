internal import ClusterModel
internal import Deployments

/// Why an instance is ended.
enum KillReason: Sendable {
    /// There are too many.
    case scaled
    /// It is of an old configuration.
    case replaced
    /// Its service is removed.
    case removed
    /// Somebody asked for it.
    case asked
    /// It took too long to start.
    case overdue
    /// Its health checks fail.
    case unhealthy
}

extension ServicesCore {
    /// Ends an instance. That it is to end is stored before anybody is told, so that a restart does not choose another.
    mutating func kill(_ id: InstanceID, because reason: KillReason) {
        guard var instance = instances[id], !instance.record.isStopping else { return }
        if instance.unreachableSince != nil { return giveUp(id) }
        // What was asked for by name, and what serves nobody, ends at once.
        let isDrained =
            (reason == .scaled || reason == .replaced) && instance.standing == .good && instance.checksNeeded > 0
        instance.record.isStopping = true
        instance.killedAt = now.elapsed
        let drain = isDrained ? drain(of: instance) : nil
        // Telling it again would cut the drain short.
        instance.killPause = settings.killRetry + (drain ?? .zero)
        instances[id] = instance
        store(.putInstance(instance.record))
        if reason == .unhealthy || reason == .overdue { noteFailure(of: instance) }
        if instance.readiness == .waiting { instances[id]?.readiness = .notNeeded }
        recount(id)
        sendKill(id, drain: drain)
    }

    /// How long an instance that serves is only said to be on its way to its end; nil for not at all.
    private func drain(of instance: Instance) -> Duration? {
        // By the newest definition, so that one that takes too long can be made shorter.
        let workload = services[instance.record.service]?.goal?.workload
        let drain = workload?.drainSeconds.map { Duration.clamped(seconds: $0) } ?? settings.drain
        return drain > .zero ? drain : nil
    }

    /// Tells the master, and tells it again later if nothing comes of it.
    mutating func sendKill(_ id: InstanceID, drain: Duration? = nil) {
        guard let instance = instances[id] else { return }
        let workload = services[instance.record.service]?.definitions[instance.record.version]
        for task in instance.tasks where task.state?.isTerminal != true {
            let grace = workload?.killGracePeriodSeconds(of: task.record.container)
            call(
                .kill(
                    task: task.record.id, agent: instance.record.agentID,
                    gracePeriod: grace.map { .clamped(seconds: $0) }, drain: drain))
        }
        instances[id]?.killedAt = now.elapsed
        timers.add(.instance(id), at: now.elapsed + instance.killPause)
    }

    /// An instance that cannot be reached is not waited for. When it comes back, nobody knows it, and it is ended.
    mutating func giveUp(_ id: InstanceID) {
        guard let instance = instances[id] else { return }
        remove(id)
        if now.elapsed < recoveryEnd { abandoned.formUnion(instance.tasks.map(\.record.id)) }
        publish(.instanceChanged(instance.record, .unreachableInactive))
    }

    /// Ends old instances: first those that are not well.
    mutating func killOutdated(_ id: ServiceID, _ count: Int) {
        guard let goal = services[id]?.goal else { return }
        let found = (services[id]?.instances ?? []).compactMap { instances[$0] }
            .filter { $0.standing != .stopping && $0.record.configuration != goal.configuration }
        kill(found, count, goal, .replaced)
    }

    /// Ends what is too much.
    mutating func killExcess(_ id: ServiceID, _ count: Int, onlyCurrent: Bool) {
        guard let goal = services[id]?.goal else { return }
        let found = (services[id]?.instances ?? []).compactMap { instances[$0] }.filter { instance in
            instance.standing != .stopping && instance.standing != .inactive
                && (!onlyCurrent || instance.record.configuration == goal.configuration)
        }
        kill(found, count, goal, .scaled)
    }

    private mutating func kill(_ found: [Instance], _ count: Int, _ goal: ServiceState.Goal, _ reason: KillReason) {
        let chosen = KillChoice(goal).choose(count, of: found)
        for instance in chosen { kill(instance, because: reason) }
    }

    /// A service's instances fail: the next one waits.
    mutating func noteFailure(of instance: Instance) {
        let id = instance.record.service
        guard let strategy = services[id]?.goal?.workload.backoff else { return }
        let wasStable = instance.runningSince.map { now.elapsed - $0 >= settings.stableAfter } ?? false
        services[id]?.backoff.fail(
            strategy, launchedAt: instance.launchedAt, wasStable: wasStable, now: now.elapsed)
        dirty.insert(id)
        if services[id]?.toLaunch ?? 0 > 0 { wantOffers(for: id) }
    }
}

/// Chooses which instances end: those of an old configuration first, then those that serve least, then by the
/// service's wish; where instances shall be spread, those of the largest group before all that.
struct KillChoice {
    private let youngestFirst: Bool
    private let spreadOver: [String]

    private let configuration: ServiceVersion

    init(_ goal: ServiceState.Goal) {
        configuration = goal.configuration
        youngestFirst = goal.workload.killSelection == .youngestFirst
        spreadOver = goal.workload.constraints.filter { $0.condition == .groupBy }.map(\.field)
    }

    func choose(_ count: Int, of candidates: [Instance]) -> [InstanceID] {
        let sorted = candidates.sorted(by: isBefore)
        guard let field = spreadOver.first, count < sorted.count else { return sorted.prefix(count).map(\.id) }
        var groups: [String: [Instance]] = [:]
        for instance in sorted { groups[instance.record.value(of: field) ?? "", default: []].append(instance) }
        var chosen: [InstanceID] = []
        while chosen.count < count {
            let largest = groups.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }?.key
            guard let largest, let first = groups[largest]?.first else { break }
            groups[largest]?.removeFirst()
            chosen.append(first.id)
        }
        return chosen
    }

    private func isBefore(_ left: Instance, _ right: Instance) -> Bool {
        let isOld = left.record.configuration != configuration
        if isOld != (right.record.configuration != configuration) { return isOld }
        let (mine, other) = (rank(left), rank(right))
        if mine != other { return mine < other }
        let (begin, end) = (left.record.stagedAt, right.record.stagedAt)
        if begin != end { return youngestFirst ? end < begin : begin < end }
        return left.id < right.id
    }

    private func rank(_ instance: Instance) -> Int {
        switch instance.standing {
        case .inactive, .unreachable: 0
        case .unheard, .launching: 1
        case .running: 2
        case .good, .stopping: 3
        }
    }
}
