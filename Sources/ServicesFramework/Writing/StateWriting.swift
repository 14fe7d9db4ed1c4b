internal import ClusterModel
internal import Deployments
internal import FrameworkRuntime
internal import ServicesCore

/// What happens to apps: tasks, deployments, the queue.
extension JSONText {
    mutating func counts(_ counts: TaskCounts) {
        field("tasksStaged", counts.staged)
        field("tasksRunning", counts.running)
        field("tasksHealthy", counts.healthy)
        field("tasksUnhealthy", counts.unhealthy)
    }

    mutating func deployments(of id: ServiceID, _ core: ServicesCore) {
        list("deployments") { json in
            if let deployment = core.deployment(of: id) { json.object { $0.field("id", deployment.value) } }
        }
    }

    /// What readiness checks have found in the deployment that works on an app.
    mutating func readiness(of id: ServiceID, _ core: ServicesCore) {
        let reports = core.deployment(of: id).flatMap { core.deployment($0) }?.readiness[id] ?? []
        list("readinessCheckResults") { json in for report in reports { json.object { $0.readiness(report) } } }
    }

    /// The tasks of an app's instances.
    mutating func tasks(_ name: String, of id: ServiceID, _ core: ServicesCore) {
        list(name) { json in
            for instance in core.instances(of: id) {
                for task in instance.tasks { json.object { $0.task(task, instance, core.definition(id)?.service) } }
            }
        }
    }

    mutating func task(_ task: TaskView, _ instance: InstanceView, _ app: ServiceDefinition?) {
        field("id", task.record.id.value)
        field("appId", instance.record.service.path)
        field("slaveId", instance.record.agentID.value)
        field("host", instance.record.hostname)
        field("state", (task.state ?? .staging).wireName)
        list("ports") { json in for port in task.ports { json.number(Double(port)) } }
        list("servicePorts") { json in for port in app?.servicePorts ?? [] { json.number(Double(port)) } }
        list("ipAddresses") { json in
            for address in task.addresses {
                json.object { json in
                    json.field("ipAddress", address)
                    json.field("protocol", address.contains(":") ? "IPv6" : "IPv4")
                }
            }
        }
        time("stagedAt", instance.record.stagedAt)
        time("startedAt", task.startedAt)
        field("version", TimeText.iso8601(instance.record.version))
        list("localVolumes") { _ in }
        field("region", instance.record.domain?.region)
        field("zone", instance.record.domain?.zone)
        field("role", instance.record.role.value)
        if task.health.isEmpty { return }
        list("healthCheckResults") { json in
            for view in task.health { json.object { $0.health(view, task.record.id, instance.record.id) } }
        }
    }

    private mutating func health(_ view: HealthView, _ task: TaskID, _ instance: InstanceID) {
        field("alive", view.isAlive)
        field("consecutiveFailures", view.consecutiveFailures)
        time("firstSuccess", view.firstSuccess)
        time("lastSuccess", view.lastSuccess)
        time("lastFailure", view.lastFailure)
        field("lastFailureCause", view.lastFailureCause)
        field("taskId", task.value)
        field("instanceId", instance.value)
    }

    mutating func failure(_ failure: TaskFailure, of id: ServiceID) {
        object("lastTaskFailure") { json in
            json.field("appId", id.path)
            json.field("host", failure.hostname)
            json.field("message", failure.message)
            json.field("state", failure.state.wireName)
            json.field("taskId", failure.task.value)
            json.field("instanceId", failure.instance.value)
            json.field("slaveId", failure.agentID.value)
            json.time("timestamp", failure.timestamp)
            json.time("version", failure.version)
        }
    }

    // MARK: deployments

