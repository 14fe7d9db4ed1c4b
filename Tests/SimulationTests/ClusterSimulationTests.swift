import ClusterSimulation
import Foundation
import Testing

/// Seeds in everyday runs and in long ones; one seed alone when `RONDO_SEED` is set.
private let seeds: [UInt64] = {
    let environment = ProcessInfo.processInfo.environment
    if let text = environment["RONDO_SEED"], let seed = UInt64(text) { return [seed] }
    if let text = environment["RONDO_SEEDS"], let count = UInt64(text) { return Array(0..<count) }
    return Array(0..<(environment["RONDO_LONG_TESTS"] == nil ? 2_000 : 50_000))
}()

@Suite("Simulation of a whole cluster under faults")
struct ClusterSimulationTests {
    /// Goal: lost, repeated and delayed messages, broken streams and killed processes never book a resource twice,
    /// start a task twice, change an end, or leave an update unacknowledged; a group begins as a whole, and when one of
    /// its tasks ends badly none of the others goes on.
    @Test(arguments: stride(from: 0, to: seeds.count, by: 50).map { Array(seeds[$0..<min($0 + 50, seeds.count)]) })
    func `nothing is booked twice, started twice or lost`(batch: [UInt64]) {
        if seeds.count == 1 { ClusterSimulation.isTracing = true }
        for seed in batch {
            let simulation = ClusterSimulation(seed: seed)
            let violation = simulation.run()
            #expect(violation == nil, "replay: make simulate SEED=\(seed)")
        }
    }

    /// Goal: the runs above are not empty.
    @Test func `rough runs do end tasks, groups among them, and kill processes`() {
        var ended = 0
        var fates = 0
        var shortages = 0
        var crashes = 0
        var steps = 0
        for seed in 0..<20 as Range<UInt64> {
            let simulation = ClusterSimulation(seed: seed)
            _ = simulation.run()
            ended += simulation.endedTasks
            fates += simulation.sharedFates
            shortages += simulation.shortages
            crashes += simulation.crashes
            steps += simulation.steps
        }
        #expect(ended > 200)
        #expect(fates > 10)
        #expect(shortages == 0)
        #expect(crashes > 20)
        #expect(steps > 20_000)
    }
}
