internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// Carries out a command, or says why not.
    mutating func perform(_ request: ServicesRequestID, _ command: ServicesCommand) {
        do throws(CommandError) {
            say(.reply(request, try carryOut(command)))
        } catch {
            say(.reply(request, .refused(error.refusal)))
        }
    }

    /// A refusal on its way to the answer.
    struct CommandError: Error {
        var refusal: ServicesRefusal
        init(_ refusal: ServicesRefusal) { self.refusal = refusal }
    }

    private mutating func carryOut(_ command: ServicesCommand) throws(CommandError) -> ServicesReply {
        switch command {
        case .create(let workload, let force):
            if !workload.id.isRoot, root.workload(workload.id) != nil || root.group(workload.id) != nil {
                throw CommandError(.exists(workload.id))
            }
            return try put([WorkloadUpdate(workload: workload)], force)
        case .put(let updates, let force): return try put(updates, force)
        case .restart(let id, let force):
            return try put([WorkloadUpdate(workload: try present(id))], force, isRestart: true)
        case .rollBack(let id, let version, let force):
            _ = try present(id)
            return try put([WorkloadUpdate(workload: try past(id, version))], force)
        case .scale(let id, let count, let force):
            var workload = try present(id)
            workload.instances = count
            return try put([WorkloadUpdate(workload: workload)], force)
        case .remove(let id, let force):
            _ = try present(id)
            return try change(force) { $0.remove(id, version: $1) }
        case .kill(let ids, let scale, let force): return try kill(ids, scale, force)
        case .putGroup(let update, let mustBeNew, let force): return try putGroup(update, mustBeNew, force)
        case .scaleGroup(let id, let factor, let force): return try scaleGroup(id, factor, force)
        case .rollBackGroup(let id, let version, let force): return try rollBackGroup(id, version, force)
        case .removeGroup(let id, let force): return try removeGroup(id, force)
        case .cancelDeployment(let id, let force): return try cancelDeployment(id, force)
        case .resetDelay(let id):
            _ = try present(id)
            services[id]?.backoff.reset()
            if services[id]?.toLaunch ?? 0 > 0 { wantOffers(for: id) }
            return .done
        }
    }

    private func present(_ id: ServiceID) throws(CommandError) -> Workload {
        guard let workload = root.workload(id) else { throw CommandError(.noService(id)) }
        return workload
    }

    private func past(_ id: ServiceID, _ version: ServiceVersion) throws(CommandError) -> Workload {
        guard let workload = services[id]?.definitions[version] else { throw CommandError(.noVersion(id, version)) }
        return workload
    }

    // MARK: definitions

    private mutating func put(
        _ updates: [WorkloadUpdate], _ force: Bool, isRestart: Bool = false
    ) throws(CommandError) -> ServicesReply {
        var ports = ServicePorts(in: root, range: settings.servicePorts)
        var accepted: [Workload] = []
        var violations: [Violation] = []
        for (index, update) in updates.enumerated() {
            if let version = update.basedOn, root.workload(update.workload.id)?.version != version {
                throw CommandError(.stale(update.workload.id))
            }
            let workload = normalized(update.workload, &ports)
            let path = updates.count > 1 ? "(\(index))" : ""
            violations += workload.violations(rules(for: workload.id)).map { $0.below(path) }
            accepted.append(workload)
        }
        guard violations.isEmpty else { throw CommandError(.invalid(violations)) }
        return try change(force, isRestart: isRestart) { root, version in
            for var workload in accepted {
                // A restart changes nothing else, and would be no difference.
                if isRestart { workload.versionInfo = VersionInfo(first: version) }
                root.put(workload, version: version)
            }
        }
    }

    func rules(for id: ServiceID) -> ValidationRules {
        let roles = Set([settings.role.value] + (id.topGroup.map { [$0] } ?? []))
        return ValidationRules(
            roles: roles, defaultNetworkName: settings.defaultNetworkName,
            isolationLevels: settings.isolationLevels, features: settings.features)
    }

    /// The role of what names none.
    func defaultRole(of id: ServiceID, in root: GroupDefinition) -> String {
        if let top = id.topGroup, root.group(ServiceID("/" + top))?.enforceRole == true { return top }
        return settings.role.value
    }

    private func normalized(_ workload: Workload, _ ports: inout ServicePorts) -> Workload {
        var result = workload.normalized(
            role: defaultRole(of: workload.id, in: root), defaultNetworkName: settings.defaultNetworkName)
        if case .service(var service) = result {
            // Without one left it stays without: nothing but load balancers needs it.
            _ = ports.assign(to: &service, before: root.workload(workload.id)?.service)
            result = .service(service)
        }
        return result
    }

    // MARK: groups

    private mutating func putGroup(
        _ update: GroupUpdate, _ mustBeNew: Bool, _ force: Bool
    ) throws(CommandError) -> ServicesReply {
        if mustBeNew, root.group(update.id) != nil { throw CommandError(.exists(update.id)) }
        if root.workload(update.id) != nil { throw CommandError(.exists(update.id)) }
        var ports = ServicePorts(in: root, range: settings.servicePorts)
        let wanted = try normalized(update, &ports)
        return try change(force) { root, version in
            root.put(wanted.applied(to: root.group(update.id), version: version), version: version)
        }
    }

    private func normalized(_ update: GroupUpdate, _ ports: inout ServicePorts) throws(CommandError) -> GroupUpdate {
        var result = update
        var violations = Self.duplicates(in: update)
        for index in update.services?.indices ?? 0..<0 {
            guard let service = update.services?[index],
                case .service(let accepted) = normalized(.service(service), &ports)
            else { continue }
            result.services?[index] = accepted
            violations += accepted.violations(rules(for: accepted.id)).map { $0.below("/apps(\(index))") }
        }
        for index in update.pods?.indices ?? 0..<0 {
            guard let pod = update.pods?[index], case .pod(let accepted) = normalized(.pod(pod), &ports) else {
                continue
            }
            result.pods?[index] = accepted
            violations += accepted.violations(rules(for: accepted.id)).map { $0.below("/pods(\(index))") }
        }
        for index in update.groups?.indices ?? 0..<0 {
            guard let group = update.groups?[index] else { continue }
            do throws(CommandError) {
                result.groups?[index] = try normalized(group, &ports)
            } catch {
                guard case .invalid(let inner) = error.refusal else { throw error }
                violations += inner.map { $0.below("/groups(\(index))") }
            }
        }
        guard violations.isEmpty else { throw CommandError(.invalid(violations)) }
        return result
    }

    private static func duplicates(in update: GroupUpdate) -> [Violation] {
        let lists = [
            ("/apps", update.services?.map(\.id)), ("/pods", update.pods?.map(\.id)),
            ("/groups", update.groups?.map(\.id)),
        ]
        return lists.compactMap { path, ids in
            guard let ids, Set(ids).count != ids.count else { return nil }
            return Violation(path: path, message: "Elements must be unique.")
        }
    }

    private mutating func scaleGroup(
        _ id: ServiceID, _ factor: Double, _ force: Bool
    ) throws(CommandError) -> ServicesReply {
        guard let group = root.group(id) else { throw CommandError(.noGroup(id)) }
        guard factor.isFinite, factor >= 0, factor <= 1_000 else {
            let message = "got \(factor), expected between 0 and 1000"
            throw CommandError(.invalid([Violation(path: "/scaleBy", message: message)]))
        }
        let updates = group.allWorkloads.map { workload in
            var scaled = workload
            scaled.instances = Int((Double(workload.instances) * factor).rounded(.up))
            return WorkloadUpdate(workload: scaled)
        }
        return try put(updates, force)
    }

    /// Services that came later stay as they are; those that were removed since do not come back.
    private mutating func rollBackGroup(
        _ id: ServiceID, _ version: ServiceVersion, _ force: Bool
    ) throws(CommandError) -> ServicesReply {
        guard let group = root.group(id) else { throw CommandError(.noGroup(id)) }
        var updates: [WorkloadUpdate] = []
        for workload in group.allWorkloads {
            guard let state = services[workload.id], let past = state.versions.last(where: { $0 <= version }),
                let definition = state.definitions[past]
            else { continue }
            updates.append(WorkloadUpdate(workload: definition))
        }
        if updates.isEmpty { throw CommandError(.noVersion(id, version)) }
        return try put(updates, force)
    }

    private mutating func removeGroup(_ id: ServiceID, _ force: Bool) throws(CommandError) -> ServicesReply {
        guard root.group(id) != nil else { throw CommandError(.noGroup(id)) }
        return try change(force) { root, version in
            if id.isRoot {
                root = GroupDefinition()
                root.version = version
            } else {
                root.remove(id, version: version)
            }
        }
    }

    // MARK: instances

    private mutating func kill(
        _ ids: [InstanceID], _ scale: Bool, _ force: Bool
    ) throws(CommandError) -> ServicesReply {
        let known = Set(ids).compactMap { instances[$0] }.sorted { $0.id < $1.id }
        var killed: [ServiceID: Int] = [:]
        for instance in known where instance.standing != .stopping && instance.standing != .inactive {
            killed[instance.record.service, default: 0] += 1
        }
        var reply = ServicesReply.killed(known.map(\.id))
        if scale {
            let updates = killed.keys.sorted().compactMap { id in
                root.workload(id).map { workload in
                    var smaller = workload
                    smaller.instances = max(0, workload.instances - (killed[id] ?? 0))
                    return WorkloadUpdate(workload: smaller)
                }
            }
            if !updates.isEmpty { reply = try put(updates, force) }
        }
        for instance in known { kill(instance.id, because: .asked) }
        return reply
    }
}
