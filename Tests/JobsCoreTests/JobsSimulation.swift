import ClusterModel
import JobsCore
import Schedules
import Testing

/// Jobs over a master, agents and a store that fail at any point, from one seed.
///
/// The master is a strict model: it knows tasks as Mesos does, forgets them when it restarts and learns them again from
/// its agents, is silent about agents that have not come back, and drops tasks on offers that are void. The process of
/// the jobs may end between any two transactions and between any two effects.
struct JobsSimulation {
    struct Task {
        var info: TaskInfo
        var run: RunID
        var state = TaskState.staging
        var startsAt: Int
        var endsAt: Int
        var outcome: TaskState
        /// Updates that were not acknowledged, oldest first.
        var updates: [(TaskState, StatusUUID)] = []
    }

    struct Agent {
        var id: AgentID
        var capacity = 6.0
        var tasks: [TaskID: Task] = [:]
        var isConnected = true
        var returnsAt = 0
        var refusedUntil = 0

        var free: Double {
            capacity - tasks.values.reduce(0) { $0 + ($1.state.isTerminal ? 0 : $1.info.resources.total("cpus").value) }
        }
    }

    var chance: Seeded
    var core: JobsCore
    var records = JobsRecords()
    var second = 0
    var settings = JobsSettings()
    var agents: [Agent] = (0..<3).map { Agent(id: AgentID("A\($0)")) }
    var faults = true

    // The master.
    var isUp = true
    var upAt = 0
    var recoveryUntil = 0
    var known: [TaskID: AgentID] = [:]
    var offers: [OfferID: Int] = [:]
    var nextOffer = 0
    var isSuppressed = false
    // The stream between them.
    var isConnected = false
    var toMaster: [SchedulerCall] = []
    var requests: UInt64 = 0

    // The books.
    var made: Set<RunID> = []
    var ended: Set<RunID> = []
    var scheduled: [String: RunID] = [:]
    var launches = 0
    var restarts = 0

    static let origin = 1_700_000_000.0

    var now: Moment { Moment(elapsed: .seconds(second), wall: UnixTime(seconds: Self.origin + Double(second))) }

    init(seed: UInt64) {
        chance = Seeded(seed)
        settings.runsPerJob = 8
        core = JobsCore(
            settings: settings, seed: seed, now: Moment(elapsed: .zero, wall: UnixTime(seconds: Self.origin)))
        command(.create(.sleeping("plain", cpus: 0.5), nil))
        command(.create(.sleeping("again", cpus: 0.5, policy: .onFailure), nil))
        command(.create(.sleeping("often", cpus: 0.5, schedule: .every("* * * * *", deadline: 120)), .utc))
        command(
            .create(.sleeping("alone", cpus: 0.5, schedule: .every("*/2 * * * *", .forbid), policy: .onFailure), .utc))
        command(.create(.sleeping("child", cpus: 0.5, dependencies: ["plain", "again"]), nil))
    }

    mutating func command(_ command: JobsCommand) {
        requests += 1
        tell(.command(requests, command))
    }

    // MARK: the process of the jobs

    /// One turn of its driver; the process may end anywhere in it.
    mutating func tell(_ input: JobsInput) {
        let turn = core.handle(input, now: now)
        #expect(turn.faults.isEmpty)
        for transaction in turn.transactions {
            if faults, chance.happens(oneIn: 300) { return crash() }
            #expect(transaction.count <= 128)
            for change in transaction { store(change) }
        }
        for effect in turn.effects {
            if faults, chance.happens(oneIn: 400) { return crash() }
            if case .call(let call) = effect, isConnected { toMaster.append(call) }
        }
    }

    mutating func store(_ change: JobsChange) {
        records.apply(change)
        switch change {
        case .putRun(let run):
            made.insert(run.id)
            #expect(!ended.contains(run.id), "run \(run.id) came back")
            guard let time = run.scheduledFor else { return }
            let key = "\(run.job.id) \(time.nanoseconds)"
            #expect(scheduled[key] == nil || scheduled[key] == run.id, "\(key) was started twice")
            scheduled[key] = run.id
        case .removeRun(_, let id): ended.insert(id)
        default: break
        }
    }

    mutating func crash() {
        restarts += 1
        isConnected = false
        // What was sent may arrive, or not.
        if chance.happens(oneIn: 2) { toMaster = [] }
        offers = [:]
        core = JobsCore(
            settings: settings, records: records, zones: ["UTC": .utc], seed: chance.next(), now: now)
    }

    // MARK: the master

