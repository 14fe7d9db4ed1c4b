import AgentCore
import ClusterModel
import MasterCore
import Scheduling

/// A whole cluster in one thread under one seed: the real master and agent cores, model frameworks, and a network and
/// machines that fail as the seed says. After every step the invariants are checked; the first violation ends the run.
public final class ClusterSimulation {
    enum Party { case agent(Int, session: Int), framework(Int, life: Int) }

    struct Connection {
        var party: Party
        var isOpen = true
        /// Events of one stream arrive in order.
        var lastArrival: Duration = .zero
    }

    /// The seed that replays the run.
    public let seed: UInt64
    /// The first broken invariant.
    public internal(set) var violation: String?
    /// How many inputs were handled.
    public internal(set) var steps = 0
    /// Ends that frameworks were told.
    public var endedTasks: Int { frameworks.reduce(0) { $0 + $1.tasks.values.filter { $0.end != nil }.count } }
    /// Tasks of groups that were told to be killed because of another one.
    public internal(set) var sharedFates = 0
    /// Tasks for which their agent had no room although the master thought so: something was not given back.
    public internal(set) var shortages = 0
    /// How often each kind of process was killed.
    public internal(set) var crashes = 0

    var random: SeededGenerator
    var faults: Faults
    var queue = EventQueue<() -> Void>()
    var elapsed: Duration = .zero
    var master: MasterCore?
    var registry = Registry()
    var masterLife = 0
    var masterTimerAt: Duration?
    /// Set when the next turn of the master is its last: whether its changes became durable before it died.
    var masterDiesInTurn: Bool?
    var connections: [ConnectionID: Connection] = [:]
    var nextConnection: UInt64 = 1
    var nextRequest: UInt64 = 1
    var replies: [UInt64: (Reply) -> Void] = [:]
    let agents: [SimulatedAgent]
    let frameworks: [SimulatedFramework]
    var isQuiet = false
    var trace: [String] = []

