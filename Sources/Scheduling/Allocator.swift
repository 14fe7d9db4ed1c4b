public import ClusterModel

/// Decides which framework is offered which agent's free resources: dominant resource fairness on two levels, first
/// among roles by weight, then among the frameworks of the neediest role, as Mesos' hierarchical allocator does it with
/// flat roles. (Ghodsi et al., "Dominant Resource Fairness", NSDI 2011.)
///
/// - Offers are coarse: all that an agent has free and a framework may have goes to one framework.
/// - A party's dominant share is the largest fraction it has of any scalar resource of the cluster, divided by the
///   role's weight. The smaller share goes first, then the one with fewer allocations so far, then the name.
/// - Offered resources count as allocated until they are recovered.
/// - Roles are flat, but what is reserved for `a` may be offered to `a/b`.
///
/// Work is proportional to what changed: orders are kept sorted step by step, and a cycle looks only at agents where
/// something changed since the last one. Only another cluster total makes a cycle recompute all shares, once.
///
/// Unknown frameworks, roles and agents are ignored by every method that does not say otherwise, because removals race
/// with everything else in a cluster. Time is monotonic time of the caller's choice and must not go back.
public struct Allocator: Sendable {
    /// Rules that an operator can choose.
    public struct Settings: Hashable, Sendable {
        /// Resources are offered when they have at least this much `cpus` or the least `mem`.
        public var leastCPUs: Quantity
        /// Resources are offered when they have at least this much `mem` (MiB) or the least `cpus`.
        public var leastMemory: Quantity

        /// Makes settings; Mesos' `--min_allocatable_resources` default is 0.01 cpus or 32 MiB.
        public init(leastCPUs: Quantity? = nil, leastMemory: Quantity? = nil) {
            self.leastCPUs = leastCPUs ?? Quantity(thousandths: 10) ?? .zero
            self.leastMemory = leastMemory ?? Quantity(thousandths: 32_000) ?? .zero
        }
    }

    /// The rules in force.
    public let settings: Settings

    var columns = ScalarColumns()
    var agents: [AgentState] = []
    var agentSlots: [AgentID: Int] = [:]
    var vacantAgents: [Int] = []
    var frameworks: [FrameworkID: FrameworkState] = [:]
    var clients: [ClientState] = []
    var clientSlots: [FrameworkID: [RoleName: Int]] = [:]
    var vacantClients: [Int] = []
    var roles: [RoleState] = []
    var roleSlots: [RoleName: Int] = [:]
    var vacantRoles: [Int] = []
    var weights: [RoleName: Double] = [:]
    /// Roles in which somebody may be offered something, neediest first.
    var roleOrder = ShareOrder()
    /// All that the agents have together.
    var total = ScalarVector()
    /// Whether the total or a weight changed since keys were computed.
    var keysAreStale = false
    var dirtyAgents: [Int] = []
    var freshClients: [Int] = []
    var filterQueue = FilterQueue()
    var filtersMade: UInt64 = 0

    /// Makes an allocator without agents and frameworks.
    public init(settings: Settings = Settings()) { self.settings = settings }

    /// Whether a cycle could offer something: nothing has changed since the last one otherwise. Filters that end make
    /// it true only through `expireFilters` or `allocate`; see `nextDeadline`.
    public var hasChanges: Bool { !dirtyAgents.isEmpty || !freshClients.isEmpty }

    /// When the next filter ends, which is when a cycle may have something to offer although nothing else happens.
    public var nextDeadline: Duration? { filterQueue.first?.end }

    /// The weight of a role: 1 unless it was set.
    public func weight(_ role: RoleName) -> Double { weights[role] ?? 1 }

    /// Sets how much a role may have in relation to others: a role of weight 2 is as needy with two thirds as one of
    /// weight 1 with a third.
    /// - Throws: `.invalidWeight` unless the weight is finite and positive.
    public mutating func setWeight(_ role: RoleName, _ weight: Double) throws(AllocatorError) {
        // The bounds keep shares away from infinity and from denormals.
        guard weight >= 1e-9, weight <= 1e9 else { throw .invalidWeight(role, weight) }
        weights[role] = weight
        guard let slot = roleSlots[role] else { return }
        roles[slot].weight = weight
        refreshRole(slot)
    }

    // MARK: Keys

    func key(client slot: Int) -> ShareKey {
        var key = clients[slot].key
        key.share = clients[slot].allocated.dominantShare(of: total).share
        return key
    }

    func key(role slot: Int) -> ShareKey {
        var key = roles[slot].key
        key.share = roles[slot].allocated.dominantShare(of: total).share / roles[slot].weight
        return key
    }

    /// Puts a client where its share belongs, with the given further allocations counted.
    mutating func refreshClient(_ slot: Int, adding allocations: UInt64 = 0) {
        let old = clients[slot].key
        var new = key(client: slot)
        new.allocations += allocations
        clients[slot].key = new
        if clients[slot].isInOrder { roles[clients[slot].role].order.move(slot, from: old, to: new) }
    }

    /// Puts a role where its share belongs, with the given further allocations counted.
    mutating func refreshRole(_ slot: Int, adding allocations: UInt64 = 0) {
        let old = roles[slot].key
        var new = key(role: slot)
        new.allocations += allocations
        roles[slot].key = new
        if !roles[slot].order.isEmpty { roleOrder.move(slot, from: old, to: new) }
    }

    /// Computes all keys again after the cluster's total changed.
    mutating func refreshAllKeys() {
        guard keysAreStale else { return }
        keysAreStale = false
        for slot in clients.indices where !clients[slot].isVacant { clients[slot].key = key(client: slot) }
        for slot in roles.indices where !roles[slot].isVacant {
            roles[slot].key = key(role: slot)
            roles[slot].order.rebuild { clients[$0].key }
        }
        roleOrder.rebuild { roles[$0].key }
    }
}
