import Membership
import MembershipSimulation
import Testing

@Suite("Simulated clusters under all faults at once")
struct FaultTests {
    /// The number of probe intervals after which all views agree once all is whole again.
    static let healingPeriods = 45

    /// Goal: whatever happened, everybody ends with the same true view, and nothing that was known is taken back.
    @Test func `after healing all views agree`() async {
        await Seeds.run(2_500) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let size = seed % 16 == 15 ? cluster.chance.pick(25...64) : cluster.chance.pick(3...12)
            let story = FaultStory(cluster, size: size)
            cluster.spoil()
            story.run(steps: cluster.chance.pick(2...8))
            guard let wrong = story.heal(within: Self.healingPeriods, period: cluster.settings.period) else {
                return nil
            }
            return "\(wrong); \(size) members at first; \(story.events.joined(separator: "; "))"
        }
    }
}
