import Membership
import MembershipSimulation
import Testing

@Suite("Simulated clusters with partitions")
struct PartitionTests {
    /// Goal: who is announced again is believed again; a name is never away for longer than the network was.
    @Test func `a partition of 10 to 30 seconds makes no name vanish for longer`() async {
        await Seeds.run(400) { seed in
            let cluster = MembershipSimulation(seed: seed, settings: seed % 4 == 0 ? .loopback : .lan)
            let size = seed % 16 == 15 ? cluster.chance.pick(17...64) : cluster.chance.pick(3...16)
            cluster.startTogether(size)
            cluster.network.lossPerMille = cluster.chance.pick(0...50)
            cluster.run(for: 3 * second)
            let parts = cluster.chance.pick(2...3)
            cluster.network.groups = (0..<size).map { _ in cluster.chance.pick(1...parts) }
            let time = cluster.chance.pick(10...30) * second
            cluster.run(for: time)
            cluster.network.heal()
            cluster.run(for: FaultTests.healingPeriods * cluster.settings.period)
            cluster.checkIncarnations()
            if let longest = cluster.absences.max(by: { $0.until - $0.from < $1.until - $1.from }),
                longest.until - longest.from > time
            {
                let absence = (longest.until - longest.from) / 1_000
                let names = "\(longest.observer) missed \(longest.subject)"
                return "\(names) for \(absence) ms of \(time / 1_000), \(size) members"
            }
            return cluster.disagreement ?? cluster.violations.first
        }
    }

    /// Goal: the runs above are not empty.
    @Test func `faults do make members die and come back`() {
        var deaths = 0
        for seed in 0..<10 as Range<UInt64> {
            let cluster = MembershipSimulation(seed: seed, settings: .lan)
            cluster.startTogether(6)
            cluster.run(for: 3 * second)
            cluster.network.groups = [1, 1, 1, 0, 0, 0]
            cluster.run(for: 30 * second)
            #expect(!cluster.viewsAgree)
            deaths += cluster.deaths.count
            cluster.network.heal()
            cluster.run(for: 15 * second)
            #expect(cluster.viewsAgree, "replay: seed \(seed)")
        }
        #expect(deaths >= 10 * 18)
    }

    /// Goal: every address changes at once; hints bring the members together, under the same names.
    @Test func `all addresses change and the members find each other by one hint`() async {
        await Seeds.run(100) { seed in
            let cluster = MembershipSimulation(seed: seed, settings: .lan)
            let size = cluster.chance.pick(3...16)
            cluster.startTogether(size)
            cluster.network.lossPerMille = cluster.chance.pick(0...100)
            cluster.run(for: 5 * second)
            for index in 0..<size { cluster.move(index, to: Endpoint(ipv4: 0x0b00_0000 + UInt32(index), port: 7_946)) }
            for index in 1..<size { cluster.input(.join([Endpoint(ipv4: 0x0b00_0000, port: 7_946)]), to: index) }
            cluster.run(for: 10 * second)
            return cluster.deaths.isEmpty ? cluster.disagreement : "somebody was given up"
        }
    }
}
