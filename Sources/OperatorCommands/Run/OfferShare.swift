internal import ClusterModel

/// What is left of one offer while tasks are cut out of it.
struct OfferShare {
    let id: JSONValue
    let agent: String
    let hostname: String
    let attributes: [JSONValue]
    private(set) var taken: [JSONValue] = []
    private var rest: [Item] = []

    /// One resource of the offer, with everything that it says besides the amount.
    private struct Item {
        var template: [String: JSONValue]
        var name: String
        var thousandths: Int64
        var ranges: [(begin: Int64, end: Int64)]

        var isReserved: Bool {
            (template["reservations"]?.list?.isEmpty == false) || (template["role"]?.text ?? "*") != "*"
        }
    }

    /// Reads an offer of the scheduler interface; nil when it is not one.
    init?(_ offer: JSONValue) {
        guard let id = offer["id"], let agent = offer["agent_id"]?["value"]?.text,
            let resources = offer["resources"]?.list
        else { return nil }
        self.id = id
        self.agent = agent
        hostname = offer["hostname"]?.text ?? agent
        attributes = offer["attributes"]?.list ?? []
        rest = resources.compactMap(Self.item)
        // What is set aside for the role is used before what everybody could have.
        rest = rest.filter(\.isReserved) + rest.filter { !$0.isReserved }
    }

    private static func item(_ resource: JSONValue) -> Item? {
        guard case .object(let template) = resource, let name = resource["name"]?.text else { return nil }
        // Volumes, shared and revocable resources are for frameworks that ask for them.
        guard template["revocable"] == nil, template["shared"] == nil, template["disk"] == nil else { return nil }
        let offered = RangeSet(
            (resource["ranges"]?["range"]?.list ?? []).compactMap { range in
                guard let begin = range["begin"]?.double, let end = range["end"]?.double, begin >= 0, begin <= end,
                    end < 65_536
                else { return nil }
                return RangeSet.Range(begin: UInt64(begin), end: UInt64(end))
            })
        let ranges = offered.portsByPreference.flatMap(\.ranges).map { (Int64($0.begin), Int64($0.end)) }
        let scalar = resource["scalar"]?["value"]?.double ?? 0
        guard scalar.isFinite, abs(scalar) < 1e12 else { return nil }
        return Item(template: template, name: name, thousandths: Int64((scalar * 1_000).rounded()), ranges: ranges)
    }

    /// Cuts a task's resources out of the offer.
    ///
    /// - Returns: the resources for the task, its ports, and those of the host that lead into its container; nil, with
    ///   the offer unchanged, when they do not fit.
    mutating func take(_ order: RunOrder) -> (resources: [JSONValue], ports: [Int64], published: [Int64])? {
        guard order.constraints.allSatisfy({ $0.isMet(by: attributes) }) else { return nil }
        var trial = self
        var resources: [JSONValue] = []
        for (name, amount) in [("cpus", order.cpus), ("mem", order.memory), ("disk", order.disk)] {
            guard let parts = trial.take(name, Int64((amount * 1_000).rounded())) else { return nil }
            resources += parts
        }
        // Those that must be these first, or others might take them.
        for port in order.published.compactMap(\.hostPort) {
            guard let part = trial.takePort(port) else { return nil }
            resources.append(part)
        }
        let free = order.published.count { $0.hostPort == nil }
        guard let (parts, ports) = trial.takePorts(order.ports + free) else { return nil }
        self = trial
        var rest = ports.dropFirst(order.ports)
        let published = order.published.compactMap { $0.hostPort ?? rest.popFirst() }
        return (resources + parts, Array(ports.prefix(order.ports)), published)
    }

    private mutating func take(_ name: String, _ amount: Int64) -> [JSONValue]? {
        var missing = amount
        var parts: [JSONValue] = []
        for index in rest.indices where rest[index].name == name && missing > 0 {
            let part = min(missing, rest[index].thousandths)
            guard part > 0 else { continue }
            rest[index].thousandths -= part
            missing -= part
            var resource = rest[index].template
            resource["scalar"] = ["value": .number(Double(part) / 1_000)]
            parts.append(.object(resource))
        }
        return missing == 0 ? parts : nil
    }

    private mutating func takePort(_ port: Int64) -> JSONValue? {
        for index in rest.indices where rest[index].name == "ports" {
            guard let at = rest[index].ranges.firstIndex(where: { $0.begin <= port && port <= $0.end }) else {
                continue
            }
            let range = rest[index].ranges.remove(at: at)
            let left = [(begin: range.begin, end: port - 1), (begin: port + 1, end: range.end)]
            rest[index].ranges.insert(contentsOf: left.filter { $0.begin <= $0.end }, at: at)
            var resource = rest[index].template
            resource["ranges"] = ["range": [["begin": .integer(port), "end": .integer(port)]]]
            return .object(resource)
        }
        return nil
    }

    private mutating func takePorts(_ count: Int) -> (parts: [JSONValue], ports: [Int64])? {
        var missing = Int64(count)
        var parts: [JSONValue] = []
        var ports: [Int64] = []
        for index in rest.indices where rest[index].name == "ports" && missing > 0 {
            var taken: [JSONValue] = []
            while missing > 0, let range = rest[index].ranges.first {
                let end = min(range.end, range.begin + missing - 1)
                taken.append(["begin": .integer(range.begin), "end": .integer(end)])
                ports += Array(range.begin...end)
                missing -= end - range.begin + 1
                if end == range.end {
                    rest[index].ranges.removeFirst()
                } else {
                    rest[index].ranges[0].begin = end + 1
                }
            }
            guard !taken.isEmpty else { continue }
            var resource = rest[index].template
            resource["ranges"] = ["range": .list(taken)]
            parts.append(.object(resource))
        }
        return missing == 0 ? (parts, ports) : nil
    }
}
