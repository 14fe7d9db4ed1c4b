public import ClusterModel
public import Scheduling

/// The master's decisions: who may take part, who is offered what, where every task stands.
///
/// It is one value with one inbox. `handle` takes an input and the time, changes the value and returns what must
/// become durable and what must then be said, in order; it reads no clock, opens nothing and draws nothing at random.
/// The driver commits `changes` before it carries out `effects`; when the commit fails it throws the value away and
/// makes a new one from the store, so nothing that was decided but not stored can have been seen.
///
/// ```
/// agent:      recovered ─┐                      ┌─ closed ──► disconnected ─ silence ─► unreachable
///                        └─► connected ◄────────┴───────────── registers ◄──────────────────┘
/// framework:  (unknown) ─ subscribes ─► connected ◄─► disconnected ─ failover timeout, teardown ─► removed
/// task:       staging ─► starting ─► running ─► killing ─► an end; unreachable beside them while its agent is away
/// ```
///
/// It never does: decide for a framework what to use, talk to an agent that did not dial in, repeat an id.
public struct MasterCore: Sendable {
    /// The timing and limits in force.
    public let settings: MasterSettings
    /// This master, as frameworks are told. Who subscribes after a change is told the new.
    public var master: MasterInfo

    /// Frameworks that may take part, by id.
    public internal(set) var frameworks: [FrameworkID: FrameworkState] = [:]
    /// Removed frameworks, oldest first. Their tasks may still be ending.
    public internal(set) var completedFrameworks: [FrameworkState] = []
    /// Agents, by id; those that cannot be reached among them.
    public internal(set) var agents: [AgentID: AgentState] = [:]
    /// Offers that nobody has answered.
    public internal(set) var offers: OfferBook
    /// The shares and what is free.
    public internal(set) var allocator: Allocator
    /// Until when a restarted master waits for agents that have not come back; nil when it waits for none.
    public internal(set) var recoveryDeadline: Duration?

    /// Tasks of removed frameworks that their agents have not ended yet, with the resources they hold.
    public internal(set) var endingTasks: [TaskKey: TaskRecord] = [:]
    /// Which framework or agent a stream belongs to.
    var owners: [ConnectionID: Owner] = [:]
    /// Agents that were asked for a sign of life and have not given one yet.
    var looks: [AgentID: Look] = [:]
    var nextFrameworkNumber = 0
    var nextAgentNumber = 0
    var allocationCycle: UInt64 = 0

    var allocationAt: Duration?
    var nextFrameworkHeartbeat: Duration
    var nextAgentHeartbeat: Duration
    var nextSweep: Duration

    /// The moment of the input being handled.
    var now: Moment
    /// What the input being handled led to so far.
    var turn = MasterTurn()

    enum Owner: Hashable, Sendable {
        case framework(FrameworkID)
        case agent(AgentID)
    }

    /// Starts from what is stored. Nothing is offered before the known agents are back or the recovery window ended.
    /// - Parameters:
    ///   - settings: timing and limits.
    ///   - master: who leads; its id must differ from that of every earlier life of any master of the cluster,
    ///     because the ids of frameworks, agents and offers are made from it.
    ///   - registry: what the store holds.
    ///   - now: the time; frameworks' failover timeouts and the recovery window start here.
    public init(settings: MasterSettings, master: MasterInfo, registry: Registry, now: Moment) {
        self.settings = settings
        self.master = master
        self.now = now
        allocator = Allocator()
        offers = OfferBook(prefix: "\(master.id)-O")
        nextFrameworkHeartbeat = now.elapsed + settings.frameworkHeartbeat
        nextAgentHeartbeat = now.elapsed + settings.agentHeartbeat
        nextSweep = now.elapsed + settings.sweepInterval
        for (role, weight) in registry.weights.sorted(by: { $0.key < $1.key }) { setWeight(role, weight) }
        for (_, record) in registry.agents.sorted(by: { $0.key < $1.key }) { recover(record) }
        for (_, record) in registry.frameworks.sorted(by: { $0.key < $1.key }) { recover(record) }
        completedFrameworks.sort { ($0.removedAt ?? now.wall, $0.id) < ($1.removedAt ?? now.wall, $1.id) }
        if agents.values.contains(where: { $0.session == .recovered }) {
            recoveryDeadline = now.elapsed + settings.recoveryWindow
        }
    }

