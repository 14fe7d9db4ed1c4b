/// Why an arithmetic step on resources has no result. Arithmetic never traps and never yields a negative amount.
public enum ResourceError: Error, Hashable, Sendable {
    /// The sum is larger than a quantity can hold.
    case overflow(name: String)
    /// The same numbers, names or persistent volume would be there twice.
    case overlap(name: String, what: String)
    /// More would be taken than there is.
    case insufficient(name: String, role: RoleName, wanted: String, available: String)
    /// One name was used with two types of value.
    case typeMismatch(name: String)
    /// The name or the amount is not allowed.
    case invalid(name: String, why: String)
}

extension ResourceError: CustomStringConvertible {
    /// Says what was short and by what, for people and for task statuses.
    public var description: String {
        switch self {
        case .overflow(let name): "the amount of \(name) is too large to add"
        case .overlap(let name, let what): "\(name) has \(what) twice"
        case .insufficient(let name, let role, let wanted, let available):
            "\(name)\(role == .everyone ? "" : "(\(role))"): \(wanted) wanted, \(available) available"
        case .typeMismatch(let name): "\(name) is used with two types of value"
        case .invalid(let name, let why): "resource '\(name)' \(why)"
        }
    }
}

/// A bag of resources with exact arithmetic, always in canonical form: one item per kind, sorted by kind, none empty.
///
/// Addition and subtraction are partial: what cannot be (overlapping ports, more than there is) is a `ResourceError`.
/// Where they succeed, addition is commutative and associative, and `(a + b) - b == a`.
public struct Resources: Hashable, Sendable {
    /// The items in rising order of their kinds.
    public private(set) var items: [Resource]

    /// Nothing.
    public init() { items = [] }

    /// The sum of any items, in any order.
    /// - Throws: `.overflow`, `.overlap`, `.typeMismatch` as for `add`, `.invalid` for an empty or overlong name.
    public init(_ unordered: some Sequence<Resource>) throws(ResourceError) {
        items = []
        for item in unordered {
            let name = item.kind.name
            if name.isEmpty || name.utf8.count > 255 {
                throw .invalid(name: String(name.prefix(32)), why: "must have a name of 1 to 255 bytes")
            }
            var one = Resources()
            one.items = item.value.isEmpty ? [] : [item]
            try add(one)
        }
    }

    /// Whether nothing is there.
    public var isEmpty: Bool { items.isEmpty }

    /// Adds another bag.
    public mutating func add(_ other: Resources) throws(ResourceError) {
        if other.items.isEmpty { return }
        if items.isEmpty {
            items = other.items
            return
        }
        var result: [Resource] = []
        result.reserveCapacity(items.count + other.items.count)
        var (i, j) = (0, 0)
        while i < items.count, j < other.items.count {
            let (mine, theirs) = (items[i], other.items[j])
            if mine.kind == theirs.kind {
                result.append(Resource(kind: mine.kind, value: try Self.sum(mine, theirs)))
                i += 1
                j += 1
            } else if mine.kind < theirs.kind {
                result.append(mine)
                i += 1
            } else {
                result.append(theirs)
                j += 1
            }
        }
        result.append(contentsOf: items[i...])
        result.append(contentsOf: other.items[j...])
        items = result
    }

    /// Takes another bag away.
    /// - Throws: `.insufficient` when it is not contained in this one; nothing is changed then.
    public mutating func subtract(_ other: Resources) throws(ResourceError) {
        if other.items.isEmpty { return }
        var result: [Resource] = []
        result.reserveCapacity(items.count)
        var j = 0
        for mine in items {
            guard j < other.items.count, other.items[j].kind == mine.kind else {
                if j < other.items.count, other.items[j].kind < mine.kind { throw Self.missing(other.items[j]) }
                result.append(mine)
                continue
            }
            let left = try Self.difference(mine, other.items[j])
            if !left.isEmpty { result.append(Resource(kind: mine.kind, value: left)) }
            j += 1
        }
        if j < other.items.count { throw Self.missing(other.items[j]) }
        items = result
    }

    /// The sum, leaving this bag as it is.
    public func adding(_ other: Resources) throws(ResourceError) -> Resources {
        var result = self
        try result.add(other)
        return result
    }

