// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

import ClusterModel
import Scheduling
import Testing

struct ExplainTests {
    private func allocator(_ total: Resources = resources(cpus: 2, mem: 256)) throws -> Allocator {
        var allocator = Allocator()
        try allocator.addAgent("m", total: total)
        allocator.addFramework("a", roles: ["*"])
        return allocator
    }

    @Test func `a framework that nothing keeps from an offer is told that it is next`() throws {
        let allocator = try allocator()
        #expect(allocator.obstacle("a", on: "m") == OfferObstacle.none)
        #expect(allocator.explain("a", now: .zero).first?.offerable == resources(cpus: 2, mem: 256))
    }

    @Test func `a filter is named with its end`() throws {
        var allocator = try allocator()
        try allocator.decline(allocator.cycle()[0], refuse: .seconds(5), at: .seconds(2))
        #expect(allocator.obstacle("a", on: "m", at: .seconds(3)) == .filtered(until: .seconds(7)))
        #expect(OfferObstacle.filtered(until: .seconds(7)).text(now: .seconds(3)).contains("ends in 4 s"))
        #expect(allocator.obstacle("a", on: "m", at: .seconds(7)) == OfferObstacle.none)
    }

    @Test func `the framework's own state comes first`() throws {
        var allocator = try allocator()
        allocator.suppress("a")
        #expect(allocator.obstacle("a", on: "m") == .suppressed)
        allocator.deactivateFramework("a")
        #expect(allocator.obstacle("a", on: "m") == .frameworkInactive)
    }

    @Test func `the agent's state is named`() throws {
        var allocator = try allocator()
        allocator.deactivateAgent("m")
        #expect(allocator.obstacle("a", on: "m") == .agentInactive)
        allocator.activateAgent("m")
        #expect(allocator.cycle().count == 1)
        #expect(allocator.obstacle("a", on: "m") == .nothingFree)
    }

    @Test func `what is reserved for others is named with the roles`() throws {
        let total = try reserved("x", cpus: 1).adding(reserved("y", cpus: 1))
        #expect(try allocator(total).obstacle("a", on: "m") == .reserved(for: ["x", "y"]))
    }

    @Test func `missing capabilities are named`() throws {
        let kind = ResourceKind(name: "cpus", isRevocable: true)
        let total = try Resources([Resource(kind: kind, value: .scalar(Quantity(3)!))])
        #expect(try allocator(total).obstacle("a", on: "m") == .needsCapability([.revocableResources]))
    }

    @Test func `a rest too small to offer is shown`() throws {
        let rest = resources(mem: 16)
        #expect(try allocator(rest).obstacle("a", on: "m") == .tooLittle(rest))
    }

    @Test func `every agent and role is explained in order`() throws {
        var allocator = Allocator()
        allocator.addFramework("a", roles: ["y", "x"])
        try allocator.addAgent("n", total: resources(cpus: 1))
        try allocator.addAgent("m", total: resources(cpus: 1))
        let explained = allocator.explain("a", now: .zero).map { "\($0.agent)/\($0.role)" }
        #expect(explained == ["m/x", "m/y", "n/x", "n/y"])
    }

    @Test func `every obstacle has a text`() {
        let all: [OfferObstacle] = [
            .none, .frameworkInactive, .suppressed, .agentInactive, .needsGPUCapability, .nothingFree,
            .reserved(for: ["x"]), .needsCapability([.gpuResources]), .tooLittle(resources(mem: 1)),
            .filtered(until: .seconds(1)),
        ]
        #expect(Set(all.map { $0.text(now: .zero) }).count == all.count)
    }
}