    /// Takes one input.
    /// - Parameters:
    ///   - input: what happened.
    ///   - now: the time, on the monotonic clock never earlier than in the call before.
    /// - Returns: the changes to store and then the effects to carry out, each in order.
    public mutating func handle(_ input: MasterInput, now: Moment) -> MasterTurn {
        self.now = now
        switch input {
        case .subscribe(let connection, let subscription): subscribe(connection, subscription)
        case .call(let request, let framework, let connection, let call):
            handleCall(request, framework, connection, call)
        case .registerAgent(let connection, let registration): register(connection, registration)
        case .agentCalls(let request, let connection, let calls): handleAgentCalls(request, connection, calls)
        case .doubted(let id): doubt(id)
        case .closed(let connection): closed(connection)
        case .command(let request, let command): perform(request, command)
        case .openStream(let request, let agent, let stream): openStream(request, agent, stream)
        case .tick: break
        }
        runTimers()
        defer { turn = MasterTurn() }
        return turn
    }

    /// When `handle(.tick)` is due on the monotonic clock, if ever.
    public var nextDeadline: Duration? {
        var deadlines: [Duration] = []
        if let allocationAt { deadlines.append(allocationAt) }
        if let look = looks.values.map(\.until).min() { deadlines.append(look) }
        if !owners.isEmpty { deadlines += [nextFrameworkHeartbeat, nextAgentHeartbeat] }
        if needsSweep { deadlines.append(nextSweep) }
        return deadlines.min()
    }

    private var needsSweep: Bool {
        recoveryDeadline != nil || !agents.isEmpty || frameworks.values.contains { !$0.isConnected }
    }

    private mutating func recover(_ record: AgentRecord) {
        guard let id = record.info.id else { return }
        let session: AgentState.Session =
            switch record.standing {
            case .member: .recovered
            case .unreachable: .unreachable
            case .gone: .gone
            }
        var agent = AgentState(
            info: record.info, session: session, lastHeard: now.elapsed, registeredAt: record.registeredAt)
        agent.condemned = record.condemned
        agents[id] = agent
    }

    private mutating func recover(_ record: FrameworkRecord) {
        guard let id = record.info.id else { return }
        var framework = FrameworkState(info: record.info, registeredAt: record.registeredAt, suppressedRoles: [])
        framework.removedAt = record.removedAt
        if record.removedAt != nil {
            completedFrameworks.append(framework)
        } else {
            framework.failoverDeadline = now.elapsed + max(record.info.failoverTimeout, settings.recoveryWindow)
            frameworks[id] = framework
            addToAllocator(framework)
        }
    }

    // MARK: saying and storing

    /// A contradiction inside the core: reported to the driver, which logs it, and to tests, which fail on it. The
    /// master goes on, because a wrong sum is better repaired by the next registration than by ending every session.
    mutating func fault(_ what: String) { turn.faults.append(what) }

    mutating func say(_ effect: MasterEffect) { turn.effects.append(effect) }

    mutating func store(_ change: RegistryChange) { turn.changes.append(change) }

    mutating func store(_ agent: AgentState, as standing: AgentRecord.Standing) {
        store(
            .putAgent(
                AgentRecord(
                    info: agent.info, standing: standing, registeredAt: agent.registeredAt, condemned: agent.condemned))
        )
    }

    /// Asks for an allocation cycle soon, because something came free or somebody came who may want it.
    mutating func allocateSoon() { schedule(now.elapsed + settings.allocationDelay) }

    /// Asks for a cycle at the usual interval, because only refused resources came free.
    mutating func allocateLater() { schedule(now.elapsed + settings.allocationInterval) }

    private mutating func schedule(_ at: Duration) {
        if let earlier = allocationAt, earlier <= at { return }
        allocationAt = at
    }
}

extension MasterSettings {
    /// How often silent agents and absent frameworks are looked for.
    var sweepInterval: Duration { max(unreachableAfter / 15, .milliseconds(10)) }
}