    /// The difference, leaving this bag as it is.
    public func subtracting(_ other: Resources) throws(ResourceError) -> Resources {
        var result = self
        try result.subtract(other)
        return result
    }

    /// Whether the other bag could be taken away.
    public func contains(_ other: Resources) -> Bool {
        var i = 0
        for theirs in other.items {
            while i < items.count, items[i].kind < theirs.kind { i += 1 }
            guard i < items.count, items[i].kind == theirs.kind else { return false }
            guard (try? Self.difference(items[i], theirs)) != nil else { return false }
            i += 1
        }
        return true
    }

    /// The items that a test keeps.
    public func filter(_ isIncluded: (Resource) -> Bool) -> Resources {
        var result = Resources()
        result.items = items.filter(isIncluded)
        return result
    }

    /// The sum of all scalars with this name, whatever their role and disk; held at the largest quantity.
    public func total(_ name: String) -> Quantity {
        var total = Quantity.zero
        for item in items where item.kind.name == name {
            if case .scalar(let quantity) = item.value {
                total = total.adding(quantity) ?? Quantity(unchecked: .max)
            }
        }
        return total
    }

    /// The union of all ranges with this name, whatever their role.
    public func allRanges(_ name: String) -> RangeSet {
        RangeSet(
            items.lazy.filter { $0.kind.name == name }.flatMap { item -> [RangeSet.Range] in
                if case .ranges(let ranges) = item.value { ranges.ranges } else { [] }
            })
    }

    private static func sum(_ left: Resource, _ right: Resource) throws(ResourceError) -> ResourceValue {
        let name = left.kind.name
        if let volume = left.kind.disk?.persistenceID { throw .overlap(name: name, what: "volume '\(volume)'") }
        switch (left.value, right.value) {
        case (.scalar(let a), .scalar(let b)):
            guard let sum = a.adding(b) else { throw .overflow(name: name) }
            return .scalar(sum)
        case (.ranges(let a), .ranges(let b)):
            guard !a.intersects(b) else { throw .overlap(name: name, what: "some of \(b)") }
            return .ranges(a.union(b))
        case (.set(let a), .set(let b)):
            if let both = a.intersection(b).min() { throw .overlap(name: name, what: "'\(both)'") }
            return .set(a.union(b))
        default: throw .typeMismatch(name: name)
        }
    }

    private static func difference(_ left: Resource, _ right: Resource) throws(ResourceError) -> ResourceValue {
        let kind = left.kind
        let short = ResourceError.insufficient(
            name: kind.name, role: kind.role, wanted: right.value.description, available: left.value.description)
        switch (left.value, right.value) {
        case (.scalar(let a), .scalar(let b)):
            // A persistent volume is used whole or not at all.
            if kind.disk?.persistenceID != nil, a != b { throw short }
            guard let rest = a.subtracting(b) else { throw short }
            return .scalar(rest)
        case (.ranges(let a), .ranges(let b)):
            guard a.contains(b) else { throw short }
            return .ranges(a.subtracting(b))
        case (.set(let a), .set(let b)):
            guard a.isSuperset(of: b) else { throw short }
            return .set(a.subtracting(b))
        default: throw .typeMismatch(name: kind.name)
        }
    }

    private static func missing(_ wanted: Resource) -> ResourceError {
        .insufficient(
            name: wanted.kind.name, role: wanted.kind.role, wanted: wanted.value.description, available: "none")
    }
}

extension Resources: Codable {
    /// Reads a list of items and brings it into canonical form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do throws(ResourceError) {
            self = try Resources(Self.read(container))
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    private static func read(_ container: any SingleValueDecodingContainer) throws(ResourceError) -> [Resource] {
        do { return try container.decode([Resource].self) } catch {
            throw .invalid(name: "resources", why: "cannot be read: \(error)")
        }
    }

    /// Writes the canonical list of items.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(items)
    }
}

extension Resources: CustomStringConvertible {
    /// As in Mesos' text form: `cpus:2; mem:1024; ports:[31000-32000]`.
    public var description: String { items.map(\.description).joined(separator: "; ") }
}
