internal import ClusterModel

/// Amounts of scalar resources by column, the form in which shares are computed: adding and comparing them touches no
/// names and no heap for the four resources that every cluster has.
///
/// Sums wrap around instead of trapping. Wrapping keeps every step reversible, so a bookkeeping sum is exact again once
/// an absurd amount (more than 9·10¹⁵ units in the whole cluster) has left; shares are merely wrong meanwhile.
struct ScalarVector: Equatable, Sendable {
    /// Columns 0 to 3: cpus, mem, disk, gpus.
    var common: SIMD4<Int64> = .zero
    /// Columns from 4 on; shorter than the number of columns when the rest is zero.
    var others: [Int64] = []

    /// Adds, column by column.
    static func += (left: inout Self, right: Self) {
        left.common = left.common &+ right.common
        guard !right.others.isEmpty else { return }
        left.widen(to: right.others.count)
        for column in right.others.indices { left.others[column] &+= right.others[column] }
    }

    /// Subtracts, column by column.
    static func -= (left: inout Self, right: Self) {
        left.common = left.common &- right.common
        guard !right.others.isEmpty else { return }
        left.widen(to: right.others.count)
        for column in right.others.indices { left.others[column] &-= right.others[column] }
    }

    /// The amount in a column, in thousandths.
    subscript(column: Int) -> Int64 {
        if column < 4 { return common[column] }
        return column - 4 < others.count ? others[column - 4] : 0
    }

    /// Adds to one column.
    mutating func add(_ amount: Int64, column: Int) {
        if column < 4 {
            common[column] &+= amount
        } else {
            widen(to: column - 3)
            others[column - 4] &+= amount
        }
    }

    /// Whether some column is larger here: then these resources cannot be contained in the other's.
    func exceeds(_ other: Self) -> Bool {
        if any(common .> other.common) { return true }
        for column in others.indices {
            let there = column < other.others.count ? other.others[column] : 0
            if others[column] > there { return true }
        }
        return false
    }

    /// The largest fraction of the total in any column that has a total, with that column.
    func dominantShare(of total: Self) -> (share: Double, column: Int?) {
        var best: (share: Double, column: Int?) = (0, nil)
        for column in 0..<4 where total.common[column] > 0 {
            let share = Double(common[column]) / Double(total.common[column])
            if share > best.share { best = (share, column) }
        }
        for column in 0..<min(others.count, total.others.count) where total.others[column] > 0 {
            let share = Double(others[column]) / Double(total.others[column])
            if share > best.share { best = (share, column + 4) }
        }
        return best
    }

    private mutating func widen(to count: Int) {
        while others.count < count { others.append(0) }
    }
}

/// Which column belongs to which resource name.
struct ScalarColumns: Sendable {
    /// Names beyond the four common ones that count towards shares. Names come from agents, so their number is
    /// bounded; scalars named later are offered like all others but do not count towards fairness.
    static let otherNamesMax = 32
    static let cpus = 0
    static let mem = 1
    static let gpus = 3

    private(set) var names = ["cpus", "mem", "disk", "gpus"]
    private var otherColumns: [String: Int] = [:]

    /// The amounts of all scalars in a bag, whatever they are reserved for.
    mutating func vector(_ resources: Resources) -> ScalarVector {
        for item in resources.items { learn(item) }
        return knownVector(resources)
    }

    /// The same for a bag whose names have all been met, as those of parts of an agent's total have.
    func knownVector(_ resources: Resources) -> ScalarVector {
        var vector = ScalarVector()
        for item in resources.items {
            guard case .scalar(let quantity) = item.value, let column = column(item.kind.name) else { continue }
            vector.add(quantity.thousandths, column: column)
        }
        return vector
    }

    /// The amounts that are not zero, with their names.
    func amounts(_ vector: ScalarVector) -> [NamedQuantity] {
        names.indices.compactMap { column in
            guard vector[column] > 0, let amount = Quantity(thousandths: vector[column]) else { return nil }
            return NamedQuantity(name: names[column], amount: amount)
        }
    }

    private func column(_ name: String) -> Int? {
        switch name {
        case "cpus": 0
        case "mem": 1
        case "disk": 2
        case "gpus": 3
        default: otherColumns[name]
        }
    }

    private mutating func learn(_ item: Resource) {
        guard case .scalar = item.value, column(item.kind.name) == nil, otherColumns.count < Self.otherNamesMax else {
            return
        }
        otherColumns[item.kind.name] = names.count
        names.append(item.kind.name)
    }
}
