import Membership
import MembershipSimulation
import Testing

@Suite("Simulated clusters that are worked on")
struct OperationTests {
    /// Goal: joining, leaving, moving, restarting with another version, electing and changing keys are no failures.
    @Test func `planned work makes nobody look dead`() async {
        await Seeds.run(300) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let period = cluster.settings.period
            let size = cluster.chance.pick(4...24)
            cluster.startTogether(size) { index, record in
                record.roles = index < 3 ? .master : .agent
                record.protocols = 1...2
            }
            cluster.network.lossPerMille = cluster.chance.pick(0...50)
            cluster.run(for: 3 * period)
            for step in 0..<8 as Range<UInt64> {
                Self.work(on: cluster, step: step)
                cluster.run(for: 10 * period)
                cluster.checkIncarnations()
            }
            cluster.run(for: 20 * period)
            if let death = cluster.deaths.first { return "\(death.observer) gave up \(death.subject)" }
            return cluster.disagreement ?? cluster.violations.first
        }
    }

    /// One piece of work on a member of a cluster.
    private static func work(on cluster: MembershipSimulation, step: UInt64) {
        let members = cluster.staying
        guard let one = members.randomElement(using: &cluster.chance) else { return }
        let period = cluster.settings.period
        switch cluster.chance.pick(0...5) {
        case 0: cluster.join(cluster.start { $0.protocols = 2...3 }, to: one)
        case 1 where members.count > 3: cluster.input(.leave, to: one)
        case 2: cluster.move(one, to: Endpoint(ipv4: 0x0b00_0000 + UInt32(step) * 256 + UInt32(one), port: 7_946))
        case 3:
            // A newer version takes over in the time that a restart takes.
            let last = cluster.membership(one).own.record
            cluster.stop(one)
            cluster.run(for: cluster.chance.pick(period / 10...period))
            cluster.restart(one) {
                $0.roles = last.roles
                $0.incarnation = last.incarnation + 1
                $0.version = "1.1.0"
                $0.protocols = 2...3
            }
            if let other = members.first(where: { $0 != one }) { cluster.join(one, to: other) }
        case 4: cluster.input(.leadership(term: step + 1), to: 0)
        default: changeKey(of: cluster, step: step)
        }
    }

    /// Add, use, remove, each on every member in its own moment.
    private static func changeKey(of cluster: MembershipSimulation, step: UInt64) {
        let (old, new) = (Int(step), Int(step) + 1)
        let steps: [(read: Set<Int>, write: Int)] = [([0, old, new], 0), ([0, old, new], new), ([0, new], 0)]
        for (read, write) in steps {
            for node in cluster.staying.shuffled(using: &cluster.chance) {
                cluster.setKeys(node, read: read, write: write)
                cluster.run(for: cluster.settings.period / 20)
            }
        }
    }

    /// Goal: two machines with one key are noticed by both, said once, and hurt nobody else.
    @Test func `a copied key is noticed, and the others go on`() async {
        await Seeds.run(100) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let period = cluster.settings.period
            let size = cluster.chance.pick(3...16)
            cluster.startTogether(size)
            cluster.network.lossPerMille = cluster.chance.pick(0...50)
            cluster.run(for: 3 * period)
            cluster.keepsReports = true
            let clone = cluster.start(identity: 1)
            cluster.join(clone, to: 0)
            let packets = cluster.packets
            cluster.run(for: 30 * period)
            let noticed = cluster.reports.filter { if case .duplicateIdentity = $0.report { true } else { false } }
            if Set(noticed.map(\.node)) != [1, clone] { return "noticed by \(noticed.map(\.node))" }
            if noticed.count > 2 { return "said \(noticed.count) times" }
            if cluster.deaths.contains(where: { $0.subject != 1 }) { return "others were given up" }
            // An announcement of each of the two per period, and what a cluster says anyway.
            let budget = size * 30 * (2 + 2 * 24) + 2_000
            if cluster.packets - packets > budget { return "\(cluster.packets - packets) packets of \(budget)" }
            cluster.stop(clone)
            cluster.run(for: FaultTests.healingPeriods * period)
            return cluster.disagreement
        }
    }

    /// Goal: nobody can probe a client, so its silence is no death; and it learns what happens all the same.
    @Test func `a silent gossip client is stale, never dead, and is believed again`() async {
        await Seeds.run(100) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let settings = cluster.settings
            let size = cluster.chance.pick(4...16)
            cluster.startTogether(size) { index, record in record.isGossipClient = index == size - 1 }
            cluster.network.lossPerMille = cluster.chance.pick(0...200)
            cluster.run(for: 2 * second + 2 * Int(settings.clientInterval.components.seconds) * second)
            let client = MembershipSimulation.id(size - 1)
            let stale = Int((settings.clientStaleAfter + settings.clientInterval * 2).components.seconds) * second
            cluster.stall(size - 1, for: 2 * stale)
            cluster.run(for: stale)
            for observer in 0..<(size - 1) where cluster.membership(observer).members[client]?.status != .stale {
                return "\(observer) does not notice the silence"
            }
            // What the client hears of accusations it hears late; in the end there are none.
            cluster.run(for: stale)
            cluster.network.lossPerMille = 0
            cluster.run(for: 30 * settings.period + 3 * Int(settings.clientInterval.components.seconds) * second)
            if cluster.deaths.contains(where: { $0.subject == size - 1 }) { return "the client was called dead" }
            return cluster.disagreement
        }
    }

    /// Goal: who is gone is forgotten everywhere at last, and his address is free.
    @Test func `the dead and the departed are forgotten, and their addresses serve others`() async {
        await Seeds.run(100) { seed in
            var settings = MembershipSettings.lan
            settings.reclaimAfter = .seconds(60)
            let cluster = MembershipSimulation(seed: seed, settings: settings)
            let size = cluster.chance.pick(4...16)
            cluster.startTogether(size)
            cluster.network.lossPerMille = cluster.chance.pick(0...100)
            cluster.run(for: 3 * second)
            cluster.stop(0)
            cluster.input(.leave, to: 1)
            cluster.run(for: 45 * second)
            let heir = cluster.start(at: MembershipSimulation.endpoint(0))
            cluster.join(heir, to: 2)
            cluster.run(for: 75 * second)
            for observer in cluster.staying {
                let view = cluster.membership(observer).members
                if view[MembershipSimulation.id(0)] != nil { return "\(observer) still knows the dead" }
                if view[MembershipSimulation.id(1)] != nil { return "\(observer) still knows who left" }
            }
            if cluster.deaths.contains(where: { $0.subject != 0 }) { return "others were given up" }
            return cluster.disagreement
        }
    }
}
