internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// Changes the tree, and begins a deployment of the difference.
    mutating func change(
        _ force: Bool, isRestart: Bool = false, undoing: DeploymentID? = nil,
        _ body: (inout GroupDefinition, ServiceVersion) -> Void
    ) throws(CommandError) -> ServicesReply {
        let previous = lastVersion
        let version = newVersion()
        var target = root
        body(&target, version)
        do throws(CommandError) {
            return try deploy(&target, version, force, isRestart, undoing)
        } catch {
            lastVersion = previous
            publish(.groupChangeFailed(.root, version: version, reason: "\(error.refusal)"))
            throw error
        }
    }

    private mutating func deploy(
        _ target: inout GroupDefinition, _ version: ServiceVersion, _ force: Bool, _ isRestart: Bool,
        _ undoing: DeploymentID?
    ) throws(CommandError) -> ServicesReply {
        var changes = Self.differences(from: root, to: target)
        // What was undone has its old version, so that instances of it are as good as ever.
        if undoing == nil { Self.setVersions(of: &changes, in: &target, version, isRestart) }
        let groups = Self.groupDifferences(from: root, to: target)
        try check(target, changes, groups)
        let conflicts = Set(changes.keys.compactMap { locks[$0] }).union(undoing.map { [$0] } ?? []).sorted()
        if !conflicts.isEmpty, !force, conflicts != undoing.map({ [$0] }) {
            throw CommandError(.locked(conflicts.filter { $0 != undoing }))
        }
        let id = DeploymentID(identifiers.uuid())
        let plan: DeploymentPlan
        do throws(PlanError) {
            plan = try DeploymentPlan(id: id, version: version, changes: changes, in: target)
        } catch {
            throw CommandError(.invalid([Violation(path: "/", message: "Dependency graph has cyclic dependencies.")]))
        }
        begin(plan, target, groups, conflicts)
        return .deployment(id, version: version)
    }

    private mutating func begin(
        _ plan: DeploymentPlan, _ target: GroupDefinition, _ groups: [ServiceID: DeploymentRecord.GroupChange],
        _ conflicts: [DeploymentID]
    ) {
        let plan = mending(plan)
        let record = DeploymentRecord(
            id: plan.id, version: plan.version, sequence: nextSequence, steps: plan.steps,
            changes: plan.changes.mapValues {
                DeploymentRecord.Change(original: $0.original?.version, target: $0.target?.version)
            },
            groups: groups, replaces: conflicts)
        nextSequence += 1
        for workload in plan.changes.values.compactMap(\.target).sorted(by: { $0.id < $1.id }) { keep(workload) }
        store(.putDeployment(record))
        let freed = conflicts.flatMap { deployments[$0]?.plan.affected ?? [] }
        root = target
        for id in plan.affected { storeService(id) }
        for (id, change) in groups.sorted(by: { $0.key < $1.key }) {
            store(change.target.map(ServicesChange.putGroup) ?? .removeGroup(id))
        }
        for conflict in conflicts { cancel(conflict, because: "replaced by deployment \(plan.id)") }
        for id in plan.affected { locks[id] = plan.id }
        adoptTargets(of: Set(freed).subtracting(plan.affected).sorted())
        begin(Deployment(record: record, plan: plan))
        publish(.groupChangeSuccess(.root, version: plan.version))
    }

    /// Where a deployment was ended in the middle of replacing instances, old ones are left. To give such a service
    /// another number of instances means to go on replacing as well.
    private func mending(_ plan: DeploymentPlan) -> DeploymentPlan {
        let steps = plan.steps.map { step in
            DeploymentStep(
                actions: step.actions.map { action in
                    guard action.kind == .scale, action.instances > 0, let state = services[action.id],
                        let target = plan.changes[action.id]?.target, plan.changes[action.id]?.original != nil
                    else { return action }
                    let isMixed = state.instances.contains { id in
                        instances[id]?.record.configuration != target.versionInfo.lastConfigChangeAt
                    }
                    return isMixed ? DeploymentAction(.restart, target, instances: action.instances) : action
                })
        }
        return DeploymentPlan(id: plan.id, version: plan.version, steps: steps, changes: plan.changes)
    }

    /// Keeps a version of a definition, and forgets old ones that nothing needs any more.
    private mutating func keep(_ workload: Workload) {
        let id = workload.id
        var state = services[id] ?? ServiceState(id: id)
        if state.definitions[workload.version] == nil {
            state.definitions[workload.version] = workload
            state.versions.append(workload.version)
            store(.putDefinition(workload))
        }
        if state.versions.count > settings.versionsKept {
            var needed = Set(state.instances.compactMap { instances[$0]?.record.version })
            needed.insert(workload.version)
            if let version = root.workload(id)?.version { needed.insert(version) }
            if let version = state.goal?.workload.version { needed.insert(version) }
            let old = state.versions.dropLast(settings.versionsKept).filter { !needed.contains($0) }
            for version in old {
                state.definitions[version] = nil
                store(.removeDefinition(id, version))
            }
            state.versions.removeAll { state.definitions[$0] == nil }
        }
        services[id] = state
    }

    // MARK: differences

    private static func differences(
        from original: GroupDefinition, to target: GroupDefinition
    ) -> [ServiceID: DeploymentChange] {
        var changes: [ServiceID: DeploymentChange] = [:]
        collect(original, target, &changes)
        return changes
    }

    /// Groups that carry the same version are the same, with all that is in them.
    private static func collect(
        _ old: GroupDefinition?, _ new: GroupDefinition?, _ changes: inout [ServiceID: DeploymentChange]
    ) {
        if let old, let new, old.version == new.version, old.id == new.id, !old.isEmpty, old.version.nanoseconds > 0 {
            return
        }
        for workload in old?.workloads ?? [] {
            let after =
                new?.services[workload.id].map(Workload.service) ?? new?.pods[workload.id].map(Workload.pod)
            if after != workload { changes[workload.id] = DeploymentChange(original: workload, target: after) }
        }
        for workload in new?.workloads ?? []
        where old?.services[workload.id] == nil && old?.pods[workload.id] == nil {
            changes[workload.id] = DeploymentChange(original: nil, target: workload)
        }
        for id in Set((old?.groups.keys).map(Array.init) ?? []).union((new?.groups.keys).map(Array.init) ?? []) {
            collect(old?.groups[id], new?.groups[id], &changes)
        }
    }

    private static func groupDifferences(
        from original: GroupDefinition, to target: GroupDefinition
    ) -> [ServiceID: DeploymentRecord.GroupChange] {
        var changes: [ServiceID: DeploymentRecord.GroupChange] = [:]
        func visit(_ old: GroupDefinition?, _ new: GroupDefinition?) {
            guard let id = new?.id ?? old?.id else { return }
            if let old, let new, old.version == new.version { return }
            let isSame =
                old != nil && new != nil && old?.dependencies == new?.dependencies
                && old?.enforceRole == new?.enforceRole
            if !isSame {
                changes[id] = DeploymentRecord.GroupChange(
                    original: old.map(GroupRecord.init), target: new.map(GroupRecord.init))
            }
            for child in Set((old?.groups.keys).map(Array.init) ?? []).union((new?.groups.keys).map(Array.init) ?? []) {
                visit(old?.groups[child], new?.groups[child])
            }
        }
        visit(original, target)
        return changes
    }

    /// Gives what changed the new version; what says the same as before keeps its version, and is no change.
    private static func setVersions(
        of changes: inout [ServiceID: DeploymentChange], in target: inout GroupDefinition,
        _ version: ServiceVersion, _ isRestart: Bool
    ) {
        for (id, change) in changes {
            guard var new = change.target else { continue }
            if let old = change.original, old.isPod == new.isPod {
                let hasSameConfiguration = !isRestart && old.hasSameConfiguration(as: new)
                if hasSameConfiguration, old.instances == new.instances {
                    new.versionInfo = old.versionInfo
                    changes[id] = nil
                } else {
                    new.versionInfo = VersionInfo(
                        version: version,
                        lastScalingAt: old.instances == new.instances ? old.versionInfo.lastScalingAt : version,
                        lastConfigChangeAt: hasSameConfiguration ? old.versionInfo.lastConfigChangeAt : version)
                    changes[id]?.target = new
                }
            } else {
                new.versionInfo = VersionInfo(first: version)
                changes[id]?.target = new
            }
            target.put(new, version: version)
        }
    }

    private func check(
        _ target: GroupDefinition, _ changes: [ServiceID: DeploymentChange],
        _ groups: [ServiceID: DeploymentRecord.GroupChange]
    ) throws(CommandError) {
        let hasNewShape =
            !groups.isEmpty
            || changes.values.contains {
                $0.original == nil || $0.target == nil || $0.original?.dependencies != $0.target?.dependencies
            }
        if hasNewShape {
            let violations = target.violations()
            if !violations.isEmpty { throw CommandError(.invalid(violations)) }
        }
        let added = changes.values.count { $0.original == nil }
        if added > 0, services.count + added > settings.servicesMax {
            throw CommandError(.tooLarge("there can be at most \(settings.servicesMax) services and pods"))
        }
        // A deployment is stored in one piece, which the store bounds.
        let size =
            changes.keys.reduce(0) { $0 + 2 * $1.path.utf8.count + 200 }
            + groups.values.reduce(0) { $0 + 300 + ($1.target?.dependencies.count ?? 0) * 2 * ServiceID.bytesMax }
        if size > 480 << 10 {
            throw CommandError(
                .tooLarge("the change concerns \(changes.count) services at once; split it into several"))
        }
    }

    // MARK: undoing

    mutating func cancelDeployment(_ id: DeploymentID, _ force: Bool) throws(CommandError) -> ServicesReply {
        guard let deployment = deployments[id] else { throw CommandError(.noDeployment(id)) }
        if force {
            cancel(id, because: "canceled")
            adoptTargets(of: deployment.plan.affected)
            return .done
        }
        return try change(true, undoing: id) { root, version in
            for change in deployment.plan.changes.values {
                if let original = change.original { root.put(original, version: version) }
            }
            for (id, change) in deployment.plan.changes where change.original == nil {
                root.remove(id, version: version)
            }
            // Outer groups come back before, and go after, those in them.
            for (id, change) in deployment.record.groups.sorted(by: { $0.key < $1.key }) {
                guard let original = change.original else { continue }
                root.change(id, version: version) { group in
                    group.dependencies = original.dependencies
                    group.enforceRole = original.enforceRole
                }
            }
            for (id, change) in deployment.record.groups.sorted(by: { $0.key > $1.key })
            where change.original == nil && root.group(id)?.isEmpty == true {
                root.remove(id, version: version)
            }
        }
    }
}
