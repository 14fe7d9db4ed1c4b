internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// Makes the state from what is stored. What a deployment that was stored last wanted counts more than what was
    /// stored of the services themselves: those come after it, and may not have come.
    mutating func recover(_ registry: ServicesRegistry) {
        lastVersion = registry.definitions.values.lazy.flatMap(\.keys).max() ?? lastVersion
        let replaced = Set(registry.deployments.values.flatMap(\.replaces))
        let running = registry.deployments.values.filter { !replaced.contains($0.id) }
            .sorted { $0.sequence < $1.sequence }
        for deployment in registry.deployments.values {
            nextSequence = max(nextSequence, deployment.sequence + 1)
            lastVersion = max(lastVersion, deployment.version)
        }
        recoverTree(registry, running)
        recoverServices(registry)
        for record in registry.instances.values.sorted(by: { $0.id < $1.id }) { recover(record) }
        for record in running { recover(record, registry) }
        // They would come to life again when the deployment that replaced them is over.
        for id in replaced.sorted() where registry.deployments[id] != nil { store(.removeDeployment(id)) }
        for id in services.keys { dirty.insert(id) }
        for id in services.keys where locks[id] == nil && root.workload(id) == nil { retire(id) }
        nextStrangers = recoveryEnd
        timers.add(.strangers, at: recoveryEnd)
    }

    private mutating func recoverTree(_ registry: ServicesRegistry, _ running: [DeploymentRecord]) {
        var targets: [ServiceID: ServiceVersion] = [:]
        for record in registry.services.values { targets[record.id] = record.target }
        var groups = registry.groups
        for deployment in running {
            for (id, change) in deployment.changes { targets[id] = change.target }
            for (id, change) in deployment.groups { groups[id] = change.target }
        }
        for record in groups.values.sorted(by: { $0.id < $1.id }) {
            root.change(record.id, version: record.version) { group in
                group.dependencies = record.dependencies
                group.enforceRole = record.enforceRole
            }
            lastVersion = max(lastVersion, record.version)
        }
        for (id, version) in targets {
            if let workload = registry.definitions[id]?[version] { root.put(workload, version: version) }
        }
    }

    private mutating func recoverServices(_ registry: ServicesRegistry) {
        for (id, definitions) in registry.definitions {
            var state = ServiceState(id: id)
            state.definitions = definitions
            state.versions = definitions.keys.sorted()
            services[id] = state
        }
        for record in registry.services.values {
            guard let goal = record.goal, let workload = registry.definitions[record.id]?[goal.version] else {
                continue
            }
            setGoal(
                ServiceState.Goal(workload: workload, count: goal.count, isReplacing: goal.isReplacing),
                of: record.id)
        }
    }

    private mutating func recover(_ record: InstanceRecord) {
        if services[record.service] == nil { services[record.service] = ServiceState(id: record.service) }
        let workload = services[record.service]?.definitions[record.version]
        var instance = Instance(
            record, checksNeeded: workload?.healthCheckCount ?? 0, now: now, killPause: settings.killRetry)
        instance.isHeard = false
        add(instance)
        unsettled.insert(record.id)
    }

    private mutating func recover(_ record: DeploymentRecord, _ registry: ServicesRegistry) {
        var changes: [ServiceID: DeploymentChange] = [:]
        for (id, change) in record.changes {
            let known = registry.definitions[id] ?? [:]
            changes[id] = DeploymentChange(
                original: change.original.flatMap { known[$0] }, target: change.target.flatMap { known[$0] })
            locks[id] = record.id
        }
        let plan = DeploymentPlan(id: record.id, version: record.version, steps: record.steps, changes: changes)
        deployments[record.id] = Deployment(record: record, plan: plan)
        // Its first steps are done; the goals of those after the present one are set when it comes to them.
        beginStep(of: record.id)
        dirtyDeployments.insert(record.id)
    }
}
