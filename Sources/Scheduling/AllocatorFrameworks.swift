public import ClusterModel

extension Allocator {
    /// Adds a framework, or updates it as `updateFramework` and `activateFramework` would when it is there. What agents
    /// were said to be running for it before it came counts as its own from the start.
    /// - Parameters:
    ///   - framework: whose description it is.
    ///   - roles: the roles it takes offers in.
    ///   - capabilities: decide what it may be offered.
    ///   - suppressed: the roles in which it wants no offers for now.
    ///   - isActive: whether it is connected; nothing is offered otherwise.
    public mutating func addFramework(
        _ framework: FrameworkID, roles: [RoleName], capabilities: Set<FrameworkCapability> = [],
        suppressed: Set<RoleName> = [], isActive: Bool = true
    ) {
        let old = frameworks[framework]
        var unique: [RoleName] = []
        for role in roles where !unique.contains(role) { unique.append(role) }
        let abilities = Abilities(capabilities)
        frameworks[framework] = FrameworkState(
            roles: unique, suppressed: suppressed, abilities: abilities, isActive: isActive)
        for role in old?.roles ?? [] where !unique.contains(role) {
            guard let slot = clientSlots[framework]?[role] else { continue }
            clients[slot].isSubscribed = false
            dropFilters(client: slot)
            settle(client: slot)
        }
        for role in unique {
            let slot = clientSlot(framework, role)
            clients[slot].isSubscribed = true
            let gained = abilities != clients[slot].abilities
            clients[slot].abilities = abilities
            // What was not for it may be for it now.
            if gained, clients[slot].isInOrder { markFresh(client: slot) }
            settle(client: slot)
        }
        dropDeadFilters()
    }

    /// Changes a framework's roles, capabilities and suppressed roles. A role that it leaves keeps counting what it
    /// still holds there.
    public mutating func updateFramework(
        _ framework: FrameworkID, roles: [RoleName], capabilities: Set<FrameworkCapability>,
        suppressed: Set<RoleName>
    ) {
        guard let old = frameworks[framework] else { return }
        addFramework(
            framework, roles: roles, capabilities: capabilities, suppressed: suppressed, isActive: old.isActive)
    }

    /// Offers resources to a framework again, after it has reconnected.
    public mutating func activateFramework(_ framework: FrameworkID) { setActive(framework, true) }

    /// Stops offers to a framework, because it is disconnected, and drops its filters. What it holds stays its own.
    public mutating func deactivateFramework(_ framework: FrameworkID) {
        setActive(framework, false)
        for slot in clientSlots[framework].map({ Array($0.values) }) ?? [] { dropFilters(client: slot) }
        dropDeadFilters()
    }

    /// Forgets a framework. All that it holds becomes free at once; recovering it later is ignored.
    public mutating func removeFramework(_ framework: FrameworkID) {
        frameworks[framework] = nil
        for slot in clientSlots[framework].map({ $0.values.sorted() }) ?? [] {
            clients[slot].isSubscribed = false
            dropFilters(client: slot)
            for agent in agents.indices where clients[slot].agentCount > 0 {
                guard let held = agents[agent].held[slot] else { continue }
                release(held, client: slot, agent: agent)
            }
            settle(client: slot)
        }
        dropDeadFilters()
    }

    /// Whether a framework was added and not removed.
    public func hasFramework(_ framework: FrameworkID) -> Bool { frameworks[framework] != nil }

    /// Drops a framework's filters and suppression in these roles, or in all of its roles when none is given.
    public mutating func revive(_ framework: FrameworkID, roles: [RoleName] = []) {
        guard let state = frameworks[framework] else { return }
        for role in roles.isEmpty ? state.roles : roles {
            frameworks[framework]?.suppressed.remove(role)
            guard let slot = clientSlots[framework]?[role] else { continue }
            dropFilters(client: slot)
            // Filters may have kept it from agents that did not change.
            if clients[slot].isInOrder { markFresh(client: slot) }
            settle(client: slot)
        }
        dropDeadFilters()
    }

