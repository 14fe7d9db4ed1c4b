import ClusterModel
import MasterCore
import Testing

@Suite("Killing and reconciling")
struct KillTests {
    @Test func `a kill goes to the task's agent with its grace period`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.call(framework, .kill(task: "t", agent: nil, gracePeriod: .seconds(9)))
        #expect(scenario.take(agent) == [.kill(key(framework, "t"), gracePeriod: .seconds(9))])
        #expect(scenario.updates(framework).isEmpty)
    }

    @Test(arguments: [true, false])
    func `a kill of an unknown task is answered as reconciliation`(isAware: Bool) throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", isAware ? .partitionAware : .test())
        scenario.call(framework, .kill(task: "nobody", agent: agent.id, gracePeriod: nil))
        let status = scenario.updates(framework).first
        #expect(status?.state == (isAware ? .unknown : .lost))
        #expect(status?.reason == .reconciliation && status?.agentID == agent.id && status?.uuid == nil)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `a kill of a task whose agent is away is remembered and sent when it is back`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.hangUp(agent.connection)
        scenario.call(framework, .kill(task: "t", agent: nil, gracePeriod: .seconds(4)))
        #expect(scenario.updates(framework).map(\.state) == [.running])
        let back = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        #expect(scenario.take(back) == [.kill(key(framework, "t"), gracePeriod: .seconds(4))])
    }

    @Test func `a kill while the agent is unreachable is remembered, too`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .partitionAware)
        scenario.giveUp(agent)
        _ = scenario.take(framework.connection)
        scenario.call(framework, .kill(task: "t", agent: nil, gracePeriod: nil))
        #expect(scenario.updates(framework).map(\.state) == [.unreachable])
        let back = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        #expect(scenario.take(back).contains(.kill(key(framework, "t"), gracePeriod: nil)))
    }

    @Test func `a kill that names another agent than the task's kills nothing`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.call(framework, .kill(task: "t", agent: "elsewhere", gracePeriod: nil))
        #expect(scenario.take(agent).isEmpty)
        scenario.call(framework, .kill(task: "t", agent: agent.id, gracePeriod: nil))
        #expect(scenario.take(agent) == [.kill(key(framework, "t"), gracePeriod: nil)])
    }

    @Test func `a kill of a task that has ended is ignored`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .finished, 7, of: framework, on: agent)
        _ = scenario.take(framework.connection)
        scenario.call(framework, .kill(task: "t", agent: nil, gracePeriod: nil))
        #expect(scenario.take(agent).isEmpty)
        #expect(scenario.updates(framework).isEmpty)
    }

    @Test func `a framework cannot kill tasks of another one`() throws {
        var (scenario, _, agent) = try MasterScenario.running()
        let other = try scenario.subscribe()
        scenario.call(other, .kill(task: "t", agent: agent.id, gracePeriod: nil))
        #expect(scenario.take(agent).isEmpty)
        #expect(scenario.updates(other).map(\.state) == [.lost])
    }

    // MARK: reconciliation

    @Test func `explicit reconciliation tells the state that the framework was told last`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.call(framework, .reconcile([.init(task: "t", agent: agent.id)]))
        let status = try #require(scenario.updates(framework).first)
        #expect(status.state == .running)
        #expect(status.source == .master && status.reason == .reconciliation && status.uuid == nil)
        #expect(status.agentID == agent.id && status.executorID == "t")
        scenario.tell(agent, .ended(key(framework, "t"), .finished))
        scenario.call(framework, .reconcile([.init(task: "t")]))
        #expect(scenario.updates(framework).map(\.state) == [.running])
    }

    @Test func `implicit reconciliation tells all tasks that the framework has not seen the end of`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.call(framework, .revive(roles: []))
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, [.test("u", on: offer), .test("v", on: offer)])
        scenario.report("u", .finished, 5, of: framework, on: agent)
        scenario.acknowledge("u", 5, of: framework, on: agent)
        scenario.report("v", .failed, 6, of: framework, on: agent)
        _ = scenario.take(framework.connection)
        scenario.call(framework, .reconcile([]))
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.taskID) == ["t", "v"])
        #expect(statuses.map(\.state) == [.running, .failed])
        #expect(statuses.allSatisfy { $0.uuid == nil })
    }

    @Test(arguments: [true, false])
    func `reconciliation of an unknown task says so in the framework's words`(isAware: Bool) throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe(isAware ? .partitionAware : .test())
        scenario.call(framework, .reconcile([.init(task: "nobody")]))
        #expect(scenario.updates(framework).map(\.state) == [isAware ? .unknown : .lost])
    }

    @Test func `reconciliation is silent on tasks that an agent may bring back after a restart of the master`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .partitionAware)
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        scenario.call(framework, .reconcile([.init(task: "t", agent: agent.id), .init(task: "x")]))
        scenario.call(framework, .reconcile([]))
        #expect(scenario.updates(framework).isEmpty)
        // An agent that is not waited for cannot have the task.
        scenario.call(framework, .reconcile([.init(task: "y", agent: "elsewhere")]))
        #expect(scenario.updates(framework).map(\.state) == [.unknown])
        _ = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        scenario.call(framework, .reconcile([.init(task: "t", agent: agent.id), .init(task: "x")]))
        #expect(scenario.updates(framework).map(\.state) == [.running, .unknown])
    }
}
