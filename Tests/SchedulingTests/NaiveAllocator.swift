// swift-format-ignore-file: NeverForceUnwrap, NeverUseForceTry

import ClusterModel
import Scheduling

/// The same decisions as `Allocator`, made the obvious way: every agent is visited in every cycle, and before each one
/// all shares are summed up from nothing and everything is sorted again.
struct NaiveAllocator {
    struct Client: Hashable, Comparable {
        var framework: FrameworkID
        var role: RoleName
        static func < (left: Self, right: Self) -> Bool {
            (left.framework, left.role) < (right.framework, right.role)
        }
    }
    struct Framework {
        var roles: [RoleName]
        var capabilities: Set<FrameworkCapability>
        var suppressed: Set<RoleName>
        var isActive: Bool
    }
    struct Agent {
        var total: Resources
        var held: [Client: Resources] = [:]
        var isActive = true
    }
    struct Filter {
        var client: Client
        var agent: AgentID
        var refused: Resources
        var end: Duration
    }

    var agents: [AgentID: Agent] = [:]
    var frameworks: [FrameworkID: Framework] = [:]
    var weights: [RoleName: Double] = [:]
    var filters: [Filter] = []
    var counts: [Client: UInt64] = [:]
    var roleCounts: [RoleName: UInt64] = [:]
    var names = ["cpus", "mem", "disk", "gpus"]

    func free(_ agent: Agent) -> Resources {
        var rest = agent.total
        for (_, part) in agent.held { rest = try! rest.subtracting(part) }
        return rest
    }

    func subscribes(_ client: Client) -> Bool { frameworks[client.framework]?.roles.contains(client.role) ?? false }

    /// Forgets counts of those who are neither subscribed nor hold anything, as the allocator forgets them.
    mutating func prune() {
        var living: Set<Client> = []
        for (id, framework) in frameworks {
            for role in framework.roles { living.insert(Client(framework: id, role: role)) }
        }
        for agent in agents.values { living.formUnion(agent.held.keys) }
        counts = counts.filter { living.contains($0.key) }
        let roles = Set(living.map(\.role))
        roleCounts = roleCounts.filter { roles.contains($0.key) }
        filters = filters.filter { subscribes($0.client) && agents[$0.agent] != nil }
    }

    mutating func hold(_ resources: Resources, _ client: Client, on agent: AgentID) {
        let held = agents[agent]!.held[client] ?? Resources()
        agents[agent]!.held[client] = try! held.adding(resources)
        counts[client, default: 0] += 1
        roleCounts[client.role, default: 0] += 1
    }

    mutating func recover(_ allocation: Allocation, refuse: Duration?, now: Duration) {
        let client = Client(framework: allocation.framework, role: allocation.role)
        guard let held = agents[allocation.agent]?.held[client] else { return }
        let rest = try! held.subtracting(allocation.resources)
        agents[allocation.agent]!.held[client] = rest.isEmpty ? nil : rest
        if let refuse, refuse > .zero, subscribes(client) {
            filters.append(
                Filter(client: client, agent: allocation.agent, refused: allocation.resources, end: now + refuse))
        }
        prune()
    }

    mutating func allocate(now: Duration, seed: UInt64) -> [Allocation] {
        filters.removeAll { $0.end <= now }
        var result: [Allocation] = []
        let order = agents.keys.sorted {
            (Self.rank($0.value, seed), $0) < (Self.rank($1.value, seed), $1)
        }
        for id in order where agents[id]!.isActive {
            let agent = agents[id]!
            var left = free(agent)
            for client in clientsByNeed() {
                let framework = frameworks[client.framework]!
                if agent.total.total("gpus") > .zero, !framework.capabilities.contains(.gpuResources) { continue }
                let offer = left.filter { item in
                    (!item.kind.isRevocable || framework.capabilities.contains(.revocableResources))
                        && item.kind.isOfferable(to: client.role)
                }
                guard offer.total("cpus") >= Quantity(0.01)! || offer.total("mem") >= Quantity(32)! else { continue }
                let isFiltered = filters.contains {
                    $0.client == client && $0.agent == id && $0.refused.contains(offer)
                }
                if isFiltered { continue }
                left = try! left.subtracting(offer)
                hold(offer, client, on: id)
                result.append(
                    Allocation(framework: client.framework, role: client.role, agent: id, resources: offer))
            }
        }
        return result
    }

    /// Everybody who may be offered something, neediest first.
    func clientsByNeed() -> [Client] {
        var open: [RoleName: [FrameworkID]] = [:]
        for (id, framework) in frameworks where framework.isActive {
            for role in framework.roles where !framework.suppressed.contains(role) {
                open[role, default: []].append(id)
            }
        }
        let total = agents.values.reduce(into: [0, 0, 0, 0]) { add($1.total, to: &$0) }
        var ofRole: [RoleName: [Int64]] = [:]
        var ofClient: [Client: [Int64]] = [:]
        for agent in agents.values {
            for (client, held) in agent.held {
                add(held, to: &ofRole[client.role, default: [0, 0, 0, 0]])
                add(held, to: &ofClient[client, default: [0, 0, 0, 0]])
            }
        }
        let roles = open.keys.sorted { left, right in
            let (a, b) = (
                share(ofRole[left], total) / (weights[left] ?? 1), share(ofRole[right], total) / (weights[right] ?? 1)
            )
            return a != b
                ? a < b : (roleCounts[left] ?? 0, left.value) < (roleCounts[right] ?? 0, right.value)
        }
        return roles.flatMap { role in
            open[role]!.map { Client(framework: $0, role: role) }
                .sorted { left, right in
                    let (a, b) = (share(ofClient[left], total), share(ofClient[right], total))
                    return a != b
                        ? a < b
                        : (counts[left] ?? 0, left.framework.value) < (counts[right] ?? 0, right.framework.value)
                }
        }
    }

    private func add(_ resources: Resources, to sums: inout [Int64]) {
        for (index, name) in names.enumerated() { sums[index] += resources.total(name).thousandths }
    }

    private func share(_ mine: [Int64]?, _ total: [Int64]) -> Double {
        guard let mine else { return 0 }
        return zip(mine, total).map { $1 > 0 ? Double($0) / Double($1) : 0 }.max() ?? 0
    }

    /// The published visiting order: SplitMix64 of FNV-1a of the id and the seed.
    private static func rank(_ id: String, _ seed: UInt64) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        var random = SeededRandom(seed: hash &+ (seed &- 1) &* 0x9e37_79b9_7f4a_7c15)
        return random.next()
    }
}
