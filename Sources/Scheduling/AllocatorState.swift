internal import ClusterModel

/// What the allocator keeps of an agent. Slots of removed agents are used again.
struct AgentState: Sendable {
    var id: AgentID
    var total: Resources
    var totalVector: ScalarVector
    /// What is neither used nor offered.
    var free: Resources
    var freeVector = ScalarVector()
    /// What each client has here, offered or used, by client slot.
    var held: [Int: Resources] = [:]
    var filters: [Int: [OfferFilter]] = [:]
    var isActive = true
    var hasGPUs: Bool
    /// Whether anybody may have all of it, so that no offer has to be picked out of it.
    var isPlain: Bool
    /// Whether more is held than there is; then `free` is not simply total − held.
    var isOvercommitted = false
    /// Whether something changed since the last visit that may let an offer be made to anybody.
    var isDirty = false
    /// Decides its place among agents together with the seed of a cycle.
    var hash: UInt64

    init(id: AgentID, total: Resources, vector: ScalarVector) {
        self.id = id
        self.total = total
        totalVector = vector
        free = total
        freeVector = vector
        hasGPUs = vector[ScalarColumns.gpus] > 0
        isPlain = Self.isPlain(total)
        hash = SeededOrder.hash(id.value)
    }

    mutating func setTotal(_ resources: Resources, vector: ScalarVector) {
        total = resources
        totalVector = vector
        hasGPUs = vector[ScalarColumns.gpus] > 0
        isPlain = Self.isPlain(resources)
    }

    private static func isPlain(_ resources: Resources) -> Bool {
        resources.items.allSatisfy { item in
            item.kind.reservations.isEmpty && !item.kind.isRevocable && !item.kind.isShared
        }
    }
}

/// A framework in one role: the unit that is offered resources.
struct ClientState: Sendable {
    var framework: FrameworkID
    /// Slot of its role.
    var role: Int
    var abilities: Abilities
    /// Whether the framework is known and takes part in the role; else it is kept for what it still holds.
    var isSubscribed = false
    /// Whether it is in its role's order: subscribed, connected, not suppressed.
    var isInOrder = false
    /// Whether it came into the order since the last cycle, so that agents which did not change must be looked at
    /// for it.
    var isFresh = false
    var allocated = ScalarVector()
    /// The key under which the order has it.
    var key: ShareKey
    /// On how many agents it holds something.
    var agentCount = 0
    /// Grows when its filters are dropped and when the slot is used again.
    var epoch: UInt64 = 0
    var isVacant = false
}

/// A role that some framework is in or holds resources in.
struct RoleState: Sendable {
    var name: RoleName
    var weight: Double
    var allocated = ScalarVector()
    var key: ShareKey
    /// The frameworks that may be offered something, neediest first.
    var order = ShareOrder()
    /// How many clients there are, in the order or not.
    var clientCount = 0
    var isVacant = false
}

/// A framework as it was added.
struct FrameworkState: Sendable {
    var roles: [RoleName]
    var suppressed: Set<RoleName>
    var abilities: Abilities
    var isActive: Bool
}

/// The capabilities that decide what a framework may be offered.
struct Abilities: OptionSet, Hashable, Sendable {
    let rawValue: UInt8
    static let gpus = Abilities(rawValue: 1)
    static let revocable = Abilities(rawValue: 2)
    static let shared = Abilities(rawValue: 4)
    static let refinedReservations = Abilities(rawValue: 8)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ capabilities: Set<FrameworkCapability>) {
        self = []
        if capabilities.contains(.gpuResources) { insert(.gpus) }
        if capabilities.contains(.revocableResources) { insert(.revocable) }
        if capabilities.contains(.sharedResources) { insert(.shared) }
        if capabilities.contains(.reservationRefinement) { insert(.refinedReservations) }
    }

    /// Whether a framework in this role that has these abilities may be offered this kind of resource.
    func admit(_ kind: ResourceKind, to role: RoleName) -> Bool {
        if kind.isRevocable, !contains(.revocable) { return false }
        if kind.isShared, !contains(.shared) { return false }
        if kind.reservations.count > 1, !contains(.refinedReservations) { return false }
        return kind.isOfferable(to: role)
    }
}

/// The order in which a cycle visits agents: pseudo-random, a function of the seed and the agents' ids alone. So no
/// agent is favoured over many cycles, and the order of two agents depends on nothing else that happened.
enum SeededOrder {
    /// FNV-1a over the bytes of a text.
    static func hash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return hash
    }

    /// The finaliser of SplitMix64: agents are visited by rising values of it.
    static func rank(_ hash: UInt64, seed: UInt64) -> UInt64 {
        var word = hash &+ seed &* 0x9e37_79b9_7f4a_7c15
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
