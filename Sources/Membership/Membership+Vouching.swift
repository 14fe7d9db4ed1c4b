// A newcomer to a cluster of a thousand would verify two thousand signatures before it could begin, and a hundred who
// come at the same moment, on machines that start together, would keep each other waiting. What it hears first comes
// from one member, its host, over a stream on which that member proved who it is. So the newcomer takes the host's word
// for now, and verifies what it was told a little at a time. A record that is not good is forgotten, and its voucher
// named.
//
// No host can raise anybody that way: records of masters, and claims to lead, are verified before they count, as is
// everything that comes in packets or from anybody else.
extension Membership {
    /// So many are verified in one gossip interval: a thousand within 10 s at `.lan`, at some 15 ms a second.
    private static let portion = 16

    /// Whether nothing hangs on a record that its voucher could gain by.
    static func mayWait(_ record: MemberRecord) -> Bool {
        !record.roles.contains(.master) && record.leaderTerm == nil && !record.isGossipClient && !record.isLeaving
    }

    /// Notes that a member just added is to be verified.
    mutating func wait(_ id: NodeID, voucher: Endpoint) {
        members[id]?.voucher = voucher
        vouched.append(id)
        // First all are heard.
        nextVerification = now + settings.probeInterval
    }

    /// Verifies the next few.
    mutating func verifyVouched() {
        nextVerification = now + settings.gossipInterval
        for _ in 0..<Self.portion {
            guard let id = vouched.popLast() else { return }
            verify(id)
        }
    }

    /// Verifies a member's record, if that was not done yet.
    mutating func verify(_ id: NodeID) {
        guard let member = members[id], let voucher = member.voucher else { return }
        members[id]?.voucher = nil
        guard case .bad(let reason) = proofs.verify(member.signed) else { return }
        refuse(.notVerified(id, reason: reason), from: voucher)
        if let place = suspects.firstIndex(where: { $0.id == id }) { suspects.remove(at: place) }
        forget(id)
        report(.forgotten(id))
    }
}
