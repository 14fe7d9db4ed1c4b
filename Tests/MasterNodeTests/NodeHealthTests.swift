import ClusterModel
import Testing

@testable import MasterNode

@Suite("Health of nodes in DC/OS' form")
struct NodeHealthTests {
    private let own = MasterInfo(
        id: MasterID("m"), hostname: "one", address: "10.0.0.1", port: 5050, version: "1.11.0")

    @Test func `the master's machine has both parts, others have an agent that is well while it is connected`() {
        let health = NodeHealth(
            agents: [("10.0.0.1", "one", "connected"), ("10.0.0.2", "two", "unreachable")], own: own)
        #expect(health.nodes.map { $0.units.map(\.id) } == [["rondo-master", "rondo-agent"], ["rondo-agent"]])
        #expect(health.node("10.0.0.1")?.units.allSatisfy(\.isWell) == true)
        #expect(health.node("two")?.units.map(\.isWell) == [false])
        #expect(health.node("two")?.units.first?.message == "the agent is unreachable")
        #expect(health.node("three") == nil)
    }

    @Test func `several agents of one machine are told by their names`() {
        let health = NodeHealth(
            agents: [("10.0.0.1", "agent1", "connected"), ("10.0.0.1", "agent2", "disconnected")], own: own)
        #expect(health.node("agent1")?.isMaster == true)
        #expect(health.node("agent2")?.units.map(\.isWell) == [false])
    }
}
