/// How much there is of one resource.
public enum ResourceValue: Hashable, Sendable, Codable {
    /// An amount: `cpus`, `mem`, `disk`, `gpus`.
    case scalar(Quantity)
    /// Numbers that can each be used once: `ports`.
    case ranges(RangeSet)
    /// Names that can each be used once.
    case set(Set<String>)

    /// Whether nothing is there.
    public var isEmpty: Bool {
        switch self {
        case .scalar(let quantity): quantity.isZero
        case .ranges(let ranges): ranges.isEmpty
        case .set(let names): names.isEmpty
        }
    }
}

extension ResourceValue: CustomStringConvertible {
    /// As in Mesos' text form of resources: `2.5`, `[31000-32000]`, `{a, b}`.
    public var description: String {
        switch self {
        case .scalar(let quantity): quantity.description
        case .ranges(let ranges): ranges.description
        case .set(let names): "{" + names.sorted().joined(separator: ", ") + "}"
        }
    }
}

/// One layer of a reservation: the resource may be offered only to this role (and roles below it).
public struct Reservation: Hashable, Comparable, Sendable, Codable {
    /// Who made it.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// The agent's own configuration.
        case fixed = "STATIC"
        /// A framework or an operator, at run time.
        case dynamic = "DYNAMIC"
    }

    /// Who made it.
    public var kind: Kind
    /// For whom.
    public var role: RoleName
    /// Who asked for it, when known.
    public var principal: String?
    /// Free text that goes with it; part of its identity.
    public var labels: [Label]

    /// Makes a reservation.
    public init(kind: Kind, role: RoleName, principal: String? = nil, labels: [Label] = []) {
        self.kind = kind
        self.role = role
        self.principal = principal
        self.labels = labels
    }

    /// A total order, so that resources have one canonical sequence.
    public static func < (left: Self, right: Self) -> Bool {
        if left.role != right.role { return left.role < right.role }
        if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
        if left.principal != right.principal {
            // Nothing comes before an empty text, which is something else.
            guard let mine = left.principal else { return true }
            guard let other = right.principal else { return false }
            return mine < other
        }
        return left.labels.lexicographicallyPrecedes(right.labels)
    }
}

/// A key with an optional value that people attach to tasks, frameworks and reservations.
public struct Label: Hashable, Comparable, Sendable, Codable {
    /// The key; need not be unique.
    public var key: String
    /// The value, if any.
    public var value: String?

    /// Makes a label.
    public init(key: String, value: String? = nil) {
        self.key = key
        self.value = value
    }

    /// Orders by key, then value; no value comes first.
    public static func < (left: Self, right: Self) -> Bool {
        if left.key != right.key { return left.key < right.key }
        guard let mine = left.value else { return right.value != nil }
        guard let other = right.value else { return false }
        return mine < other
    }
}

/// What makes an amount of disk special: a persistent volume on it, or a disk of its own.
public struct DiskDetails: Hashable, Comparable, Sendable, Codable {
    /// The id of the persistent volume, unique per role and agent, if there is one.
    public var persistenceID: String?
    /// Who created the volume.
    public var principal: String?
    /// Where the volume appears in a container.
    public var containerPath: String?
    /// Whether a container may write to it.
    public var isReadOnly: Bool
    /// The directory or mount on the agent that backs it, when it isn't the agent's root disk.
    public var sourceRoot: String?
    /// `PATH`, `MOUNT`, `BLOCK` or `RAW` for a disk of its own.
    public var sourceKind: String?

    /// Makes disk details.
    public init(
        persistenceID: String? = nil, principal: String? = nil, containerPath: String? = nil, isReadOnly: Bool = false,
        sourceRoot: String? = nil, sourceKind: String? = nil
    ) {
        self.persistenceID = persistenceID
        self.principal = principal
        self.containerPath = containerPath
        self.isReadOnly = isReadOnly
        self.sourceRoot = sourceRoot
        self.sourceKind = sourceKind
    }

    private var order: [String] {
        // The mark keeps an empty text, which may come from outside, apart from no text.
        [persistenceID, sourceKind, sourceRoot, containerPath, principal].map { $0.map { "+" + $0 } ?? "" }
            + [isReadOnly ? "1" : "0"]
    }

    /// A total order, so that resources have one canonical sequence.
    public static func < (left: Self, right: Self) -> Bool { left.order.lexicographicallyPrecedes(right.order) }
}

/// What two amounts must have in common to be added: everything but the amount.
public struct ResourceKind: Hashable, Comparable, Sendable, Codable {
    /// `cpus`, `mem`, `disk`, `gpus`, `ports`, or a name of the operator's own.
    public var name: String
    /// From the outermost to the innermost reservation; empty when anybody may have it.
    public var reservations: [Reservation]
    /// Set for disk that is more than space on the agent's root disk.
    public var disk: DiskDetails?
    /// Whether the agent may take it back at any time.
    public var isRevocable: Bool
    /// Whether several tasks may use it at once (persistent volumes only).
    public var isShared: Bool

    /// Makes a kind; plain unreserved resources by default.
    public init(
        name: String, reservations: [Reservation] = [], disk: DiskDetails? = nil, isRevocable: Bool = false,
        isShared: Bool = false
    ) {
        self.name = name
        self.reservations = reservations
        self.disk = disk
        self.isRevocable = isRevocable
        self.isShared = isShared
    }

    /// The role it is reserved for, or `*`.
    public var role: RoleName { reservations.last?.role ?? .everyone }

    /// Whether a framework in this role may be offered it: it is unreserved, or reserved for the role or one above.
    public func isOfferable(to role: RoleName) -> Bool {
        guard let reserved = reservations.last?.role else { return true }
        return reserved == role || role.value.hasPrefix(reserved.value + "/")
    }

    /// A total order, so that resources have one canonical sequence.
    public static func < (left: Self, right: Self) -> Bool {
        if left.name != right.name { return left.name < right.name }
        if left.reservations != right.reservations {
            return left.reservations.lexicographicallyPrecedes(right.reservations)
        }
        if left.disk != right.disk {
            guard let mine = left.disk else { return true }
            guard let other = right.disk else { return false }
            return mine < other
        }
        if left.isRevocable != right.isRevocable { return right.isRevocable }
        return !left.isShared && right.isShared
    }
}

/// An amount of one kind of resource.
public struct Resource: Hashable, Sendable, Codable {
    /// What it is.
    public var kind: ResourceKind
    /// How much there is.
    public var value: ResourceValue

    /// Makes a resource.
    public init(kind: ResourceKind, value: ResourceValue) {
        self.kind = kind
        self.value = value
    }

    /// A plain amount that anybody may have; negative and non-finite amounts become zero.
    public static func scalar(_ name: String, _ amount: Double) -> Resource {
        Resource(kind: ResourceKind(name: name), value: .scalar(Quantity(amount) ?? .zero))
    }

    /// Ports that anybody may have; empty when the last comes before the first.
    public static func ports(_ begin: UInt64, _ end: UInt64) -> Resource {
        let ranges = RangeSet([RangeSet.Range(begin: begin, end: end)].compactMap { $0 })
        return Resource(kind: ResourceKind(name: "ports"), value: .ranges(ranges))
    }
}

extension Resource: CustomStringConvertible {
    /// As in Mesos' text form: `cpus(analytics):2`.
    public var description: String {
        let role = kind.reservations.isEmpty ? "" : "(\(kind.role))"
        let volume = kind.disk?.persistenceID.map { "[\($0)]" } ?? ""
        let revocable = kind.isRevocable ? "{REV}" : ""
        return "\(kind.name)\(role)\(volume)\(revocable):\(value)"
    }
}
