import ClusterModel
import Deployments
import ServicesCore

/// A framework by itself: commands and offers go in by hand, tasks start by hand.
struct Bench {
    var core: ServicesCore
    var registry = ServicesRegistry()
    var now = Moment(elapsed: .zero, wall: UnixTime(seconds: 1_700_000_000))
    var effects: [ServicesEffect] = []
    var agents: [(id: String, rack: String, cpus: Double)] = [("A1", "r1", 8), ("A2", "r2", 8), ("A3", "r1", 8)]
    private var number: UInt64 = 0

    init(settings: ServicesSettings = ServicesSettings(), registry: ServicesRegistry = ServicesRegistry()) {
        self.registry = registry
        core = ServicesCore(
            settings: settings, registry: registry, seed: (7, UInt64(registry.instances.count)), now: now)
        feed(
            .event(
                .subscribed(
                    FrameworkID("F"), heartbeatInterval: .seconds(15),
                    master: MasterInfo(
                        id: MasterID("M"), hostname: "m", address: "10.0.0.1", port: 5050, version: "1.11.0"))))
    }

    @discardableResult
    mutating func feed(_ input: ServicesInput) -> [ServicesEffect] {
        let turn = core.handle(input, now: now)
        for change in turn.changes { registry.apply(change) }
        effects += turn.effects
        return turn.effects
    }

    @discardableResult
    mutating func send(_ command: ServicesCommand) -> ServicesReply? {
        number += 1
        for case .reply(_, let reply) in feed(.command(ServicesRequestID(number), command)) { return reply }
        return nil
    }

    /// Lets time pass, with a tick at each deadline on the way.
    mutating func pass(_ duration: Duration) {
        let end = now.elapsed + duration
        while let next = core.nextDeadline, next <= end {
            now = now + max(.zero, next - now.elapsed)
            feed(.tick)
        }
        now = now + (end - now.elapsed)
    }

    /// Offers what agents have, and says what was launched.
    @discardableResult
    mutating func offer(_ role: RoleName = .everyone, resources: [Resource]? = nil) -> [Launch] {
        number += 1
        let offers = agents.enumerated().map { index, agent in
            let all =
                resources ?? [
                    .scalar("cpus", agent.cpus), .scalar("mem", 4_096), .scalar("disk", 4_096), .ports(31_000, 31_099),
                ]
            let sum = (try? Resources(all)) ?? Resources()
            return Offer(
                id: OfferID("O\(number)-\(index)"), frameworkID: FrameworkID("F"), agentID: AgentID(agent.id),
                role: role, resources: sum,
                agent: AgentInfo(
                    id: AgentID(agent.id), hostname: "host-\(agent.id)", address: "10.0.0.1", port: 5051,
                    resources: sum, attributes: [Attribute(name: "rack", value: .text(agent.rack))],
                    domain: Domain(region: "eu", zone: agent.rack), version: "1"))
        }
        var launches: [Launch] = []
        for case .accept(_, let some, _) in feed(.event(.offers(offers))) { launches += some }
        return launches
    }

    mutating func update(
        _ task: TaskID, _ state: TaskState, isHealthy: Bool? = nil, readiness: TaskReadiness? = nil,
        message: String? = nil
    ) {
        let agent = core.instance(ofTask: task)?.record.agentID ?? AgentID("A1")
        var status = TaskStatus(
            taskID: task, state: state, source: .agent, agentID: agent, timestamp: now.wall,
            uuid: StatusUUID(bytes: [UInt8](repeating: 1, count: 16)), isHealthy: isHealthy)
        status.readiness = readiness
        status.message = message
        feed(.event(.update(status)))
    }

    /// Launches all that waits, has it run, and ends what is to end, until nothing changes any more.
    mutating func settle(_ check: (ServicesCore) -> Void = { _ in }) {
        for _ in 0..<200 {
            let launched = offer()
            check(core)
            for task in launched.flatMap(\.tasks) {
                update(task.taskID, .running)
                check(core)
            }
            let ending = core.allInstances.filter(\.record.isStopping).flatMap(\.record.tasks)
            for task in ending {
                update(task.id, .killed)
                check(core)
            }
            pass(.seconds(1))
            if launched.isEmpty, ending.isEmpty, core.queue.isEmpty { return }
        }
    }

    /// What was said to the master.
    var calls: [SchedulerCall] {
        effects.compactMap { if case .call(let call) = $0 { call } else { nil } }
    }
    var kills: [TaskID] { calls.compactMap { if case .kill(let task, _, _, _) = $0 { task } else { nil } } }
    /// How long each of them may take.
    var graces: [Duration?] { calls.compactMap { if case .kill(_, _, let grace, _) = $0 { grace } else { nil } } }
    /// How long each of these is only said to be ended.
    var drains: [Duration?] { calls.compactMap { if case .kill(_, _, _, let drain) = $0 { drain } else { nil } } }
}

extension ServiceDefinition {
    static func sample(_ path: String, _ count: Int = 1, _ change: (inout ServiceDefinition) -> Void = { _ in }) -> Self
    {
        var service = ServiceDefinition(id: ServiceID(path))
        service.cmd = "sleep 1000"
        service.instances = count
        service.cpus = 0.5
        service.portDefinitions = []
        change(&service)
        return service
    }
}

extension ServicesCommand {
    static func put(_ services: ServiceDefinition..., force: Bool = false) -> ServicesCommand {
        .put(services.map { WorkloadUpdate(workload: .service($0)) }, force: force)
    }
}
