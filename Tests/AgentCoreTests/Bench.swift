import AgentCore
import ClusterModel
import Testing

/// A small generator with a seed (SplitMix64), so that every run can be repeated.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// True once in that many draws.
    mutating func once(in count: UInt64) -> Bool { next(upperBound: count) == 0 }

    /// A number from zero up to, not including, a bound.
    mutating func below(_ bound: Int) -> Int { Int(next(upperBound: UInt64(bound))) }
}

/// One core with a clock of its own, for conversations written down step by step.
struct Bench {
    static let agent = AgentID("A1")
    static let framework = FrameworkID("F1")

    var core: AgentCore
    var generator = Seeded(state: 7)
    var now = Moment(elapsed: .zero, wall: UnixTime(nanoseconds: 1_000_000_000_000))

    init(registered: Bool = true, _ change: (inout AgentSettings) -> Void = { _ in }) {
        core = AgentCore(settings: Self.settings(change))
        guard registered else { return }
        _ = handle(.recovered(identity: Self.agent, tasks: [], ended: []))
        _ = handle(.master(Self.subscribed, session: 1))
    }

    static func settings(_ change: (inout AgentSettings) -> Void = { _ in }) -> AgentSettings {
        let all = try! Resources([.scalar("cpus", 4), .scalar("mem", 1_024), .ports(31_000, 32_000)])
        var settings = AgentSettings(
            info: AgentInfo(hostname: "h", address: "127.0.0.1", port: 5_051, resources: all, version: "1"),
            workRoot: "/w")
        change(&settings)
        return settings
    }

    static let master = MasterInfo(
        id: MasterID("M"), hostname: "m", address: "127.0.0.1", port: 5_050, version: "1.11.0")

    static let subscribed = AgentEvent.subscribed(agent, master: master, heartbeatInterval: .seconds(5))

    static func launch(
        _ id: String, cpus: Double = 0.1, wantsKilling: Bool = false, uris: [CommandURI] = [],
        framework: FrameworkID = framework, _ change: (inout TaskInfo) -> Void = { _ in }
    ) -> TaskLaunch {
        var task = TaskInfo(
            name: id, taskID: TaskID(id), agentID: agent,
            resources: try! Resources([.scalar("cpus", cpus), .scalar("mem", 32)]),
            command: CommandInfo(value: "true", uris: uris))
        change(&task)
        return TaskLaunch(
            frameworkID: framework, frameworkName: "f", user: "root", checkpoint: true, role: .everyone,
            wantsKillingState: wantsKilling, task: task)
    }

    /// The tasks of a group, whose executor has a tenth of a core.
    static func group(
        _ ids: [String], executor: String = "e", uris: [CommandURI] = [], cpus: Double = 0.1,
        _ change: (inout TaskGroup) -> Void = { _ in }
    ) -> [TaskLaunch] {
        var group = TaskGroup(
            executorID: ExecutorID(executor), resources: try! Resources([.scalar("cpus", 0.1), .scalar("mem", 32)]),
            tasks: ids.map { TaskID($0) })
        change(&group)
        return ids.map { id in
            var launch = launch(id, cpus: cpus, uris: uris)
            launch.group = group
            return launch
        }
    }

    mutating func handle(_ event: AgentCoreEvent) -> [AgentEffect] {
        core.handle(event, now: now, using: &generator)
    }

    mutating func say(_ event: AgentEvent, session: Int = 1) -> [AgentEffect] {
        handle(.master(event, session: session))
    }

    mutating func advance(_ time: Duration) -> [AgentEffect] {
        now = now + time
        return handle(.tick)
    }

    /// Lets the clock go on with a heartbeat of the master every second, so that it is not silent meanwhile.
    mutating func advanceHearing(_ time: Duration, session: Int = 1) -> [AgentEffect] {
        var effects: [AgentEffect] = []
        let end = now.elapsed + time
        while now.elapsed < end {
            now = now + min(.seconds(1), end - now.elapsed)
            effects += say(.heartbeat, session: session)
        }
        return effects.filter { $0 != .send(.heartbeat, session: session) }
    }

    /// Brings a task to its running command; all that is stored is stored, nothing is acknowledged.
    mutating func run(_ launch: TaskLaunch) -> ContainerID {
        _ = say(.run(launch))
        let id = core.container(of: launch.key)!
        _ = handle(.taskStored(id))
        _ = handle(.started(id))
        _ = handle(.updatesStored(id))
        return id
    }

    /// Acknowledges whatever a task sends, until nothing more comes; the states in order.
    mutating func drain(_ key: TaskKey, session: Int = 1) -> [TaskStatus] {
        var seen: [TaskStatus] = []
        while let id = core.container(of: key), let view = core.task(in: id) {
            let next = view.history.first { status in !seen.contains(status) }
            guard let next, let uuid = next.uuid else { break }
            seen.append(next)
            _ = say(.acknowledge(key, uuid), session: session)
        }
        return seen
    }
}

extension [AgentEffect] {
    /// The statuses that are sent.
    var statuses: [TaskStatus] {
        compactMap { effect in
            if case .send(.status(_, let status, _), _) = effect { status } else { nil }
        }
    }

    /// The updates that are stored.
    var stored: [TaskStatus] {
        flatMap { effect in
            if case .storeUpdates(_, let updates) = effect { updates } else { [TaskStatus]() }
        }
    }

    /// The states of the updates that are stored.
    var storedStates: [TaskState] { stored.map(\.state) }
}
