internal import AgentCore
internal import ClusterModel

/// What reaches the agent's one task: events for its core, questions about it, and the wish to stop.
enum AgentInput: Sendable {
    case event(AgentCoreEvent)
    /// The monitor hub speaks of a container.
    case look(@Sendable (AgentSnapshot) -> Void)
    case isLive(ContainerID, CheckedContinuation<Bool, Never>)
    /// The machine is at another address: the master is told by a new session.
    case moved
    case stop
}

/// The agent's one inbox. Bounded by its senders: a session reads the next record after it has posted the last one,
/// and every other sender answers an effect.
struct AgentInbox: Sendable {
    let stream: AsyncStream<AgentInput>
    private let continuation: AsyncStream<AgentInput>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: AgentInput.self) }

    func post(_ event: AgentCoreEvent) { continuation.yield(.event(event)) }

    func moved() { continuation.yield(.moved) }

    func stop() { continuation.yield(.stop) }

    func finish() { continuation.finish() }

    /// Everything the agent knows of itself at one moment; nil when it has stopped.
    func snapshot() async -> AgentSnapshot? {
        await withCheckedContinuation { waiting in
            let result = continuation.yield(.look { waiting.resume(returning: $0) })
            if case .enqueued = result { return }
            waiting.resume(returning: nil)
        }
    }

    /// Whether a container is there or will be.
    func isLive(_ container: ContainerID) async -> Bool {
        await withCheckedContinuation { waiting in
            let result = continuation.yield(.isLive(container, waiting))
            if case .enqueued = result { return }
            waiting.resume(returning: false)
        }
    }
}

/// What the agent's endpoint shows.
struct AgentSnapshot: Sendable {
    var info: AgentInfo
    var isRegistered: Bool
    var current: [AgentTaskView]
    var completed: [AgentTaskView]
    var startedAt: UnixTime
    var uptime: Duration
    var ended: [TaskState: Int]
}
