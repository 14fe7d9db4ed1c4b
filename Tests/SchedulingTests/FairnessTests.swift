// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

import ClusterModel
import Scheduling
import Testing

/// Shares after every step, as in the paper and in Mesos' own allocator tests.
struct FairnessTests {
    /// One agent of <1 CPU, 4 GB> and one of <3, 1> at a time makes offers the size of the paper's tasks.
    @Test func `the example of the paper ends with equal dominant shares`() throws {
        var allocator = Allocator()
        // Cluster: 9 CPUs, 18 GB, on one agent; the tasks of A take <1, 4>, those of B <3, 1>.
        try allocator.addAgent("m", total: resources(cpus: 9, mem: 18_432))
        allocator.addFramework("A", roles: ["*"])
        allocator.addFramework("B", roles: ["*"])
        let demand: [FrameworkID: Resources] = [
            "A": resources(cpus: 1, mem: 4_096), "B": resources(cpus: 3, mem: 1_024),
        ]
        var steps: [(FrameworkID, Double, Double)] = []
        // Whoever is offered everything starts one task and gives the rest back.
        for _ in 0..<8 {
            guard let offer = allocator.cycle().first else { break }
            let task = demand[offer.framework]!
            guard let rest = try? offer.resources.subtracting(task) else {
                // Declined for good: the next cycle shows whether the other one can use it.
                try allocator.decline(offer, refuse: .seconds(100))
                continue
            }
            try allocator.recover(rest, of: offer.framework, role: "*", on: "m", now: .zero)
            steps.append(
                (
                    offer.framework, allocator.share(of: "A")!.dominantShare,
                    allocator.share(of: "B")!.dominantShare
                ))
        }
        // Shares 0, 0: A by name. Then 2/9 (memory), 0: B. Then 2/9, 1/3 (cpu): A. 4/9, 1/3: B. 4/9, 2/3: A.
        #expect(steps.map(\.0) == ["A", "B", "A", "B", "A"])
        let shares: [(Double, Double)] = [
            (2.0 / 9, 0), (2.0 / 9, 1.0 / 3), (4.0 / 9, 1.0 / 3), (4.0 / 9, 2.0 / 3), (2.0 / 3, 2.0 / 3),
        ]
        for (step, expected) in zip(steps, shares) {
            #expect(nearly(step.1, expected.0))
            #expect(nearly(step.2, expected.1))
        }
        #expect(allocator.share(of: "A")?.dominantResource == "mem")
        #expect(allocator.share(of: "B")?.dominantResource == "cpus")
        // <3, 12> and <6, 2>: the paper's result.
        #expect(allocator.free(on: "m") == resources(mem: 18_432 - 3 * 4_096 - 2 * 1_024))
    }

    @Test func `frameworks of a role alternate and ties go to the one with fewer allocations, then to the name`() throws
    {
        var allocator = Allocator()
        allocator.addFramework("b", roles: ["*"])
        allocator.addFramework("a", roles: ["*"])
        var order: [FrameworkID] = []
        for number in 0..<6 {
            // Every agent doubles nothing: shares are 0/0, then 1/1/0 …; each new agent goes to the smaller share.
            try allocator.addAgent(AgentID("m\(number)"), total: resources(cpus: 1, mem: 100))
            order += allocator.receivers()
        }
        #expect(order == ["a", "b", "a", "b", "a", "b"])
    }

