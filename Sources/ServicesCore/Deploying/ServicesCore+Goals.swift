internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// Gives a service another goal, and counts its instances anew.
    mutating func setGoal(_ goal: ServiceState.Goal, of id: ServiceID) {
        var state = services[id] ?? ServiceState(id: id)
        let old = state.goal
        state.goal = goal
        services[id] = state
        if old?.configuration != goal.configuration || old?.workload.constraints != goal.workload.constraints {
            countAnew(id)
        }
        dirty.insert(id)
    }

    private mutating func countAnew(_ id: ServiceID) {
        guard var state = services[id] else { return }
        state.tally = Tally()
        state.placements = PlacementIndex(fields: Set((state.goal?.workload.constraints ?? []).map(\.field)))
        for instanceID in state.instances {
            guard let instance = instances[instanceID] else { continue }
            let facet = Self.facet(of: instance, state.goal)
            instances[instanceID]?.facet = facet
            state.tally.change(facet, by: 1)
            if Self.isCurrent(instance, state.goal) { state.placements.change(instance.record, by: 1) }
        }
        services[id] = state
    }

    /// Whether an instance is of the goal's configuration. For constraints only such count: to replace others must be
    /// possible even where each takes a place for itself.
    private static func isCurrent(_ instance: Instance, _ goal: ServiceState.Goal?) -> Bool {
        goal.map { $0.configuration == instance.record.configuration } ?? true
    }

    private static func facet(of instance: Instance, _ goal: ServiceState.Goal?) -> Facet {
        var facet = Facet()
        facet.standing = instance.standing
        facet.isCurrent = isCurrent(instance, goal)
        switch instance.standing {
        case .unheard, .launching: facet.counts.staged = 1
        case .running, .good: facet.counts.running = 1
        case .stopping: facet.counts.running = instance.isRunning ? 1 : 0
        case .unreachable, .inactive: break
        }
        if facet.counts.running == 1 {
            facet.counts.healthy = instance.isHealthy == true ? 1 : 0
            facet.counts.unhealthy = instance.isHealthy == false ? 1 : 0
        }
        return facet
    }

    // MARK: instances and their count

    mutating func add(_ instance: Instance) {
        let id = instance.id
        instances[id] = instance
        for task in instance.tasks { taskOwners[task.record.id] = id }
        // In place: a copy of the state would make each step copy the set of all its instances.
        let service = instance.record.service
        let goal = services[service]?.goal
        let facet = Self.facet(of: instance, goal)
        instances[id]?.facet = facet
        services[service]?.instances.insert(id)
        services[service]?.tally.change(facet, by: 1)
        if Self.isCurrent(instance, goal) { services[service]?.placements.change(instance.record, by: 1) }
        dirty.insert(instance.record.service)
    }

    /// Something about an instance changed.
    mutating func recount(_ id: InstanceID) {
        guard let instance = instances[id], services[instance.record.service] != nil else { return }
        let facet = Self.facet(of: instance, services[instance.record.service]?.goal)
        if facet == instance.facet { return }
        services[instance.record.service]?.tally.change(instance.facet, by: -1)
        services[instance.record.service]?.tally.change(facet, by: 1)
        instances[id]?.facet = facet
        dirty.insert(instance.record.service)
    }

    /// An instance is gone, or given up.
    mutating func remove(_ id: InstanceID) {
        guard let instance = instances.removeValue(forKey: id) else { return }
        for task in instance.tasks { taskOwners[task.record.id] = nil }
        unsettled.remove(id)
        store(.removeInstance(id))
        let service = instance.record.service
        guard services[service] != nil else { return }
        services[service]?.note(endOf: instance, now: now.wall)
        services[service]?.instances.remove(id)
        services[service]?.tally.change(instance.facet, by: -1)
        if Self.isCurrent(instance, services[service]?.goal) {
            services[service]?.placements.change(instance.record, by: -1)
        }
        dirty.insert(service)
    }

    // MARK: towards the goal

    /// Starts what is missing, ends what is too much, replaces what is old.
    mutating func workTowardsGoal(_ id: ServiceID) {
        guard let state = services[id] else { return }
        if root.workload(id) == nil { return end(id) }
        guard let goal = state.goal else { return }
        // After a restart, nothing is ended before it is known how everything is: the wrong ones might be chosen.
        let mayKill = state.tally.unheard == 0
        let toLaunch: Int
        if goal.isReplacing {
            let plan = Replacement(goal.workload.upgradeStrategy, count: goal.count, state.tally)
            toLaunch = plan.toLaunch
            if mayKill, plan.outdatedToKill > 0 { killOutdated(id, plan.outdatedToKill) }
            if mayKill, plan.currentToKill > 0 { killExcess(id, plan.currentToKill, onlyCurrent: true) }
        } else {
            let isSingle = goal.workload.service?.isSingleInstance == true
            let taken = isSingle ? state.tally.present : state.tally.live
            toLaunch = max(0, goal.count - taken)
            let excess = state.tally.live - goal.count
            if mayKill, excess > 0 { killExcess(id, excess, onlyCurrent: false) }
        }
        wait(id, toLaunch)
    }

    /// All instances end, then the service is forgotten, unless a deployment may still have to bring it back.
    private mutating func end(_ id: ServiceID) {
        wait(id, 0)
        for instance in (services[id]?.instances ?? []).sorted() { kill(instance, because: .removed) }
        guard let state = services[id], state.instances.isEmpty, locks[id] == nil else { return }
        for version in state.versions { store(.removeDefinition(id, version)) }
        store(.removeService(id))
        services[id] = nil
        publish(.serviceTerminated(id))
    }

    /// Notes how many instances of a service are to be started.
    private mutating func wait(_ id: ServiceID, _ count: Int) {
        guard let state = services[id] else { return }
        services[id]?.toLaunch = count
        if count == 0 {
            if waiting.remove(id) != nil { services[id]?.queue = LaunchAttempt() }
            return
        }
        if count == state.toLaunch { return }
        if state.toLaunch == 0 { services[id]?.queue.since = now.wall }
        waiting.insert(id)
        if count > state.toLaunch { wantOffers(for: id) }
    }

    /// Has offers asked for, now or when the service's delay ends.
    mutating func wantOffers(for id: ServiceID) {
        guard let state = services[id] else { return }
        if state.backoff.until > now.elapsed {
            timers.add(.service(id), at: state.backoff.until)
        } else {
            rolesToRevive.insert(role(of: state))
        }
    }

    func role(of state: ServiceState) -> RoleName { state.goal?.workload.role.map { RoleName($0) } ?? settings.role }
}

/// How instances of an old configuration make room for new ones without leaving the bounds of the upgrade strategy.
struct Replacement {
    var toLaunch: Int
    /// Those that are not well end first and at once: they serve nobody.
    var outdatedToKill: Int
    var currentToKill: Int

    init(_ strategy: UpgradeStrategy, count: Int, _ tally: Tally) {
        let least = strategy.minimum(of: count)
        let most = strategy.maximum(of: count)
        let unwell = tally.outdated(.launching, .running, .unreachable, .inactive)
        let spare = max(0, tally.good - least)
        outdatedToKill = unwell + min(spare, tally.outdated(.good))
        currentToKill = max(0, tally.liveCurrent - count)
        // What is on its way to its end still takes a place.
        let room = max(0, most - tally.present)
        toLaunch = min(max(0, count - tally.liveCurrent), room)
    }
}
