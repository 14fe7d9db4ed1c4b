import ClusterModel
import JobsCore
import Schedules
import Testing

/// A small generator for seeded tests.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    mutating func happens(oneIn count: Int) -> Bool { below(count) == 0 }
}

extension Job {
    static func sleeping(
        _ id: String, cpus: Double = 1, dependencies: [String] = [], schedule: JobSchedule? = nil,
        policy: RunPlan.Restart.Policy = .never, deadline: Int? = nil
    ) -> Job {
        var plan = RunPlan(cpus: Quantity(cpus)!, memory: Quantity(32)!, command: "sleep 1")
        plan.restart = .init(policy: policy, activeDeadline: deadline)
        return Job(
            id: JobID(id), dependencies: dependencies.map { JobID($0) }, schedules: schedule.map { [$0] } ?? [],
            run: plan)
    }
}

extension JobSchedule {
    static func every(
        _ cron: String, deadline: Int = 900, _ concurrency: Concurrency = .allow, isEnabled: Bool = true
    ) -> JobSchedule {
        JobSchedule(
            id: "default", cron: try! CronExpression(cron), startingDeadline: deadline, concurrency: concurrency,
            isEnabled: isEnabled)
    }
}

/// A core with a store and a clock, for conversations.
struct Conversation {
    var core: JobsCore
    var records = JobsRecords()
    var now = Moment(elapsed: .zero, wall: UnixTime(seconds: 1_700_000_010))  // 22:13:30 UTC
    var events: [JobsEvent] = []
    private var requests: UInt64 = 0
    private var offers = 0

    init(settings: JobsSettings = JobsSettings()) {
        core = JobsCore(settings: settings, seed: 1, now: now)
    }

    /// Hands an input in, stores what changes, and returns what is said to the master.
    @discardableResult
    mutating func tell(_ input: JobsInput) -> [SchedulerCall] {
        let turn = core.handle(input, now: now)
        #expect(turn.faults.isEmpty)
        for change in turn.transactions.joined() { records.apply(change) }
        var calls: [SchedulerCall] = []
        for effect in turn.effects {
            switch effect {
            case .call(let call): calls.append(call)
            case .publish(let event): events.append(event)
            case .reply: break
            }
        }
        return calls
    }

    mutating func ask(_ command: JobsCommand) -> JobsReply {
        requests += 1
        let turn = core.handle(.command(requests, command), now: now)
        for change in turn.transactions.joined() { records.apply(change) }
        var reply: JobsReply?
        for effect in turn.effects {
            switch effect {
            case .reply(requests, let given): reply = given
            case .publish(let event): events.append(event)
            default: break
            }
        }
        return try! #require(reply)
    }

    @discardableResult
    mutating func create(_ job: Job) -> JobsReply { ask(.create(job, job.schedules.isEmpty ? nil : .utc)) }

    mutating func start(_ id: String) throws -> JobRun {
        guard case .run(let run) = ask(.start(JobID(id))) else { throw Unexpected() }
        return run
    }

    struct Unexpected: Error {}

    mutating func connect() -> [SchedulerCall] { tell(.connected(FrameworkID("F"))) }

    /// Lets time pass, with a tick at every deadline on the way.
    mutating func pass(_ seconds: Int) -> [SchedulerCall] {
        var calls: [SchedulerCall] = []
        let end = now + .seconds(seconds)
        while let next = core.nextDeadline, next <= end.elapsed {
            now = now + max(.zero, next - now.elapsed)
            calls += tell(.tick)
        }
        now = end
        return calls
    }

    mutating func offer(
        cpus: Double = 4, agent: String = "A", attributes: [Attribute] = [], resources: Resources? = nil
    ) -> [SchedulerCall] {
        offers += 1
        let all = resources ?? (try! Resources([.scalar("cpus", cpus), .scalar("mem", 1_024), .scalar("disk", 1_024)]))
        let info = AgentInfo(
            id: AgentID(agent), hostname: agent.lowercased() + ".test", address: "127.0.0.1", port: 1, resources: all,
            attributes: attributes, version: "1")
        return tell(
            .offers([
                Offer(
                    id: OfferID("O\(offers)"), frameworkID: FrameworkID("F"), agentID: AgentID(agent), role: .everyone,
                    resources: all, agent: info)
            ]))
    }

    mutating func report(_ task: TaskInfo, _ state: TaskState, uuid: UInt8? = nil) -> [SchedulerCall] {
        report(task.taskID, state, uuid: uuid)
    }

    mutating func report(_ task: TaskID, _ state: TaskState, uuid: UInt8? = nil) -> [SchedulerCall] {
        tell(
            .update(
                TaskStatus(
                    taskID: task, state: state, source: .executor, agentID: AgentID("A"), timestamp: now.wall,
                    uuid: uuid.map { StatusUUID(bytes: [UInt8](repeating: $0, count: 16)) })))
    }

    /// The process ends and begins again with what is stored.
    mutating func restart(after seconds: Int = 0, seed: UInt64 = 2) {
        now = Moment(elapsed: .zero, wall: now.wall + .seconds(seconds))
        core = JobsCore(settings: core.settings, records: records, zones: ["UTC": .utc], seed: seed, now: now)
    }

    var history: [JobID: JobHistory] { core.jobs.mapValues(\.history) }
}

extension [SchedulerCall] {
    /// The tasks that are launched.
    var launched: [TaskInfo] {
        flatMap { call -> [TaskInfo] in
            guard case .accept(_, let operations, _) = call else { return [] }
            return operations.flatMap { operation -> [TaskInfo] in
                if case .launch(let tasks) = operation { tasks } else { [] }
            }
        }
    }

    var killed: [TaskID] { compactMap { if case .kill(let task, _, _, _) = $0 { task } else { nil } } }
    var asked: [TaskID] {
        flatMap { call -> [TaskID] in
            if case .reconcile(let queries) = call { queries.map(\.task) } else { [] }
        }
    }
    var revives: Bool { contains { if case .revive = $0 { true } else { false } } }
    var suppresses: Bool { contains { if case .suppress = $0 { true } else { false } } }
    var declined: Bool { contains { if case .decline = $0 { true } else { false } } }
}