    /// A deployment; explained, each current action says what it waits for, which Marathon cannot say.
    mutating func deployment(_ view: DeploymentView, explains: Bool) {
        field("id", view.plan.id.value)
        time("version", view.plan.version)
        texts("affectedApps", view.plan.affectedServices.map(\.path))
        texts("affectedPods", view.plan.affectedPods.map(\.path))
        list("steps") { json in for step in view.plan.steps { json.object { $0.actions(step.actions) } } }
        list("currentActions") { json in
            for action in view.currentActions {
                json.object { json in
                    json.action(action)
                    json.list("readinessCheckResults") { json in
                        for report in view.readiness[action.id] ?? [] { json.object { $0.readiness(report) } }
                    }
                    if explains { json.field("waitsFor", view.waitsFor[action.id]) }
                }
            }
        }
        field("currentStep", view.currentStep)
        field("totalSteps", view.plan.steps.count)
    }

    mutating func actions(_ actions: [DeploymentAction]) {
        list("actions") { json in for action in actions { json.object { $0.action(action) } } }
    }

    private mutating func action(_ action: DeploymentAction) {
        field("action", action.name)
        field(action.isPod ? "pod" : "app", action.id.path)
    }

    private mutating func readiness(_ report: ReadinessReport) {
        field("name", report.name)
        field("taskId", report.task.value)
        field("ready", report.isReady)
        guard let response = report.response else { return }
        object("lastResponse") { json in
            json.field("status", response.status)
            json.field("contentType", response.contentType)
            json.field("body", response.body)
        }
    }

    // MARK: the queue

    mutating func queued(_ view: QueueView, showsOffers: Bool) {
        switch view.workload {
        case .service(let app): object("app") { $0.app(app, isComplete: false) }
        case .pod(let pod): object("pod") { $0.pod(pod) }
        }
        field("count", view.count)
        object("delay") { json in
            json.field("timeLeftSeconds", Int(view.delay.components.seconds))
            json.field("overdue", view.delay <= .zero)
        }
        time("since", view.since)
        object("processedOffersSummary") { json in
            json.field("processedOffersCount", view.processedOffers)
            json.field("unusedOffersCount", view.unusedOffers)
            json.time("lastUnusedOfferAt", view.lastUnusedAt)
            json.time("lastUsedOfferAt", view.lastUsedAt)
            json.steps("rejectSummaryLastOffers", view.rejectedLastOffers)
            json.steps("rejectSummaryLaunchAttempt", view.rejectedSinceStart)
        }
        guard showsOffers else { return }
        list("lastUnusedOffers") { json in for offer in view.lastUnusedOffers { json.object { $0.unused(offer) } } }
    }

    private mutating func steps(_ name: String, _ steps: [RejectStep]) {
        list(name) { json in
            for step in steps {
                json.object { json in
                    json.field("reason", step.reason.rawValue)
                    json.field("declined", step.declined)
                    json.field("processed", step.processed)
                }
            }
        }
    }

    private mutating func unused(_ unused: UnusedOffer) {
        object("offer") { json in
            json.field("id", unused.offer.id.value)
            json.field("agentId", unused.offer.agentID.value)
            json.field("hostname", unused.offer.agent.hostname)
            json.list("resources") { json in
                for item in unused.offer.resources.items { json.object { $0.resource(item) } }
            }
            json.list("attributes") { json in
                for attribute in unused.offer.agent.attributes { json.object { $0.attribute(attribute) } }
            }
        }
        texts("reason", unused.reasons.map(\.rawValue))
        texts("details", unused.details)
        time("timestamp", unused.at)
    }

    private mutating func resource(_ item: Resource) {
        field("name", item.kind.name)
        field("role", item.kind.role.value)
        switch item.value {
        case .scalar(let amount): field("scalar", amount.value)
        case .ranges(let set): ranges(set)
        case .set(let members): texts("set", members.sorted())
        }
    }

    private mutating func ranges(_ set: RangeSet) {
        list("ranges") { json in
            for range in set.ranges {
                json.object { json in
                    json.field("begin", Double(range.begin))
                    json.field("end", Double(range.end))
                }
            }
        }
    }

    private mutating func attribute(_ attribute: Attribute) {
        field("name", attribute.name)
        switch attribute.value {
        case .text(let text): field("text", text)
        case .scalar(let number): field("scalar", number)
        case .ranges(let set): ranges(set)
        }
    }
}
