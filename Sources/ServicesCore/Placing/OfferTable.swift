internal import ClusterModel
internal import Deployments

/// An offer, and what is left of it while instances are placed on it.
struct OfferTable: Sendable {
    let offer: Offer
    private(set) var left: Resources
    /// Whether its agent's GPUs are for those who need them.
    let sparesGPUs: Bool

    init(_ offer: Offer, _ settings: ServicesSettings) {
        self.offer = offer
        // Volumes and resources that can be taken back are for nobody here.
        left = offer.resources.filter { $0.kind.disk == nil && !$0.kind.isRevocable && !$0.kind.isShared }
        sparesGPUs = settings.sparesGPUs && !offer.resources.total("gpus").isZero
    }

    /// The offer with what is left of it.
    var remainder: Offer {
        var result = offer
        result.resources = left
        return result
    }

    mutating func take(_ resources: Resources) -> Bool {
        guard let rest = try? left.subtracting(resources) else { return false }
        left = rest
        return true
    }
}

/// Takes amounts out of what an offer has, reserved ones first, in the roles that are allowed.
struct ResourcePurse {
    private(set) var left: Resources
    let allowed: Set<String>

    init(_ left: Resources, allowed: Set<String>) {
        self.left = left
        self.allowed = allowed
    }

    /// All that may be used of one name.
    func available(_ name: String) -> Quantity {
        left.filter { $0.kind.name == name && isAllowed($0) }.total(name)
    }

    private func isAllowed(_ resource: Resource) -> Bool {
        allowed.isEmpty || allowed.contains(resource.kind.role.value)
    }

    private func usable(_ name: String) -> [Resource] {
        left.items.filter { $0.kind.name == name && isAllowed($0) }
            .sorted { !$0.kind.reservations.isEmpty && $1.kind.reservations.isEmpty }
    }

    /// Takes an amount, possibly from several reservations; nil when there is not as much.
    mutating func take(_ name: String, _ amount: Quantity) -> [Resource]? {
        var missing = amount
        var taken: [Resource] = []
        for item in usable(name) where !missing.isZero {
            guard case .scalar(let there) = item.value else { continue }
            let part = min(there, missing)
            taken.append(Resource(kind: item.kind, value: .scalar(part)))
            missing = missing.subtracting(part) ?? .zero
        }
        guard missing.isZero, subtract(taken) else { return nil }
        return taken
    }

    /// Takes one port: that one, or any, chosen by the generator so that a port is not used again at once.
    mutating func takePort(
        _ number: Int?, using generator: inout IdentifierSource
    ) -> (port: Int, resource: Resource)? {
        let ranges = usable("ports").compactMap { item -> (ResourceKind, RangeSet)? in
            if case .ranges(let set) = item.value { (item.kind, set) } else { nil }
        }
        var chosen: (ResourceKind, UInt64)?
        if let number {
            chosen = ranges.first { $0.1.contains(UInt64(max(0, number))) }.map { ($0.0, UInt64(max(0, number))) }
        } else if let (kind, all) = ranges.first(where: { !$0.1.isEmpty }), let set = all.portsByPreference.first {
            var index = UInt64.random(in: 0..<set.count, using: &generator)
            for range in set.ranges {
                let size = range.end - range.begin + 1
                if index < size {
                    chosen = (kind, range.begin + index)
                    break
                }
                index -= size
            }
        }
        guard let (kind, port) = chosen, let range = RangeSet.Range(begin: port, end: port),
            let shown = Int(exactly: port)
        else { return nil }
        let resource = Resource(kind: kind, value: .ranges(RangeSet([range])))
        return subtract([resource]) ? (shown, resource) : nil
    }

    private mutating func subtract(_ taken: [Resource]) -> Bool {
        guard let sum = try? Resources(taken), let rest = try? left.subtracting(sum) else { return false }
        left = rest
        return true
    }
}
