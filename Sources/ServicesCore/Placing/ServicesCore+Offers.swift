internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// Uses offers for what waits. Each offer is answered at once. Instances of a service are spread: in a round, each
    /// offer gets one of them at most.
    mutating func match(_ offers: [Offer]) {
        var tables = offers.map { OfferTable($0, settings) }
        var launches = [[Launch]](repeating: [], count: offers.count)
        var order = waitingInOrder()
        var isUnfit = Set<Pair>()
        while !order.isEmpty {
            var hasPlaced = false
            for index in tables.indices where launches[index].count < settings.launchesPerOffer {
                for id in order where !isUnfit.contains(Pair(offer: index, service: id)) {
                    guard launches[index].count < settings.launchesPerOffer else { break }
                    guard services[id]?.ready(now: now.elapsed) ?? 0 > 0 else { continue }
                    if let launch = place(id, &tables[index]) {
                        launches[index].append(launch)
                        hasPlaced = true
                    } else {
                        isUnfit.insert(Pair(offer: index, service: id))
                    }
                }
            }
            order.removeAll { services[$0]?.ready(now: now.elapsed) ?? 0 == 0 }
            if !hasPlaced { break }
        }
        let refuse = waiting.isEmpty ? settings.refuseUnneeded : settings.refuseUnfit
        for (index, offer) in offers.enumerated() {
            if launches[index].isEmpty {
                call(.decline(offers: [offer.id], filters: OfferFilters(refuse: refuse)))
            } else {
                say(.accept(offer.id, launches[index], OfferFilters(refuse: refuse)))
            }
        }
    }

    private struct Pair: Hashable {
        var offer: Int
        var service: ServiceID
    }

    /// Those that wait longest come first.
    private func waitingInOrder() -> [ServiceID] {
        waiting.filter { services[$0]?.ready(now: now.elapsed) ?? 0 > 0 }
            .map { ($0, services[$0]?.queue.since ?? now.wall) }
            .sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
    }

    /// Places one instance of a service on an offer, if it fits: its id is stored, then it may be started.
    private mutating func place(_ id: ServiceID, _ table: inout OfferTable) -> Launch? {
        guard let goal = services[id]?.goal else { return nil }
        var misfit = Misfit()
        let role = goal.workload.role.map { RoleName($0) } ?? settings.role
        let matcher = OfferMatcher(goal: goal, role: role, placements: services[id]?.placements ?? PlacementIndex())
        guard let placement = matcher.place(on: &table, using: &identifiers, &misfit) else {
            let unused = UnusedOffer(
                offer: table.remainder, reasons: misfit.reasons, details: misfit.details, at: now.wall)
            services[id]?.queue.couldNotUse(unused, keeping: settings.unusedOffersKept)
            return nil
        }
        services[id]?.queue.used(at: now.wall)
        let record = InstanceRecord(
            id: placement.id, service: id, version: goal.workload.version, configuration: goal.configuration,
            agentID: table.offer.agentID, hostname: table.offer.agent.hostname, domain: table.offer.agent.domain,
            attributes: table.offer.agent.attributes, role: table.offer.role, tasks: placement.tasks.map(\.record),
            stagedAt: now.wall)
        var instance = Instance(
            record, checksNeeded: goal.workload.healthCheckCount, now: now, killPause: settings.killRetry)
        if goal.workload.readinessCheck != nil, needsReadiness(id) { instance.readiness = .waiting }
        store(.putInstance(record))
        add(instance)
        timers.add(.instance(record.id), at: now.elapsed + settings.stagingTimeout)
        services[id]?.toLaunch -= 1
        publish(.instanceChanged(record, .provisioned))
        return Launch(
            instance: record, workload: goal.workload,
            operation: TaskDescription(record, goal.workload).operation(placement))
    }

    // MARK: asking for offers

    /// Asks for offers when something waits for them, and has them stopped when nothing does.
    mutating func askForOffers() {
        guard isConnected else { return }
        var roles: Set<RoleName> = [settings.role]
        var wanted: Set<RoleName> = []
        for id in waiting {
            guard let state = services[id] else { continue }
            roles.insert(role(of: state))
            wanted.insert(role(of: state))
        }
        // A role is kept as long as there is a connection: tasks may run in it.
        roles.formUnion(subscribedRoles)
        for instance in subscribedRoles.isEmpty ? Array(instances.values) : [] { roles.insert(instance.record.role) }
        if roles != subscribedRoles {
            subscribedRoles = roles
            say(.subscribe(roles: roles, suppressed: roles.subtracting(wanted)))
            revivedRoles = wanted
            rolesToRevive.subtract(wanted)
        }
        let unneeded = revivedRoles.subtracting(wanted)
        if !unneeded.isEmpty {
            revivedRoles.subtract(unneeded)
            call(.suppress(roles: unneeded.sorted()))
        }
        rolesToRevive.formIntersection(wanted)
        rolesToRevive.formUnion(wanted.subtracting(revivedRoles))
        guard !rolesToRevive.isEmpty else { return }
        if now.elapsed < nextRevive {
            timers.add(.revive, at: nextRevive)
            return
        }
        call(.revive(roles: rolesToRevive.sorted()))
        revivedRoles.formUnion(rolesToRevive)
        rolesToRevive = []
        nextRevive = now.elapsed + settings.reviveInterval
    }
}
