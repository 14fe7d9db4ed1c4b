import ClusterModel
import Deployments

@testable import ServicesCore

/// The framework on a played cluster, driven as its driver would: changes are stored, then effects are carried out,
/// and the process can end at any point between.
struct ServicesSimulation {
    var cluster: PlayedCluster
    var core: ServicesCore
    /// What is in the store.
    var registry = ServicesRegistry()
    var generator: SplitMix
    var now = Moment(elapsed: .zero, wall: UnixTime(seconds: 1_700_000_000))
    var events = EventQueue()
    var replies: [UInt64: ServicesReply] = [:]
    var published: [ServicesEvent] = []
    var problems: [String] = []
    var turns = 0
    var lives = 1
    /// How likely the process ends in the middle of a turn.
    var crashes = 0.0
    /// How likely a starting task fails.
    var failures = 0.0
    var settings = ServicesSettings()
    private var nextRequest: UInt64 = 0
    private var isDown = false
    private var nextTick = Duration.zero
    private var nextDelivery = Duration.zero

    /// Things to come.
    enum Happening {
        case tick
        case offers
        case deliver
        case restart
        case taskMoves(AgentID, TaskID)
        case agentLost(AgentID)
        case agentBack(AgentID)
        case masterRecovered
    }

    init(seed: UInt64, agents: Int = 5, settings: ServicesSettings = ServicesSettings()) {
        generator = SplitMix(state: seed)
        cluster = PlayedCluster(seed: seed ^ 0xabcdef)
        self.settings = settings
        for number in 1...max(1, agents) {
            cluster.addAgent(
                number, cpus: 8, mem: 8_192, rack: "rack\(number % 3)", zone: "z\(number % 2)")
        }
        core = ServicesCore(settings: settings, seed: (seed, 1), now: now)
        connect()
        events.add(.offers, at: .milliseconds(100))
    }

    // MARK: the driver

    mutating func feed(_ input: ServicesInput) {
        guard !isDown else { return }
        let turn = core.handle(input, now: now)
        problems += turn.faults
        turns += 1
        // Two parties that answer each other for ever would never let the time pass.
        if turns > 20_000 {
            problems.append("far too many turns")
            return
        }
        if turns % 16 == 0 { problems += core.contradictions() }
        let dies = Double.random(in: 0..<1, using: &generator) < crashes
        // The store takes the changes in their order; any beginning of them may be what is left.
        let stored = dies ? Int.random(in: 0...turn.changes.count, using: &generator) : turn.changes.count
        for change in turn.changes.prefix(stored) { registry.apply(change) }
        if dies, stored < turn.changes.count || Bool.random(using: &generator) { return die() }
        let count = dies ? Int.random(in: 0...turn.effects.count, using: &generator) : turn.effects.count
        for effect in turn.effects.prefix(count) { carryOut(effect) }
        if dies { return die() }
        if let deadline = core.nextDeadline, deadline < nextTick || nextTick <= now.elapsed {
            nextTick = max(deadline, now.elapsed)
            events.add(.tick, at: nextTick)
        }
        deliverSoon()
    }

    private mutating func carryOut(_ effect: ServicesEffect) {
        switch effect {
        case .reply(let request, let reply): replies[request.number] = reply
        case .call(let call): cluster.take(call, now: now)
        case .accept(let offer, let launches, _):
            for launch in launches { checkLaunch(launch) }
            cluster.accept(offer, launches, now: now)
            for task in launches.flatMap(\.tasks) { move(task.agentID, task.taskID) }
        case .subscribe(_, let suppressed): cluster.isSuppressed = suppressed.contains(.everyone)
        case .publish(let event): published.append(event)
        }
    }

    private mutating func checkLaunch(_ launch: Launch) {
        if registry.instances[launch.instance.id] == nil { problems.append("\(launch.instance.id) is not stored") }
        problems += LaunchOrder.problems(launch, core)
    }

    private mutating func die() {
        isDown = true
        cluster.outbox = []
        cluster.offers = [:]
        events.add(.restart, at: now.elapsed + .milliseconds(Int.random(in: 100...8_000, using: &generator)))
    }

    mutating func connect() {
        cluster.reconnect()
        let updates = cluster.outbox
        cluster.outbox = [
            .subscribed(
                FrameworkID("F"), heartbeatInterval: .seconds(15),
                master: MasterInfo(id: MasterID("M"), hostname: "m", address: "10.0.0.1", port: 5050, version: "1.11.0")
            )
        ]
        cluster.outbox += updates
        events.add(.deliver, at: now.elapsed + .milliseconds(1))
    }

    private mutating func restart() {
        isDown = false
        lives += 1
        core = ServicesCore(
            settings: settings, registry: registry, seed: (generator.next(), generator.next()), now: now)
        connect()
    }

