internal import ClusterModel
internal import Console
internal import Deployments
internal import ServicesCore

/// How a service is, in words for people.
struct ServiceStanding {
    private let core: ServicesCore
    private let id: ServiceID
    private let app: ServiceDefinition?
    private let view: DeploymentView?
    let counts: TaskCounts

    init(_ core: ServicesCore, _ path: String) {
        self.core = core
        let id = ServiceID(path)
        self.id = id
        app = core.definition(id)?.service
        counts = core.counts(of: id)
        view = core.deployment(of: id).flatMap { core.deployment($0) }
    }

    var wanted: Int { app?.instances ?? 0 }
    var healthy: Int? { app?.healthChecks.isEmpty == false ? counts.healthy : nil }
    private var good: Int { min(counts.running, healthy ?? counts.running) }

    var tone: Tone {
        if view != nil { return waits.isEmpty ? .busy : .warn }
        return wanted == 0 ? .idle : good >= wanted ? .good : .bad
    }

    var word: String {
        if view != nil { return waits.isEmpty ? "\(good) of \(wanted), coming up" : "\(good) of \(wanted), waiting" }
        return wanted == 0 ? "no instances" : "\(good) of \(wanted) running"
    }

    var deployment: ProgressPage.Deployment? {
        guard let view else { return nil }
        let actions = view.currentActions.map { action -> String in
            let verb =
                switch action.kind {
                case .start: "starts"
                case .stop: "is stopped"
                case .scale: "is scaled"
                case .restart: "is replaced"
                }
            let why = view.waitsFor[action.id].map { ": \($0)" } ?? ""
            return "\(action.id.path) \(verb)\(why)"
        }
        return ProgressPage.Deployment(step: view.currentStep, steps: view.plan.steps.count, actions: actions)
    }

    /// Why instances are not launched.
    var waits: [String] {
        guard let queue = core.queueView(id), queue.count > 0 else { return [] }
        let many = queue.count == 1 ? "1 instance waits" : "\(queue.count) instances wait"
        if queue.delay > .zero {
            return ["\(many) \(queue.delay.components.seconds + 1) s more, because instances failed"]
        }
        let reasons = queue.rejectedLastOffers.filter { $0.declined > 0 }
        if reasons.isEmpty {
            return queue.processedOffers == 0 ? ["\(many) for an offer: no node has offered anything yet"] : []
        }
        var text = "\(many), no offer fits: "
        text += reasons.map { "\(Self.words($0.reason, app)) (\($0.declined) of \($0.processed))" }.joined(
            separator: ", ")
        let details = queue.lastUnusedOffers.prefix(3).flatMap { offer in
            offer.details.prefix(3).map { "\(offer.offer.agent.hostname): \($0)" }
        }
        return [text] + details
    }

    private static func words(_ reason: RejectReason, _ app: ServiceDefinition?) -> String {
        switch reason {
        case .insufficientCpus: "none has the processors"
        case .insufficientMemory: "none has the memory"
        case .insufficientDisk: "none has the disk"
        case .insufficientGpus: "none has the GPUs"
        case .insufficientPorts: "none has the ports free"
        case .unfulfilledConstraint: "a constraint is not met"
        case .unfulfilledRole: "they are of another role"
        case .noCorrespondingReservation: "the reservation is elsewhere"
        case .agentMaintenance: "the node is being drained"
        case .declinedScarceResources: "the node is kept for what needs its GPUs"
        }
    }

    var instanceCount: Int { core.instances(of: id).count }

    func instances(limit: Int) -> [ProgressPage.Instance] {
        core.instances(of: id).prefix(limit).map { instance in
            let task = instance.tasks.first
            let (tone, word) = Self.state(instance)
            let host = instance.record.hostname
            let inside = task?.addresses.first.map { [$0] } ?? []
            return ProgressPage.Instance(
                task: task?.record.id.value ?? "", host: host, tone: tone, state: word,
                addresses: instance.tasks.flatMap { $0.ports.map { "\(host):\($0)" } } + inside,
                since: instance.startedAt ?? instance.record.stagedAt,
                message: task?.message.flatMap { $0.isEmpty ? nil : $0 } ?? imageNote(instance))
        }
    }

    /// What takes the longest before a container starts.
    private func imageNote(_ instance: InstanceView) -> String? {
        guard [.provisioned, .staging].contains(instance.condition), let image = app?.container?.image?.reference else {
            return nil
        }
        return "being prepared; the image \(image) is pulled if the node does not have it"
    }

    private static func state(_ instance: InstanceView) -> (Tone, String) {
        switch instance.condition {
        case .provisioned, .staging, .starting: return (.busy, instance.condition.rawValue.lowercased())
        case .running:
            switch instance.isHealthy {
            case true?: return (.good, "healthy")
            case false?: return (.bad, "unhealthy")
            case nil: return instance.isReady ? (.good, "running") : (.busy, "not ready yet")
            }
        case .killing: return (.idle, "ending")
        case .unreachable, .unreachableInactive: return (.warn, "unreachable")
        case .failed, .error, .dropped, .gone: return (.bad, instance.condition.rawValue.lowercased())
        case .finished, .killed, .unknown: return (.idle, instance.condition.rawValue.lowercased())
        }
    }

    var failure: (text: String, at: UnixTime)? {
        core.lastFailure(of: id).map { failure in
            let why = failure.message.isEmpty ? failure.state.rawValue : failure.message
            return ("An instance on \(failure.hostname) has ended: \(why)", failure.timestamp)
        }
    }
}
