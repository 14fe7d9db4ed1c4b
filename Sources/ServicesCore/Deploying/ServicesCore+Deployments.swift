internal import ClusterModel
internal import Deployments

extension ServicesCore {
    /// Begins a deployment. Its definitions are stored before it, and the services' targets after it.
    mutating func begin(_ deployment: Deployment) {
        let id = deployment.record.id
        deployments[id] = deployment
        for service in deployment.plan.affected { locks[service] = id }
        beginStep(of: id)
        publish(.deploymentInfo(view(deployment)))
        dirtyDeployments.insert(id)
    }

    /// Gives the services of the present step their goals. To do it again changes nothing.
    mutating func beginStep(of id: DeploymentID) {
        guard let deployment = deployments[id] else { return }
        for action in deployment.actions { begin(action, of: deployment) }
    }

    private mutating func begin(_ action: DeploymentAction, of deployment: Deployment) {
        let change = deployment.plan.changes[action.id]
        if action.kind == .stop { return retire(action.id) }
        guard let target = change?.target else {
            turn.faults.append("deployment \(deployment.record.id) has no target for \(action.id)")
            return
        }
        let isReplacing = action.kind == .restart
        let goal = ServiceState.Goal(workload: target, count: action.instances, isReplacing: isReplacing)
        if services[action.id]?.goal?.record == goal.record {
            // Begun before a restart: what runs is asked again whether it is ready.
            askForReadiness(of: action.id)
            return
        }
        setGoal(goal, of: action.id)
        services[action.id]?.backoff.reset()
        storeService(action.id)
    }

    /// A service that shall end: its instances end, then it is forgotten.
    mutating func retire(_ id: ServiceID) {
        guard services[id] != nil else { return }
        if var goal = services[id]?.goal, goal.count != 0 || goal.isReplacing {
            goal.count = 0
            goal.isReplacing = false
            setGoal(goal, of: id)
            storeService(id)
        }
        dirty.insert(id)
    }

    /// Takes a deployment as far as it can go.
    mutating func advance(_ id: DeploymentID) {
        while let deployment = deployments[id] {
            guard deployment.actions.allSatisfy({ isDone($0, of: deployment) }) else { return }
            if deployment.record.step >= deployment.plan.steps.count { return finish(deployment) }
            publish(.deploymentStepSuccess(view(deployment)))
            for action in deployment.actions { complete(action) }
            deployments[id]?.record.step += 1
            guard let next = deployments[id] else { return }
            if next.record.step >= next.plan.steps.count { return finish(next) }
            store(.putDeployment(next.record))
            beginStep(of: id)
            publish(.deploymentInfo(view(next)))
            // The goals are new; what follows from them comes first.
            for action in next.actions { dirty.insert(action.id) }
            return
        }
    }

    private func isDone(_ action: DeploymentAction, of deployment: Deployment) -> Bool {
        waitsFor(action, of: deployment) == nil
    }

    /// What an action still waits for; nil when it is done.
    func waitsFor(_ action: DeploymentAction, of deployment: Deployment) -> String? {
        guard let state = services[action.id] else { return nil }
        let tally = state.tally
        switch action.kind {
        case .start: return nil
        case .stop: return state.instances.isEmpty ? nil : "\(state.instances.count) instances have not ended"
        case .scale, .restart:
            if action.kind == .restart, tally.liveOutdated > 0 {
                return "\(tally.liveOutdated) old instances run; \(tally.current(.good)) of \(action.instances) new "
                    + "ones are well" + (heldPort(of: state) ?? "")
            }
            if tally.stopping > 0 { return "\(tally.stopping) instances have not ended" }
            if tally.live != action.instances { return "\(tally.live) of \(action.instances) instances are started" }
            let before = deployment.plan.changes[action.id]?.original?.instances ?? 0
            // With fewer instances than before, the rest need not be well for it to be done.
            let isGrowth = action.kind == .restart || action.instances > before
            if isGrowth, tally.good < action.instances {
                return "\(tally.good) of \(action.instances) instances are well"
            }
            return nil
        }
    }

