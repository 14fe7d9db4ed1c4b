internal import ClusterModel

extension Allocator {
    private struct Visit {
        var rank: UInt64
        var slot: Int
        /// Whether every client is considered, not only fresh ones.
        var isFull: Bool
    }

    private struct Grant {
        var client: Int
        var resources: Resources
        var vector: ScalarVector
    }

    /// Offers all that is free to those who need it most, and counts it as theirs. Costs next to nothing when nothing
    /// has changed.
    /// - Parameters:
    ///   - now: ends filters.
    ///   - seed: decides the order in which agents are visited; another one in every cycle keeps that fair.
    /// - Returns: in the order in which they were decided; at most one per framework, role and agent.
    public mutating func allocate(now: Duration, seed: UInt64) -> [Allocation] {
        expireFilters(now: now)
        guard hasChanges else { return [] }
        refreshAllKeys()
        let visits = takeVisits(seed: seed)
        var allocations: [Allocation] = []
        var grants: [Grant] = []
        for visit in visits {
            grants.removeAll(keepingCapacity: true)
            collectGrants(visit, now: now, into: &grants)
            for grant in grants {
                guard apply(grant, agent: visit.slot) else { continue }
                let client = clients[grant.client]
                allocations.append(
                    Allocation(
                        framework: client.framework, role: roles[client.role].name, agent: agents[visit.slot].id,
                        resources: grant.resources))
            }
        }
        for slot in freshClients { clients[slot].isFresh = false }
        freshClients.removeAll(keepingCapacity: true)
        return allocations
    }

    /// The agents to look at, in seeded order: those that changed, and for the sake of fresh clients all with free
    /// resources.
    private mutating func takeVisits(seed: UInt64) -> [Visit] {
        var visits: [Visit] = []
        let candidates = freshClients.isEmpty ? dirtyAgents : Array(agents.indices)
        visits.reserveCapacity(candidates.count)
        for slot in candidates where agents[slot].isActive && isWorthOffering(agents[slot].freeVector) {
            visits.append(
                Visit(
                    rank: SeededOrder.rank(agents[slot].hash, seed: seed), slot: slot, isFull: agents[slot].isDirty))
        }
        for slot in dirtyAgents { agents[slot].isDirty = false }
        dirtyAgents.removeAll(keepingCapacity: true)
        visits.sort { left, right in
            left.rank != right.rank ? left.rank < right.rank : agents[left.slot].id < agents[right.slot].id
        }
        return visits
    }

    /// Walks from the neediest role and framework on, until nothing useful is left of the agent. The orders stay as they
    /// are for the whole walk; what one agent's offers change counts from the next agent on.
    private func collectGrants(_ visit: Visit, now: Duration, into grants: inout [Grant]) {
        let agent = visit.slot
        var left = agents[agent].free
        var leftVector = agents[agent].freeVector
        let isPlain = agents[agent].isPlain
        let hasFilters = !agents[agent].filters.isEmpty
        for roleIndex in roleOrder.entries.indices {
            let role = roleOrder.entries[roleIndex].slot
            // Within a role, what may be offered depends on capabilities only.
            var portions = PortionCache()
            for index in roles[role].order.entries.indices {
                let slot = roles[role].order.entries[index].slot
                let abilities = clients[slot].abilities
                guard visit.isFull || clients[slot].isFresh else { continue }
                guard !agents[agent].hasGPUs || abilities.contains(.gpus) else { continue }
                var portion = (resources: left, vector: leftVector)
                if !isPlain {
                    portion = portions.portion(of: left, for: abilities, role: roles[role].name, columns: columns)
                    guard isWorthOffering(portion.vector) else { continue }
                }
                if hasFilters, isFiltered(portion.resources, portion.vector, client: slot, agent: agent, now: now) {
                    continue
                }
                grants.append(Grant(client: slot, resources: portion.resources, vector: portion.vector))
                guard !isPlain, let rest = try? left.subtracting(portion.resources) else { return }
                left = rest
                leftVector -= portion.vector
                guard isWorthOffering(leftVector) else { return }
                portions = PortionCache()
            }
        }
    }

    /// Whether somebody could start something with so much; Mesos' `--min_allocatable_resources`.
    func isWorthOffering(_ vector: ScalarVector) -> Bool {
        let (cpus, mem) = (vector[ScalarColumns.cpus], vector[ScalarColumns.mem])
        return (cpus > 0 && cpus >= settings.leastCPUs.thousandths)
            || (mem > 0 && mem >= settings.leastMemory.thousandths)
    }

    private mutating func apply(_ grant: Grant, agent slot: Int) -> Bool {
        // Usually all of it goes to one, and equal bags share storage.
        let isAll = agents[slot].free == grant.resources
        guard let rest = isAll ? Resources() : try? agents[slot].free.subtracting(grant.resources) else { return false }
        agents[slot].free = rest
        agents[slot].freeVector -= grant.vector
        hold(grant.resources, grant.vector, client: grant.client, agent: slot)
        return true
    }
}

/// What of an agent clients of one role may have, by their abilities; computed once for each.
private struct PortionCache {
    private var known: [(abilities: Abilities, resources: Resources, vector: ScalarVector)] = []

    mutating func portion(
        of all: Resources, for abilities: Abilities, role: RoleName, columns: ScalarColumns
    ) -> (resources: Resources, vector: ScalarVector) {
        if let hit = known.first(where: { $0.abilities == abilities }) { return (hit.resources, hit.vector) }
        let resources = all.filter { abilities.admit($0.kind, to: role) }
        let vector = columns.knownVector(resources)
        known.append((abilities, resources, vector))
        return (resources, vector)
    }
}
