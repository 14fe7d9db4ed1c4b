public import ClusterModel

/// Resources that an agent has in use when it registers.
public struct AgentUse: Hashable, Sendable {
    /// Whose.
    public var framework: FrameworkID
    /// In which role they were offered.
    public var role: RoleName
    /// How much.
    public var resources: Resources

    /// Makes a use.
    public init(framework: FrameworkID, role: RoleName, resources: Resources) {
        self.framework = framework
        self.role = role
        self.resources = resources
    }
}

extension Allocator {
    /// Adds an agent.
    /// - Parameters:
    ///   - agent: its id.
    ///   - total: all that it has. An agent with `gpus` is offered only to frameworks with GPU_RESOURCES.
    ///   - used: what its tasks use. Their frameworks may be unknown yet. More than the total may be used, after an
    ///     agent came back smaller: then nothing of what is short is offered until it is.
    /// - Throws: `.agentExists`; `.contradictoryUse` when what is used cannot be added up.
    public mutating func addAgent(
        _ agent: AgentID, total: Resources, used: [AgentUse] = []
    ) throws(AllocatorError) {
        guard agentSlots[agent] == nil else { throw .agentExists(agent) }
        do throws(ResourceError) {
            var sum = Resources()
            for use in used { try sum.add(use.resources) }
        } catch {
            throw .contradictoryUse(agent, error)
        }
        let vector = columns.vector(total)
        var state = AgentState(id: agent, total: total, vector: vector)
        let slot: Int
        if let vacant = vacantAgents.popLast() {
            slot = vacant
            state.isDirty = agents[slot].isDirty
            agents[slot] = state
        } else {
            slot = agents.count
            agents.append(state)
        }
        agentSlots[agent] = slot
        self.total += vector
        keysAreStale = true
        for use in used where !use.resources.isEmpty { hold(use, agent: slot) }
        recomputeFree(agent: slot)
        markDirty(agent: slot)
    }

    /// Changes what an agent has. What is held stays held, even when it is more than the new total.
    public mutating func updateAgentTotal(_ agent: AgentID, _ total: Resources) {
        guard let slot = agentSlots[agent], agents[slot].total != total else { return }
        let vector = columns.vector(total)
        self.total -= agents[slot].totalVector
        self.total += vector
        agents[slot].setTotal(total, vector: vector)
        keysAreStale = true
        recomputeFree(agent: slot)
        markDirty(agent: slot)
    }

    /// Offers an agent's resources again.
    public mutating func activateAgent(_ agent: AgentID) {
        guard let slot = agentSlots[agent], !agents[slot].isActive else { return }
        agents[slot].isActive = true
        markDirty(agent: slot)
    }

    /// Stops offers of an agent's resources, because it is unreachable or drains. They keep counting in the total.
    public mutating func deactivateAgent(_ agent: AgentID) {
        guard let slot = agentSlots[agent] else { return }
        agents[slot].isActive = false
    }

    /// Forgets an agent with all that frameworks hold on it and all filters; recovering it later is ignored.
    public mutating func removeAgent(_ agent: AgentID) {
        guard let slot = agentSlots.removeValue(forKey: agent) else { return }
        total -= agents[slot].totalVector
        keysAreStale = true
        // By slot, because the order in which clients are forgotten decides which slots are used next.
        for client in agents[slot].held.keys.sorted() {
            guard let held = agents[slot].held[client] else { continue }
            release(held, client: client, agent: slot)
            settle(client: client)
        }
        let isListed = agents[slot].isDirty
        agents[slot] = AgentState(id: AgentID(""), total: Resources(), vector: ScalarVector())
        agents[slot].isActive = false
        // The list of dirty agents may still have the slot; the next agent in it must not be listed twice.
        agents[slot].isDirty = isListed
        vacantAgents.append(slot)
        dropDeadFilters()
    }

    /// Whether an agent was added and not removed.
    public func hasAgent(_ agent: AgentID) -> Bool { agentSlots[agent] != nil }

    /// What of an agent is neither used nor offered.
    public func free(on agent: AgentID) -> Resources? { agentSlots[agent].map { agents[$0].free } }

    /// All that an agent has.
    public func total(of agent: AgentID) -> Resources? { agentSlots[agent].map { agents[$0].total } }

    /// What each framework has on an agent, offered or used, by framework and role.
    public func allocations(on agent: AgentID) -> [Allocation] {
        guard let slot = agentSlots[agent] else { return [] }
        return agents[slot].held
            .map { client, resources in
                Allocation(
                    framework: clients[client].framework, role: roles[clients[client].role].name, agent: agent,
                    resources: resources)
            }
            .sorted { ($0.framework, $0.role) < ($1.framework, $1.role) }
    }

    mutating func markDirty(agent slot: Int) {
        guard !agents[slot].isDirty else { return }
        agents[slot].isDirty = true
        dirtyAgents.append(slot)
    }

    /// Computes what is free from what there is and what is held.
    mutating func recomputeFree(agent slot: Int) {
        let (free, isOver) = Self.rest(of: agents[slot].total, without: agents[slot].held.values)
        agents[slot].free = free
        agents[slot].freeVector = columns.knownVector(free)
        agents[slot].isOvercommitted = isOver
    }

    /// What is left of a total, never negative, and whether more was taken than there was.
    private static func rest(
        of total: Resources, without held: some Collection<Resources>
    ) -> (Resources, isOver: Bool) {
        var exact = total
        do throws(ResourceError) {
            for part in held { try exact.subtract(part) }
            return (exact, false)
        } catch {
            var items = total.items
            for part in held.lazy.flatMap(\.items) {
                guard let index = items.firstIndex(where: { $0.kind == part.kind }) else { continue }
                items[index].value = rest(of: items[index].value, without: part.value)
            }
            return ((try? Resources(items)) ?? Resources(), true)
        }
    }

    private static func rest(of value: ResourceValue, without taken: ResourceValue) -> ResourceValue {
        switch (value, taken) {
        case (.scalar(let a), .scalar(let b)): .scalar(a.subtracting(b) ?? .zero)
        case (.ranges(let a), .ranges(let b)): .ranges(a.subtracting(b))
        case (.set(let a), .set(let b)): .set(a.subtracting(b))
        default: value
        }
    }
}
