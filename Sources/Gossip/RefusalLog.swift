internal import Logging
internal import Membership

/// Counts what was refused, and says each kind once for each source, so that nobody can fill the log from outside.
struct RefusalLog: Sendable {
    private struct Key: Hashable, Sendable {
        var high: UInt64
        var low: UInt64
        var name: String
    }

    private static let limit = 512
    /// After that time all is said again.
    private static let memory: Duration = .seconds(3_600)

    private(set) var counts: [String: Int] = [:]
    private var said: Set<Key> = []
    private var since: Duration?

    mutating func note(
        _ refusal: PacketRefusal, from source: MemberEndpoint?, now: Duration, logger: Logger
    ) {
        counts[refusal.name, default: 0] += 1
        switch refusal {
        // Normal on a network that several clusters, and nodes that restart, share.
        case .otherCluster, .own, .notFresh: return
        default: break
        }
        if let since, now - since > Self.memory {
            said = []
            self.since = nil
        }
        guard said.count < Self.limit else { return }
        let key = Key(high: source?.high ?? 0, low: source?.low ?? 0, name: refusal.name)
        guard said.insert(key).inserted else { return }
        since = since ?? now
        let from = source.map { $0.text } ?? "an unknown address"
        logger.warning("gossip from \(from) was refused: \(refusal.explanation); said once an hour for each address")
        if said.count == Self.limit {
            logger.warning("gossip is refused from many addresses; they are only counted now")
        }
    }
}
