import ClusterModel
import MasterCore
import Testing

@Suite("Why is it not running?")
struct ExplanationTests {
    private func facts(_ scenario: MasterScenario, _ name: String) -> String {
        scenario.core.explain(name, now: scenario.now).flatMap(\.facts).joined(separator: "\n")
    }

    @Test func `nothing is known of an unknown name`() {
        let scenario = MasterScenario()
        #expect(scenario.core.explain("nothing", now: scenario.now).isEmpty)
    }

    @Test func `a framework without agents is told to start one`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        let text = facts(scenario, framework.id.value)
        #expect(text.contains("connected"))
        #expect(text.contains("no agent is connected"))
    }

    @Test func `a framework sees its open offers, its refusals and what stands in its way agent by agent`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        #expect(facts(scenario, framework.id.value).contains("has not answered offer \(offer.id) of host"))
        scenario.call(framework, .decline(offers: [offer.id], filters: .standard))
        let explanation = try #require(scenario.core.explain(framework.id.value, now: scenario.now).first)
        #expect(explanation.facts.contains { $0.contains("its last refusal") })
        #expect(explanation.agents.map(\.agent) == [agent.id])
        #expect(explanation.agents.first?.hostname == "host")
        #expect(explanation.agents.first?.text.contains("the filter ends in 5 s") == true)
        #expect(explanation.agents.first?.offerable == offer.resources)
    }

    @Test func `a framework that is away sees how long its tasks live`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        scenario.hangUp(framework.connection)
        scenario.advance(.seconds(20))
        #expect(facts(scenario, framework.id.value).contains("ended in 40 s unless it comes back"))
    }

    @Test func `a restarted master says for how many agents it waits`() throws {
        var (scenario, framework, _) = try MasterScenario.running()
        scenario.restartMaster()
        #expect(facts(scenario, framework.id.value).contains("waits for 1 agents"))
    }

    @Test func `a task is found by its id and with its framework, and says where it stands`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .killing, 7, of: framework, on: agent)
        scenario.call(framework, .kill(task: "t", agent: nil, gracePeriod: nil))
        for name in ["t", "\(framework.id)/t"] {
            let text = facts(scenario, name)
            #expect(text.contains("TASK_KILLING on agent \(agent.id)"))
            #expect(text.contains("it was asked to end"))
            #expect(text.contains("has not acknowledged the last update"))
        }
        scenario.giveUp(agent)
        #expect(facts(scenario, "t").contains("TASK_LOST"))
    }

    @Test func `a task on an unreachable agent says so`() throws {
        var (scenario, _, agent) = try MasterScenario.running("t", .partitionAware)
        scenario.giveUp(agent)
        let text = facts(scenario, "t")
        #expect(text.contains("TASK_UNREACHABLE"))
        #expect(text.contains("its agent is unreachable"))
        #expect(text.contains("silent"))
    }

    @Test func `an ended task and a removed framework are still explained`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .finished, 7, of: framework, on: agent)
        scenario.acknowledge("t", 7, of: framework, on: agent)
        #expect(facts(scenario, "t").contains("TASK_FINISHED"))
        scenario.call(framework, .teardown)
        #expect(facts(scenario, framework.id.value).contains("it was removed"))
    }
}