    /// Prepares a cluster; nothing has happened yet.
    public init(seed: UInt64, agents agentCount: Int = 3, frameworks frameworkCount: Int = 3, launches: Int = 12) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        faults = Faults.drawn(using: &random)
        var agents: [SimulatedAgent] = []
        for index in 0..<agentCount {
            let items = [
                Resource.scalar("cpus", Double(1 + random.next() % 4)), .scalar("mem", 1_024),
                .ports(31_000, 31_000 + random.next() % 8),
            ]
            agents.append(SimulatedAgent(index: index, resources: (try? Resources(items)) ?? Resources()))
        }
        self.agents = agents
        var frameworks: [SimulatedFramework] = []
        for index in 0..<frameworkCount {
            var info = FrameworkInfo(user: "root", name: "framework\(index)")
            info.failoverTimeout = [.zero, .seconds(20), .seconds(3_600)][Int(random.next() % 3)]
            info.roles = [[.everyone], [RoleName("a")], [RoleName("b")]][Int(random.next() % 3)]
            if random.chance(600) { info.capabilities.insert(.partitionAware) }
            if random.chance(300) { info.capabilities.insert(.taskKillingState) }
            frameworks.append(SimulatedFramework(index: index, info: info, launches: launches))
        }
        self.frameworks = frameworks
    }

    /// Runs a rough phase and then a quiet one in which everything must come right.
    /// - Returns: the violated invariant, or nil.
    public func run(rough: Duration = .seconds(120), quiet: Duration = .seconds(2_400)) -> String? {
        startMaster()
        for agent in agents { startAgent(agent) }
        for framework in frameworks { startFramework(framework) }
        planCrash()
        advance(to: rough)
        isQuiet = true
        faults = .none
        note("--- quiet")
        advance(to: rough + quiet)
        if violation == nil { checkEnd() }
        return violation
    }

    var now: Moment {
        Moment(elapsed: elapsed, wall: UnixTime(nanoseconds: 1_700_000_000_000_000_000) + elapsed)
    }

    func note(_ text: @autoclosure () -> String) {
        guard Self.isTracing else { return }
        print("\(elapsed.inSeconds) \(text())")
    }

    /// Set to print every step: for replaying one seed.
    nonisolated(unsafe) public static var isTracing = false

    func plan(after delay: Duration, _ action: @escaping () -> Void) { queue.plan(action, at: elapsed + delay) }

    func drawnDelay() -> Duration { random.milliseconds(0...faults.delayMax) }

    private func advance(to end: Duration) {
        while violation == nil, let next = queue.nextTime, next <= end, let (at, action) = queue.takeNext() {
            elapsed = max(elapsed, at)
            action()
        }
        elapsed = max(elapsed, end)
    }

    func fail(_ what: String) {
        if violation == nil { violation = "seed \(seed) at \(elapsed.inSeconds) s: \(what)" }
    }

    // MARK: crashes

    private func planCrash() {
        guard let every = faults.crashEvery else { return }
        plan(after: random.milliseconds(100...max(101, Int64(every.inSeconds * 2_000)))) { [self] in
            guard !isQuiet else { return }
            crashes += 1
            switch random.next() % 10 {
            case 0...2: crashMaster()
            case 3...5: crashAgent(agents[Int(random.next() % UInt64(agents.count))])
            case 6...7: crashFramework(frameworks[Int(random.next() % UInt64(frameworks.count))])
            case 8: loseMonitor(agents[Int(random.next() % UInt64(agents.count))])
            default: breakStreams()
            }
            planCrash()
        }
    }

    private func breakStreams() {
        for id in connections.keys.sorted() where random.chance(500) { breakConnection(id) }
    }

    // MARK: master

    func startMaster() {
        masterLife += 1
        masterDiesInTurn = nil
        masterTimerAt = nil
        note("master starts, life \(masterLife)")
        let info = MasterInfo(
            id: MasterID("m\(masterLife)"), hostname: "master", address: "10.0.0.1", port: 5050, version: "1.11.0")
        master = MasterCore(settings: MasterSettings(), master: info, registry: registry, now: now)
        armMasterTimer()
    }

    private func crashMaster() {
        guard master != nil, masterDiesInTurn == nil else { return }
        // In the middle of its next turn, before or after the commit.
        masterDiesInTurn = random.chance(500)
    }

    private func endMaster() {
        note("master dies")
        master = nil
        replies = [:]
        for id in connections.keys.sorted() { breakConnection(id) }
        plan(after: random.milliseconds(50...20_000)) { [self] in startMaster() }
    }

    func armMasterTimer() {
        guard let deadline = master?.nextDeadline else { return }
        if let armed = masterTimerAt, armed <= deadline { return }
        masterTimerAt = deadline
        let life = masterLife
        queue.plan(
            { [self] in
                guard life == masterLife, masterTimerAt == deadline else { return }
                masterTimerAt = nil
                input(.tick)
            }, at: max(deadline, elapsed))
    }

    /// Gives the master an input, as its driver does: commit, then speak.
    func input(_ input: MasterInput) {
        guard master != nil else { return }
        steps += 1
        guard let turn = master?.handle(input, now: now) else { return }
        if let isDurable = masterDiesInTurn {
            if isDurable { turn.changes.forEach { registry.apply($0) } }
            endMaster()
            return
        }
        turn.changes.forEach { registry.apply($0) }
        if let fault = turn.faults.first { fail("the core contradicts itself: \(fault)") }
        for effect in turn.effects { perform(effect) }
        checkStep()
        armMasterTimer()
    }

    private func perform(_ effect: MasterEffect) {
        switch effect {
        case .reply(let request, let reply):
            if let answer = replies.removeValue(forKey: request.number) { answer(reply) }
        case .send(let connection, let event):
            sendEvent(connection) { [self] party in
                guard case .framework(let index, let life) = party, frameworks[index].life == life else { return }
                receive(event, frameworks[index], connection)
            }
        case .sendAgent(let connection, let event):
            sendEvent(connection) { [self] party in
                guard case .agent(let index, let session) = party else { return }
                let agent = agents[index]
                guard agent.connections[session] == connection else { return }
                feed(.master(event, session: session), agent)
            }
        case .close(let connection): sendEvent(connection) { [self] _ in drop(connection) }
        case .publish, .warn: break
        }
    }

    // MARK: network

    private func sendEvent(_ id: ConnectionID, _ deliver: @escaping (Party) -> Void) {
        guard connections[id]?.isOpen == true else { return }
        if random.chance(faults.streamBreakPerMille) { return breakConnection(id) }
        let arrival = max((connections[id]?.lastArrival ?? .zero), elapsed + drawnDelay())
        connections[id]?.lastArrival = arrival
        queue.plan(
            { [self] in
                guard let connection = connections[id], connection.isOpen else { return }
                deliver(connection.party)
            }, at: arrival)
    }

    /// The stream breaks: what was under way is lost, and both ends notice, each in its own time.
    func breakConnection(_ id: ConnectionID) {
        guard connections[id]?.isOpen == true else { return }
        connections[id]?.isOpen = false
        let life = masterLife
        plan(after: random.milliseconds(0...8_000)) { [self] in
            if life == masterLife { input(.closed(id)) }
        }
        plan(after: random.milliseconds(0...8_000)) { [self] in drop(id) }
    }

    /// The far end sees the end of its stream.
    private func drop(_ id: ConnectionID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        switch connection.party {
        case .agent(let index, let session):
            let agent = agents[index]
            guard agent.connections[session] == id else { return }
            agent.connections[session] = nil
            feed(.connectionLost(session: session, reason: "stream ended"), agent)
        case .framework(let index, let life):
            let framework = frameworks[index]
            guard framework.life == life, framework.connection == id else { return }
            hangUp(framework)
            planSubscription(framework)
        }
    }

    func openConnection(_ party: Party) -> ConnectionID {
        let id = ConnectionID(nextConnection)
        nextConnection += 1
        connections[id] = Connection(party: party)
        return id
    }

    /// Posts a call: lost, repeated or delayed as the faults say. When it is ordered, a repetition follows at once, as
    /// on one kept connection, instead of any time.
    func post(
        isOrdered: Bool, _ make: @escaping (RequestID) -> MasterInput, then answer: @escaping (Reply?) -> Void
    ) {
        if random.chance(faults.callLossPerMille) {
            // Half of the lost calls did arrive; only their answers are lost.
            if random.chance(500) { plan(after: drawnDelay()) { [self] in input(make(newRequest { _ in })) } }
            plan(after: drawnDelay()) { answer(nil) }
            return
        }
        let isRepeated = random.chance(faults.callRepeatPerMille)
        if isRepeated, !isOrdered {
            plan(after: drawnDelay()) { [self] in input(make(newRequest { _ in })) }
        }
        plan(after: drawnDelay()) { [self] in
            guard master != nil else { return answer(nil) }
            let life = masterLife
            if isRepeated, isOrdered { input(make(newRequest { _ in })) }
            guard master != nil else { return answer(nil) }
            input(make(newRequest { [self] reply in plan(after: drawnDelay()) { answer(reply) } }))
            if life != masterLife || master == nil { answer(nil) }
        }
    }

    private func newRequest(_ answer: @escaping (Reply) -> Void) -> RequestID {
        let number = nextRequest
        nextRequest += 1
        replies[number] = answer
        return RequestID(number)
    }
}