    mutating func carryOut(_ call: SchedulerCall) {
        switch call {
        case .accept(let ids, let operations, _):
            let index = ids.first.flatMap { offers.removeValue(forKey: $0) }
            for case .launch(let tasks) in operations { for task in tasks { launch(task, on: index) } }
        case .decline(let ids, let filters):
            for id in ids {
                guard let index = offers.removeValue(forKey: id) else { continue }
                agents[index].refusedUntil = second + Int(filters.refuse.components.seconds)
            }
        case .kill(let task, let agent, _, _): kill(task, agent)
        case .acknowledge(let agent, let task, let uuid):
            guard let index = agents.firstIndex(where: { $0.id == agent && $0.isConnected }),
                agents[index].tasks[task]?.updates.first?.1 == uuid
            else { return }
            let (state, _) = agents[index].tasks[task]!.updates.removeFirst()
            if state.isTerminal {
                agents[index].tasks[task] = nil
                known[task] = nil
            }
        case .reconcile(let queries):
            if queries.isEmpty { for task in known.keys.sorted() { answer(task, nil) } }
            for query in queries { answer(query.task, query.agent) }
        case .revive:
            isSuppressed = false
            for index in agents.indices { agents[index].refusedUntil = 0 }
        case .suppress: isSuppressed = true
        default: Issue.record("the jobs said \(call)")
        }
    }

    private mutating func launch(_ info: TaskInfo, on index: Int?) {
        launches += 1
        let run = RunID(String(info.name.prefix { $0 != "." }))
        #expect(known[info.taskID] == nil, "a task's name was used twice")
        guard let index, agents[index].isConnected, agents[index].free >= info.resources.total("cpus").value else {
            send(TaskStatus(taskID: info.taskID, state: .dropped, source: .master, timestamp: now.wall))
            return
        }
        let begins = second + 1 + chance.below(3)
        known[info.taskID] = agents[index].id
        agents[index].tasks[info.taskID] = Task(
            info: info, run: run, startsAt: begins, endsAt: begins + chance.below(150),
            outcome: chance.happens(oneIn: 3) ? .failed : .finished)
    }

    private mutating func kill(_ task: TaskID, _ agent: AgentID?) {
        guard let place = known[task] else { return answer(task, agent) }
        guard let index = agents.firstIndex(where: { $0.id == place && $0.isConnected }) else { return }
        guard var ending = agents[index].tasks[task], !ending.state.isTerminal else { return }
        ending.endsAt = min(ending.endsAt, second + 2)
        ending.outcome = .killed
        agents[index].tasks[task] = ending
    }

    private mutating func answer(_ task: TaskID, _ agent: AgentID?) {
        if let place = known[task], let index = agents.firstIndex(where: { $0.id == place }) {
            let state = agents[index].isConnected ? agents[index].tasks[task]?.state : .unreachable
            return send(
                TaskStatus(
                    taskID: task, state: state ?? .gone, source: .master, reason: .reconciliation, agentID: place,
                    timestamp: now.wall))
        }
        let mayKnowMore =
            second < recoveryUntil && agents.contains { !$0.isConnected && (agent == nil || $0.id == agent) }
        if mayKnowMore { return }
        send(
            TaskStatus(
                taskID: task, state: .unknown, source: .master, reason: .reconciliation, agentID: agent,
                timestamp: now.wall))
    }

    private mutating func send(_ status: TaskStatus) {
        if isConnected { tell(.update(status)) }
    }

    // MARK: time

    mutating func step() {
        second += 1
        if faults { misfortune() }
        returnToLife()
        for index in agents.indices { work(index) }
        // What the process said arrives a second later at the earliest.
        let calls = toMaster
        toMaster = []
        for call in calls { if isUp { carryOut(call) } }
        if isUp, isConnected { deliver() }
        if let due = core.nextDeadline, due <= now.elapsed { tell(.tick) }
        check()
    }

    private mutating func misfortune() {
        if chance.happens(oneIn: 200) { crash() }
        if chance.happens(oneIn: 60), isConnected { drop() }
        if isUp, chance.happens(oneIn: 400) {
            (isUp, upAt) = (false, second + 1 + chance.below(20))
            known = [:]
            offers = [:]
            drop()
            for index in agents.indices {
                // They register again when the master is back, each in its time; one that was away before may come
                // back only after the master has stopped waiting for it.
                let returns = upAt + chance.below(25)
                agents[index].returnsAt = agents[index].isConnected ? returns : max(returns, agents[index].returnsAt)
                agents[index].isConnected = false
            }
        }
        if chance.happens(oneIn: 300) {
            let index = chance.below(agents.count)
            guard agents[index].isConnected else { return }
            agents[index].isConnected = false
            agents[index].returnsAt = second + 1 + chance.below(80)
            offers = offers.filter { $0.value != index }
            for task in agents[index].tasks.keys.sorted() where known[task] != nil { answer(task, nil) }
        }
    }

    private mutating func drop() {
        guard isConnected else { return }
        isConnected = false
        toMaster = []
        offers = [:]
        tell(.disconnected)
    }

