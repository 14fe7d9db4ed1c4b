/// What must run before what, in a tree of groups.
///
/// A dependency on a group is one on everything in it, and a group's dependency is one of everything in it. To write
/// each of these out would take as many edges as the product of both sizes; instead every group has two points in the
/// graph, one before all of its members and one after them.
struct DependencyGraph {
    private enum Point: Hashable, Comparable {
        case before(ServiceID)
        case workload(ServiceID)
        case after(ServiceID)

        private var order: (ServiceID, Int) {
            switch self {
            case .before(let id): (id, 0)
            case .workload(let id): (id, 1)
            case .after(let id): (id, 2)
            }
        }

        static func < (left: Self, right: Self) -> Bool { left.order < right.order }

        /// Only what runs takes a layer.
        var length: Int { if case .workload = self { 1 } else { 0 } }
    }

    /// What each point waits for.
    private var waitsFor: [Point: [Point]] = [:]
    private var workloads: [ServiceID] = []
    private var groups: Set<ServiceID> = []

    /// Reads the dependencies of a tree. What is named and not there is waited for by nobody.
    init(_ root: GroupDefinition) {
        root.visit { groups.insert($0.id) }
        workloads = root.allWorkloads.map(\.id)
        let known = Set(workloads)
        root.visit { group in
            let before = Point.before(group.id)
            let after = Point.after(group.id)
            var needs = points(of: group.dependencies, known)
            if !group.id.isRoot { needs.append(.before(group.id.parent)) }
            waitsFor[before] = needs
            waitsFor[after] = [before] + group.groups.keys.map(Point.after)
            for workload in group.workloads {
                waitsFor[.workload(workload.id)] = [before] + points(of: workload.dependencies, known)
                waitsFor[after]?.append(.workload(workload.id))
            }
        }
    }

    private func points(of dependencies: [ServiceID], _ known: Set<ServiceID>) -> [Point] {
        dependencies.compactMap { id in
            if known.contains(id) { return .workload(id) }
            return groups.contains(id) ? .after(id) : nil
        }
    }

    /// The layer of each service and pod: one more than the highest of what it waits for, 1 when it waits for nothing.
    /// - Throws: `.cycle` with those that are part of a circle or wait for one.
    func layers() throws(PlanError) -> [ServiceID: Int] {
        var waiting: [Point: Int] = [:]
        var waiters: [Point: [Point]] = [:]
        for (point, others) in waitsFor {
            waiting[point] = others.count
            for other in others { waiters[other, default: []].append(point) }
        }
        var depth: [Point: Int] = [:]
        var ready = waitsFor.keys.filter { waiting[$0] == 0 }
        var done = 0
        while let point = ready.popLast() {
            done += 1
            let mine = (depth[point] ?? 0) + point.length
            depth[point] = mine
            for waiter in waiters[point] ?? [] {
                depth[waiter] = max(depth[waiter] ?? 0, mine)
                waiting[waiter, default: 0] -= 1
                if waiting[waiter] == 0 { ready.append(waiter) }
            }
        }
        if done < waitsFor.count {
            let stuck = workloads.filter { (waiting[.workload($0)] ?? 0) > 0 }
            throw PlanError.cycle(stuck.isEmpty ? groups.filter { (waiting[.after($0)] ?? 0) > 0 }.sorted() : stuck)
        }
        var layers: [ServiceID: Int] = [:]
        for id in workloads { layers[id] = depth[.workload(id)] ?? 1 }
        return layers
    }
}
