import Membership
import MembershipSimulation
import Testing

@Suite("Simulated clusters with processes that stand still")
struct StallTests {
    /// Goal: a process that was stopped blames nobody for it, and is believed again.
    @Test func `a stopped process blames nobody and is believed again`() async {
        await Seeds.run(500) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let size = cluster.chance.pick(3...16)
            cluster.startTogether(size)
            cluster.run(for: 5 * cluster.settings.period)
            let victim = cluster.chance.pick(0...size - 1)
            let stall = cluster.chance.pick(1...60)
            cluster.stall(victim, for: stall * second)
            cluster.run(for: stall * second)
            cluster.run(for: 10 * cluster.settings.period)
            if let death = cluster.deaths.first(where: { $0.subject != victim }) {
                return "\(death.observer) gave up \(death.subject), and \(victim) was the one that stood still"
            }
            return cluster.disagreement
        }
    }

    /// Goal: a clock that steps, either way and by any length, hurts nobody.
    @Test func `a clock that steps hurts nobody`() async {
        await Seeds.run(200) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let size = cluster.chance.pick(3...12)
            cluster.startTogether(size)
            cluster.network.lossPerMille = cluster.chance.pick(0...100)
            for _ in 0..<6 {
                cluster.run(for: cluster.chance.pick(1...10) * second)
                let step = Duration.milliseconds(cluster.chance.pick(-4_000_000...4_000_000))
                cluster.stepClock(cluster.chance.pick(0...size - 1), by: step)
            }
            cluster.run(for: 10 * cluster.settings.period)
            if let death = cluster.deaths.first { return "\(death.observer) gave up \(death.subject)" }
            return cluster.disagreement
        }
    }

    struct Deaths: Sendable {
        /// Members that were well and were given up.
        var ofTheWell = 0
        /// Those, and the ones that stood still at the time.
        var all = 0
    }

    /// Goal: processes that stand still again and again cost fewer mistakes than SWIM with Lifeguard makes that has the
    /// same timers but none of this project's own precautions.
    @Test func `fewer mistakes are made under stalls than by the plain rules with the same timers`() async {
        let outcomes = await Seeds.results(of: Seeds.usual(40)) { seed in
            (Self.underStalls(seed, isPlain: false), Self.underStalls(seed, isPlain: true))
        }
        var ours = Deaths()
        var plain = Deaths()
        for (_, (one, other)) in outcomes {
            ours.ofTheWell += one.ofTheWell
            ours.all += one.all
            plain.ofTheWell += other.ofTheWell
            plain.all += other.all
        }
        print(
            """
            \(outcomes.count) seeds with stalls: members that were well and given up: \(ours.ofTheWell), by the plain \
            rules \(plain.ofTheWell); with those that stood still \(ours.all), by the plain rules \(plain.all)
            """)
        #expect(ours.ofTheWell <= plain.ofTheWell)
        #expect(ours.all <= plain.all)
        #expect(outcomes.count < 40 || plain.ofTheWell > 0, "the stalls are too harmless to compare anything")
    }

    private static func underStalls(_ seed: UInt64, isPlain: Bool) -> Deaths {
        let cluster = MembershipSimulation(seed: seed, settings: .lan)
        cluster.isPlain = isPlain
        // The plan is made by chance of its own, so that it is the same for both.
        var plan = SimulatedChance(seed: seed ^ 0x5a5a)
        let size = plan.pick(8...48)
        cluster.startTogether(size)
        cluster.network.lossPerMille = plan.pick(0...20)
        cluster.run(for: 5 * second)
        let victims = plan.pick(1...max(1, size / 3))
        var next = Array(repeating: cluster.now, count: victims)
        for _ in 0..<1_200 {
            for victim in 0..<victims where next[victim] <= cluster.now {
                // From a tenth of a second to a minute, short ones more often.
                let stall = min(60_000, 100 << plan.pick(0...10)) * 1_000
                cluster.stall(victim, for: stall)
                next[victim] = cluster.now + stall + (10 << plan.pick(0...9)) * 1_000
            }
            cluster.run(for: second / 10)
        }
        return Deaths(ofTheWell: cluster.deaths.count { $0.isFalse }, all: cluster.deaths.count { $0.isMistaken })
    }
}
