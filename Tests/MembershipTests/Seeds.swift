import Foundation
import Membership
import MembershipSimulation
import Testing

let second = 1_000_000

/// Runs of one test with many seeds, on all cores.
///
/// `RONDO_SEED=N` runs the one seed N, `RONDO_SEEDS=N` the first N; `RONDO_LONG_TESTS` makes ten times as many as
/// usual, and a build without optimisation a twentieth.
enum Seeds {
    static let environment = ProcessInfo.processInfo.environment
    static let isLong = environment["RONDO_LONG_TESTS"] != nil

    static func usual(_ count: Int) -> [UInt64] {
        if let text = environment["RONDO_SEED"], let seed = UInt64(text) { return [seed] }
        if let text = environment["RONDO_SEEDS"], let count = UInt64(text) { return Array(0..<count) }
        #if DEBUG
            return Array(0..<UInt64(max(1, count / 20)))
        #else
            return Array(0..<UInt64(isLong ? 10 * count : count))
        #endif
    }

    /// Runs a scenario with each seed, and records an issue for those in which something is wrong.
    /// The scenario says what was wrong, or nothing.
    static func run(
        _ count: Int, location: SourceLocation = #_sourceLocation, _ scenario: @escaping @Sendable (UInt64) -> String?
    ) async {
        record(await results(of: usual(count), scenario), location: location)
    }

    /// Records an issue for each seed with which something was wrong, ten at most, and how to repeat it.
    static func record(_ outcomes: [(UInt64, String?)], location: SourceLocation = #_sourceLocation) {
        let failures = outcomes.filter { $0.1 != nil }.sorted { $0.0 < $1.0 }
        for (seed, failure) in failures.prefix(10) {
            let replay = "replay: RONDO_SEED=\(seed) swift test -c release --filter MembershipTests"
            Issue.record("seed \(seed): \(failure ?? "")\n\(replay)", sourceLocation: location)
        }
        if failures.count > 10 {
            Issue.record("\(failures.count) of \(outcomes.count) seeds fail", sourceLocation: location)
        }
    }

    /// What a scenario gives with each of the seeds, in no order.
    static func results<Result: Sendable>(
        of seeds: [UInt64], _ scenario: @escaping @Sendable (UInt64) -> Result
    ) async -> [(UInt64, Result)] {
        await withTaskGroup(of: (UInt64, Result).self) { group in
            for seed in seeds { group.addTask { (seed, scenario(seed)) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }
}

extension MembershipSettings {
    var period: Int {
        let parts = probeInterval.components
        return Int(parts.seconds) * second + Int(parts.attoseconds / 1_000_000_000_000)
    }
}

extension MembershipSimulation {
    /// Most seeds run the presets for one site, some the others.
    static func ofSomePreset(_ seed: UInt64) -> MembershipSimulation {
        let settings: MembershipSettings =
            switch seed % 8 {
            case 0: .loopback
            case 1: .wan
            default: .lan
            }
        return MembershipSimulation(seed: seed, settings: settings)
    }
}
