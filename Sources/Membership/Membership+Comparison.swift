/// Stands for a record where tables are compared.
///
/// Fast and well mixed, but no cryptography: both sides of a comparison are authenticated members, and who means to
/// hide news from others need only keep silent.
enum Fingerprint {
    static func of(_ record: MemberRecord, _ signature: [UInt8]) -> UInt64 {
        var sum = mix(mix(record.id.high) ^ record.id.low)
        sum = mix(sum ^ record.incarnation)
        var word: UInt64 = 0
        for (index, byte) in signature.enumerated() {
            word = word << 8 | UInt64(byte)
            if index & 7 == 7 { sum = mix(sum ^ word) }
        }
        return mix(sum ^ word)
    }

    /// The finalizer of SplitMix64: each bit of the result depends on all bits of the value.
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// What the comparisons of this node's table with those of others came to.
struct Comparison: Sendable {
    /// Comparisons in a row that found the same table.
    var agreements = 0
    /// Grows with each comparison that found another table, and shrinks with each that found the same.
    var doubts = 0
    /// The last time that another had the same table.
    var lastAgreement: Duration?
    /// Nothing is asked for before.
    var nextAsk: Duration = .zero
    /// Exchanges since all was well.
    var vain = 0
}

extension NodeID {
    /// Enough of an id to tell that a probe found its target.
    var shortened: UInt32 { UInt32(truncatingIfNeeded: low) }
}

// Each probe and each answer compares the tables of two members, by one number. As long as the tables are the same
// nothing else has to be said: no exchange takes place, and news that are still waiting are known already. While news
// travel the tables differ for moments; only a difference that stays leads to an exchange.
extension Membership {
    /// So many more comparisons find a difference than none, before this node asks: some three probe intervals.
    private static let mostDoubts = 6
    /// So many in a row have this node's table before it takes its news for known.
    private static let fewestAgreements = 3

    /// Stands for all that must be the same everywhere: the newest records of all who can be probed and are believed
    /// present, this node included.
    ///
    /// Left out are clients, who are stale by each node's own clock, and the dead, whom newcomers never hear of. A sum,
    /// so the order does not matter, and one change costs one addition.
    var tableSum: UInt64 {
        own.record.isLeaving || own.record.isGossipClient ? table : table &+ own.fingerprint
    }

    /// Brings the sum up to date with what is believed of a member.
    mutating func recount(_ id: NodeID) {
        guard let member = members[id] else { return }
        let part = member.isReachable ? member.signed.fingerprint : 0
        guard part != member.counted else { return }
        table = table &- member.counted &+ part
        members[id]?.counted = part
        comparison.agreements = 0
    }

    /// Whether a member and this node compare tables.
    func isComparing(with member: Member) -> Bool {
        !isPlain && own.record.protocols.contains(2) && member.record.protocols.contains(2)
    }

    /// A table was compared with this node's.
    mutating func compared(with id: NodeID, agrees: Bool) {
        guard !isPlain, let member = members[id], member.isPresent else { return }
        guard !agrees else { return agreed() }
        comparison.agreements = 0
        comparison.doubts = min(comparison.doubts + 1, 4 * Self.mostDoubts)
        guard comparison.doubts >= Self.mostDoubts, now >= comparison.nextAsk, host == nil, !isLeaving,
            let endpoint = member.endpoint
        else { return }
        // Those whose difference stays, because they do not accept the same records, ask less and less often.
        let pause = settings.exchangePause(members: presentMembers) / 4 * (1 << min(comparison.vain, 2))
        comparison.vain += 1
        comparison.nextAsk = now + pause * (0.75 + Double(own.record.id.low % 256) / 512)
        turn.append(opening(with: endpoint))
    }

    /// Another has this very table.
    mutating func agreed() {
        comparison.agreements += 1
        comparison.doubts = max(0, comparison.doubts - 1)
        comparison.lastAgreement = now
        guard comparison.agreements >= Self.fewestAgreements else { return }
        comparison.vain = 0
        guard !news.isEmpty, !isLeaving else { return }
        // Accusations and the records of clients are not in the sum.
        news.removeAll { message in
            if case .alive(let signed) = message { !signed.record.isGossipClient } else { false }
        }
    }

    /// Whether there was no reason to ask for anything for so long.
    func hasAgreedLately(within time: Duration) -> Bool {
        guard comparison.agreements > 0, comparison.doubts < Self.mostDoubts, !own.record.isGossipClient else {
            return false
        }
        return comparison.lastAgreement.map { now - $0 < time } ?? false
    }
}
