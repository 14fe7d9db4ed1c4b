internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import MesosWire
internal import NIOCore

/// SUBSCRIBE on the operator interface: the state once, then every change.
struct OperatorStream: Sendable {
    let node: MasterNode

    func open(_ media: MediaType) async throws -> GatewayResponse {
        let watcher = ClusterWatcher(id: node.number())
        try await node.reserve()
        guard node.inbox.put(.watch(watcher)) else { throw MasterNode.stopping }
        let clock = node.clock
        let interval = node.settings.operatorHeartbeat
        let inbox = node.inbox
        return .stream(.ok, headers: [.contentType: media.headerValue]) { [self] writer in
            defer {
                watcher.finish()
                inbox.notify(.unwatch(watcher.id))
            }
            let heart = Task {
                while true {
                    try await clock.sleep(until: clock.now().elapsed + interval)
                    guard watcher.tell(.heartbeat) else { return }
                }
            }
            defer { heart.cancel() }
            for await item in watcher.items {
                for event in events(for: item) {
                    try await writer.write(EventEncoding.framed(try WireCodec.encode(event, as: media)))
                }
            }
        }
    }

    private func events(for item: ClusterWatcher.Item) -> [WireOperatorEvent] {
        var event = WireOperatorEvent()
        switch item {
        case .state(let core):
            event.type = .subscribed
            event.subscribed.getState = OperatorDocuments(view: ClusterView(core)).state()
            event.subscribed.heartbeatIntervalSeconds = node.settings.operatorHeartbeat.inSeconds
            // Clients that read by lines see an event only when the next one begins.
            var heartbeat = WireOperatorEvent()
            heartbeat.type = .heartbeat
            return [event, heartbeat]
        case .taskAdded(let task):
            event.type = .taskAdded
            event.taskAdded.task = WireTask(task)
        case .taskUpdated(let task):
            guard let status = task.statuses.last else { return [] }
            event.type = .taskUpdated
            event.taskUpdated.frameworkID = WireFrameworkID(task.launch.frameworkID)
            event.taskUpdated.status = WireTaskStatus(status)
            event.taskUpdated.state = task.state.wire
        case .frameworkAdded(let framework):
            event.type = .frameworkAdded
            event.frameworkAdded.framework = Self.framework(framework)
        case .frameworkUpdated(let framework):
            event.type = .frameworkUpdated
            event.frameworkUpdated.framework = Self.framework(framework)
        case .frameworkRemoved(let info):
            event.type = .frameworkRemoved
            event.frameworkRemoved.frameworkInfo = WireFrameworkInfo(info)
        case .agentAdded(let agent):
            event.type = .agentAdded
            event.agentAdded.agent = WireOperatorResponse.GetAgents.Agent(
                agent.info, isActive: agent.isActive, registered: agent.registeredAt,
                reregistered: agent.reregisteredAt)
        case .agentRemoved(let id):
            event.type = .agentRemoved
            event.agentRemoved.agentID = WireAgentID(id)
        case .heartbeat: event.type = .heartbeat
        }
        return [event]
    }

    private static func framework(_ framework: FrameworkState) -> WireOperatorResponse.GetFrameworks.Framework {
        WireOperatorResponse.GetFrameworks.Framework(
            framework.info, isActive: framework.isConnected, isConnected: framework.isConnected,
            registered: framework.registeredAt, reregistered: framework.reregisteredAt,
            unregistered: framework.removedAt)
    }
}
