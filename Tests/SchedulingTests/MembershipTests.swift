// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

import ClusterModel
import Scheduling
import Testing

/// Agents and frameworks that come, change and go; reservations and capabilities.
struct MembershipTests {
    @Test func `what tasks use when an agent registers is not offered and counts for their framework`() throws {
        var allocator = Allocator()
        let used = resources(cpus: 3, mem: 512)
        try allocator.addAgent(
            "m", total: resources(cpus: 4, mem: 1_024), used: [AgentUse(framework: "a", role: "*", resources: used)])
        allocator.addFramework("b", roles: ["*"])
        allocator.addFramework("a", roles: ["*"])
        #expect(nearly(allocator.share(of: "a")?.dominantShare, 0.75))
        #expect(allocator.cycle().map(\.framework) == ["b"])
        #expect(allocator.allocations(on: "m").map(\.framework) == ["a", "b"])
        try allocator.recover(used, of: "a", role: "*", on: "m", now: .zero)
        #expect(allocator.cycle().map(\.resources) == [used])
    }

    @Test func `contradictory use is refused and leaves nothing behind`() throws {
        var allocator = Allocator()
        let port = resources(ports: 80...80)
        let used = ["a", "b"].map { AgentUse(framework: FrameworkID($0), role: "*", resources: port) }
        #expect(throws: AllocatorError.self) {
            try allocator.addAgent("m", total: resources(cpus: 1, ports: 1...100), used: used)
        }
        #expect(!allocator.hasAgent("m"))
        #expect(allocator.shares().isEmpty)
        try allocator.addAgent("m", total: resources(cpus: 1))
        #expect(throws: AllocatorError.agentExists("m")) { try allocator.addAgent("m", total: Resources()) }
    }

    @Test func `an agent that shrank below its use offers nothing short until tasks end`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["*"])
        let task = resources(cpus: 2, mem: 512, ports: 10...11)
        try allocator.addAgent(
            "m", total: resources(cpus: 1, mem: 1_024, ports: 11...20),
            used: [
                AgentUse(framework: "a", role: "*", resources: task),
                AgentUse(framework: "a", role: "*", resources: resources(cpus: 1)),
            ])
        #expect(allocator.free(on: "m") == resources(mem: 512, ports: 12...20))
        let offer = allocator.cycle()
        #expect(offer.map(\.resources) == [resources(mem: 512, ports: 12...20)])
        try allocator.recover(task, of: "a", role: "*", on: "m", now: .zero)
        // One cpu is still used, one was all there is.
        #expect(allocator.free(on: "m") == resources(mem: 512, ports: 11...11))
        try allocator.recover(resources(cpus: 1), of: "a", role: "*", on: "m", now: .zero)
        try allocator.decline(offer[0])
        #expect(allocator.free(on: "m") == resources(cpus: 1, mem: 1_024, ports: 11...20))
    }

    @Test func `removing an agent takes its resources out of the shares`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["*"])
        allocator.addFramework("b", roles: ["*"])
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64))
        try allocator.addAgent("n", total: resources(cpus: 3, mem: 64))
        let offers = allocator.cycle()
        let lost = offers.first { $0.agent == "m" }!
        allocator.removeAgent("m")
        #expect(allocator.share(of: lost.framework)?.dominantShare == 0)
        let other = offers.first { $0.agent == "n" }!.framework
        #expect(allocator.share(of: other)?.dominantShare == 1)
        // The task's end arrives late: nothing to recover, no error.
        try allocator.decline(lost, refuse: .seconds(5))
        #expect(allocator.nextDeadline == nil)
        #expect(!allocator.hasAgent("m"))
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64))
        #expect(allocator.receivers() == [lost.framework])
    }

    @Test func `an inactive agent keeps counting and is offered again when it is back`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["*"])
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64))
        allocator.deactivateAgent("m")
        #expect(allocator.cycle().isEmpty)
        allocator.activateAgent("m")
        #expect(allocator.receivers() == ["a"])
    }

    @Test func `removing a framework frees all that it has and lets its late recoveries pass`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["x", "y"])
        for number in 0..<5 { try allocator.addAgent(AgentID("m\(number)"), total: resources(cpus: 1, mem: 64)) }
        let offers = allocator.cycle()
        #expect(offers.count == 5)
        allocator.removeFramework("a")
        #expect(allocator.shares().isEmpty)
        for offer in offers { try allocator.decline(offer, refuse: .seconds(1)) }
        #expect(allocator.nextDeadline == nil)
        allocator.addFramework("b", roles: ["x"])
        #expect(allocator.cycle().count == 5)
    }

    @Test func `recovering more than was allocated is an error and changes nothing`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["*"])
        try allocator.addAgent("m", total: resources(cpus: 2, mem: 64))
        let offer = allocator.cycle()[0]
        let error = #expect(throws: AllocatorError.self) {
            try allocator.recover(resources(cpus: 3), of: "a", role: "*", on: "m", refuse: .seconds(1), now: .zero)
        }
        #expect(error?.description.contains("cpus: 3 wanted, 2 available") == true)
        #expect(allocator.free(on: "m")?.isEmpty == true)
        #expect(allocator.nextDeadline == nil)
        try allocator.decline(offer)
        // The same offer declined twice must not give its resources twice.
        #expect(throws: AllocatorError.self) { try allocator.decline(offer) }
        #expect(allocator.free(on: "m") == resources(cpus: 2, mem: 64))
    }

    @Test func `a claim takes what is free and no more`() throws {
        var allocator = Allocator()
        try allocator.addAgent("m", total: resources(cpus: 2, mem: 64))
        let use = AgentUse(framework: "a", role: "*", resources: resources(cpus: 1.5))
        try allocator.claim(use, on: "m")
        #expect(allocator.free(on: "m") == resources(cpus: 0.5, mem: 64))
        #expect(throws: AllocatorError.self) { try allocator.claim(use, on: "m") }
        #expect(throws: AllocatorError.agentUnknown("n")) { try allocator.claim(use, on: "n") }
        #expect(nearly(allocator.share(of: "a")?.dominantShare, 0.75))
    }

    @Test func `a role that is left keeps what is used in it until it is given back`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["x"])
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64))
        let offer = allocator.cycle()[0]
        allocator.updateFramework("a", roles: ["y"], capabilities: [], suppressed: [])
        #expect(allocator.shares().map(\.role) == ["y", "x"])
        try allocator.decline(offer, refuse: .seconds(5))
        #expect(allocator.shares().map(\.role) == ["y"])
        #expect(allocator.cycle().map(\.role) == ["y"])
    }

    @Test func `agents with GPUs are for frameworks that can use them`() throws {
        var allocator = Allocator()
        try allocator.addAgent("g", total: resources(cpus: 4, mem: 1_024, gpus: 2))
        allocator.addFramework("a", roles: ["*"])
        #expect(allocator.cycle().isEmpty)
        #expect(allocator.obstacle("a", on: "g") == .needsGPUCapability)
        allocator.updateFramework("a", roles: ["*"], capabilities: [.gpuResources], suppressed: [])
        #expect(allocator.cycle().map(\.resources) == [resources(cpus: 4, mem: 1_024, gpus: 2)])
    }

    @Test func `reserved resources go to their role and to roles below it`() throws {
        var allocator = Allocator()
        var total = resources(cpus: 1, mem: 64)
        try total.add(reserved("eng", cpus: 2, mem: 128))
        try allocator.addAgent("m", total: total)
        allocator.addFramework("o", roles: ["other"])
        #expect(allocator.cycle().map(\.resources) == [resources(cpus: 1, mem: 64)])
        allocator.addFramework("w", roles: ["eng/web"])
        #expect(allocator.cycle().map(\.resources) == [reserved("eng", cpus: 2, mem: 128)])
    }

    @Test func `one agent can go to several roles in one cycle`() throws {
        var allocator = Allocator()
        var total = resources(cpus: 1, mem: 64)
        try total.add(reserved("x", cpus: 1))
        try total.add(reserved("y", cpus: 1))
        try allocator.addAgent("m", total: total)
        for role in ["x", "y", "z"] { allocator.addFramework(FrameworkID(role), roles: [RoleName(role)]) }
        let offers = allocator.cycle()
        #expect(offers.map(\.framework) == ["x", "y"])
        #expect(offers[0].resources == (try resources(cpus: 1, mem: 64).adding(reserved("x", cpus: 1))))
        #expect(offers[1].resources == reserved("y", cpus: 1))
    }

    @Test func `revocable resources need the capability`() throws {
        var allocator = Allocator()
        let kind = ResourceKind(name: "cpus", isRevocable: true)
        let revocable = try Resources([Resource(kind: kind, value: .scalar(Quantity(3)!))])
        try allocator.addAgent("m", total: resources(cpus: 1, mem: 64).adding(revocable))
        allocator.addFramework("a", roles: ["*"])
        allocator.addFramework("b", roles: ["*"], capabilities: [.revocableResources])
        let offers = allocator.cycle()
        #expect(offers.map(\.framework) == ["a", "b"])
        #expect(offers[1].resources == revocable)
    }

    @Test func `less than the least is not offered`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["*"])
        try allocator.addAgent("disk", total: resources(disk: 1_000))
        try allocator.addAgent("small", total: resources(cpus: 0.009, mem: 31))
        try allocator.addAgent("cpu", total: resources(cpus: 0.01))
        try allocator.addAgent("mem", total: resources(mem: 32))
        #expect(Set(allocator.cycle().map(\.agent)) == ["cpu", "mem"])
        var strict = Allocator(settings: .init(leastCPUs: Quantity(1), leastMemory: Quantity(1_000)))
        strict.addFramework("a", roles: ["*"])
        try strict.addAgent("m", total: resources(cpus: 0.9, mem: 999))
        #expect(strict.cycle().isEmpty)
    }

    @Test func `unknown names are ignored`() {
        var allocator = Allocator()
        allocator.activateAgent("m")
        allocator.deactivateAgent("m")
        allocator.removeAgent("m")
        allocator.updateAgentTotal("m", resources(cpus: 1))
        allocator.activateFramework("f")
        allocator.deactivateFramework("f")
        allocator.removeFramework("f")
        allocator.revive("f")
        allocator.suppress("f")
        allocator.updateFramework("f", roles: ["*"], capabilities: [], suppressed: [])
        #expect(!allocator.hasFramework("f"))
        #expect(allocator.cycle().isEmpty)
        #expect(allocator.explain("f", now: .zero).isEmpty)
    }
}
