import Foundation
import Membership
import MembershipSimulation
import Testing

private let environment = ProcessInfo.processInfo.environment
private let isLong = environment["RONDO_LONG_TESTS"] != nil

/// Seeds of a test: so many every day and in long runs, or the one of `RONDO_SEED`.
private func seeds(_ everyday: UInt64, long: UInt64) -> [UInt64] {
    if let text = environment["RONDO_SEED"], let seed = UInt64(text) { return [seed] }
    if let text = environment["RONDO_SEEDS"], let count = UInt64(text) { return Array(0..<count) }
    return Array(0..<(isLong ? long : everyday))
}

private let second = 1_000_000

@Suite("Simulated clusters under faults")
struct SimulationTests {
    /// The number of probe intervals after which all views agree once the network is whole again.
    private static let healingPeriods = 45

    /// Goal: whatever the network and the clocks did, everybody is believed again soon after it ends.
    @Test(arguments: seeds(300, long: 5_000))
    func `after healing all views agree`(seed: UInt64) {
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        let size = seed % 16 == 15 ? cluster.chance.pick(25...48) : cluster.chance.pick(3...12)
        cluster.startTogether(size)
        cluster.network.lossPerMille = cluster.chance.pick(0...300)
        cluster.network.duplicatesPerMille = cluster.chance.pick(0...200)
        cluster.network.delay = 200...cluster.chance.pick(1_000...150_000)
        for _ in 0..<cluster.chance.pick(2...5) {
            let victim = cluster.chance.pick(0...size - 1)
            switch cluster.chance.pick(0...4) {
            case 0: cluster.network.cuts.insert([victim, (victim + 1) % size])
            case 1: for index in 0..<size { cluster.network.groups[index] = cluster.chance.pick(0...1) }
            case 2: cluster.stall(victim, for: cluster.chance.pick(1...60) * second)
            case 3: cluster.stepClock(victim, by: .seconds(cluster.chance.pick(-3_600...3_600)))
            default: cluster.network.groups = [:]
            }
            for _ in 0..<cluster.chance.pick(5...30) {
                cluster.run(for: second)
                cluster.checkIncarnations()
            }
        }
        cluster.network.cuts = []
        cluster.network.groups = [:]
        cluster.network.lossPerMille = min(cluster.network.lossPerMille, 50)
        while (0..<size).contains(where: { cluster.isStalled($0) }) { cluster.run(for: second) }
        var periods = 0
        while !cluster.viewsAgree, periods < Self.healingPeriods {
            cluster.run(for: second)
            cluster.checkIncarnations()
            periods += 1
        }
        #expect(cluster.viewsAgree, "replay: RONDO_SEED=\(seed), \(size) members")
        #expect(cluster.violations.isEmpty, "replay: RONDO_SEED=\(seed)")
    }

    /// Goal: a member that some can reach is not given up because others cannot.
    @Test(arguments: seeds(150, long: 5_000))
    func `a cut in one direction never removes a member that others still reach`(seed: UInt64) {
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        let size = cluster.chance.pick(4...16)
        cluster.startTogether(size)
        cluster.network.lossPerMille = cluster.chance.pick(0...30)
        cluster.run(for: 3 * second)
        let from = cluster.chance.pick(0...size - 1)
        cluster.network.cuts.insert([from, (from + 1) % size])
        cluster.run(for: 120 * second)
        #expect(cluster.deaths.isEmpty, "replay: RONDO_SEED=\(seed), \(size) members")
    }

    /// Goal: a process that was stopped blames nobody for it, and is believed again.
    @Test(arguments: seeds(100, long: 2_000))
    func `a stopped process blames nobody and is believed again`(seed: UInt64) {
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        let size = cluster.chance.pick(3...12)
        cluster.startTogether(size)
        cluster.run(for: 5 * second)
        let victim = cluster.chance.pick(0...size - 1)
        let stall = cluster.chance.pick(1...60)
        cluster.stall(victim, for: stall * second)
        cluster.run(for: stall * second)
        cluster.run(for: 10 * second)
        #expect(cluster.viewsAgree, "replay: RONDO_SEED=\(seed)")
        #expect(cluster.deaths.allSatisfy { $0.subject == victim }, "replay: RONDO_SEED=\(seed)")
    }