    /// Stops offers to a framework in these roles, or in all of its roles when none is given; its filters stay.
    public mutating func suppress(_ framework: FrameworkID, roles: [RoleName] = []) {
        guard let state = frameworks[framework] else { return }
        for role in roles.isEmpty ? state.roles : roles where state.roles.contains(role) {
            frameworks[framework]?.suppressed.insert(role)
            if let slot = clientSlots[framework]?[role] { settle(client: slot) }
        }
    }

    private mutating func setActive(_ framework: FrameworkID, _ isActive: Bool) {
        guard frameworks[framework] != nil else { return }
        frameworks[framework]?.isActive = isActive
        for slot in clientSlots[framework].map({ $0.values.sorted() }) ?? [] { settle(client: slot) }
    }

    // MARK: Clients and roles

    /// The slot of a framework in a role, made when it is new.
    mutating func clientSlot(_ framework: FrameworkID, _ role: RoleName) -> Int {
        if let slot = clientSlots[framework]?[role] { return slot }
        let roleSlot = roleSlot(role)
        roles[roleSlot].clientCount += 1
        var client = ClientState(
            framework: framework, role: roleSlot, abilities: [],
            key: ShareKey(share: 0, allocations: 0, name: framework.value))
        let slot: Int
        if let vacant = vacantClients.popLast() {
            slot = vacant
            client.epoch = clients[slot].epoch + 1
            clients[slot] = client
        } else {
            slot = clients.count
            clients.append(client)
        }
        clientSlots[framework, default: [:]][role] = slot
        return slot
    }

    private mutating func roleSlot(_ role: RoleName) -> Int {
        if let slot = roleSlots[role] { return slot }
        let state = RoleState(
            name: role, weight: weight(role), key: ShareKey(share: 0, allocations: 0, name: role.value))
        let slot: Int
        if let vacant = vacantRoles.popLast() {
            slot = vacant
            roles[slot] = state
        } else {
            slot = roles.count
            roles.append(state)
        }
        roleSlots[role] = slot
        return slot
    }

    /// Brings a client into its role's order or out of it, as its state demands, and forgets it when nothing needs it.
    mutating func settle(client slot: Int) {
        let client = clients[slot]
        let role = roles[client.role].name
        let framework = frameworks[client.framework]
        let belongs =
            client.isSubscribed && framework?.isActive == true && framework?.suppressed.contains(role) == false
        if belongs, !client.isInOrder {
            let wasEmpty = roles[client.role].order.isEmpty
            clients[slot].isInOrder = true
            roles[client.role].order.insert(client.key, slot: slot)
            if wasEmpty { roleOrder.insert(roles[client.role].key, slot: client.role) }
            markFresh(client: slot)
        } else if !belongs, client.isInOrder {
            clients[slot].isInOrder = false
            roles[client.role].order.remove(client.key)
            if roles[client.role].order.isEmpty { roleOrder.remove(roles[client.role].key) }
        }
        if !client.isSubscribed, client.agentCount == 0 { forget(client: slot, role: role) }
    }

    private mutating func forget(client slot: Int, role: RoleName) {
        let framework = clients[slot].framework
        clientSlots[framework]?[role] = nil
        if clientSlots[framework]?.isEmpty == true { clientSlots[framework] = nil }
        clients[slot].isVacant = true
        clients[slot].epoch += 1
        vacantClients.append(slot)
        let roleSlot = clients[slot].role
        roles[roleSlot].clientCount -= 1
        if roles[roleSlot].clientCount == 0 {
            roles[roleSlot].isVacant = true
            roleSlots[role] = nil
            vacantRoles.append(roleSlot)
        }
    }

    mutating func markFresh(client slot: Int) {
        guard !clients[slot].isFresh else { return }
        clients[slot].isFresh = true
        freshClients.append(slot)
    }
}
