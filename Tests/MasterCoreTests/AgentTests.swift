import ClusterModel
import MasterCore
import Testing

@Suite("Agents")
struct AgentTests {
    private let all = bag("cpus:4;mem:4096;ports:[31000-31009]")

    private func refusal(_ events: [AgentEvent]) -> (reason: String, isFinal: Bool)? {
        if case .refused(let reason, let isFinal)? = events.first, events.count == 1 { (reason, isFinal) } else { nil }
    }

    @Test func `a new agent gets an id of its own and keeps it`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        #expect(agent.id == "m1-S0")
        #expect(try scenario.register(.test("other")).id == "m1-S1")
        #expect(try scenario.reregister(agent).id == agent.id)
        #expect(scenario.registry.agents.count == 2)
    }

    @Test func `an id that an agent brought is not given to the next one`() throws {
        var scenario = MasterScenario()
        var info = AgentInfo.test("old")
        info.id = "m1-S0"
        _ = try scenario.register(info)
        #expect(try scenario.register(.test("new")).id == "m1-S1")
    }

    @Test func `an agent that cannot run anything is refused`() {
        for (hostname, resources, words) in [("", "cpus:1", "host name"), ("host", "", "--resources")] {
            var scenario = MasterScenario()
            let connection = scenario.openAgent(.test(hostname, resources))
            #expect(refusal(scenario.takeAgent(connection))?.reason.contains(words) == true)
            #expect(scenario.isClosed.contains(connection))
            #expect(scenario.core.agents.isEmpty)
        }
    }

    @Test func `a second session of an agent ends the first`() throws {
        var scenario = MasterScenario()
        let old = try scenario.register()
        let new = try scenario.reregister(old)
        #expect(refusal(scenario.take(old))?.isFinal == false)
        #expect(scenario.isClosed.contains(old.connection))
        scenario.feed(.closed(old.connection))
        #expect(scenario.core.agents[new.id]?.isActive == true)
        #expect(scenario.tell(old, .heartbeat) != .accepted)
    }

    @Test func `an agent gets HEARTBEAT every five seconds and stays in as long as it answers`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        scenario.advance(.seconds(60))
        #expect(scenario.core.agents[agent.id]?.isActive == true)
    }

    @Test(arguments: [true, false])
    func `a silent agent is given up, its tasks are unreachable or lost, and FAILURE is sent`(isAware: Bool) throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", isAware ? .partitionAware : .test())
        scenario.silent = [agent.id]
        scenario.advance(.seconds(22))
        let events = scenario.take(framework.connection)
        let statuses = events.compactMap { if case .update(let status) = $0 { status } else { nil } }
        #expect(statuses.map(\.state) == [isAware ? .unreachable : .lost])
        #expect(statuses.first?.reason == .agentRemoved && statuses.first?.source == .master)
        #expect(statuses.first?.uuid == nil)
        #expect(events.last == .failure(agent: agent.id, executor: nil, status: nil))
        #expect(scenario.isClosed.contains(agent.connection))
        #expect(scenario.core.agents[agent.id]?.session == .unreachable)
        #expect(scenario.registry.agents[agent.id]?.standing == .unreachable)
        #expect((scenario.task("t", of: framework) != nil) == isAware)
    }

    @Test func `a broken session is not given up before its time`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.hangUp(agent.connection)
        scenario.advance(.seconds(9))
        #expect(scenario.take(framework.connection).isEmpty)
        agent = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        scenario.advance(.seconds(30))
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.task("t", of: framework)?.state == .running)
    }

    @Test func `an agent that returns brings its tasks back with AGENT_REREGISTERED`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .partitionAware)
        scenario.giveUp(agent)
        _ = scenario.take(framework.connection)
        agent = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.state) == [.running])
        #expect(statuses.first?.reason == .agentReregistered && statuses.first?.uuid == nil)
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.free(agent) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
        #expect(scenario.registry.agents[agent.id]?.standing == .member)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `a failover while an agent is unreachable does not tell an older update again`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .partitionAware)
        scenario.report("t", .killing, 7, of: framework, on: agent)
        scenario.hangUp(framework.connection)
        scenario.giveUp(agent)
        framework = try scenario.resubscribe(framework)
        #expect(scenario.updates(framework).map(\.state) == [.unreachable])
        let report = scenario.reported("t", .killing, 7, of: framework, on: agent)
        agent = try scenario.reregister(agent, tasks: [report])
        scenario.report("t", .killing, 7, of: framework, on: agent)
        #expect(scenario.updates(framework).map(\.state) == [.killing, .killing])
        scenario.acknowledge("t", 7, of: framework, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
    }

    @Test func `a task that was called lost is ended and condemned when its agent returns with it`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.giveUp(agent)
        #expect(scenario.updates(framework).map(\.state) == [.lost])
        agent = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        #expect(scenario.take(agent) == [.kill(key(framework, "t"), gracePeriod: nil)])
        #expect(scenario.registry.agents[agent.id]?.condemned == [key(framework, "t")])
        #expect(scenario.free(agent) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
        scenario.report("t", .killed, 7, of: framework, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.free(agent) == all)
        agent = try scenario.reregister(agent)
        #expect(scenario.registry.agents[agent.id]?.condemned == [])
    }

    @Test func `a condemned task stays so over a restart of the master`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        let task = scenario.reported("t", .running, of: framework, on: agent)
        scenario.giveUp(agent)
        agent = try scenario.reregister(agent, tasks: [task])
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        agent = try scenario.reregister(agent, tasks: [task])
        #expect(scenario.take(agent) == [.kill(key(framework, "t"), gracePeriod: nil)])
        #expect(scenario.task("t", of: framework) == nil)
        #expect(scenario.updates(framework).isEmpty)
    }

    @Test func `while a condemned task ends, other tasks of its framework on the agent live`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.giveUp(agent)
        agent = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        scenario.call(framework, .revive(roles: []))
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, [.test("u", on: offer)])
        _ = scenario.take(agent)
        scenario.report("t", .killing, 7, of: framework, on: agent)
        #expect(
            scenario.take(agent) == [
                .acknowledge(key(framework, "t"), uuid(7)), .kill(key(framework, "t"), gracePeriod: nil),
            ])
        #expect(scenario.task("u", of: framework)?.state == .staging)
    }

    @Test func `a lost task's successor of the same name lives while the lost one is ended`() throws {
        var (scenario, framework, old) = try MasterScenario.running()
        scenario.giveUp(old)
        let new = try scenario.register(.test("new"))
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, [.test("t", on: offer)], refuse: .seconds(100_000))
        _ = scenario.take(new)
        old = try scenario.reregister(old, tasks: [scenario.reported("t", .running, of: framework, on: old)])
        #expect(scenario.take(old) == [.kill(key(framework, "t"), gracePeriod: nil)])
        scenario.report("t", .running, 8, of: framework, on: new)
        #expect(scenario.updates(framework).map(\.uuid) == [uuid(8)])
        #expect(scenario.take(new).isEmpty)
        // Neither the end of the old one nor the loss of its agent touches the new one.
        scenario.giveUp(old)
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.task("t", of: framework)?.agentID == new.id)
        old = try scenario.reregister(old, tasks: [scenario.reported("t", .running, of: framework, on: old)])
        scenario.report("t", .killed, 9, of: framework, on: old)
        #expect(scenario.free(old) == all)
        #expect(scenario.free(new) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
        scenario.report("t", .finished, 10, of: framework, on: new)
        #expect(scenario.updates(framework).map(\.uuid) == [uuid(10)])
        #expect(scenario.free(new) == all)
    }

    @Test func `a task that comes back after its name was used again elsewhere is ended`() throws {
        var (scenario, framework, old) = try MasterScenario.running("t", .partitionAware)
        let task = scenario.reported("t", .running, of: framework, on: old)
        scenario.giveUp(old)
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        let new = try scenario.register(.test("new"))
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, [.test("t", on: offer)])
        old = try scenario.reregister(old, tasks: [task])
        #expect(scenario.take(old) == [.kill(key(framework, "t"), gracePeriod: nil)])
        #expect(scenario.task("t", of: framework)?.agentID == new.id)
        #expect(scenario.updates(framework).isEmpty)
    }

    @Test func `an agent's end that nobody waits for is acknowledged`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.giveUp(agent)
        _ = scenario.take(framework.connection)
        agent = try scenario.reregister(agent, tasks: [scenario.reported("t", .finished, 9, of: framework, on: agent)])
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(9))])
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.free(agent) == all)
    }

    @Test func `tasks of a framework that nobody knows are ended`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let stranger = FrameworkPeer(id: "stranger", connection: ConnectionID(99))
        let task = scenario.reported("t", .running, of: stranger, on: agent)
        let back = try scenario.reregister(agent, tasks: [task])
        #expect(scenario.take(back) == [.shutdownFramework("stranger")])
        #expect(scenario.free(back) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
        scenario.report("t", .killed, 4, of: stranger, on: back)
        #expect(scenario.free(back) == all)
    }

    @Test func `an agent that comes back smaller offers nothing that its tasks need`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        let task = scenario.reported("t", .running, of: framework, on: agent, resources: "cpus:1;mem:64")
        var info = AgentInfo.test("host", "cpus:1;mem:4096")
        info.id = agent.id
        agent = try scenario.register(info, tasks: [task])
        #expect(scenario.free(agent) == bag("mem:4032"))
        #expect(scenario.registry.agents[agent.id]?.info.resources == bag("cpus:1;mem:4096"))
    }

    @Test func `an agent that leaves ends its tasks as gone and is forgotten`() throws {
        for isAware in [true, false] {
            var (scenario, framework, agent) = try MasterScenario.running("t", isAware ? .partitionAware : .test())
            #expect(scenario.tell(agent, .leave) == .accepted)
            let events = scenario.take(framework.connection)
            guard case .update(let status)? = events.first else {
                Issue.record("\(events)")
                return
            }
            #expect(status.state == (isAware ? .gone : .lost) && status.reason == .agentRemoved)
            #expect(events.last == .failure(agent: agent.id, executor: nil, status: nil))
            #expect(scenario.core.agents.isEmpty && scenario.registry.agents.isEmpty)
            #expect(scenario.core.frameworks[framework.id]?.tasks.isEmpty == true)
            #expect(scenario.isClosed.contains(agent.connection))
        }
    }

    @Test func `an agent is asked to open a stream, or the caller is told why not`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let stream = StreamRequest(id: "s1", method: "GET", target: "/files/read")
        #expect(scenario.openStream(agent.id, stream) == .accepted)
        #expect(scenario.take(agent) == [.openStream(stream)])
        guard case .refused(.notFound, _)? = scenario.openStream("nobody", stream) else {
            Issue.record("an unknown agent")
            return
        }
        scenario.hangUp(agent.connection)
        guard case .refused(.unavailable, _)? = scenario.openStream(agent.id, stream) else {
            Issue.record("an agent that is away")
            return
        }
    }
}
