// Measures allocation cycles and prints one JSON object per line: the incremental allocator beside a naive one that sums
// up and sorts everybody anew before each step, in the same run, taking turns, so that their ratio holds on any machine.
//
//     swift build -c release --product allocation-benchmark && .build/release/allocation-benchmark
//
// A full cycle offers every agent; the other one has one agent in a hundred that changed since the last cycle.
import ClusterModel
import Scheduling

let clock = ContinuousClock()
let frameworkCount = 200
let roleCount = 10

/// The median of durations in milliseconds.
func median(_ durations: [Duration]) -> Double {
    durations.sorted()[durations.count / 2].inSeconds * 1_000
}

func name(_ prefix: String, _ number: Int) -> String {
    prefix + String(repeating: "0", count: 6 - String(number).count) + String(number)
}

/// Agents of several sizes, as a real cluster has them.
func agentTotal(_ number: Int) throws -> Resources {
    let size = Double(1 << (number % 4))
    return try Resources([
        .scalar("cpus", 4 * size), .scalar("mem", 8_192 * size), .scalar("disk", 100_000), .ports(31_000, 32_000),
    ])
}

func makeAllocator(agentCount: Int) throws -> Allocator {
    var allocator = Allocator()
    for number in 0..<roleCount { try allocator.setWeight(RoleName(name("role-", number)), Double(1 + number % 3)) }
    for number in 0..<frameworkCount {
        allocator.addFramework(
            FrameworkID(name("framework-", number)), roles: [RoleName(name("role-", number % roleCount))])
    }
    for number in 0..<agentCount {
        try allocator.addAgent(AgentID(name("agent-", number)), total: agentTotal(number))
    }
    return allocator
}

/// Gives offers back, so that the next cycle has work.
func recover(_ offers: some Collection<Allocation>, to allocator: inout Allocator, refuse: Duration? = nil) throws {
    for offer in offers {
        try allocator.recover(
            offer.resources, of: offer.framework, role: offer.role, on: offer.agent, refuse: refuse, now: .zero)
    }
}

func printResult(_ cycle: String, agentCount: Int, runs: Int, mine: Double, naive: Double, offers: Int) {
    func rounded(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }
    print(
        """
        {"benchmark":"allocation","cycle":"\(cycle)","agents":\(agentCount),"frameworks":\(frameworkCount),\
        "runs":\(runs),"offers":\(offers),"ms_median":\(rounded(mine)),"naive_ms_median":\(rounded(naive)),\
        "naive_ratio":\(rounded(naive / mine))}
        """)
}

/// Full cycle and cycle with one per cent of the agents changed, each in turn with the naive one.
func measure(agentCount: Int, runs: Int) throws {
    var allocator = try makeAllocator(agentCount: agentCount)
    var naive = try NaiveCluster(agentCount: agentCount)
    var full: (mine: [Duration], naive: [Duration]) = ([], [])
    var partial: (mine: [Duration], naive: [Duration]) = ([], [])
    var (fullCount, partialCount) = (0, 0)
    let changed = max(1, agentCount / 100)
    for run in 0..<runs {
        var offers: [Allocation] = []
        full.mine.append(clock.measure { offers = allocator.allocate(now: .zero, seed: UInt64(run)) })
        full.naive.append(clock.measure { fullCount = naive.allocate(Array(0..<agentCount)) })
        guard offers.count == fullCount else { fatalError("the two disagree: \(offers.count) and \(fullCount) offers") }

        try recover(offers.prefix(changed), to: &allocator)
        let slots = (0..<changed).map { ($0 * 97) % agentCount }
        for slot in slots { naive.recover(slot) }
        var more: [Allocation] = []
        partial.mine.append(clock.measure { more = allocator.allocate(now: .zero, seed: UInt64(run)) })
        partial.naive.append(clock.measure { partialCount = naive.allocate(slots) })

        try recover(offers.dropFirst(changed), to: &allocator)
        try recover(more, to: &allocator)
        for slot in 0..<agentCount { naive.recover(slot) }
    }
    printResult(
        "full", agentCount: agentCount, runs: runs, mine: median(full.mine), naive: median(full.naive),
        offers: fullCount)
    printResult(
        "one per cent changed", agentCount: agentCount, runs: runs, mine: median(partial.mine),
        naive: median(partial.naive), offers: partialCount)
}

/// The worst that a framework can do to a cycle: it revives while all others have filters on every agent.
func measureFiltered(agentCount: Int, runs: Int) throws {
    var allocator = try makeAllocator(agentCount: agentCount)
    // Everybody declines everything, until nobody is left who wants an offer.
    while true {
        let offers = allocator.allocate(now: .zero, seed: 1)
        guard !offers.isEmpty else { break }
        try recover(offers, to: &allocator, refuse: .seconds(1_000))
    }
    var (idle, changed, revived): ([Duration], [Duration], [Duration]) = ([], [], [])
    let reviver = FrameworkID(name("framework-", 7))
    for run in 0..<runs {
        idle.append(clock.measure { _ = allocator.allocate(now: .zero, seed: UInt64(run)) })
        for number in 0..<max(1, agentCount / 100) {
            let agent = AgentID(name("agent-", number * 100))
            allocator.deactivateAgent(agent)
            allocator.activateAgent(agent)
        }
        changed.append(clock.measure { _ = allocator.allocate(now: .zero, seed: UInt64(run)) })
        allocator.revive(reviver)
        var offers: [Allocation] = []
        revived.append(clock.measure { offers = allocator.allocate(now: .zero, seed: UInt64(run)) })
        try recover(offers, to: &allocator, refuse: .seconds(1_000))
        _ = allocator.allocate(now: .zero, seed: 1)
    }
    for (cycle, times) in [
        ("all filtered, nothing changed", idle), ("all filtered, one per cent changed", changed),
        ("all filtered, one framework revived", revived),
    ] {
        print(
            """
            {"benchmark":"allocation","cycle":"\(cycle)","agents":\(agentCount),"frameworks":\(frameworkCount),\
            "runs":\(runs),"ms_median":\((median(times) * 1_000).rounded() / 1_000)}
            """)
    }
}

try measure(agentCount: 1_000, runs: 21)
try measure(agentCount: 10_000, runs: 7)
try measureFiltered(agentCount: 10_000, runs: 7)
