internal import ClusterModel
internal import Deployments

/// Why an offer is not fit.
struct Misfit {
    private(set) var reasons: [RejectReason] = []
    private(set) var details: [String] = []

    mutating func add(_ reason: RejectReason, _ detail: String) {
        if !reasons.contains(reason) { reasons.append(reason) }
        details.append(detail)
    }
}

/// A place for an instance: its ids and what it uses.
struct Placement {
    struct Task {
        var record: TaskRecord
        var resources: Resources
    }

    var id: InstanceID
    var tasks: [Task]
    /// What a pod's executor takes beside its tasks.
    var executor: Resources
}

/// Decides whether one more instance fits on an offer, and what it takes of it.
struct OfferMatcher {
    let goal: ServiceState.Goal
    let role: RoleName
    let placements: PlacementIndex

    /// What a task needs.
    private struct Need {
        var container: String?
        var cpus: Quantity
        var mem: Quantity
        var disk: Quantity
        var gpus: Quantity
        var ports: [PortWish]

        init(_ container: String?, _ amounts: (cpus: Double, mem: Double, disk: Double, gpus: Int), _ ports: [PortWish])
        {
            self.container = container
            cpus = Quantity(amounts.cpus) ?? .zero
            mem = Quantity(amounts.mem) ?? .zero
            disk = Quantity(amounts.disk) ?? .zero
            gpus = Quantity(Double(amounts.gpus)) ?? .zero
            self.ports = ports
        }
    }

    /// Places an instance, or says why not.
    func place(
        on table: inout OfferTable, using generator: inout IdentifierSource, _ misfit: inout Misfit
    ) -> Placement? {
        checkRole(table.offer, &misfit)
        for constraint in goal.workload.constraints { check(constraint, table.offer, &misfit) }
        var purse = ResourcePurse(table.left, allowed: Set(goal.workload.acceptedResourceRoles))
        let needs = needs
        let executor = executorNeed
        checkAmounts(needs + [executor], purse, table, &misfit)
        guard misfit.reasons.isEmpty else { return nil }
        let id = generator.instance(of: goal.workload.id)
        var tasks: [Placement.Task] = []
        for need in needs {
            guard let task = task(need, of: id, &purse, &generator) else {
                misfit.add(.insufficientPorts, "not all of the ports \(need.ports) are offered")
                return nil
            }
            tasks.append(task)
        }
        guard let own = task(executor, of: id, &purse, &generator)?.resources,
            let used = sum(tasks).flatMap({ try? $0.adding(own) }), table.take(used)
        else {
            misfit.add(.insufficientCpus, "the resources do not add up")
            return nil
        }
        return Placement(id: id, tasks: tasks, executor: own)
    }

    private func sum(_ tasks: [Placement.Task]) -> Resources? {
        var sum = Resources()
        for task in tasks {
            guard let next = try? sum.adding(task.resources) else { return nil }
            sum = next
        }
        return sum
    }

    private var needs: [Need] {
        switch goal.workload {
        case .service(let service):
            return [
                Need(nil, (service.cpus, service.mem, service.disk, service.gpus), service.portWishes)
            ]
        case .pod(let pod):
            return pod.containers.map { container in
                Need(
                    container.name, (container.cpus, container.mem, container.disk, container.gpus),
                    container.endpoints.map { $0.hostPort.map { $0 == 0 ? .any : .fixed($0) } ?? .none })
            }
        }
    }

    private var executorNeed: Need {
        let own = goal.workload.pod?.executorResources ?? ExecutorResources(cpus: 0, mem: 0, disk: 0)
        return Need(nil, (own.cpus, own.mem, own.disk, 0), [])
    }

