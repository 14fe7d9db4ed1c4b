import ClusterModel
import Deployments
import ServicesCore
import Testing

@Suite("Many services")
struct ScaleTests {
    /// Bounded generously: what matters is that nothing goes over all services or all instances at each event.
    @Test func `a thousand services with ten thousand instances are worked on in time`() {
        var bench = Bench()
        bench.agents = (0..<100).map { ("A\($0)", "r\($0 % 10)", 256) }
        let clock = ContinuousClock()
        var update = GroupUpdate(id: ServiceID("/many"))
        update.services = (0..<1_000).map { number in
            .sample("/many/s\(number)", 10) {
                $0.cpus = 0.1
                $0.mem = 1
            }
        }
        let begin = clock.now
        guard case .deployment = bench.send(.putGroup(update, mustBeNew: true, force: false)) else {
            Issue.record("refused")
            return
        }
        let planned = clock.now
        var launched: [TaskID] = []
        for _ in 0..<40 where launched.count < 10_000 {
            launched += bench.offer(
                resources: [.scalar("cpus", 256), .scalar("mem", 65_536)]
            ).flatMap(\.tasks).map(\.taskID)
        }
        #expect(launched.count == 10_000)
        let placed = clock.now
        for task in launched { bench.update(task, .running) }
        let ended = clock.now
        #expect(bench.core.deploymentViews.isEmpty)
        let change = clock.measure { _ = bench.send(.put(.sample("/many/s7", 11) { $0.mem = 1 })) }
        // Unoptimised and on a busy machine this is many times slower.
        let message: Comment =
            "plan \(planned - begin), place \(placed - planned), 10,000 updates \(ended - placed), change \(change)"
        #expect(ended - begin < .seconds(120), message)
    }
}
