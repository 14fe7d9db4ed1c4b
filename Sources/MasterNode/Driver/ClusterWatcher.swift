internal import ClusterModel
internal import MasterCore

/// Somebody who follows the cluster: gets its state once, then every change, without gaps.
///
/// Items wait in a bounded queue; a follower that does not keep up is ended instead of being told less.
struct ClusterWatcher: Sendable {
    typealias ID = UInt64

    /// What a follower is told. Frameworks and agents come as they were at that moment, without their tasks.
    enum Item: Sendable {
        case state(MasterCore)
        case taskAdded(TaskRecord)
        case taskUpdated(TaskRecord)
        case frameworkAdded(FrameworkState)
        case frameworkUpdated(FrameworkState)
        case frameworkRemoved(FrameworkInfo)
        case agentAdded(AgentState)
        case agentRemoved(AgentID)
        case heartbeat
    }

    static let queueLimit = 10_000

    let id: ID
    let items: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation

    init(id: ID) {
        self.id = id
        (items, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.queueLimit))
    }

    /// Queues an item.
    ///
    /// - Returns: false when the follower has gone or was just ended for being slow.
    func tell(_ item: Item) -> Bool {
        switch continuation.yield(item) {
        case .enqueued: return true
        case .dropped, .terminated:
            continuation.finish()
            return false
        @unknown default: return false
        }
    }

    func finish() { continuation.finish() }
}

extension ClusterWatcher.Item {
    /// What followers are told of an event, with the words of the core that it happened in.
    init?(_ event: ClusterEvent, in core: MasterCore) {
        switch event {
        case .taskAdded(let task): self = .taskAdded(task)
        case .taskUpdated(let task): self = .taskUpdated(task)
        case .frameworkAdded(let id):
            guard let framework = core.frameworks[id]?.withoutTasks else { return nil }
            self = .frameworkAdded(framework)
        case .frameworkUpdated(let id):
            guard let framework = core.frameworks[id]?.withoutTasks else { return nil }
            self = .frameworkUpdated(framework)
        case .frameworkRemoved(let info): self = .frameworkRemoved(info)
        case .agentAdded(let id):
            guard let agent = core.agents[id] else { return nil }
            self = .agentAdded(agent)
        case .agentRemoved(let id): self = .agentRemoved(id)
        }
    }
}

extension FrameworkState {
    /// The framework alone, so that a queue of events does not keep old copies of all its tasks.
    fileprivate var withoutTasks: FrameworkState {
        var copy = self
        copy.tasks = [:]
        copy.completedTasks = []
        copy.refusals = []
        return copy
    }
}
