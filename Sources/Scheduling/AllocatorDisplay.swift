public import ClusterModel

/// How much of the cluster a framework has in one role.
public struct FrameworkShare: Hashable, Sendable {
    /// Whose share.
    public var framework: FrameworkID
    /// The largest fraction it has of any scalar resource of the cluster, from 0 to 1.
    public var dominantShare: Double
    /// The resource of which it has that fraction; nil when it has nothing.
    public var dominantResource: String?
    /// All scalars it has, offered or used.
    public var allocated: [NamedQuantity]
    /// Whether it can be offered anything now: it is connected and not suppressed.
    public var isTakingOffers: Bool
}

/// How much of the cluster a role has.
public struct RoleShare: Hashable, Sendable {
    /// The role.
    public var role: RoleName
    /// Its weight.
    public var weight: Double
    /// The largest fraction it has of any scalar resource of the cluster, not divided by the weight.
    public var dominantShare: Double
    /// The resource of which it has that fraction; nil when it has nothing.
    public var dominantResource: String?
    /// All scalars its frameworks have, offered or used.
    public var allocated: [NamedQuantity]
    /// Its frameworks, neediest first.
    public var frameworks: [FrameworkShare]
}

/// Why a framework is offered nothing, or no more, of an agent.
public enum OfferObstacle: Hashable, Sendable {
    /// Nothing stands in the way: the next cycle considers it, after those who have a smaller share.
    case none
    /// The framework is disconnected.
    case frameworkInactive
    /// The framework has suppressed offers in this role.
    case suppressed
    /// The agent is unreachable or drains.
    case agentInactive
    /// The agent has GPUs, the framework lacks the capability GPU_RESOURCES.
    case needsGPUCapability
    /// All of it is used or offered.
    case nothingFree
    /// What is free is reserved for these roles.
    case reserved(for: [RoleName])
    /// What is free needs one of these capabilities.
    case needsCapability([FrameworkCapability])
    /// What is free is less than the least that is offered.
    case tooLittle(Resources)
    /// The framework refused what is free; `until` on the caller's monotonic clock.
    case filtered(until: Duration)
}

extension OfferObstacle {
    /// A sentence for people, with what can be done about it.
    public func text(now: Duration) -> String {
        switch self {
        case .none: "would be offered in the next cycle, after those with a smaller share"
        case .frameworkInactive: "the framework is disconnected; offers resume when it subscribes again"
        case .suppressed: "the framework suppressed offers; it must revive them"
        case .agentInactive: "the agent is unreachable or drains; offers resume when it is back"
        case .needsGPUCapability:
            "the agent has GPUs and is kept for frameworks with the capability GPU_RESOURCES"
        case .nothingFree: "everything is used or offered"
        case .reserved(let roles): "what is free is reserved for \(roles.map(\.value).joined(separator: ", "))"
        case .needsCapability(let capabilities):
            "what is free needs the capability \(capabilities.map(\.rawValue).joined(separator: ", "))"
        case .tooLittle(let free): "only \(free) is free, less than the least that is offered"
        case .filtered(let end):
            "the framework declined it; the filter ends in \(Quantity(max(0, (end - now).inSeconds)) ?? .zero) s"
        }
    }
}

/// Why a framework is offered nothing, or no more, of one agent in one role.
public struct OfferExplanation: Hashable, Sendable {
    /// Whose resources.
    public var agent: AgentID
    /// In which role of the framework.
    public var role: RoleName
    /// What stands in the way.
    public var obstacle: OfferObstacle
    /// What of the agent is free and may be had by the framework in this role.
    public var offerable: Resources
}

