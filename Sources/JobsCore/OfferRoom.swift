internal import ClusterModel

/// What is left of one offer while tasks are placed on it.
struct OfferRoom {
    let offer: Offer
    private(set) var left: Resources
    private(set) var tasks: [TaskInfo] = []

    init(_ offer: Offer) {
        self.offer = offer
        left = offer.resources
    }

    /// The resources for a run: what is reserved for the role first, then what is anybody's.
    ///
    /// - Returns: nil when there is not enough; nothing is taken then.
    func resources(for plan: RunPlan) -> Resources? {
        var wanted: [Resource] = []
        let gpus = Quantity(Double(plan.gpus)) ?? .zero
        for (name, amount) in [("cpus", plan.cpus), ("mem", plan.memory), ("disk", plan.disk), ("gpus", gpus)] {
            guard let parts = parts(name, amount) else { return nil }
            wanted += parts
        }
        return try? Resources(wanted)
    }

    private func parts(_ name: String, _ amount: Quantity) -> [Resource]? {
        var missing = amount
        var parts: [Resource] = []
        let fit = left.items.filter { item in
            item.kind.name == name && item.kind.disk == nil && !item.kind.isRevocable && !item.kind.isShared
        }
        for item in fit.filter({ !$0.kind.reservations.isEmpty }) + fit.filter({ $0.kind.reservations.isEmpty }) {
            guard !missing.isZero, case .scalar(let there) = item.value else { continue }
            let taken = min(there, missing)
            parts.append(Resource(kind: item.kind, value: .scalar(taken)))
            missing = missing.subtracting(taken) ?? .zero
        }
        return missing.isZero ? parts : nil
    }

    /// Places a task.
    ///
    /// - Returns: false when its resources are not there; nothing has changed then.
    mutating func place(_ task: TaskInfo) -> Bool {
        guard let rest = try? left.subtracting(task.resources) else { return false }
        left = rest
        tasks.append(task)
        return true
    }

    /// What a run lacks here, in words; nil when it fits.
    func shortage(for plan: RunPlan) -> String? {
        for constraint in plan.constraints where !constraint.fits(offer.agent) {
            return "\(constraint.attribute) \(constraint.comparison.rawValue) \(constraint.value)"
        }
        let gpus = Quantity(Double(plan.gpus)) ?? .zero
        for (name, amount) in [("cpus", plan.cpus), ("mem", plan.memory), ("disk", plan.disk), ("gpus", gpus)] {
            if parts(name, amount) == nil { return "\(name): \(amount) wanted, \(left.total(name)) offered" }
        }
        return nil
    }
}

extension PlacementConstraint {
    /// Whether an agent will do.
    func fits(_ agent: AgentInfo) -> Bool {
        guard let found = text(of: agent) else { return comparison == .unlike }
        switch comparison {
        case .same: return found == value
        case .like: return (try? TextPattern(value))?.matches(found) ?? false
        case .unlike: return !((try? TextPattern(value))?.matches(found) ?? false)
        }
    }

    private func text(of agent: AgentInfo) -> String? {
        switch attribute {
        case "hostname", "@hostname": return agent.hostname
        case "@region": return agent.domain?.region
        case "@zone": return agent.domain?.zone
        default: break
        }
        switch agent.attributes.first(where: { $0.name == attribute })?.value {
        case .text(let text): return text
        case .scalar(let number):
            let text = String(number)
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        case .ranges(let ranges): return ranges.description
        case nil: return nil
        }
    }
}
