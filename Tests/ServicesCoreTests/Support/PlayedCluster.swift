import ClusterModel
import Deployments
import ServicesCore

/// A generator that repeats itself: the same seed, the same run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// A task on an agent.
struct PlayedTask {
    var id: TaskID
    var resources: Resources
    var state: TaskState
    /// Whether it has said that it is ready.
    var isReady = false
    /// Updates that are not acknowledged, the oldest first.
    var updates: [TaskStatus] = []
}

/// An agent: its tasks go on whatever becomes of master and framework.
struct PlayedAgent {
    var info: AgentInfo
    var isUp = true
    var isCutOff = false
    /// Whether this life of the master knows it.
    var isRegistered = true
    var tasks: [TaskID: PlayedTask] = [:]

    var id: AgentID { info.id ?? AgentID("") }
    var isReachable: Bool { isUp && !isCutOff && isRegistered }
    var free: Resources {
        var left = info.resources
        for task in tasks.values where !task.state.isTerminal {
            left = (try? left.subtracting(task.resources)) ?? Resources()
        }
        return left
    }
}

/// A master and agents, as far as a framework can tell: it offers, launches, reports, loses, forgets and remembers.
struct PlayedCluster {
    var agents: [AgentID: PlayedAgent] = [:]
    var offers: [OfferID: (agent: AgentID, resources: Resources)] = [:]
    /// What this life of the master knows of tasks: where they are and what it told last.
    var known: [TaskID: (agent: AgentID, told: TaskState)] = [:]
    /// Until when resources of an agent are not offered.
    var filters: [AgentID: Duration] = [:]
    var isSuppressed = true
    var isRecovering = false
    /// What the framework is to hear, in order.
    var outbox: [SchedulerEvent] = []
    /// All task ids that were ever launched.
    var launched: Set<TaskID> = []
    var problems: [String] = []
    var generator: SplitMix
    private var nextOffer = 0

    init(seed: UInt64) { generator = SplitMix(state: seed) }

    mutating func addAgent(_ number: Int, cpus: Double, mem: Double, rack: String, zone: String) {
        let id = AgentID("A\(number)")
        let resources =
            (try? Resources([
                .scalar("cpus", cpus), .scalar("mem", mem), .scalar("disk", 10_000), .ports(31_000, 31_999),
            ])) ?? Resources()
        agents[id] = PlayedAgent(
            info: AgentInfo(
                id: id, hostname: "h\(number)", address: "10.0.0.\(number)", port: 5051, resources: resources,
                attributes: [Attribute(name: "rack", value: .text(rack))],
                domain: Domain(region: "r", zone: zone), version: "1"))
    }

    // MARK: what the framework says

    mutating func take(_ call: SchedulerCall, now: Moment) {
        switch call {
        case .decline(let ids, let filters):
            for id in ids {
                guard let offer = offers.removeValue(forKey: id) else { continue }
                self.filters[offer.agent] = now.elapsed + filters.refuse
            }
        case .revive:
            isSuppressed = false
            filters = [:]
        case .suppress: isSuppressed = true
        case .kill(let task, let agent, _, _): kill(task, agent, now)
        case .acknowledge(let agent, let task, let uuid): acknowledge(agent, task, uuid)
        case .reconcile(let queries): reconcile(queries, now)
        default: problems.append("an unexpected call: \(call)")
        }
    }

    mutating func accept(_ id: OfferID, _ launches: [Launch], now: Moment) {
        guard let offer = offers.removeValue(forKey: id) else {
            for task in launches.flatMap(\.tasks) {
                tell(task.taskID, .dropped, nil, .invalidOffers, now)
            }
            return
        }
        var left = offer.resources
        for task in launches.flatMap(\.tasks) {
            if !launched.insert(task.taskID).inserted { problems.append("\(task.taskID) was launched twice") }
            guard let rest = try? left.subtracting(task.resources) else {
                problems.append("\(task.taskID) uses more than was offered")
                continue
            }
            left = rest
            guard agents[offer.agent]?.isReachable == true else {
                tell(task.taskID, .dropped, offer.agent, .agentDisconnected, now)
                continue
            }
            known[task.taskID] = (offer.agent, .staging)
            agents[offer.agent]?.tasks[task.taskID] = PlayedTask(
                id: task.taskID, resources: task.resources, state: .staging)
        }
    }

    private mutating func tell(
        _ task: TaskID, _ state: TaskState, _ agent: AgentID?, _ reason: StatusReason, _ now: Moment
    ) {
        var status = TaskStatus(
            taskID: task, state: state, source: .master, reason: reason, agentID: agent, timestamp: now.wall)
        if let agent, agents[agent]?.tasks[task]?.isReady == true { status.readiness = TaskReadiness(isReady: true) }
        outbox.append(.update(status))
    }

    private mutating func kill(_ task: TaskID, _ agent: AgentID?, _ now: Moment) {
        guard let place = known[task] else {
            return reconcile([SchedulerCall.TaskQuery(task: task, agent: agent)], now)
        }
        guard agents[place.agent]?.isReachable == true else {
            return tell(task, place.told, place.agent, .reconciliation, now)
        }
        guard let state = agents[place.agent]?.tasks[task]?.state, !state.isTerminal else { return }
        report(task, on: place.agent, .killed, now)
    }

