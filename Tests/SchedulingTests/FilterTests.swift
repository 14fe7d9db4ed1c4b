import ClusterModel
import Scheduling
import Testing

struct FilterTests {
    /// An agent of 4 cpus and two frameworks, `a` first by name.
    private func allocator() throws -> Allocator {
        var allocator = Allocator()
        try allocator.addAgent("m", total: resources(cpus: 4, mem: 1_024))
        allocator.addFramework("a", roles: ["*"])
        allocator.addFramework("b", roles: ["*"])
        return allocator
    }

    @Test func `a cycle without changes offers nothing`() throws {
        var allocator = try allocator()
        #expect(allocator.hasChanges)
        #expect(allocator.cycle().count == 1)
        #expect(!allocator.hasChanges)
        #expect(allocator.cycle().isEmpty)
        #expect(allocator.nextDeadline == nil)
    }

    @Test func `a declined offer goes to the next framework and comes back when the filter ends`() throws {
        var allocator = try allocator()
        let first = allocator.cycle()[0]
        #expect(first.framework == "a")
        try allocator.decline(first, refuse: .seconds(5), at: .seconds(1))
        let second = allocator.cycle(at: .seconds(1))[0]
        #expect(second.framework == "b")
        try allocator.decline(second, refuse: .seconds(10), at: .seconds(2))
        // Both filters hold: a until 6, b until 12.
        #expect(allocator.nextDeadline == .seconds(6))
        #expect(allocator.cycle(at: .seconds(2)).isEmpty)
        #expect(allocator.cycle(at: .milliseconds(5_999)).isEmpty)
        #expect(allocator.receivers(at: .seconds(6)) == ["a"])
        #expect(allocator.nextDeadline == .seconds(12))
    }

    @Test func `declining without a filter offers again at once`() throws {
        var allocator = try allocator()
        for refuse in [nil, Duration.zero, .seconds(-3)] {
            let offer = allocator.cycle()[0]
            try allocator.decline(offer, refuse: refuse)
            #expect(allocator.nextDeadline == nil)
            #expect(allocator.hasChanges)
        }
        #expect(allocator.cycle().count == 1)
    }

    @Test func `a filter holds for parts of what was refused but not for more`() throws {
        var allocator = try allocator()
        allocator.removeFramework("b")
        var offer = allocator.cycle()[0]
        // One task of <1, 256> stays; the rest of <3, 768> is refused.
        let task = resources(cpus: 1, mem: 256)
        offer.resources = try offer.resources.subtracting(task)
        try allocator.decline(offer, refuse: .seconds(60))
        #expect(allocator.cycle().isEmpty)
        // A smaller agent has less to offer: still refused.
        allocator.updateAgentTotal("m", resources(cpus: 3, mem: 1_024))
        #expect(allocator.cycle().isEmpty)
        allocator.updateAgentTotal("m", resources(cpus: 4, mem: 1_024))
        // The task ends: <4, 1024> is more than was refused.
        try allocator.recover(task, of: "a", role: "*", on: "m", now: .zero)
        #expect(allocator.cycle().map(\.resources) == [resources(cpus: 4, mem: 1_024)])
    }

    @Test func `a filter is for one agent, one framework and one role`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["x", "y"])
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64))
        let offer = allocator.cycle()[0]
        #expect(offer.role == "x")
        try allocator.decline(offer, refuse: .seconds(60))
        #expect(allocator.cycle().map(\.role) == ["y"])
        try allocator.addAgent("n", total: resources(cpus: 1, mem: 64))
        #expect(allocator.cycle().map(\.agent) == ["n"])
    }

    @Test func `revive drops filters and lifts suppression`() throws {
        var allocator = try allocator()
        allocator.removeFramework("b")
        try allocator.decline(allocator.cycle()[0], refuse: .seconds(1_000))
        allocator.suppress("a")
        #expect(allocator.cycle().isEmpty)
        allocator.revive("a")
        #expect(allocator.nextDeadline == nil)
        #expect(allocator.receivers() == ["a"])
    }

    @Test func `revive and suppress can name roles`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["x", "y"], suppressed: ["x", "y"])
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64))
        #expect(allocator.cycle().isEmpty)
        allocator.revive("a", roles: ["y"])
        let offer = allocator.cycle()
        #expect(offer.map(\.role) == ["y"])
        allocator.suppress("a", roles: ["y"])
        try allocator.decline(offer[0])
        #expect(allocator.cycle().isEmpty)
        allocator.revive("a", roles: ["no-such-role"])
        #expect(allocator.cycle().isEmpty)
    }

    @Test func `suppression leaves filters in force`() throws {
        var allocator = try allocator()
        allocator.removeFramework("b")
        try allocator.decline(allocator.cycle()[0], refuse: .seconds(9))
        allocator.suppress("a")
        allocator.updateFramework("a", roles: ["*"], capabilities: [], suppressed: [])
        #expect(allocator.cycle(at: .seconds(8)).isEmpty)
        #expect(allocator.receivers(at: .seconds(9)) == ["a"])
    }

    @Test func `a disconnected framework is offered nothing and loses its filters`() throws {
        var allocator = try allocator()
        allocator.removeFramework("b")
        let offer = allocator.cycle()[0]
        allocator.deactivateFramework("a")
        try allocator.decline(offer, refuse: .seconds(5))
        #expect(allocator.cycle().isEmpty)
        allocator.deactivateFramework("a")
        allocator.activateFramework("a")
        #expect(allocator.receivers() == ["a"])
    }

    @Test func `filters are bounded however often a framework declines`() throws {
        var allocator = try allocator()
        allocator.removeFramework("b")
        for number in 0..<5_000 {
            let now = Duration.milliseconds(number)
            let offer = allocator.cycle(at: now)[0]
            var part = offer
            part.resources = resources(cpus: 0.5 + Double(number % 40) / 100, mem: 1_000 - Double(number % 40))
            let rest = try offer.resources.subtracting(part.resources)
            try allocator.decline(part, refuse: .seconds(100_000 + number), at: now)
            try allocator.recover(rest, of: "a", role: "*", on: "m", now: now)
        }
        // Sixteen filters at most are left to end, one by one.
        var ends = 0
        var last = Duration.zero
        while let deadline = allocator.nextDeadline, ends < 100 {
            #expect(deadline > last)
            last = deadline
            allocator.expireFilters(now: deadline)
            ends += 1
        }
        #expect((1...16).contains(ends))
    }

    @Test func `an endless filter does not overflow`() throws {
        var allocator = try allocator()
        try allocator.decline(allocator.cycle()[0], refuse: .seconds(Int64.max), at: .seconds(1))
        #expect(allocator.nextDeadline == .seconds(31_536_000_001))
    }
}
