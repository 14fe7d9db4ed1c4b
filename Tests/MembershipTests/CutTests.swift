import Membership
import MembershipSimulation
import Testing

@Suite("Simulated clusters with cuts in one direction")
struct CutTests {
    /// Goal: a member that some can reach is not given up because others cannot.
    @Test func `a cut in one direction never removes a member that others still reach`() async {
        await Seeds.run(1_200) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let size = seed % 32 == 31 ? cluster.chance.pick(17...64) : cluster.chance.pick(3...16)
            cluster.startTogether(size)
            cluster.spoil()
            cluster.run(for: 3 * cluster.settings.period)
            // Each member is at most once at either end of a cut, so that all others reach it.
            let ends = (0..<size).shuffled(using: &cluster.chance)
            let cuts = cluster.chance.pick(1...max(1, size / 4))
            for cut in 0..<cuts { cluster.network.cut(from: ends[2 * cut], to: ends[2 * cut + 1]) }
            cluster.run(for: 120 * cluster.settings.period)
            guard let death = cluster.deaths.first else { return nil }
            return """
                \(death.observer) gave up \(death.subject) at \(death.at / 1_000) ms; \(cluster.deaths.count) deaths, \
                \(size) members, loss \(cluster.network.lossPerMille) ‰, cuts among \(ends.prefix(2 * cuts))
                """
        }
    }
}
