import Crypto
import Glibc
import Gossip
import Logging
import Membership
import Transport

/// One member in a process of its own: takes orders as lines on standard input, and says on standard output what it
/// comes to believe of the others. `Benchmarks/gossip_members.py` is at the other end.
///
///     join ADDRESS        asks that member for its state
///     update NUMBER       changes this member's record
///
///     ready | joined MEMBER | updated MEMBER | recovered MEMBER | died MEMBER
struct LoneMember {
    let index: Int
    let members: Int
    let port: UInt16
    let timing: MembershipSettings

    /// Runs until the orders end.
    func run(orders: AsyncStream<String>) async throws {
        let signers = (0..<members).map { Signer(number: $0) }
        let names = Dictionary(uniqueKeysWithValues: signers.enumerated().map { ($1.id, $0) })
        let settings = GossipSettings(
            membership: timing, cluster: "benchmark", listen: [.v4(Self.address(of: index))], port: port, beacon: nil)
        let identity = GossipIdentity(
            id: signers[index].id, roles: .agent, attestation: Array(repeating: 1, count: 106), version: "0.1.0")
        guard let key = GossipKey(bytes: Array(repeating: 7, count: 32)) else { return }
        let node = try await GossipNode.start(
            settings, identity: identity, proofs: signers[index].proofs, keys: KeyRing(key),
            transport: Transport(threads: 1), logger: Logger(label: "peer") { _ in SwiftLogNoOpLogHandler() })
        Task.detached {
            for await report in node.reports { Self.tell(report, names) }
        }
        Self.say("ready")
        for await order in orders { await obey(order, node) }
        await node.stop()
    }

    private func obey(_ order: String, _ node: GossipNode) async {
        let words = order.split(separator: " ")
        guard words.count == 2 else { return }
        switch words[0] {
        case "join":
            let parts = words[1].split(separator: ".").compactMap { UInt32($0) }
            guard parts.count == 4 else { return }
            await node.join([MemberEndpoint(ipv4: parts.reduce(0) { $0 << 8 | $1 }, port: port)])
        case "update":
            guard let number = UInt8(words[1]) else { return }
            await node.attested(roles: [.agent, .master], attestation: Array(repeating: number, count: 106))
        default: break
        }
    }

    private static func tell(_ report: Membership.Report, _ names: [NodeID: Int]) {
        let (word, id): (String, NodeID)
        switch report {
        case .joined(let who): (word, id) = ("joined", who)
        case .updated(let who): (word, id) = ("updated", who)
        case .recovered(let who): (word, id) = ("recovered", who)
        case .died(let who, _): (word, id) = ("died", who)
        default: return
        }
        if let name = names[id] { say("\(word) \(name)") }
    }

    /// Past the library's buffers: to flush all of them would wait for the one that orders are being read from.
    private static func say(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(STDOUT_FILENO, bytes, bytes.count)
    }

    static func address(of index: Int) -> String { "127.1.\(index / 250).\(index % 250 + 1)" }
}
