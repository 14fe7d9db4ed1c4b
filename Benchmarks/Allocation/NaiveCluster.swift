import ClusterModel

/// Progressive filling the obvious way: before every step all roles and frameworks are sorted by freshly computed
/// shares. It has no filters, no reservations and no capabilities, and keeps running sums, which favours it.
struct NaiveCluster {
    private struct Party {
        var name: String
        var weight: Double
        var sums: [Double] = [0, 0, 0]
        var allocations = 0
        var members: [Int] = []
    }

    private var roles: [Party] = []
    private var frameworks: [Party] = []
    private var agents: [[Double]] = []
    private var owners: [Int?] = []
    private var total: [Double] = [0, 0, 0]

    init(agentCount: Int) throws {
        for number in 0..<roleCount { roles.append(Party(name: name("role-", number), weight: Double(1 + number % 3))) }
        for number in 0..<frameworkCount {
            frameworks.append(Party(name: name("framework-", number), weight: 1))
            roles[number % roleCount].members.append(number)
        }
        for number in 0..<agentCount {
            let resources = try agentTotal(number)
            let amounts = ["cpus", "mem", "disk"].map { resources.total($0).value }
            agents.append(amounts)
            owners.append(nil)
            for index in 0..<3 { total[index] += amounts[index] }
        }
    }

    /// Gives each of these agents, if it is free, to the neediest framework; returns how many were given.
    mutating func allocate(_ slots: [Int]) -> Int {
        var count = 0
        for slot in slots where owners[slot] == nil {
            let byNeed = sorted(Array(roles.indices), of: roles)
            guard let role = byNeed.first else { continue }
            guard let framework = sorted(roles[role].members, of: frameworks).first else { continue }
            owners[slot] = framework
            for index in 0..<3 {
                roles[role].sums[index] += agents[slot][index]
                frameworks[framework].sums[index] += agents[slot][index]
            }
            roles[role].allocations += 1
            frameworks[framework].allocations += 1
            count += 1
        }
        return count
    }

    /// Takes an agent back.
    mutating func recover(_ slot: Int) {
        guard let framework = owners[slot] else { return }
        owners[slot] = nil
        for index in 0..<3 {
            roles[framework % roleCount].sums[index] -= agents[slot][index]
            frameworks[framework].sums[index] -= agents[slot][index]
        }
    }

    private func sorted(_ indices: [Int], of parties: [Party]) -> [Int] {
        let shares = indices.map { index in
            (index, zip(parties[index].sums, total).map { $0 / $1 }.max().map { $0 / parties[index].weight } ?? 0)
        }
        return shares.sorted { left, right in
            if left.1 != right.1 { return left.1 < right.1 }
            let (a, b) = (parties[left.0], parties[right.0])
            return a.allocations != b.allocations ? a.allocations < b.allocations : a.name < b.name
        }.map(\.0)
    }
}