    // MARK: time

    /// Lets things happen until a time, or until there is nothing left to do and `isEnough` says so.
    mutating func run(for duration: Duration, until isEnough: (ServicesSimulation) -> Bool = { _ in false }) {
        let end = now.elapsed + duration
        while let (time, happening) = events.pop(until: end) {
            now = now + (time - now.elapsed)
            happen(happening)
            if isEnough(self) { return }
        }
        now = now + (end - now.elapsed)
    }

    private mutating func happen(_ happening: Happening) {
        switch happening {
        case .tick: if !isDown { feed(.tick) }
        case .offers:
            cluster.offer(now: now)
            events.add(.offers, at: now.elapsed + .seconds(1))
            events.add(.deliver, at: now.elapsed)
        case .deliver: deliver()
        case .restart: if isDown { restart() }
        case .taskMoves(let agent, let task): moveOn(agent, task)
        case .agentLost(let id):
            if let agent = cluster.agents[id], !agent.isReachable { cluster.loseSight(of: id, now: now) }
        case .agentBack(let id): cluster.register(id, now: now)
        case .masterRecovered:
            cluster.isRecovering = false
            for id in cluster.agents.keys.sorted() where cluster.agents[id]?.isReachable == false {
                cluster.loseSight(of: id, now: now)
            }
        }
        if !isDown, !cluster.outbox.isEmpty { deliverSoon() }
    }

    /// One delivery at a time is on its way.
    private mutating func deliverSoon() {
        if nextDelivery > now.elapsed { return }
        nextDelivery = now.elapsed + .milliseconds(1)
        events.add(.deliver, at: nextDelivery)
    }

    private mutating func deliver() {
        guard !isDown else { return }
        while !cluster.outbox.isEmpty, !isDown { feed(.event(cluster.outbox.removeFirst())) }
    }

    private mutating func move(_ agent: AgentID, _ task: TaskID) {
        let pause = Duration.milliseconds(Int.random(in: 10...1_500, using: &generator))
        events.add(.taskMoves(agent, task), at: now.elapsed + pause)
    }

    private mutating func moveOn(_ agent: AgentID, _ id: TaskID) {
        guard let found = cluster.agents[agent], found.isUp, let task = found.tasks[id], !task.state.isTerminal else {
            return
        }
        switch task.state {
        case .staging:
            cluster.report(id, on: agent, .starting, now)
            move(agent, id)
        case .starting:
            let fails = Double.random(in: 0..<1, using: &generator) < failures
            cluster.report(id, on: agent, fails ? .failed : .running, now)
        default: break
        }
    }

    // MARK: what people and faults do

    @discardableResult
    mutating func send(_ command: ServicesCommand) -> ServicesReply? {
        nextRequest += 1
        let number = nextRequest
        feed(.command(ServicesRequestID(number), command))
        return replies[number]
    }

    /// An agent is cut off, or its machine ends, for a while.
    mutating func loseAgent(_ id: AgentID, for duration: Duration, dies: Bool) {
        guard cluster.agents[id]?.isReachable == true else { return }
        if dies { cluster.agents[id]?.isUp = false } else { cluster.agents[id]?.isCutOff = true }
        events.add(.agentLost(id), at: now.elapsed + .seconds(15))
        events.add(.agentBack(id), at: now.elapsed + duration)
    }

    mutating func failOverMaster() {
        guard !cluster.isRecovering, !isDown else { return }
        cluster.forget()
        feed(.disconnected)
        connect()
        for (id, agent) in cluster.agents.sorted(by: { $0.key < $1.key }) where agent.isUp && !agent.isCutOff {
            let pause = Duration.milliseconds(Int.random(in: 100...20_000, using: &generator))
            events.add(.agentBack(id), at: now.elapsed + pause)
        }
        events.add(.masterRecovered, at: now.elapsed + .seconds(30))
    }

    mutating func dropConnection() {
        guard !isDown else { return }
        cluster.outbox = []
        feed(.disconnected)
        connect()
    }

    mutating func killFramework() { if !isDown { die() } }
}

/// Happenings in the order of their time; those of one time in the order they were added.
struct EventQueue {
    private var heap: [(at: Duration, number: Int, what: ServicesSimulation.Happening)] = []
    private var number = 0

    mutating func add(_ what: ServicesSimulation.Happening, at time: Duration) {
        number += 1
        heap.append((time, number, what))
        var index = heap.count - 1
        while index > 0, isBefore(index, (index - 1) / 2) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func pop(until end: Duration) -> (Duration, ServicesSimulation.Happening)? {
        guard let first = heap.first, first.at <= end else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            if least == index { return (first.at, first.what) }
            heap.swapAt(index, least)
            index = least
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].number) < (heap[right].at, heap[right].number)
    }
}