    @Test func `a tie in share goes to the one with fewer allocations before the name counts`() throws {
        var allocator = Allocator()
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 100))
        allocator.addFramework("a", roles: ["*"])
        let offer = allocator.cycle()
        #expect(offer.map(\.framework) == ["a"])
        allocator.addFramework("b", roles: ["*"])
        try allocator.decline(offer[0])
        // Both have nothing; a had one allocation, b none.
        #expect(allocator.receivers() == ["b"])
    }

    @Test func `weights divide the cluster among roles`() throws {
        var allocator = Allocator()
        try allocator.setWeight("two", 2)
        allocator.addFramework("f1", roles: ["one"])
        allocator.addFramework("f2", roles: ["two"])
        for number in 0..<12 { try allocator.addAgent(AgentID("m\(number)"), total: resources(cpus: 2, mem: 1_024)) }
        let receivers = allocator.receivers()
        #expect(receivers.filter { $0 == "f1" }.count == 4)
        #expect(receivers.filter { $0 == "f2" }.count == 8)
        let shares = allocator.shares()
        #expect(nearly(shares.first { $0.role == "one" }?.dominantShare, 4.0 / 12))
        #expect(nearly(shares.first { $0.role == "two" }?.dominantShare, 8.0 / 12))
        #expect(shares.first { $0.role == "two" }?.weight == 2)
    }

    @Test func `a weight that changes later counts from the next step on`() throws {
        var allocator = Allocator()
        allocator.addFramework("f1", roles: ["one"])
        allocator.addFramework("f2", roles: ["two"])
        for number in 0..<4 { try allocator.addAgent(AgentID("m\(number)"), total: resources(cpus: 1, mem: 64)) }
        #expect(allocator.receivers().filter { $0 == "f1" }.count == 2)
        try allocator.setWeight("one", 3)
        // One had 2, two 2: 2/3 against 2; one is needier until it has 6.
        for number in 4..<8 { try allocator.addAgent(AgentID("m\(number)"), total: resources(cpus: 1, mem: 64)) }
        #expect(allocator.receivers() == ["f1", "f1", "f1", "f1"])
    }

    @Test(arguments: [0, -1, Double.nan, .infinity, 1e-12, 1e12])
    func `a weight that is no positive number is refused`(weight: Double) {
        var allocator = Allocator()
        #expect(throws: AllocatorError.self) { try allocator.setWeight("r", weight) }
        #expect(allocator.weight("r") == 1)
    }

    @Test func `a role with many frameworks gets no more than a role with one`() throws {
        var allocator = Allocator()
        for number in 0..<9 { allocator.addFramework(FrameworkID("crowd-\(number)"), roles: ["crowd"]) }
        allocator.addFramework("alone", roles: ["single"])
        for number in 0..<10 { try allocator.addAgent(AgentID("m\(number)"), total: resources(cpus: 1, mem: 64)) }
        #expect(allocator.receivers().filter { $0 == "alone" }.count == 5)
    }

    @Test func `the seed decides which agents are visited first and nothing else does`() throws {
        var orders: Set<[AgentID]> = []
        for seed in 0..<50 as Range<UInt64> {
            var (allocator, backwards) = (Allocator(), Allocator())
            for number in 0..<6 {
                try allocator.addAgent(AgentID("m\(number)"), total: resources(cpus: 1, mem: 64))
                try backwards.addAgent(AgentID("m\(5 - number)"), total: resources(cpus: 1, mem: 64))
            }
            allocator.addFramework("f", roles: ["*"])
            backwards.addFramework("f", roles: ["*"])
            let order = allocator.allocate(now: .zero, seed: seed).map(\.agent)
            #expect(backwards.allocate(now: .zero, seed: seed).map(\.agent) == order)
            orders.insert(order)
        }
        #expect(orders.count > 40)
    }

    @Test func `custom scalars count towards shares and are bounded in number`() throws {
        var allocator = Allocator()
        for number in 0..<100 {
            let total = try Resources([.scalar("cpus", 1), .scalar("custom-\(number)", 5)])
            try allocator.addAgent(AgentID("m\(number)"), total: total)
        }
        allocator.addFramework("f", roles: ["*"])
        #expect(allocator.cycle().count == 100)
        #expect(allocator.share(of: "f")?.allocated.count == 1 + 32)
        for number in 0..<100 { allocator.removeAgent(AgentID("m\(number)")) }
        #expect(allocator.share(of: "f")?.allocated == [])
        #expect(allocator.clusterTotal().isEmpty)
    }

    @Test func `absurd amounts neither trap nor stay behind`() throws {
        var allocator = Allocator()
        let huge = try Resources([.scalar("cpus", 9e12), .scalar("mem", 9e12)])
        allocator.addFramework("f", roles: ["*"])
        for number in 0..<2_000 { try allocator.addAgent(AgentID("m\(number)"), total: huge) }
        #expect(allocator.cycle().count == 2_000)
        for number in 0..<2_000 { allocator.removeAgent(AgentID("m\(number)")) }
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64))
        #expect(allocator.receivers() == ["f"])
        #expect(allocator.share(of: "f")?.dominantShare == 1)
    }
}
