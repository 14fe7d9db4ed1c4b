extension Membership {
    /// Announces this node anew, under a higher incarnation.
    mutating func announce(
        above incarnation: UInt64 = 0, attestation: [UInt8]? = nil, _ change: (inout MemberRecord) -> Void
    ) {
        var record = own.record
        change(&record)
        // At the end of numbers a node stays what it is; only its own key could have brought it there.
        let (next, overflow) = max(record.incarnation, incarnation).addingReportingOverflow(1)
        guard !overflow else { return }
        record.incarnation = next
        let proof = attestation ?? own.attestation
        guard let signed = SignedRecord(record: record, signature: proofs.sign(record), attestation: proof) else {
            return
        }
        own = signed
        comparison.agreements = 0
        news.add(.alive(signed), about: record.id)
        claimLeadership(signed, from: nil)
    }

    mutating func leave() {
        guard !isLeaving else { return }
        isLeaving = true
        announce {
            $0.isLeaving = true
            $0.leaderTerm = nil
        }
        leaveDeadline = presentCount == 0 ? now : now + settings.leaveTimeout
        if own.record.isGossipClient { nextExchange = now }
    }

    /// Takes a record if it is newer than what is known, and good.
    ///
    /// - Parameters:
    ///   - signed: the record.
    ///   - sender: who told it.
    ///   - spread: whether it is news for others.
    ///   - isVouched: whether it comes from this node's host, and so may be verified later; see `vouches`.
    mutating func accept(_ signed: SignedRecord, from sender: Endpoint, spread: Bool, isVouched: Bool = false) {
        let record = signed.record
        guard record.id != own.record.id else { return acceptOwn(signed, from: sender) }
        if let known = members[record.id], known.voucher != nil, signed != known.signed { verify(record.id) }
        let known = members[record.id]
        if let known {
            if record.incarnation < known.record.incarnation { return }
            if record.incarnation == known.record.incarnation, signed == known.signed { return }
        } else if record.isLeaving {
            return
        }
        guard record.protocols.overlaps(own.record.protocols) else {
            let ours = own.record.protocols
            return refuse(.incompatibleProtocol(record.id, theirs: record.protocols, ours: ours), from: sender)
        }
        let isLater = isVouched && known == nil && Self.mayWait(record)
        if !isLater, case .bad(let reason) = proofs.verify(signed) {
            return refuse(.notVerified(record.id, reason: reason), from: sender)
        }
        if let known, record.incarnation == known.record.incarnation {
            refuse(.conflictingRecords(record.id), from: sender)
            // All must end with the same one, whichever they heard first.
            guard known.signed.signature.lexicographicallyPrecedes(signed.signature) else { return }
            if record.isLeaving == known.record.isLeaving {
                members[record.id]?.signed = signed
                recount(record.id)
            } else {
                replace(known, with: signed)
            }
        } else if let known {
            replace(known, with: signed)
        } else {
            add(signed)
            if isLater { wait(record.id, voucher: sender) }
        }
        if record.isGossipClient { hasClients = true }
        if spread { news.add(.alive(signed), about: record.id) }
        claimLeadership(signed, from: sender)
    }

    /// Somebody shows this node a record of itself that it did not make in this life.
    private mutating func acceptOwn(_ signed: SignedRecord, from sender: Endpoint) {
        let theirs = signed.record.incarnation
        guard theirs >= own.record.incarnation, signed != own else { return }
        if case .bad(let reason) = proofs.verify(signed) {
            return refuse(.notVerified(signed.record.id, reason: reason), from: sender)
        }
        // Once or twice that is an earlier life of this node. A life that keeps overtaking this one is another machine,
        // and the two must not fill the network with their quarrel.
        guard foreignLives < 3 || now >= nextRivalry else { return }
        foreignLives += 1
        nextRivalry = now + settings.probeInterval
        if foreignLives >= 3, foreignAddresses != signed.record.addresses {
            foreignAddresses = signed.record.addresses
            report(.duplicateIdentity(addresses: signed.record.addresses))
        }
        announce(above: theirs) { _ in }
    }

    private mutating func add(_ signed: SignedRecord) {
        let record = signed.record
        if let endpoint = record.addresses.first, !record.isGossipClient { reportContest(endpoint, by: record.id) }
        var member = Member(signed: signed, status: .alive, since: now)
        member.position = order.count
        order.append(record.id)
        members[record.id] = member
        presentCount += 1
        recount(record.id)
        // Who comes while a round is under way gets a place in it, another with each node: otherwise all would look for
        // the newest members last.
        if !round.isEmpty {
            let place = Fingerprint.mix(own.record.id.low ^ record.id.low) % UInt64(round.count + 1)
            round.insert(record.id, at: Int(place))
        }
        report(.joined(record.id))
    }

    private mutating func reportContest(_ endpoint: Endpoint, by newcomer: NodeID) {
        // Worth a walk through all members only in small clusters; in large ones addresses are found out by probing.
        guard order.count <= 64 else { return }
        let holder = order.first { id in
            members[id].map { $0.isPresent && $0.record.addresses.first == endpoint } ?? false
        }
        if let holder { report(.addressContested(endpoint, newcomer: newcomer, holder: holder)) }
    }

    private mutating func replace(_ known: Member, with signed: SignedRecord) {
        let (id, old, new) = (signed.record.id, known.record, signed.record)
        members[id]?.signed = signed
        members[id]?.addressIndex = 0
        setStatus(id, new.isLeaving ? .left : .alive)
        if new.isLeaving {
            if known.status != .left { report(.departed(id)) }
            return
        }
        if known.status != .alive { report(.recovered(id)) }
        // Who else is believed dead may be back as well.
        if known.status == .dead { revivalEnd = now + settings.reconnectInterval * 10 }
        if old.addresses != new.addresses {
            report(.addressesChanged(id, from: old.addresses, to: new.addresses))
        }
        if old.roles != new.roles || old.version != new.version || old.leaderTerm != new.leaderTerm
            || old.protocols != new.protocols || old.isGossipClient != new.isGossipClient
        {
            report(.updated(id))
        }
    }

    /// Changes a belief and everything that is counted from beliefs.
    mutating func setStatus(_ id: NodeID, _ status: MemberStatus) {
        guard var member = members[id] else { return }
        if member.isPresent { presentCount -= 1 }
        if member.status == .dead { absentCount -= 1 }
        member.status = status
        member.since = now
        if status != .suspect {
            if member.suspicion != nil, let place = suspects.firstIndex(where: { $0.id == id }) {
                suspects.remove(at: place)
            }
            member.suspicion = nil
            if status != .dead { member.accusers = [] }
        }
        if member.isPresent { presentCount += 1 }
        if status == .dead {
            absentCount += 1
            member.nextReconnect = now + settings.reconnectInterval
        }
        members[id] = member
        recount(id)
        if id == leader, !member.isPresent { setLeader(nil) }
    }

    /// Hears an accusation. Another's word for a death shortens the own countdown, but does not replace the own looks.
    mutating func consider(_ accusation: Accusation, isDeath: Bool, from sender: Endpoint) {
        guard accusation.subject != own.record.id else { return answer(accusation, from: sender) }
        guard isDeath, let member = members[accusation.subject], member.isReachable,
            member.record.incarnation == accusation.incarnation
        else { return accuse(accusation) }
        // A client cannot look for itself.
        if isPlain || own.record.isGossipClient {
            return bury(accusation.subject, by: accusation.accuser, incarnation: accusation.incarnation)
        }
        if member.suspicion?.isDeathTold == true { return }
        accuse(accusation)
        members[accusation.subject]?.suspicion?.isDeathTold = true
        hurry(accusation.subject)
    }

    /// This node is accused: it announces itself anew, unless it means to go.
    private mutating func answer(_ accusation: Accusation, from sender: Endpoint) {
        guard !isLeaving else { return }
        guard accusation.incarnation <= own.record.incarnation else {
            // Such an incarnation can only be believed when it comes with a signed record.
            return refuse(.forgedIncarnation(accuser: accusation.accuser), from: sender)
        }
        if accusation.incarnation == own.record.incarnation {
            adjustHealth(by: 1)
            announce { _ in }
            report(.refuted(accuser: accusation.accuser, incarnation: own.record.incarnation))
        }
        turn.append(.send([.alive(own)], to: sender))
    }

    /// Suspects a member, or counts one more who does.
    mutating func accuse(_ accusation: Accusation) {
        let id = accusation.subject
        guard var member = members[id], member.isReachable, member.record.incarnation == accusation.incarnation else {
            return
        }
        if var suspicion = member.suspicion {
            guard suspicion.confirmations < suspicion.needed, !member.accusers.contains(accusation.accuser) else {
                return
            }
            suspicion.confirm()
            member.suspicion = suspicion
            member.accusers.append(accusation.accuser)
            members[id] = member
            hurry(id)
            return news.add(.suspect(accusation), about: id)
        }
        let shortest = settings.shortestSuspicion(members: presentMembers)
        let needed = min(settings.suspicionConfirmations, witnesses(besides: id))
        setStatus(id, .suspect)
        members[id]?.accusers = [accusation.accuser]
        members[id]?.suspicion = Suspicion(
            start: now, shortest: shortest, longest: shortest * settings.suspicionStretch, needed: needed)
        suspects.append(Suspect(id: id, due: now))
        news.add(.suspect(accusation), about: id)
        report(.suspected(id, accuser: accusation.accuser))
    }

    /// Who could confirm an accusation: neither this node nor the accused, nor clients, which probe nobody.
    private func witnesses(besides accused: NodeID) -> Int {
        guard hasClients else { return max(0, presentMembers - 2) }
        var count = 0
        for id in order where id != accused && members[id]?.isReachable == true {
            count += 1
            if count >= settings.suspicionConfirmations { break }
        }
        return count
    }

    /// Believes a member dead.
    mutating func bury(_ id: NodeID, by accuser: NodeID, incarnation: UInt64) {
        guard let member = members[id], member.isPresent else { return }
        setStatus(id, .dead)
        let accusers = member.accusers.isEmpty ? [accuser] : member.accusers
        members[id]?.accusers = accusers
        news.add(.dead(Accusation(subject: id, incarnation: incarnation, accuser: accuser)), about: id)
        report(.died(id, accusers: accusers))
    }

    /// Lets a claim to lead count: only a master's, and only in the newest term.
    mutating func claimLeadership(_ signed: SignedRecord, from sender: Endpoint?) {
        let record = signed.record
        guard let term = record.leaderTerm, !record.isLeaving else {
            if leader == record.id { setLeader(nil) }
            return
        }
        guard record.roles.contains(.master) else {
            return refuse(.leaderWithoutMasterRole(record.id), from: sender)
        }
        guard term >= leaderTerm else {
            if leader == record.id { setLeader(nil) }
            return
        }
        // The store lets one master lead in a term; should two claim it all the same, all must choose alike.
        if term == leaderTerm, let leader, leader < record.id { return }
        leaderTerm = term
        setLeader(record.id)
    }

    private mutating func setLeader(_ id: NodeID?) {
        guard leader != id else { return }
        leader = id
        report(.leaderChanged(id, term: leaderTerm))
    }
}