extension Allocator {
    /// All roles with frameworks or resources, neediest first.
    public func shares() -> [RoleShare] {
        var byRole: [Int: [Int]] = [:]
        for slot in clients.indices where !clients[slot].isVacant {
            byRole[clients[slot].role, default: []].append(slot)
        }
        let ordered = roles.indices.filter { !roles[$0].isVacant }.map { (slot: $0, key: key(role: $0)) }
            .sorted { $0.key < $1.key }
        return ordered.map { slot, _ in
            let dominant = roles[slot].allocated.dominantShare(of: total)
            let members = (byRole[slot] ?? []).map { (slot: $0, key: key(client: $0)) }.sorted { $0.key < $1.key }
            return RoleShare(
                role: roles[slot].name, weight: roles[slot].weight, dominantShare: dominant.share,
                dominantResource: dominant.column.map { columns.names[$0] },
                allocated: columns.amounts(roles[slot].allocated), frameworks: members.map { share(client: $0.slot) })
        }
    }

    /// All scalars of the cluster.
    public func clusterTotal() -> [NamedQuantity] { columns.amounts(total) }

    /// For every agent and role of a framework, why it is offered nothing or no more; by agent, then role. Empty for an
    /// unknown framework.
    public func explain(_ framework: FrameworkID, now: Duration) -> [OfferExplanation] {
        guard let state = frameworks[framework] else { return [] }
        return agentSlots.sorted { $0.key < $1.key }
            .flatMap { agent, slot in
                state.roles.sorted().map { role in
                    let offerable = agents[slot].free.filter { state.abilities.admit($0.kind, to: role) }
                    return OfferExplanation(
                        agent: agent, role: role,
                        obstacle: obstacle(framework, state, role, agent: slot, offerable: offerable, now: now),
                        offerable: offerable)
                }
            }
    }

    private func share(client slot: Int) -> FrameworkShare {
        let dominant = clients[slot].allocated.dominantShare(of: total)
        return FrameworkShare(
            framework: clients[slot].framework, dominantShare: dominant.share,
            dominantResource: dominant.column.map { columns.names[$0] },
            allocated: columns.amounts(clients[slot].allocated), isTakingOffers: clients[slot].isInOrder)
    }

    private func obstacle(
        _ framework: FrameworkID, _ state: FrameworkState, _ role: RoleName, agent slot: Int, offerable: Resources,
        now: Duration
    ) -> OfferObstacle {
        let free = agents[slot].free
        if !state.isActive { return .frameworkInactive }
        if state.suppressed.contains(role) { return .suppressed }
        if !agents[slot].isActive { return .agentInactive }
        if agents[slot].hasGPUs, !state.abilities.contains(.gpus) { return .needsGPUCapability }
        if free.isEmpty { return .nothingFree }
        if offerable.isEmpty {
            let open = free.items.filter { $0.kind.isOfferable(to: role) }
            guard !open.isEmpty else { return .reserved(for: Set(free.items.map(\.kind.role)).sorted()) }
            return .needsCapability(Self.missingCapabilities(open.map(\.kind), state.abilities))
        }
        let vector = columns.knownVector(offerable)
        if !isWorthOffering(vector) { return .tooLittle(offerable) }
        guard let client = clientSlots[framework]?[role] else { return .none }
        let epoch = clients[client].epoch
        let ends = (agents[slot].filters[client] ?? [])
            .filter { $0.epoch == epoch && $0.end > now && $0.covers(offerable, vector: vector) }
            .map(\.end)
        return ends.max().map { .filtered(until: $0) } ?? .none
    }

    private static func missingCapabilities(_ kinds: [ResourceKind], _ abilities: Abilities) -> [FrameworkCapability] {
        var missing: [FrameworkCapability] = []
        if !abilities.contains(.revocable), kinds.contains(where: \.isRevocable) { missing.append(.revocableResources) }
        if !abilities.contains(.shared), kinds.contains(where: \.isShared) { missing.append(.sharedResources) }
        if !abilities.contains(.refinedReservations), kinds.contains(where: { $0.reservations.count > 1 }) {
            missing.append(.reservationRefinement)
        }
        return missing
    }
}