    private func task(
        _ need: Need, of id: InstanceID, _ purse: inout ResourcePurse, _ generator: inout IdentifierSource
    ) -> Placement.Task? {
        var items: [Resource] = []
        for (name, amount) in [("cpus", need.cpus), ("mem", need.mem), ("disk", need.disk), ("gpus", need.gpus)]
        where !amount.isZero {
            guard let taken = purse.take(name, amount) else { return nil }
            items += taken
        }
        var ports = [Int?](repeating: nil, count: need.ports.count)
        // Ports of a fixed number first: one of any number might take them.
        let order = need.ports.indices.sorted { need.ports[$0].isFixed && !need.ports[$1].isFixed }
        for index in order {
            let number: Int?
            switch need.ports[index] {
            case .none: continue
            case .any: number = nil
            case .fixed(let fixed): number = fixed
            }
            guard let (port, resource) = purse.takePort(number, using: &generator) else { return nil }
            ports[index] = port
            items.append(resource)
        }
        guard let resources = try? Resources(items) else { return nil }
        let taskID = TaskID(need.container.map { "\(id).\($0).1" } ?? "\(id)._app.1")
        return Placement.Task(
            record: TaskRecord(id: taskID, container: need.container, hostPorts: ports), resources: resources)
    }

    // MARK: why not

    private func checkRole(_ offer: Offer, _ misfit: inout Misfit) {
        if offer.role != role {
            misfit.add(.unfulfilledRole, "offered in role \(offer.role), wanted in role \(role)")
        }
    }

    private func checkAmounts(
        _ needs: [Need], _ purse: ResourcePurse, _ table: OfferTable, _ misfit: inout Misfit
    ) {
        let names: [(String, RejectReason, KeyPath<Need, Quantity>)] = [
            ("cpus", .insufficientCpus, \.cpus), ("mem", .insufficientMemory, \.mem),
            ("disk", .insufficientDisk, \.disk), ("gpus", .insufficientGpus, \.gpus),
        ]
        for (name, reason, path) in names {
            let wanted = needs.reduce(Quantity.zero) { $0.adding($1[keyPath: path]) ?? $0 }
            if wanted.isZero { continue }
            let there = purse.available(name)
            if there < wanted { misfit.add(reason, "\(name): \(wanted) wanted, \(there) offered") }
        }
        let wishes = needs.flatMap(\.ports)
        let wanted = wishes.count { $0 != .none }
        let offered = purse.left.allRanges("ports")
        if UInt64(wanted) > offered.count {
            misfit.add(.insufficientPorts, "ports: \(wanted) wanted, \(offered.count) offered")
        }
        for case .fixed(let port) in wishes where !offered.contains(UInt64(max(0, port))) {
            misfit.add(.insufficientPorts, "port \(port) is not offered")
        }
        if table.sparesGPUs, needs.allSatisfy(\.gpus.isZero) {
            misfit.add(.declinedScarceResources, "the agent's GPUs are kept for those who need them")
        }
    }

    private func check(_ constraint: Constraint, _ offer: Offer, _ misfit: inout Misfit) {
        let value = offer.value(of: constraint.field)
        if ConstraintCheck(constraint, placements, count: goal.count).allows(value) { return }
        misfit.add(
            .unfulfilledConstraint,
            "\(constraint.texts.joined(separator: " ")): the agent has \(value.map { "'\($0)'" } ?? "no such property")"
        )
    }
}

/// A port that a task wants on its agent.
enum PortWish: Hashable, CustomStringConvertible {
    case none
    case any
    case fixed(Int)

    var isFixed: Bool { if case .fixed = self { true } else { false } }
    var description: String {
        switch self {
        case .none: "none"
        case .any: "any"
        case .fixed(let port): "\(port)"
        }
    }
}

extension Workload {
    /// The ports of an agent that each instance takes, by number.
    var fixedPorts: Set<Int> {
        let wishes: [PortWish] =
            switch self {
            case .service(let service): service.portWishes
            case .pod(let pod):
                pod.containers.flatMap(\.endpoints).compactMap { $0.hostPort.map { $0 == 0 ? .any : .fixed($0) } }
            }
        return Set(wishes.compactMap { if case .fixed(let port) = $0 { port } else { nil } })
    }
}

extension ServiceDefinition {
    /// The ports it wants on its agent, in the order of its definition.
    var portWishes: [PortWish] {
        if networks.contains(where: { $0.mode != .host }) {
            return (container?.portMappings ?? []).map { mapping in
                mapping.hostPort.map { $0 == 0 ? .any : .fixed($0) } ?? .none
            }
        }
        return (portDefinitions ?? []).map { requirePorts && $0.port != 0 ? .fixed($0.port) : .any }
    }
}
