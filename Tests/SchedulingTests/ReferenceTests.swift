// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

import ClusterModel
import Scheduling
import Testing

/// One random history, told to the allocator and to the naive one; both must decide the same in every cycle.
private struct History {
    var random: SeededRandom
    var real = Allocator()
    var naive = NaiveAllocator()
    var now = Duration.zero
    var outstanding: [Allocation] = []
    var cycles: UInt64 = 0
    var made = 0
    var log: [String] = []

    static let roles: [RoleName] = ["*", "a", "a/b", "c"]

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func draw(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
    mutating func chance(_ percent: Int) -> Bool { draw(1...100) <= percent }

    mutating func agentTotal() throws -> Resources {
        var total = resources(
            cpus: Double(draw(0...8)) / 2, mem: Double(draw(0...8) * 64), gpus: chance(15) ? 1 : 0,
            ports: chance(40) ? 1000...UInt64(1000 + draw(0...9)) : nil)
        if chance(30) {
            let role = Self.roles[draw(1...3)]
            try total.add(reserved(role.value, cpus: Double(draw(0...4)), mem: Double(draw(0...4) * 64)))
        }
        if chance(15) {
            let kind = ResourceKind(name: "cpus", isRevocable: true)
            try total.add(Resources([Resource(kind: kind, value: .scalar(Quantity(Double(draw(1...4)))!))]))
        }
        return total
    }

    mutating func someRoles() -> [RoleName] {
        let count = chance(80) ? 1 : 2
        return (0..<count).map { _ in Self.roles[draw(0...3)] }
    }

    mutating func capabilities() -> Set<FrameworkCapability> {
        var result: Set<FrameworkCapability> = []
        if chance(40) { result.insert(.gpuResources) }
        if chance(30) { result.insert(.revocableResources) }
        return result
    }

    mutating func anyFramework() -> FrameworkID? { naive.frameworks.keys.sorted().randomElement(using: &random) }
    mutating func anyAgent() -> AgentID? { naive.agents.keys.sorted().randomElement(using: &random) }

    mutating func step() throws {
        switch draw(0...19) {
        case 0...2: try addAgent()
        case 3...5: addFramework()
        case 6...9: try recoverSome()
        case 10: changeFramework()
        case 11: changeAgent()
        case 12: removeFramework()
        case 13: removeAgent()
        case 14: reviveOrSuppress()
        case 15:
            let role = Self.roles[draw(0...3)]
            let weight = [0.5, 1, 2, 3][draw(0...3)]
            try real.setWeight(role, weight)
            naive.weights[role] = weight
        default: now += .milliseconds(draw(0...3_000))
        }
        if chance(60) { try cycle() }
    }

    mutating func cycle() throws {
        cycles += 1
        let seed = random.next()
        let mine = real.allocate(now: now, seed: seed)
        let expected = naive.allocate(now: now, seed: seed)
        guard mine == expected else { throw Difference(what: "\(mine)\nexpected\n\(expected)") }
        outstanding += mine
        guard real.allocate(now: now, seed: seed &+ 1).isEmpty else { throw Difference(what: "a second cycle offers") }
        _ = naive.allocate(now: now, seed: seed &+ 1)
    }

    mutating func addAgent() throws {
        made += 1
        let id = AgentID("agent-\(made)")
        let total = try agentTotal()
        var used: [AgentUse] = []
        let wanted = resources(cpus: 0.5, mem: 64)
        if chance(30), total.contains(wanted) {
            used.append(
                AgentUse(framework: FrameworkID("f-\(draw(1...9))"), role: Self.roles[draw(0...3)], resources: wanted))
        }
        try real.addAgent(id, total: total, used: used)
        naive.agents[id] = NaiveAllocator.Agent(total: total)
        for use in used {
            naive.hold(use.resources, .init(framework: use.framework, role: use.role), on: id)
            outstanding.append(
                Allocation(framework: use.framework, role: use.role, agent: id, resources: use.resources))
        }
    }

    mutating func addFramework() {
        let id = FrameworkID("f-\(draw(1...9))")
        let (roles, capabilities) = (someRoles(), capabilities())
        let suppressed: Set<RoleName> = chance(10) ? Set(roles) : []
        real.addFramework(id, roles: roles, capabilities: capabilities, suppressed: suppressed)
        naive.frameworks[id] = .init(
            roles: roles, capabilities: capabilities, suppressed: suppressed, isActive: true)
        naive.prune()
    }

    mutating func recoverSome() throws {
        for _ in 0..<draw(1...3) where !outstanding.isEmpty {
            let index = draw(0...(outstanding.count - 1))
            var part = outstanding.remove(at: index)
            if chance(30) {
                // A task was launched with some of it; only the rest comes back now.
                let task = resources(cpus: 0.5, mem: 64)
                if let rest = try? part.resources.subtracting(task), !rest.isEmpty {
                    var kept = part
                    kept.resources = task
                    outstanding.append(kept)
                    part.resources = rest
                }
            }
            let refuse: Duration? = chance(70) ? .milliseconds(draw(0...4_000)) : nil
            try real.recover(
                part.resources, of: part.framework, role: part.role, on: part.agent, refuse: refuse, now: now)
            naive.recover(part, refuse: refuse, now: now)
        }
    }

    mutating func changeFramework() {
        guard let id = anyFramework() else { return }
        if chance(50) {
            let (roles, capabilities) = (someRoles(), capabilities())
            real.updateFramework(id, roles: roles, capabilities: capabilities, suppressed: [])
            naive.frameworks[id]!.roles = roles
            naive.frameworks[id]!.capabilities = capabilities
            naive.frameworks[id]!.suppressed = []
        } else if chance(50) {
            real.deactivateFramework(id)
            naive.frameworks[id]!.isActive = false
            naive.filters.removeAll { $0.client.framework == id }
        } else {
            real.activateFramework(id)
            naive.frameworks[id]!.isActive = true
        }
        naive.prune()
    }

    mutating func changeAgent() {
        guard let id = anyAgent() else { return }
        if chance(40) {
            real.deactivateAgent(id)
            naive.agents[id]!.isActive = false
        } else if chance(60) {
            real.activateAgent(id)
            naive.agents[id]!.isActive = true
        } else {
            let more = try! naive.agents[id]!.total.adding(resources(cpus: 1, mem: 64))
            real.updateAgentTotal(id, more)
            naive.agents[id]!.total = more
        }
    }

    mutating func removeFramework() {
        guard let id = anyFramework() else { return }
        real.removeFramework(id)
        naive.frameworks[id] = nil
        for agent in naive.agents.keys {
            naive.agents[agent]!.held = naive.agents[agent]!.held.filter { $0.key.framework != id }
        }
        outstanding.removeAll { $0.framework == id }
        naive.prune()
    }

    mutating func removeAgent() {
        guard let id = anyAgent() else { return }
        real.removeAgent(id)
        naive.agents[id] = nil
        outstanding.removeAll { $0.agent == id }
        naive.prune()
    }

    mutating func reviveOrSuppress() {
        guard let id = anyFramework() else { return }
        let roles = naive.frameworks[id]!.roles
        if chance(50) {
            real.revive(id)
            naive.frameworks[id]!.suppressed.subtract(roles)
            naive.filters.removeAll { $0.client.framework == id }
        } else {
            real.suppress(id)
            naive.frameworks[id]!.suppressed.formUnion(roles)
        }
    }

    /// What must hold after every step.
    func check() throws {
        for (id, agent) in naive.agents {
            var sum = real.free(on: id) ?? Resources()
            for part in real.allocations(on: id) { try sum.add(part.resources) }
            guard sum == agent.total else { throw Difference(what: "\(id): \(sum) is not \(agent.total)") }
            guard real.free(on: id) == naive.free(agent) else { throw Difference(what: "free of \(id)") }
        }
        guard real.nextDeadline.map({ $0 > .zero }) ?? true else { throw Difference(what: "deadline") }
    }
}

private struct Difference: Error { var what: String }

struct ReferenceTests {
    @Test(arguments: 0..<20)
    func `ten thousand random histories are decided as the naive allocator decides them`(part: Int) throws {
        var cycles: UInt64 = 0
        for seed in (part * 500)..<(part * 500 + 500) {
            var history = History(seed: UInt64(seed))
            do {
                for _ in 0..<24 {
                    try history.step()
                    try history.check()
                }
                try history.cycle()
            } catch {
                Issue.record("seed \(seed): \(error)")
                return
            }
            cycles += history.cycles
        }
        #expect(cycles > 500 * 8)
    }

    @Test func `the same calls give the same decisions`() throws {
        for seed in 0..<20 as Range<UInt64> {
            var (first, second) = (History(seed: seed), History(seed: seed))
            for _ in 0..<40 {
                try first.step()
                try second.step()
            }
            #expect(first.outstanding == second.outstanding)
            #expect(first.real.shares() == second.real.shares())
        }
    }
}
