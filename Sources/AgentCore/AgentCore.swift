public import ClusterModel
internal import TaskLifecycle

/// Everything an agent decides: when to reach for its master, what becomes of each task, what is stored before what is
/// said, and what is done again after a failure.
///
/// It never does anything itself. The driver feeds events in, one at a time, carries the returned effects out in order,
/// and sends `.tick` when ``nextDeadline`` has come. Two promises hold for any order of events and any crash between
/// two of them:
///
/// - A task is stored before anything of it starts, and an update is stored before it is sent.
/// - Every stored task gets exactly one terminal update, which is sent until it is acknowledged.
///
/// ```
/// run → storing → fetching → launching → running → (destroying) → ended → acknowledged: forgotten
/// ```
public struct AgentCore: Sendable {
    /// The connection to the master.
    enum Link: Hashable, Sendable {
        /// Not to be reached for: before recovery, or at the very end.
        case off
        /// Waiting before the next attempt.
        case waiting(until: Duration)
        /// The subscription was sent.
        case connecting(session: Int, until: Duration)
        /// The master has answered.
        case registered(session: Int, lastHeard: Duration, nextHeartbeat: Duration)
    }

    /// Why the agent ends all it has.
    struct Closing: Hashable, Sendable {
        var reason: AgentEffect.StopReason
        /// Set once the last task has ended: acknowledgements are waited for until then.
        var deadline: Duration?
    }

    var settings: AgentSettings
    var identity: AgentID?
    var link = Link.off
    var session = 0
    var backoff: Duration
    /// Set while another machine takes part with this agent's key: so rarely this one asks for its place.
    var copyPause: Duration?
    var heartbeatInterval: Duration
    var closing: Closing?
    var hasStopped = false
    var tasks: [ContainerID: AgentTask] = [:]
    var containers: [TaskKey: ContainerID] = [:]
    var use = ResourceUse()
    var deadlines = DeadlineQueue<ContainerID>()
    /// Work directories of tasks that are over, oldest first.
    var kept: [EndedWorkDirectory] = []
    /// The tasks that were forgotten last, for people, oldest first.
    var completed: [AgentTaskView] = []

    /// Makes an agent that waits for `.recovered`.
    public init(settings: AgentSettings) {
        self.settings = settings
        backoff = settings.firstBackoff
        heartbeatInterval = settings.heartbeatInterval
    }

    /// The one entry: what happened, when, and a source of chance.
    /// - Parameters:
    ///   - event: what happened.
    ///   - now: never earlier than in the call before.
    ///   - generator: gives uuids and jitter.
    /// - Returns: what the driver must do, in this order.
    public mutating func handle(
        _ event: AgentCoreEvent, now: Moment, using generator: inout some RandomNumberGenerator
    ) -> [AgentEffect] {
        guard !hasStopped else { return [] }
        var turn = Turn(now: now, generator: generator)
        dispatch(event, &turn)
        expireTasks(&turn)
        expireLink(&turn)
        collectGarbage(&turn)
        finishClosing(&turn)
        generator = turn.generator
        return turn.effects
    }

    /// When `.tick` is wanted at the latest, on the clock of `Moment.elapsed`. It may come for nothing.
    public var nextDeadline: Duration? {
        guard !hasStopped else { return nil }
        return [deadlines.earliest, linkDeadline, closing?.deadline].compactMap { $0 }.min()
    }

    private mutating func dispatch(_ event: AgentCoreEvent, _ turn: inout Turn<some RandomNumberGenerator>) {
        switch event {
        case .recovered(let identity, let tasks, let ended): recover(identity, tasks, ended, &turn)
        case .connectionLost(let session, _): connectionLost(session, &turn)
        case .master(let event, let session): master(event, session, &turn)
        case .taskStored(let id): taskStored(id, &turn)
        case .taskStoreFailed(let id, let reason): taskStoreFailed(id, reason, &turn)
        case .updatesStored(let id): updatesStored(id, &turn)
        case .updatesStoreFailed(let id, _): updatesStoreFailed(id, &turn)
        case .fetched(let id): fetched(id, &turn)
        case .fetchFailed(let id, let reason): fetchFailed(id, reason, &turn)
        case .launchFailed(let id, let reason): launchFailed(id, reason, &turn)
        case .connected(let id, let addresses): connected(id, addresses)
        case .started(let id): started(id, &turn)
        case .ended(let id, let end): ended(id, end, &turn)
        case .monitorLost(let id, let reason): monitorLost(id, reason, &turn)
        case .destroyed(let id): destroyed(id, &turn)
        case .probed(let id, let role, let found): probed(id, role, found, &turn)
        case .tick: break
        case .leave: close(.left, &turn)
        }
    }

    private mutating func expireTasks(_ turn: inout Turn<some RandomNumberGenerator>) {
        while let (at, id) = deadlines.popDue(now: turn.now.elapsed) {
            guard var task = tasks[id] else { continue }
            if task.scheduled == at { task.scheduled = nil }
            tasks[id] = task
            expire(id, &turn)
            schedule(id)
        }
    }

    /// Makes sure that a task's next deadline is in the queue.
    mutating func schedule(_ id: ContainerID) {
        guard let task = tasks[id], let deadline = task.nextDeadline else { return }
        if let scheduled = task.scheduled, scheduled <= deadline { return }
        tasks[id]?.scheduled = deadline
        deadlines.insert(id, at: deadline)
    }
}

/// What one event leads to, collected in order.
struct Turn<Generator: RandomNumberGenerator> {
    let now: Moment
    var generator: Generator
    var effects: [AgentEffect] = []

    init(now: Moment, generator: Generator) {
        self.now = now
        self.generator = generator
    }
}
