/// News waiting to ride on packets: what was sent least often goes first, among equals the newest.
///
/// One piece of news per member: a newer one takes the place of an older one, so the queue is never longer than the
/// list of members.
struct BroadcastQueue: Sendable {
    private struct Entry: Sendable {
        var subject: NodeID
        var number: UInt64
        var message: GossipMessage
        var size: Int
    }

    /// Entries by how often they were sent; within a tier the newest is last.
    private var tiers: [[Entry]] = []
    private var current: [NodeID: UInt64] = [:]
    private var number: UInt64 = 0

    var isEmpty: Bool { current.isEmpty }
    var count: Int { current.count }

    func contains(_ subject: NodeID) -> Bool { current[subject] != nil }

    mutating func add(_ message: GossipMessage, about subject: NodeID) {
        number += 1
        current[subject] = number
        if tiers.isEmpty { tiers.append([]) }
        tiers[0].append(
            Entry(subject: subject, number: number, message: message, size: MemberCoding.size(of: message)))
    }

    mutating func remove(_ subject: NodeID) { current[subject] = nil }

    /// Forgets the news that others are known to have.
    mutating func removeAll(where isKnown: (GossipMessage) -> Bool) {
        for tier in tiers.indices {
            tiers[tier].removeAll { entry in
                guard current[entry.subject] == entry.number else { return true }
                guard isKnown(entry.message) else { return false }
                current[entry.subject] = nil
                return true
            }
        }
    }

    /// Takes what fits into so many bytes, and forgets what was sent `limit` times.
    mutating func take(bytes: Int, limit: Int) -> [GossipMessage] {
        var left = bytes
        // A long queue is not searched to the end for something small enough.
        var misfits = 0
        var taken: [GossipMessage] = []
        var moved: [(tier: Int, entry: Entry)] = []
        for tier in tiers.indices where left > MemberCoding.smallestNews {
            var index = tiers[tier].count - 1
            while index >= 0, left > MemberCoding.smallestNews, misfits < 8 {
                let entry = tiers[tier][index]
                if current[entry.subject] != entry.number {
                    tiers[tier].remove(at: index)
                } else if entry.size <= left {
                    left -= entry.size
                    taken.append(entry.message)
                    tiers[tier].remove(at: index)
                    moved.append((tier + 1, entry))
                } else {
                    misfits += 1
                }
                index -= 1
            }
        }
        for (tier, entry) in moved.reversed() {
            if tier >= limit {
                current[entry.subject] = nil
            } else {
                if tier == tiers.count { tiers.append([]) }
                tiers[tier].append(entry)
            }
        }
        return taken
    }
}
