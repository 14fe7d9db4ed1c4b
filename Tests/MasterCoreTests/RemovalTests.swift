import ClusterModel
import MasterCore
import Scheduling
import Testing

@Suite("Frameworks that go")
struct RemovalTests {
    private let all = bag("cpus:4;mem:4096;ports:[31000-31009]")

    @Test func `TEARDOWN ends the stream and the tasks, whose resources stay counted until they have ended`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        #expect(scenario.call(framework, .teardown) == .accepted)
        #expect(scenario.isClosed.contains(framework.connection))
        #expect(scenario.take(agent) == [.shutdownFramework(framework.id)])
        #expect(scenario.free(agent) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
        #expect(scenario.registry.frameworks[framework.id]?.removedAt != nil)
        scenario.report("t", .killed, 7, of: framework, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
        #expect(scenario.free(agent) == all)
        #expect(scenario.core.endingTasks.isEmpty)
        let completed = scenario.core.completedFrameworks.first
        #expect(completed?.completedTasks.map(\.state) == [.killed])
    }

    @Test func `an update that a removed framework did not acknowledge is acknowledged for it`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .finished, 7, of: framework, on: agent)
        scenario.call(framework, .teardown)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
        #expect(scenario.core.endingTasks.isEmpty)
        #expect(scenario.core.completedFrameworks.first?.completedTasks.map(\.state) == [.finished])
    }

    @Test func `a task called lost that came back stays counted when its framework goes before it has ended`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .test())
        scenario.giveUp(agent)
        let back = try scenario.reregister(agent, tasks: [scenario.reported("t", .running, of: framework, on: agent)])
        #expect(scenario.take(back).contains(.kill(key(framework, "t"), gracePeriod: nil)))
        let rest = bag("cpus:3;mem:4032;ports:[31000-31009]")
        scenario.call(framework, .teardown)
        #expect(scenario.core.allocator.free(on: agent.id) == rest)
        #expect(scenario.core.endingTasks.count == 1)
        scenario.report("t", .killed, 7, of: framework, on: back)
        #expect(scenario.core.allocator.free(on: agent.id) == all)
        #expect(scenario.core.endingTasks.isEmpty)
    }

    @Test func `a framework that is away keeps its tasks for its failover timeout`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.hangUp(framework.connection)
        scenario.advance(.seconds(58))
        #expect(scenario.core.frameworks[framework.id]?.isConnected == false)
        #expect(scenario.take(agent).isEmpty)
        scenario.advance(.seconds(4))
        #expect(scenario.core.frameworks[framework.id] == nil)
        #expect(scenario.take(agent) == [.shutdownFramework(framework.id)])
    }

    @Test func `a framework that comes back in time keeps its tasks`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.hangUp(framework.connection)
        scenario.advance(.seconds(50))
        framework = try scenario.resubscribe(framework)
        scenario.advance(.seconds(50))
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `a framework without failover timeout is removed when its stream ends`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .test(failoverTimeout: .zero))
        scenario.hangUp(framework.connection)
        #expect(scenario.core.frameworks[framework.id] == nil)
        #expect(scenario.core.isCompleted(framework.id))
        #expect(scenario.take(agent) == [.shutdownFramework(framework.id)])
    }

    @Test func `a framework that is away has no offers`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe()
        _ = try scenario.offer(framework)
        scenario.hangUp(framework.connection)
        #expect(scenario.core.offers.isEmpty)
        scenario.advance(.seconds(10))
        #expect(scenario.core.offers.isEmpty)
        #expect(scenario.free(agent) == all)
    }

    @Test func `tasks of a framework that was removed while their agent was away end when it is back`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        let task = scenario.reported("t", .running, of: framework, on: agent)
        scenario.hangUp(agent.connection)
        scenario.call(framework, .teardown)
        agent = try scenario.reregister(agent, tasks: [task])
        #expect(scenario.take(agent) == [.shutdownFramework(framework.id)])
        #expect(scenario.free(agent) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
        scenario.report("t", .killed, 7, of: framework, on: agent)
        #expect(scenario.free(agent) == all)
    }

    @Test func `tasks of a removed framework that its agent lost free their resources when it is back`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.hangUp(agent.connection)
        scenario.call(framework, .teardown)
        agent = try scenario.reregister(agent)
        #expect(scenario.core.endingTasks.isEmpty)
        #expect(scenario.free(agent) == all)
    }

    @Test func `a framework that was removed before a restart stays removed, and its tasks end`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        let task = scenario.reported("t", .running, of: framework, on: agent)
        scenario.call(framework, .teardown)
        scenario.restartMaster()
        agent = try scenario.reregister(agent, tasks: [task])
        #expect(scenario.take(agent) == [.shutdownFramework(framework.id)])
        scenario.report("t", .killed, 7, of: framework, on: agent)
        #expect(scenario.free(agent) == all)
        var info = FrameworkInfo.test()
        info.id = framework.id
        let connection = scenario.open(info)
        #expect(scenario.take(connection).count == 1)
        #expect(scenario.isClosed.contains(connection))
    }

    @Test func `only the newest removed frameworks are remembered, in memory and in the store`() throws {
        var settings = MasterSettings()
        settings.completedFrameworksKept = 3
        var scenario = MasterScenario(settings)
        var last: FrameworkPeer?
        for _ in 0..<10 {
            let framework = try scenario.subscribe()
            scenario.call(framework, .teardown)
            last = framework
        }
        #expect(scenario.core.completedFrameworks.count == 3)
        #expect(scenario.registry.frameworks.count == 3)
        #expect(scenario.core.completedFrameworks.last?.id == last?.id)
    }
}

extension MasterCore {
    /// Whether a framework was removed and is still remembered.
    func isCompleted(_ id: FrameworkID) -> Bool { completedFrameworks.contains { $0.id == id } }
}
