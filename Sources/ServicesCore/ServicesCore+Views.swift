public import ClusterModel
public import Deployments

/// What interfaces show. Nothing here costs more than what it shows.
extension ServicesCore {
    /// Names of all services and pods that are there, those on their way out among them.
    public var serviceIDs: [ServiceID] { services.keys.sorted() }

    /// What shall be, by name.
    public func definition(_ id: ServiceID) -> Workload? { root.workload(id) }

    /// A version that is kept.
    public func definition(_ id: ServiceID, version: ServiceVersion) -> Workload? {
        services[id]?.definitions[version]
    }

    /// Versions that are kept, the newest first.
    public func versions(of id: ServiceID) -> [ServiceVersion] { (services[id]?.versions ?? []).reversed() }

    /// Versions of a group: of all that is in it, the newest first.
    public func versions(ofGroup id: ServiceID) -> [ServiceVersion] {
        guard let group = root.group(id) else { return [] }
        var found: Set<ServiceVersion> = [group.version]
        for workload in group.allWorkloads { found.formUnion(services[workload.id]?.versions ?? []) }
        return found.sorted(by: >)
    }

    /// The instances of a service, in order of their ids.
    public func instances(of id: ServiceID) -> [InstanceView] {
        (services[id]?.instances ?? []).sorted().compactMap { instances[$0]?.view }
    }

    /// All instances, in order of their ids.
    public var allInstances: [InstanceView] { instances.values.sorted { $0.id < $1.id }.map(\.view) }

    /// How many instances there are.
    public var instanceCount: Int { instances.count }

    /// One instance.
    public func instance(_ id: InstanceID) -> InstanceView? { instances[id]?.view }

    /// The instance that a task is of.
    public func instance(ofTask id: TaskID) -> InstanceView? { taskOwners[id].flatMap { instances[$0]?.view } }

    /// How many tasks of a service are in which state.
    public func counts(of id: ServiceID) -> TaskCounts { services[id]?.tally.counts ?? TaskCounts() }

    /// The last failure of a service's tasks.
    public func lastFailure(of id: ServiceID) -> TaskFailure? { services[id]?.lastFailure }

    /// The instances of a pod that ended last since the framework started, the newest first.
    public func terminations(of id: ServiceID) -> [Termination] { (services[id]?.terminations ?? []).reversed() }

    /// The deployment that works on a service.
    public func deployment(of id: ServiceID) -> DeploymentID? { locks[id] }

    /// Running deployments, the oldest first.
    public var deploymentViews: [DeploymentView] {
        deployments.values.sorted { $0.record.sequence < $1.record.sequence }.map(view)
    }

    /// One running deployment.
    public func deployment(_ id: DeploymentID) -> DeploymentView? { deployments[id].map(view) }

    /// What waits for offers, or for the end of its delay, the longest first.
    public var queue: [QueueView] {
        waiting.compactMap { queueView($0) }
            .sorted { ($0.since, $0.workload.id) < ($1.since, $1.workload.id) }
    }

    /// How a service waits; nil when it does not.
    public func queueView(_ id: ServiceID) -> QueueView? {
        guard let state = services[id], state.toLaunch > 0, let goal = state.goal else { return nil }
        let attempt = state.queue
        return QueueView(
            workload: goal.workload, count: state.toLaunch, since: attempt.since ?? now.wall,
            delay: max(.zero, state.backoff.until - now.elapsed), processedOffers: attempt.processed,
            unusedOffers: attempt.unused, lastUnusedAt: attempt.lastUnusedAt, lastUsedAt: attempt.lastUsedAt,
            rejectedSinceStart: attempt.rejectedSinceStart, rejectedLastOffers: attempt.rejectedLastOffers,
            lastUnusedOffers: attempt.lastUnusedOffers)
    }

    /// The roles the framework takes part in.
    public var roles: Set<RoleName> {
        subscribedRoles.union([settings.role]).union(waiting.compactMap { services[$0] }.map { role(of: $0) })
    }

    /// What a group would be after an update, and the steps that lead there; nothing is changed.
    /// - Throws: `.cycle` when the dependencies have no order.
    public func plan(for update: GroupUpdate) throws(PlanError) -> DeploymentPlan {
        var target = root
        target.put(update.applied(to: root.group(update.id), version: root.version), version: root.version)
        return try DeploymentPlan(id: DeploymentID(""), version: root.version, from: root, to: target)
    }

    func view(_ deployment: Deployment) -> DeploymentView {
        var readiness: [ServiceID: [ReadinessReport]] = [:]
        for report in deployment.readiness.values.sorted(by: { $0.task < $1.task }) {
            guard let owner = taskOwners[report.task], let instance = instances[owner] else { continue }
            readiness[instance.record.service, default: []].append(report)
        }
        var waits: [ServiceID: String] = [:]
        for action in deployment.actions { waits[action.id] = waitsFor(action, of: deployment) }
        return DeploymentView(
            plan: deployment.plan, currentStep: min(deployment.record.step + 1, deployment.plan.steps.count),
            currentActions: deployment.actions, readiness: readiness, waitsFor: waits)
    }
}
