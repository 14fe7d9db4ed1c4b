import Membership
import MembershipSimulation
import Testing

@Suite("Simulated clusters under all faults at once")
struct FaultTests {
    /// The number of probe intervals after which all views agree once all is whole again.
    static let healingPeriods = 45

    /// Goal: whatever happened, everybody ends with the same true view, and nothing that was known is taken back.
    @Test func `after healing all views agree`() async {
        let seeds = Seeds.usual(2_000)
        let outcomes = await Seeds.results(of: seeds) { Self.run(seed: $0) }
        Seeds.record(outcomes.map { ($0.0, $0.1.wrong) })
        let periods = outcomes.map(\.1.periods).sorted()
        guard let most = periods.last else { return }
        print(
            "\(seeds.count) seeds: whole again after \(periods[periods.count / 2]) periods in the middle,",
            "\(periods[periods.count * 99 / 100]) at p99, \(most) at most")
    }

    private static func run(seed: UInt64) -> (wrong: String?, periods: Int) {
        let cluster = MembershipSimulation.ofSomePreset(seed)
        let size = seed % 32 == 31 ? cluster.chance.pick(25...64) : cluster.chance.pick(3...12)
        let story = FaultStory(cluster, size: size)
        cluster.spoil()
        story.run(steps: cluster.chance.pick(2...8))
        let wrong = story.heal(within: healingPeriods, period: cluster.settings.period)
        return (
            wrong.map { "\($0); \(size) members at first; \(story.events.joined(separator: "; "))" }, story.periods
        )
    }
}