    /// Goal: large clusters heal as small ones do. Size and seed of each run.
    @Test(
        arguments: isLong
            ? seeds(0, long: 40).map { [256, $0] } + seeds(0, long: 10).map { [1_000, $0] }
            : seeds(2, long: 2).map { [64, $0] })
    func `large clusters agree after a partition of 10 to 30 seconds`(run: [UInt64]) {
        let (size, seed) = (Int(run[0]), run[1])
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        cluster.encodes = size < 256
        cluster.startTogether(size)
        cluster.network.lossPerMille = cluster.chance.pick(0...50)
        cluster.run(for: 3 * second)
        for index in 0..<size { cluster.network.groups[index] = cluster.chance.pick(0...1) }
        cluster.run(for: cluster.chance.pick(10...30) * second)
        cluster.network.groups = [:]
        var periods = 0
        while !cluster.viewsAgree, periods < Self.healingPeriods {
            cluster.run(for: second)
            periods += 1
        }
        cluster.checkIncarnations()
        if isLong { print("\(size) members, seed \(seed): whole again after \(periods) periods") }
        #expect(cluster.viewsAgree, "replay: RONDO_SEED=\(seed), \(size) members")
        #expect(cluster.violations.isEmpty)
    }

    /// Goal: the runs above are not empty.
    @Test func `faults do make members die and come back`() {
        var deaths = 0
        for seed in 0..<10 as Range<UInt64> {
            let cluster = MembershipSimulation(seed: seed, settings: .lan)
            cluster.startTogether(6)
            cluster.run(for: 3 * second)
            for index in 0..<3 { cluster.network.groups[index] = 1 }
            cluster.run(for: 30 * second)
            #expect(!cluster.viewsAgree)
            deaths += cluster.deaths.count
            cluster.network.groups = [:]
            cluster.run(for: 15 * second)
            #expect(cluster.viewsAgree, "replay: seed \(seed)")
        }
        #expect(deaths >= 10 * 18)
    }

    /// Goal: news is known everywhere in the time that is promised, and so is a death.
    @Test(arguments: isLong ? [128, 256, 1_000] : [128])
    func `joins and deaths are known everywhere in time`(size: Int) {
        let seed = seeds(1, long: 1)[0]
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        cluster.encodes = size < 1_000
        cluster.startTogether(size)
        cluster.network.lossPerMille = 10
        cluster.run(for: 5 * second)
        var joins: [Int] = []
        var deaths: [Int] = []
        let rounds = isLong ? 20 : 10
        for _ in 0..<rounds {
            let newcomer = cluster.start()
            cluster.watch(newcomer)
            let begin = cluster.now
            cluster.join(newcomer, to: cluster.chance.pick(0...size - 1))
            cluster.run(for: 5 * second)
            joins.append(contentsOf: times(of: cluster, since: begin, observers: cluster.count - 1))
        }
        for round in 0..<rounds {
            let victim = round * 3
            cluster.watch(victim)
            let begin = cluster.now
            cluster.stop(victim)
            cluster.run(for: 25 * second)
            deaths.append(contentsOf: times(of: cluster, since: begin, observers: cluster.count - 1 - round))
        }
        let joined = percentile(joins), died = percentile(deaths)
        print("\(size) members, seed \(seed): join known p99 \(joined) ms, death known p99 \(died) ms")
        #expect(joined <= 3_000)
        #expect(died <= 16_000)
        #expect(cluster.deaths.allSatisfy { $0.subject % 3 == 0 && $0.subject < 3 * rounds })
    }

    /// The times at which each observer knew; who never knew counts as never.
    private func times(of cluster: MembershipSimulation, since begin: Int, observers: Int) -> [Int] {
        let known = cluster.heard.values.map { ($0 - begin) / 1_000 }
        return known + Array(repeating: 1_000_000, count: max(0, observers - known.count))
    }

    private func percentile(_ values: [Int]) -> Int {
        values.isEmpty ? .max : values.sorted()[min(values.count - 1, values.count * 99 / 100)]
    }

    /// Goal: every address changes at once; hints bring the members together, under the same names.
    @Test(arguments: seeds(20, long: 200))
    func `all addresses change and the members find each other by one hint`(seed: UInt64) {
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        cluster.startTogether(5)
        cluster.run(for: 5 * second)
        for index in 0..<5 { cluster.move(index, to: Endpoint(ipv4: 0x0b00_0000 + UInt32(index), port: 7_946)) }
        for index in 1..<5 { cluster.input(.join([Endpoint(ipv4: 0x0b00_0000, port: 7_946)]), to: index) }
        cluster.run(for: 10 * second)
        #expect(cluster.viewsAgree, "replay: RONDO_SEED=\(seed)")
        #expect(cluster.deaths.isEmpty)
    }
}
