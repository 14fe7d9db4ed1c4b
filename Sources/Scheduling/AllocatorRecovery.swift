public import ClusterModel

extension Allocator {
    /// Takes back resources: of an offer that was declined, rescinded or not used up, or of a task that ended.
    ///
    /// With `refuse`, resources of this agent that are contained in these are not offered again to the framework in
    /// this role until the time is over. Without it, or with zero, the next cycle may offer them to the same framework
    /// at once; a caller that runs cycles on every event should hold a minimum.
    ///
    /// - Parameters:
    ///   - resources: what comes back, at most what was allocated.
    ///   - framework: whose they were. Ignored when it, the role or the agent is not known (any more).
    ///   - role: in which role.
    ///   - agent: where.
    ///   - refuse: how long the framework does not want to see them; held at a thousand years.
    ///   - now: when the filter begins.
    /// - Throws: `.notAllocated` when the framework does not have that much there.
    public mutating func recover(
        _ resources: Resources, of framework: FrameworkID, role: RoleName, on agent: AgentID,
        refuse: Duration? = nil, now: Duration
    ) throws(AllocatorError) {
        guard !resources.isEmpty, let slot = agentSlots[agent], let client = clientSlots[framework]?[role] else {
            return
        }
        let held = agents[slot].held[client] ?? Resources()
        // Checked first, so that nothing changes when it fails. The common case of a whole offer is one of equal storage.
        if held != resources {
            do throws(ResourceError) { _ = try held.subtracting(resources) } catch {
                throw .notAllocated(framework: framework, role: role, agent: agent, error)
            }
        }
        release(resources, client: client, agent: slot)
        if let refuse, refuse > .zero, clients[client].isSubscribed {
            setFilter(resources, client: client, agent: slot, end: now + min(refuse, .seconds(31_536_000_000)))
        }
        settle(client: client)
    }

    /// Counts free resources as a framework's without a cycle: for a task that turns up on an agent that is known
    /// already.
    /// - Throws: `.agentUnknown`; `.notFree` when the agent does not have them free.
    public mutating func claim(_ use: AgentUse, on agent: AgentID) throws(AllocatorError) {
        guard let slot = agentSlots[agent] else { throw .agentUnknown(agent) }
        guard !use.resources.isEmpty else { return }
        do throws(ResourceError) {
            let free = try agents[slot].free.subtracting(use.resources)
            agents[slot].free = free
        } catch {
            throw .notFree(agent, error)
        }
        agents[slot].freeVector = columns.knownVector(agents[slot].free)
        hold(use, agent: slot)
    }

    // MARK: Holding

    mutating func hold(_ use: AgentUse, agent slot: Int) {
        let client = clientSlot(use.framework, use.role)
        hold(use.resources, columns.vector(use.resources), client: client, agent: slot)
    }

    /// Adds to what a client has on an agent; what is free is the caller's affair.
    mutating func hold(_ resources: Resources, _ vector: ScalarVector, client: Int, agent slot: Int) {
        if let held = agents[slot].held[client] {
            // Parts of one agent's resources always add up; callers have checked what came from outside.
            guard let sum = try? held.adding(resources) else { return }
            agents[slot].held[client] = sum
        } else {
            agents[slot].held[client] = resources
            clients[client].agentCount += 1
        }
        clients[client].allocated += vector
        let role = clients[client].role
        roles[role].allocated += vector
        refreshClient(client, adding: 1)
        refreshRole(role, adding: 1)
    }

    /// Takes from what a client has on an agent, all of which the caller has checked, and makes it free.
    mutating func release(_ resources: Resources, client: Int, agent slot: Int) {
        guard let held = agents[slot].held[client],
            let rest = held == resources ? Resources() : try? held.subtracting(resources)
        else { return }
        if rest.isEmpty {
            agents[slot].held[client] = nil
            clients[client].agentCount -= 1
        } else {
            agents[slot].held[client] = rest
        }
        let vector = columns.knownVector(resources)
        clients[client].allocated -= vector
        let role = clients[client].role
        roles[role].allocated -= vector
        refreshClient(client)
        refreshRole(role)
        if !agents[slot].isOvercommitted, let free = try? agents[slot].free.adding(resources) {
            agents[slot].free = free
            agents[slot].freeVector += vector
        } else {
            recomputeFree(agent: slot)
        }
        markDirty(agent: slot)
    }
}
