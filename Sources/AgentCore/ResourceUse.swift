internal import ClusterModel

/// What the live tasks of an agent use together. Roles do not matter here: the machine has only so many cores,
/// whoever they are reserved for.
struct ResourceUse: Sendable {
    private var amounts: [String: Int64] = [:]
    private var ranges: [String: RangeSet] = [:]

    mutating func add(_ resources: Resources) {
        for name in Self.names(resources) {
            let amount = resources.total(name).thousandths
            let (sum, overflow) = amounts[name, default: 0].addingReportingOverflow(amount)
            amounts[name] = overflow ? .max : sum
            ranges[name] = ranges[name, default: RangeSet()].union(resources.allRanges(name))
        }
    }

    mutating func remove(_ resources: Resources) {
        for name in Self.names(resources) {
            amounts[name] = max(0, amounts[name, default: 0] - resources.total(name).thousandths)
            ranges[name] = ranges[name, default: RangeSet()].subtracting(resources.allRanges(name))
        }
    }

    /// What is missing for some resources beside those in use, or nil.
    func shortage(for wanted: Resources, of total: Resources) -> String? {
        for name in Self.names(wanted) {
            let left = total.total(name).thousandths - amounts[name, default: 0]
            if wanted.total(name).thousandths > left {
                let free = Quantity(thousandths: max(0, left)) ?? .zero
                return "\(name): \(wanted.total(name)) wanted, \(free) of \(total.total(name)) left"
            }
            let numbers = wanted.allRanges(name)
            if !total.allRanges(name).contains(numbers) {
                return "\(name): \(numbers) wanted, \(total.allRanges(name)) there"
            }
            if ranges[name, default: RangeSet()].intersects(numbers) {
                return "\(name): some of \(numbers) are used by another task"
            }
        }
        return nil
    }

    private static func names(_ resources: Resources) -> [String] {
        Set(resources.items.map(\.kind.name)).sorted()
    }
}
