import Glibc
import Gossip
import Logging
import Membership
import Synchronization
import Transport

/// What all members reported, and when.
final class Board: Sendable {
    struct State {
        var joined: [Int: Int] = [:]
        /// Subject, then observer.
        var updated: [NodeID: [Int: ContinuousClock.Instant]] = [:]
        var died: [NodeID: [Int: ContinuousClock.Instant]] = [:]
    }

    let state = Mutex(State())

    func note(_ report: Membership.Report, by observer: Int) {
        let now = ContinuousClock.now
        state.withLock { state in
            switch report {
            case .joined: state.joined[observer, default: 0] += 1
            case .updated(let id): state.updated[id, default: [:]][observer] = now
            case .died(let id, _): state.died[id, default: [:]][observer] = now
            default: break
            }
        }
    }
}

struct Comparison {
    private let members: Int
    private let port: UInt16
    private let timing: MembershipSettings
    private let board = Board()

    init(members: Int, port: UInt16, timing: MembershipSettings) {
        self.members = members
        self.port = port
        self.timing = timing
    }

    func run(idle: Int, isShort: Bool) async throws {
        let transport = Transport(threads: 2)
        let keys = KeyRing(GossipKey.generate())
        let signers = (0..<members).map { _ in Signer() }
        var nodes: [GossipNode] = []
        for (index, signer) in signers.enumerated() {
            let settings = GossipSettings(
                membership: timing, cluster: "benchmark", listen: [.v4(LoneMember.address(of: index))], port: port,
                beacon: nil)
            let identity = GossipIdentity(
                id: signer.id, roles: .agent, attestation: Array(repeating: 1, count: 106), version: "0.1.0")
            let node = try await GossipNode.start(
                settings, identity: identity, proofs: signer.proofs, keys: keys, transport: transport,
                logger: Logger(label: "peer") { _ in SwiftLogNoOpLogHandler() })
            nodes.append(node)
            let board = board
            Task.detached { for await report in node.reports { board.note(report, by: index) } }
        }
        try await join(nodes)
        if !isShort {
            try await Task.sleep(for: .seconds(3))
            try await rest(nodes, seconds: idle)
            try await update(nodes, signers)
            try await detect(nodes, signers)
        }
        for node in nodes { await node.stop() }
    }

    private func emit(_ measure: String, _ value: Double) {
        let rounded = (value * 10_000).rounded() / 10_000
        print("{\"peer\": \"rondo\", \"n\": \(members), \"m\": \"\(measure)\", \"v\": \(rounded)}")
        fflush(nil)
    }

    /// One join after the other, each when the one before has its answer.
    private func join(_ nodes: [GossipNode]) async throws {
        let first = await nodes[0].own.record.addresses
        let start = ContinuousClock.now
        for (index, node) in nodes.enumerated().dropFirst() {
            await node.join(first)
            try await wait(.seconds(5)) { board.state.withLock { $0.joined[index, default: 0] > 0 } }
        }
        emit("join_calls_s", seconds(since: start))
        let isComplete = try await wait(.seconds(120)) {
            board.state.withLock { state in (0..<members).allSatisfy { state.joined[$0] == members - 1 } }
        }
        emit("join_all_s", seconds(since: start))
        if !isComplete { emit("join_all_timeout", 1) }
        var failures = 0
        for node in nodes { failures += await node.counters.streamsFailed }
        emit("streams_failed", Double(failures))
        emit("false_deaths_during_join", Double(board.state.withLock { $0.died.count }))
    }

    private func rest(_ nodes: [GossipNode], seconds: Int) async throws {
        let (bytes, packets, busy) = (loopback(), loopback(field: 1), processorSeconds())
        try await Task.sleep(for: .seconds(seconds))
        let share = Double(seconds * members)
        emit("idle_cpu_pct_per_member", (processorSeconds() - busy) / share * 100)
        emit("idle_bytes_per_member_s", (loopback() - bytes) / share)
        emit("idle_packets_per_member_s", (loopback(field: 1) - packets) / share)
        emit("rss_mib_per_member", residentMebibytes() / Double(members))
    }

    private func update(_ nodes: [GossipNode], _ signers: [Signer]) async throws {
        var medians: [Double] = []
        var lasts: [Double] = []
        for round in 1...5 {
            let subject = round * 7 % members
            let start = ContinuousClock.now
            await nodes[subject].attested(
                roles: [.agent, .master], attestation: Array(repeating: UInt8(round), count: 106))
            let id = signers[subject].id
            try await wait(.seconds(20)) { board.state.withLock { $0.updated[id]?.count == members - 1 } }
            let times = board.state.withLock { $0.updated[id, default: [:]].values.map { milliseconds(start, $0) } }
            medians.append(median(times))
            lasts.append(times.max() ?? .infinity)
            if times.count < members - 1 { emit("update_missing", Double(members - 1 - times.count)) }
            try await Task.sleep(for: .milliseconds(300))
        }
        emit("update_median_node_ms", median(medians))
        emit("update_all_nodes_ms", median(lasts))
    }

    private func detect(_ nodes: [GossipNode], _ signers: [Signer]) async throws {
        var all: [[Double]] = []
        for round in 0..<3 {
            let victim = members - 1 - round
            let id = signers[victim].id
            let start = ContinuousClock.now
            await nodes[victim].stop()
            let observers = victim
            try await wait(.seconds(90)) { board.state.withLock { $0.died[id]?.count == observers } }
            let times = board.state.withLock {
                $0.died[id, default: [:]].values.map { milliseconds(start, $0) / 1_000 }
            }
            if times.count < observers { emit("detect_missing", Double(observers - times.count)) }
            all.append([times.min() ?? .infinity, median(times), times.max() ?? .infinity])
        }
        emit("detect_first_s", median(all.map { $0[0] }))
        emit("detect_median_s", median(all.map { $0[1] }))
        emit("detect_last_s", median(all.map { $0[2] }))
        let victims = Set(signers.suffix(3).map(\.id))
        let wrong = board.state.withLock { $0.died.keys.count { !victims.contains($0) } }
        emit("false_death_members", Double(wrong))
    }

    @discardableResult
    private func wait(_ time: Duration, until isSo: () -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + time
        while !isSo() {
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(1))
        }
        return true
    }
}

private func milliseconds(_ start: ContinuousClock.Instant, _ end: ContinuousClock.Instant) -> Double {
    (end - start) / .milliseconds(1)
}
private func seconds(since start: ContinuousClock.Instant) -> Double { milliseconds(start, .now) / 1_000 }

private func median(_ values: [Double]) -> Double {
    values.isEmpty ? .infinity : values.sorted()[values.count / 2]
}

private func processorSeconds() -> Double {
    var usage = rusage()
    getrusage(.init(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

private func text(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer.prefix(count), as: UTF8.self)
}

/// Bytes, or packets, that the loopback interface received.
private func loopback(field: Int = 0) -> Double {
    for line in text("/proc/net/dev").split(separator: "\n") {
        let words = line.split(separator: " ")
        if words.first == "lo:", words.count > field + 1 { return Double(words[field + 1]) ?? 0 }
    }
    return 0
}

private func residentMebibytes() -> Double {
    let words = text("/proc/self/statm").split(separator: " ")
    return words.count > 1 ? (Double(words[1]) ?? 0) * 4_096 / 1_048_576 : 0
}