    private mutating func acknowledge(_ agent: AgentID, _ task: TaskID, _ uuid: StatusUUID) {
        guard agents[agent]?.isReachable == true else { return }
        guard agents[agent]?.tasks[task]?.updates.first?.uuid == uuid else { return }
        agents[agent]?.tasks[task]?.updates.removeFirst()
        send(task, on: agent)
        guard let left = agents[agent]?.tasks[task], left.updates.isEmpty, left.state.isTerminal else { return }
        agents[agent]?.tasks[task] = nil
        known[task] = nil
    }

    private mutating func reconcile(_ queries: [SchedulerCall.TaskQuery], _ now: Moment) {
        let all = queries.isEmpty ? known.keys.sorted().map { SchedulerCall.TaskQuery(task: $0) } : queries
        for query in all {
            if let place = known[query.task] {
                tell(query.task, place.told, place.agent, .reconciliation, now)
            } else if isRecovering, query.agent.map({ agents[$0]?.isRegistered == false }) ?? true {
                continue
            } else {
                tell(query.task, .unknown, query.agent, .reconciliation, now)
            }
        }
    }

    // MARK: what happens

    /// A task's state changes on its agent.
    mutating func report(_ task: TaskID, on agent: AgentID, _ state: TaskState, _ now: Moment) {
        guard let old = agents[agent]?.tasks[task]?.state, !old.isTerminal, old != state else { return }
        agents[agent]?.tasks[task]?.state = state
        update(task, on: agent, state, isReady: nil, now)
        guard state == .running else { return }
        // As if its readiness check failed once. Not every task has one; those that have none say nothing by this.
        for isReady in [false, true] { update(task, on: agent, state, isReady: isReady, now) }
    }

    private mutating func update(
        _ task: TaskID, on agent: AgentID, _ state: TaskState, isReady: Bool?, _ now: Moment
    ) {
        var status = TaskStatus(
            taskID: task, state: state, source: .agent, agentID: agent, timestamp: now.wall,
            uuid: StatusUUID(using: &generator))
        status.readiness = isReady.map { TaskReadiness(isReady: $0) }
        if isReady == true { agents[agent]?.tasks[task]?.isReady = true }
        agents[agent]?.tasks[task]?.updates.append(status)
        if agents[agent]?.tasks[task]?.updates.count == 1 { send(task, on: agent) }
    }

    private mutating func send(_ task: TaskID, on agent: AgentID) {
        guard agents[agent]?.isReachable == true, let status = agents[agent]?.tasks[task]?.updates.first else { return }
        known[task] = (agent, status.state)
        outbox.append(.update(status))
    }

    /// The framework has a new connection: offers are void, updates come again.
    mutating func reconnect() {
        offers = [:]
        outbox = []
        filters = [:]
        isSuppressed = true
        for (id, agent) in agents.sorted(by: { $0.key < $1.key }) {
            for task in agent.tasks.keys.sorted() { send(task, on: id) }
        }
    }

    mutating func offer(now: Moment) {
        guard !isSuppressed, !isRecovering else { return }
        var batch: [Offer] = []
        let held = Set(offers.values.map(\.agent))
        for (id, agent) in agents.sorted(by: { $0.key < $1.key })
        where agent.isReachable && !held.contains(id) && (filters[id] ?? .zero) <= now.elapsed {
            let free = agent.free
            if free.isEmpty { continue }
            let offer = OfferID("O\(nextOffer)")
            nextOffer += 1
            offers[offer] = (id, free)
            batch.append(
                Offer(
                    id: offer, frameworkID: FrameworkID("F"), agentID: id, role: .everyone, resources: free,
                    agent: agent.info))
        }
        if !batch.isEmpty { outbox.append(.offers(batch)) }
    }

    /// An agent has been silent for too long.
    mutating func loseSight(of agent: AgentID, now: Moment) {
        for (task, place) in known.sorted(by: { $0.key < $1.key }) where place.agent == agent {
            known[task]?.told = .unreachable
            tell(task, .unreachable, agent, .agentRemoved, now)
        }
        for (id, offer) in offers where offer.agent == agent { offers[id] = nil }
    }

    /// An agent registers: with its tasks, or, when its machine started anew, with their ends.
    mutating func register(_ agent: AgentID, now: Moment) {
        agents[agent]?.isRegistered = true
        agents[agent]?.isCutOff = false
        if agents[agent]?.isUp == false {
            agents[agent]?.isUp = true
            for task in (agents[agent]?.tasks.keys.sorted() ?? []) { report(task, on: agent, .failed, now) }
        }
        for (id, task) in (agents[agent]?.tasks ?? [:]).sorted(by: { $0.key < $1.key }) {
            if task.updates.isEmpty {
                known[id] = (agent, task.state)
                tell(id, task.state, agent, .agentReregistered, now)
            } else {
                send(id, on: agent)
            }
        }
    }

    /// Another life of the master begins: it knows no tasks.
    mutating func forget() {
        known = [:]
        offers = [:]
        isRecovering = true
        for id in agents.keys { agents[id]?.isRegistered = false }
    }

    /// Tasks that run, wherever they are.
    var running: [TaskID] {
        agents.values.filter(\.isUp).flatMap { $0.tasks.values.filter { !$0.state.isTerminal }.map(\.id) }.sorted()
    }
}

extension Launch {
    var tasks: [TaskInfo] {
        switch operation {
        case .launch(let tasks), .launchGroup(_, let tasks): tasks
        case .unsupported: []
        }
    }
}