    /// What keeps a replacement from going on for ever: new instances need a port of a node that old ones hold, and the
    /// upgrade strategy keeps the old ones until new ones are well.
    private func heldPort(of state: ServiceState) -> String? {
        guard state.toLaunch > 0, let goal = state.goal,
            state.queue.lastUnusedOffers.contains(where: { $0.reasons.contains(.insufficientPorts) })
        else { return nil }
        let wanted = goal.workload.fixedPorts
        let held = state.instances.lazy.compactMap { instances[$0] }
            .filter { $0.record.configuration != goal.configuration }
            .flatMap(\.record.tasks).flatMap(\.hostPorts).first { $0.map(wanted.contains) ?? false }
        guard let port = held ?? nil else { return nil }
        return
            ". Port \(port) of a node is held by an old instance, which upgradeStrategy keeps until a new one is well: "
            + "set its minimumHealthCapacity lower, to 0 for one instance, as `rondo service update --stop-first` does"
    }

    /// A step is done, and with it what it did with a service.
    private mutating func complete(_ action: DeploymentAction) {
        if action.kind == .restart, services[action.id]?.goal?.isReplacing == true {
            services[action.id]?.goal?.isReplacing = false
            storeService(action.id)
        }
    }

    private mutating func finish(_ deployment: Deployment) {
        end(deployment)
        publish(.deploymentSuccess(view(deployment)))
    }

    /// A deployment is over: its services are free.
    private mutating func end(_ deployment: Deployment) {
        deployments[deployment.record.id] = nil
        store(.removeDeployment(deployment.record.id))
        for service in deployment.plan.affected where locks[service] == deployment.record.id {
            locks[service] = nil
            stopReadiness(of: service)
            dirty.insert(service)
        }
    }

    /// Ends a deployment where it is. Its services go on with what shall be, without replacing anything.
    mutating func cancel(_ id: DeploymentID, because reason: String) {
        guard let deployment = deployments[id] else { return }
        end(deployment)
        for service in deployment.plan.affected where services[service]?.goal?.isReplacing == true {
            services[service]?.goal?.isReplacing = false
            storeService(service)
        }
        publish(.deploymentFailed(view(deployment), reason: reason))
    }

    /// Services of an ended deployment that no other took over: what it had not come to is taken over at once.
    mutating func adoptTargets(of services: [ServiceID]) {
        for id in services where locks[id] == nil {
            guard let target = root.workload(id) else {
                retire(id)
                continue
            }
            setGoal(ServiceState.Goal(workload: target, count: target.instances, isReplacing: false), of: id)
            storeService(id)
        }
    }

    // MARK: readiness

    /// Looks whether running instances are ready, when a deployment waits for it.
    mutating func askForReadiness(of id: ServiceID) {
        guard let state = services[id], let goal = state.goal, goal.workload.readinessCheck != nil, needsReadiness(id)
        else { return }
        for instanceID in state.instances.sorted() {
            guard let instance = instances[instanceID], instance.readiness == .notNeeded,
                instance.record.configuration == goal.configuration
            else { continue }
            instances[instanceID]?.readiness = .waiting
            recount(instanceID)
            noteReadiness(of: instanceID)
        }
    }

    /// Whether a deployment waits for the readiness of a service's new instances.
    func needsReadiness(_ id: ServiceID) -> Bool {
        guard let lock = locks[id], let deployment = deployments[lock] else { return false }
        return deployment.actions.contains { $0.id == id && ($0.kind == .restart || $0.kind == .scale) }
    }

    /// Takes what the agent of an instance has found of its readiness, if a deployment waits for it.
    mutating func noteReadiness(of id: InstanceID) {
        guard let instance = instances[id], instance.readiness == .waiting, instance.isRunning,
            let report = instance.tasks.first?.readiness
        else { return }
        if let lock = locks[instance.record.service] { deployments[lock]?.readiness[report.task] = report }
        guard report.isReady else { return }
        instances[id]?.readiness = .ready
        recount(id)
    }

    /// Nobody waits for the readiness of a service any more.
    private mutating func stopReadiness(of id: ServiceID) {
        guard let state = services[id], state.goal?.workload.readinessCheck != nil else { return }
        for instanceID in state.instances.sorted() where instances[instanceID]?.readiness != .notNeeded {
            instances[instanceID]?.readiness = .notNeeded
            recount(instanceID)
        }
    }
}
