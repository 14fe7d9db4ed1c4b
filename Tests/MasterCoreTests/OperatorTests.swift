import ClusterModel
import MasterCore
import Scheduling
import Testing

@Suite("Operators")
struct OperatorTests {
    private func refusal(_ reply: Reply?) -> Reply.Refusal? {
        if case .refused(let refusal, let why)? = reply, !why.isEmpty { refusal } else { nil }
    }

    @Test func `an operator tears a framework down once`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        #expect(scenario.command(.teardown(framework.id)) == .done)
        #expect(scenario.isClosed.contains(framework.connection))
        #expect(scenario.take(agent) == [.shutdownFramework(framework.id)])
        #expect(refusal(scenario.command(.teardown(framework.id))) == .gone)
        #expect(refusal(scenario.command(.teardown("nobody"))) == .notFound)
    }

    @Test func `an operator ends a task`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        #expect(scenario.command(.killTask(key(framework, "t"))) == .done)
        #expect(scenario.take(agent) == [.kill(key(framework, "t"), gracePeriod: nil)])
        scenario.report("t", .killed, 7, of: framework, on: agent)
        #expect(refusal(scenario.command(.killTask(key(framework, "t")))) == .notFound)
        #expect(refusal(scenario.command(.killTask(key(framework, "nothing")))) == .notFound)
    }

    @Test(arguments: [true, false])
    func `an agent that is declared gone loses its tasks and is never let in again`(isAware: Bool) throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", isAware ? .partitionAware : .test())
        #expect(scenario.command(.markAgentGone(agent.id)) == .done)
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.state) == [isAware ? .goneByOperator : .lost])
        #expect(statuses.first?.reason == .agentRemovedByOperator)
        guard case .refused(_, isFinal: true)? = scenario.take(agent).first else {
            Issue.record("the agent was not told")
            return
        }
        #expect(scenario.registry.agents[agent.id]?.standing == .gone)
        #expect(scenario.command(.markAgentGone(agent.id)) == .done)
        scenario.restartMaster()
        var info = AgentInfo.test()
        info.id = agent.id
        let again = scenario.openAgent(info)
        guard case .refused(let why, isFinal: true)? = scenario.takeAgent(again).first else {
            Issue.record("the agent was let in")
            return
        }
        #expect(why.contains("remove its data directory"))
        #expect(refusal(scenario.command(.markAgentGone("nobody"))) == .notFound)
    }

    @Test func `an unreachable agent that is declared gone ends its unreachable tasks`() throws {
        var (scenario, framework, agent) = try MasterScenario.running("t", .partitionAware)
        scenario.giveUp(agent)
        _ = scenario.take(framework.connection)
        #expect(scenario.command(.markAgentGone(agent.id)) == .done)
        #expect(scenario.updates(framework).map(\.state) == [.goneByOperator])
        #expect(scenario.core.frameworks[framework.id]?.tasks.isEmpty == true)
    }

    @Test(arguments: [0, -1, .nan, .infinity, 1e-300, 1e12] as [Double])
    func `a weight that shares cannot be made of is refused and not stored`(weight: Double) {
        var scenario = MasterScenario()
        #expect(refusal(scenario.command(.setWeight("a", weight))) == .invalid)
        #expect(scenario.registry.weights.isEmpty)
    }

    @Test func `a weight of something that is no role is refused`() {
        var scenario = MasterScenario()
        #expect(refusal(scenario.command(.setWeight("a b", 2))) == .invalid)
    }

    @Test func `weights survive a restart`() {
        var scenario = MasterScenario()
        #expect(scenario.command(.setWeight("a", 2.5)) == .done)
        #expect(scenario.registry.weights == ["a": 2.5])
        scenario.restartMaster()
        #expect(scenario.core.allocator.weight("a") == 2.5)
    }
}
