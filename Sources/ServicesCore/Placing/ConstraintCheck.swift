internal import ClusterModel
internal import Deployments

/// Whether one more instance may run where a property has a value.
struct ConstraintCheck {
    private let constraint: Constraint
    private let counts: [String: Int]
    private let total: Int
    /// How many instances there shall be.
    private let count: Int

    init(_ constraint: Constraint, _ placements: PlacementIndex, count: Int) {
        self.constraint = constraint
        counts = placements.counts[constraint.field] ?? [:]
        total = placements.total
        self.count = count
    }

    func allows(_ value: String?) -> Bool {
        // Only what must not be something can be met by what is not there.
        guard let value else { return constraint.condition == .unlike }
        switch constraint.condition {
        case .unique: return (counts[value] ?? 0) == 0
        case .cluster:
            if let wanted = constraint.value, !wanted.isEmpty { return value == wanted }
            return total == 0 || (counts[value] ?? 0) > 0
        case .groupBy: return allowsGroup(value)
        case .like: return Pattern(constraint.value ?? "")?.matches(value) == true
        case .unlike: return Pattern(constraint.value ?? "")?.matches(value) == false
        case .maxPer: return (counts[value] ?? 0) < (Int(constraint.value ?? "") ?? 0)
        case .equals: return value == Self.plain(constraint.value ?? "")
        }
    }

    /// With a number of groups, as in Marathon: so many groups, none with more than its share, and as many with one more
    /// as the division leaves over. Without one, always one of the smallest groups that are known.
    private func allowsGroup(_ value: String) -> Bool {
        guard let groups = constraint.value.flatMap({ Int($0) }), groups > 0 else {
            guard let mine = counts[value] else { return true }
            return mine <= (counts.values.min() ?? 0)
        }
        guard let mine = counts[value] else { return counts.count < groups }
        let share = count / groups
        let used = counts.values.reduce(0) { $0 + max(0, $1 - share) }
        return mine < share || (mine == share && count % groups > used)
    }

    /// Numbers with at most three decimals, as attributes are written.
    private static func plain(_ text: String) -> String {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
            let number = Double(text)
        else { return text }
        return AgentProperties.text(of: .scalar(number))
    }
}
