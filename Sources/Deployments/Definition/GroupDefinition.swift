public import ClusterModel

/// A group: services, pods and further groups, with what must run before all of them. The root group is all there is.
public struct GroupDefinition: Hashable, Sendable {
    /// Its name.
    public var id: ServiceID
    /// The services directly in it.
    public var services: [ServiceID: ServiceDefinition] = [:]
    /// The pods directly in it.
    public var pods: [ServiceID: PodDefinition] = [:]
    /// The groups directly in it.
    public var groups: [ServiceID: GroupDefinition] = [:]
    /// What must run before everything in it: services, pods or groups.
    public var dependencies: [ServiceID] = []
    /// When something in it changed last.
    public var version = ServiceVersion(nanoseconds: 0)
    /// Whether what is in it uses the share of the group's own role; only groups at the top have it.
    public var enforceRole: Bool?

    /// Makes an empty group.
    public init(id: ServiceID = .root) { self.id = id }

    /// Whether nothing is in it.
    public var isEmpty: Bool { services.isEmpty && pods.isEmpty && groups.isEmpty }

    /// The services and pods directly in it, in order of their names.
    public var workloads: [Workload] {
        (services.values.map(Workload.service) + pods.values.map(Workload.pod)).sorted { $0.id < $1.id }
    }

    /// The services and pods in it and in the groups in it, in order of their names.
    public var allWorkloads: [Workload] {
        var found: [Workload] = []
        visit { group in found += group.services.values.map(Workload.service) + group.pods.values.map(Workload.pod) }
        return found.sorted { $0.id < $1.id }
    }

    /// All groups, this one first, each before those in it, in order of their names.
    public var allGroups: [GroupDefinition] {
        [self] + groups.values.sorted { $0.id < $1.id }.flatMap(\.allGroups)
    }

    /// Hands this group and all in it to somebody, in no particular order.
    public func visit(_ body: (GroupDefinition) -> Void) {
        body(self)
        for group in groups.values { group.visit(body) }
    }

    /// A service or pod anywhere in this group.
    public func workload(_ id: ServiceID) -> Workload? {
        guard let group = group(id.parent) else { return nil }
        if let service = group.services[id] { return .service(service) }
        return group.pods[id].map(Workload.pod)
    }

    /// A group anywhere in this one, or this one.
    public func group(_ wanted: ServiceID) -> GroupDefinition? {
        if wanted == id { return self }
        guard let next = step(towards: wanted) else { return nil }
        return groups[next]?.group(wanted)
    }

    /// The group directly in this one that leads to another.
    private func step(towards wanted: ServiceID) -> ServiceID? {
        guard wanted.isWithin(id), wanted != id else { return nil }
        let skipped = id.isRoot ? 1 : id.path.utf8.count + 1
        let rest = wanted.path.utf8.dropFirst(skipped)
        let name = rest.prefix { $0 != UInt8(ascii: "/") }
        return ServiceID(String(decoding: wanted.path.utf8[..<name.endIndex], as: UTF8.self))
    }

    /// Puts a group in the place of what is there by its name, making groups on the way as needed.
    public mutating func put(_ group: GroupDefinition, version: ServiceVersion) {
        change(group.id, version: version) { $0 = group }
    }

    /// Puts a service or pod in the place of what is there by its name, making groups on the way as needed.
    public mutating func put(_ workload: Workload, version: ServiceVersion) {
        change(workload.id.parent, version: version) { group in
            group.services[workload.id] = workload.service
            group.pods[workload.id] = workload.pod
        }
    }

    /// Takes a service, a pod or a group with all that is in it away.
    public mutating func remove(_ wanted: ServiceID, version: ServiceVersion) {
        guard !wanted.isRoot, group(wanted.parent) != nil else { return }
        change(wanted.parent, version: version) { group in
            group.services[wanted] = nil
            group.pods[wanted] = nil
            group.groups[wanted] = nil
        }
    }

    /// Changes a group in place. The groups on the way to it get the version as well.
    public mutating func change(
        _ wanted: ServiceID, version: ServiceVersion, _ body: (inout GroupDefinition) -> Void
    ) {
        if wanted == id {
            body(&self)
            self.version = max(self.version, version)
            return
        }
        guard let next = step(towards: wanted) else { return }
        self.version = max(self.version, version)
        groups[next, default: GroupDefinition(id: next)].change(wanted, version: version, body)
    }
}

/// What somebody wants a group to be: what is nil stays as it is.
public struct GroupUpdate: Hashable, Sendable {
    /// The group.
    public var id: ServiceID
    /// All services directly in it.
    public var services: [ServiceDefinition]?
    /// All pods directly in it.
    public var pods: [PodDefinition]?
    /// All groups directly in it.
    public var groups: [GroupUpdate]?
    /// What must run before it.
    public var dependencies: [ServiceID]?
    /// Whether it has a role of its own.
    public var enforceRole: Bool?

    /// Makes an update that changes nothing.
    public init(id: ServiceID) { self.id = id }

    /// The group after the update.
    public func applied(to group: GroupDefinition?, version: ServiceVersion) -> GroupDefinition {
        var result = group ?? GroupDefinition(id: id)
        if let services {
            result.services = Dictionary(services.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
        }
        if let pods { result.pods = Dictionary(pods.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last }) }
        if let groups {
            let old = result.groups
            result.groups = [:]
            for update in groups {
                result.groups[update.id] = update.applied(to: old[update.id], version: version)
            }
        }
        if let dependencies { result.dependencies = dependencies }
        if let enforceRole { result.enforceRole = enforceRole }
        result.version = version
        return result
    }
}