    private mutating func returnToLife() {
        if !isUp, second >= upAt {
            isUp = true
            recoveryUntil = second + 30
        }
        guard isUp else { return }
        if !isConnected, chance.happens(oneIn: 3) {
            isConnected = true
            isSuppressed = false
            toMaster = []
            tell(.connected(FrameworkID("F")))
        }
        for index in agents.indices where !agents[index].isConnected && second >= agents[index].returnsAt {
            agents[index].isConnected = true
            for (id, task) in agents[index].tasks.sorted(by: { $0.key < $1.key }) {
                known[id] = agents[index].id
                if !task.state.isTerminal { answer(id, nil) }
            }
        }
    }

    /// Tasks begin and end whether anybody looks or not.
    private mutating func work(_ index: Int) {
        for (id, task) in agents[index].tasks.sorted(by: { $0.key < $1.key }) {
            if task.state == .staging, second >= task.startsAt { become(.running, id, index) }
            if agents[index].tasks[id]?.state == .running, second >= task.endsAt { become(task.outcome, id, index) }
        }
    }

    private mutating func become(_ state: TaskState, _ id: TaskID, _ index: Int) {
        agents[index].tasks[id]?.state = state
        agents[index].tasks[id]?.updates.append((state, StatusUUID(using: &chance)))
    }

    private mutating func deliver() {
        for index in agents.indices where agents[index].isConnected {
            for (id, task) in agents[index].tasks.sorted(by: { $0.key < $1.key }) {
                guard let (state, uuid) = task.updates.first, chance.happens(oneIn: 2), isConnected else { continue }
                send(
                    TaskStatus(
                        taskID: id, state: state, source: .executor, agentID: agents[index].id, timestamp: now.wall,
                        uuid: uuid))
            }
            guard isConnected, !isSuppressed, second >= agents[index].refusedUntil, second >= recoveryUntil,
                !offers.values.contains(index), agents[index].free > 0
            else { continue }
            nextOffer += 1
            let id = OfferID("O\(nextOffer)")
            offers[id] = index
            let resources = try! Resources([.scalar("cpus", agents[index].free), .scalar("mem", 100_000)])
            tell(
                .offers([
                    Offer(
                        id: id, frameworkID: FrameworkID("F"), agentID: agents[index].id, role: .everyone,
                        resources: resources,
                        agent: AgentInfo(
                            id: agents[index].id, hostname: "h", address: "127.0.0.1", port: 1, resources: resources,
                            version: "1"))
                ]))
        }
    }

    // MARK: what must hold

    private func check() {
        var running: [RunID: TaskID] = [:]
        var alone = 0
        for agent in agents {
            for (id, task) in agent.tasks where !task.state.isTerminal {
                #expect(running[task.run] == nil, "run \(task.run) runs twice at second \(second)")
                running[task.run] = id
                if task.info.name.hasSuffix(".alone") { alone += 1 }
            }
        }
        #expect(alone <= 1, "FORBID did not hold at second \(second)")
        for run in core.runs.values {
            let isLast = run.tasks.dropLast().allSatisfy { $0.isOver }
            #expect(isLast)
        }
    }

    /// All runs but those that cannot end have ended, and each was counted once.
    mutating func settle() {
        faults = false
        for id in ["often", "alone"] { command(.deleteSchedule(JobID(id), "default")) }
        for _ in 0..<20_000 {
            step()
            if core.runs.isEmpty, agents.allSatisfy({ $0.tasks.isEmpty }) { break }
        }
        #expect(core.runs.isEmpty, "runs are left: \(core.runs.values.map { "\($0.id) \($0.status) \($0.tasks)" })")
        #expect(records.runs.isEmpty)
        #expect(agents.allSatisfy { $0.tasks.isEmpty })
        #expect(made == ended)
        let counted = records.histories.values.reduce(0) { $0 + $1.successCount + $1.failureCount }
        #expect(counted == ended.count)
        for (id, state) in core.jobs {
            #expect(records.histories[id] ?? JobHistory() == state.history)
            #expect(records.marks[id] == state.marks)
        }
    }
}

@Suite("Jobs under faults")
struct JobsSimulationTests {
    @Test(arguments: 0..<UInt64(60))
    func `no run runs twice, FORBID holds, no time starts two runs, and all runs end`(seed: UInt64) {
        var world = JobsSimulation(seed: seed)
        for _ in 0..<1_500 {
            if world.chance.happens(oneIn: 40) { world.command(.start(JobID("plain"))) }
            if world.chance.happens(oneIn: 60) { world.command(.start(JobID("again"))) }
            if world.chance.happens(oneIn: 150),
                let run = world.core.runs.values.map({ ($0.job.id, $0.id) }).min(by: { $0.1 < $1.1 })
            {
                world.command(.stop(run.0, run.1))
            }
            world.step()
        }
        world.settle()
        #expect(world.launches > 20)
    }
}
