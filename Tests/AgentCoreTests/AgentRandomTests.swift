import AgentCore
import ClusterModel
import Testing

@Suite struct AgentRandomTests {
    @Test(arguments: 0..<UInt64(400))
    func `in any order and over any crash every stored task ends exactly once`(seed: UInt64) {
        var world = AgentWorld(seed: seed)
        for _ in 0..<400 where world.failures.isEmpty { world.step() }
        world.settle()
        #expect(world.failures.isEmpty, "seed \(seed): \(world.failures)")
    }
}
