import ServicesCore
import Testing

/// People change things at random while processes, connections and machines die; then all heals.
@Suite("The services framework on a played cluster")
struct ServicesSimulationTests {
    @Test(arguments: 0..<UInt64(10))
    func `whatever dies, all comes out as it was wanted last, and nothing runs twice`(block: UInt64) {
        for seed in block * 50..<(block + 1) * 50 {
            var story = Story(seed: seed)
            let problems = story.problems()
            #expect(problems.isEmpty, "seed \(seed): \(Set(problems).sorted().prefix(8))")
        }
    }
}
