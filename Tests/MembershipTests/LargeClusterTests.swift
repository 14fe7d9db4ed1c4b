import Membership
import MembershipSimulation
import Testing

@Suite("Simulated clusters of hundreds")
struct LargeClusterTests {
    /// What one run of a large cluster showed; times in milliseconds.
    struct Outcome: Sendable {
        var joins: [Int] = []
        var deaths: [Int] = []
        var periods = 0
        var wrong: String?
    }

    /// Goal: news is known everywhere in the time that is promised, and large clusters heal as small ones do.
    @Test(arguments: [(100, 40), (256, 40), (1_000, 10)])
    func `joins and deaths are known everywhere in time, and partitions heal`(size: Int, count: Int) async {
        let outcomes = await Seeds.results(of: Seeds.usual(count)) { Self.run(size: size, seed: $0) }
        for (seed, outcome) in outcomes {
            guard let wrong = outcome.wrong else { continue }
            Issue.record("\(size) members, seed \(seed): \(wrong)")
        }
        let joins = outcomes.flatMap(\.1.joins).sorted()
        let deaths = outcomes.flatMap(\.1.deaths).sorted()
        let periods = outcomes.map(\.1.periods).max() ?? 0
        print(
            """
            \(size) members, \(outcomes.count) seeds, loss 1 %: known to all after ms: join p50 \(part(joins, 50)) \
            p99 \(part(joins, 99)), death p50 \(part(deaths, 50)) p99 \(part(deaths, 99)); whole again after at most \
            \(periods) periods
            """)
        #expect(part(joins, 99) <= (size <= 100 ? 2_000 : 3_000))
        #expect(part(deaths, 99) <= (size <= 100 ? 10_000 : 16_000))
    }

    private func part(_ sorted: [Int], _ percent: Int) -> Int {
        sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * percent / 100)]
    }

    private static func run(size: Int, seed: UInt64) -> Outcome {
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        cluster.encodes = size < 200
        cluster.startTogether(size)
        cluster.network.lossPerMille = 10
        cluster.run(for: 5 * second)
        var outcome = Outcome()
        var starts: [Int: Int] = [:]
        for _ in 0..<5 {
            let newcomer = cluster.start()
            cluster.watch(newcomer)
            starts[newcomer] = cluster.now
            cluster.join(newcomer, to: cluster.chance.pick(0...size - 1))
            cluster.run(for: second)
        }
        cluster.run(for: 4 * second)
        outcome.joins = times(of: starts, in: cluster, members: size)
        if !cluster.deaths.isEmpty { outcome.wrong = "somebody died of a join" }

        starts = [:]
        for victim in (0..<size).shuffled(using: &cluster.chance).prefix(4) {
            cluster.watch(victim)
            starts[victim] = cluster.now
            cluster.stop(victim)
            cluster.run(for: 4 * second)
        }
        cluster.run(for: 16 * second)
        outcome.deaths = times(of: starts, in: cluster, members: cluster.count)
        if cluster.deaths.contains(where: { $0.isMistaken }) { outcome.wrong = "somebody died with others" }
        part(cluster, &outcome)
        return outcome
    }

    private static func times(of starts: [Int: Int], in cluster: MembershipSimulation, members: Int) -> [Int] {
        starts.map { identity, begin in
            cluster.knownToAll(identity, members: members).map { ($0 - begin) / 1_000 } ?? .max
        }
    }

    private static func part(_ cluster: MembershipSimulation, _ outcome: inout Outcome) {
        cluster.network.lossPerMille = cluster.chance.pick(0...50)
        // Halves are the hardest, and take long to run with a thousand members.
        let share = cluster.count < 1_000 || cluster.seed % 5 == 1 ? 500 : 60
        cluster.network.groups = (0..<cluster.count).map { _ in cluster.chance.chance(share) ? 1 : 0 }
        let time = cluster.chance.pick(10...(share == 500 ? 30 : 15)) * second
        cluster.run(for: time)
        cluster.network.heal()
        while !cluster.viewsAgree, outcome.periods < FaultTests.healingPeriods {
            cluster.run(for: second)
            outcome.periods += 1
        }
        cluster.checkIncarnations()
        outcome.wrong = outcome.wrong ?? cluster.disagreement ?? cluster.violations.first
        let absence = cluster.absences.map { $0.until - $0.from }.max() ?? 0
        if absence > time { outcome.wrong = "a name vanished for \(absence / second) s in \(time / second) s" }
    }
}
