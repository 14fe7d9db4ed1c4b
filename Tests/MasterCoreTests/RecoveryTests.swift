import ClusterModel
import MasterCore
import Scheduling
import Testing

@Suite("A restarted master")
struct RecoveryTests {
    @Test func `it offers nothing before all its agents are back`() throws {
        var scenario = MasterScenario()
        let first = try scenario.register(.test("first"))
        let second = try scenario.register(.test("second"))
        var framework = try scenario.subscribe()
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        _ = try scenario.reregister(first)
        scenario.advance(.seconds(5))
        #expect(scenario.take(framework.connection).isEmpty)
        _ = try scenario.reregister(second)
        #expect(scenario.offers(framework).count == 2)
    }

    @Test func `it gives up agents that do not come back in its window and offers the others`() throws {
        var scenario = MasterScenario()
        let first = try scenario.register(.test("first"))
        let second = try scenario.register(.test("second"))
        var framework = try scenario.subscribe()
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        _ = try scenario.reregister(first)
        scenario.advance(.seconds(29))
        #expect(scenario.take(framework.connection).isEmpty)
        scenario.advance(.seconds(3))
        let events = scenario.take(framework.connection)
        #expect(events.contains(.failure(agent: second.id, executor: nil, status: nil)))
        #expect(scenario.registry.agents[second.id]?.standing == .unreachable)
        #expect(scenario.core.offers.offers(to: framework.id).map(\.agentID) == [first.id])
        #expect(scenario.core.recoveryDeadline == nil)
    }

    @Test func `it does not wait when it knows no agents`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        scenario.restartMaster()
        let back = try scenario.resubscribe(framework)
        _ = try scenario.register()
        #expect(scenario.offers(back).count == 1)
    }

    @Test func `it learns running tasks from their agents and passes on how they end`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        agent = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.free(agent) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
        #expect(scenario.updates(framework).isEmpty)
        scenario.report("t", .finished, 9, of: framework, on: agent)
        #expect(scenario.updates(framework).map(\.state) == [.finished])
        scenario.acknowledge("t", 9, of: framework, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(9))])
    }

    @Test func `it shows at once how tasks are that it learns from their agents, and tells updates once`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        var report = scenario.reported("t", .running, 8, of: framework, on: agent)
        report.status.containerID = ContainerID("c")
        report.status.timestamp = UnixTime(seconds: 1_700_000_005)
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        agent = try scenario.reregister(agent, tasks: [report])
        #expect(scenario.task("t", of: framework)?.statuses.map(\.containerID) == [ContainerID("c")])
        // Neither this update nor the one before it had been acknowledged: both are news for the framework.
        scenario.report("t", .starting, 7, of: framework, on: agent)
        #expect(scenario.task("t", of: framework)?.statuses.map(\.state) == [.starting, .running])
        scenario.acknowledge("t", 7, of: framework, on: agent)
        scenario.tell(agent, .status(report.launch.key, report.status, directory: "/work/t"))
        #expect(scenario.updates(framework).map(\.uuid) == [uuid(7), uuid(8)])
        #expect(scenario.task("t", of: framework)?.statuses.map(\.uuid) == [uuid(7), uuid(8)])
    }

    @Test func `it tells a framework of tasks that come back after it had given their agent up`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .partitionAware)
        let task = scenario.reported("t", .running, of: framework, on: agent)
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        scenario.advance(.seconds(40))
        _ = scenario.take(framework.connection)
        agent = try scenario.reregister(agent, tasks: [task])
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.state) == [.running])
        #expect(statuses.first?.reason == .agentReregistered)
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `it knows again what tasks said last, and answers with it`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        var task = scenario.reported("t", .running, of: framework, on: agent)
        task.status.isHealthy = true
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        agent = try scenario.reregister(agent, tasks: [task])
        #expect(scenario.task("t", of: framework)?.isHealthy == true)
        #expect(scenario.task("t", of: framework)?.statuses.map(\.state) == [.running])
        _ = scenario.updates(framework)
        scenario.call(framework, .reconcile([.init(task: "t", agent: agent.id)]))
        #expect(scenario.updates(framework).map(\.isHealthy) == [true])
    }

    @Test func `it ends tasks that come back after it had given their agent up when their framework calls that lost`()
        throws
    {
        var (scenario, framework, agent) = try MasterScenario.running()
        let task = scenario.reported("t", .running, of: framework, on: agent)
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        scenario.advance(.seconds(40))
        scenario.call(framework, .reconcile([.init(task: "t", agent: agent.id)]))
        #expect(scenario.updates(framework).map(\.state) == [.lost])
        agent = try scenario.reregister(agent, tasks: [task])
        #expect(scenario.take(agent) == [.kill(key(framework, "t"), gracePeriod: nil)])
    }

    @Test func `it gives frameworks time to come back, however short their failover timeout is`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .test(failoverTimeout: .zero))
        let task = scenario.reported("t", .running, of: framework, on: agent)
        scenario.restartMaster()
        agent = try scenario.reregister(agent, tasks: [task])
        scenario.advance(.seconds(10))
        framework = try scenario.resubscribe(framework)
        scenario.advance(.seconds(60))
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `it removes frameworks that do not come back`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .test(failoverTimeout: .seconds(45)))
        let task = scenario.reported("t", .running, of: framework, on: agent)
        scenario.restartMaster()
        agent = try scenario.reregister(agent, tasks: [task])
        scenario.advance(.seconds(44))
        #expect(scenario.take(agent).isEmpty)
        scenario.advance(.seconds(3))
        #expect(scenario.take(agent) == [.shutdownFramework(framework.id)])
        #expect(scenario.registry.frameworks[framework.id]?.removedAt != nil)
    }

    @Test func `its ids differ from those of the master before it`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        var framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.restartMaster()
        framework = try scenario.resubscribe(framework)
        _ = try scenario.reregister(agent)
        let next = try scenario.offer(framework)
        #expect(next.id != offer.id)
        scenario.launch(framework, offer, [.test("t", on: offer)])
        #expect(scenario.updates(framework).map(\.reason) == [.invalidOffers])
        #expect(try scenario.subscribe(.test("new")).id != framework.id)
    }
}
