extension Membership {
    /// Remembers where members may be, and asks each at once.
    mutating func join(_ endpoints: [Endpoint]) {
        for endpoint in endpoints where !own.record.addresses.contains(endpoint) {
            if !seeds.contains(endpoint) { seeds.append(endpoint) }
            turn.append(.exchange(state(), with: endpoint))
        }
        if seeds.count > 64 { seeds.removeFirst(seeds.count - 64) }
        nextExchange = now + settings.joinRetryInterval
    }

    /// Everything that this node knows.
    func state() -> StateExchange {
        var entries = [ownEntry]
        entries.reserveCapacity(order.count + 1)
        for id in order {
            guard entries.count < MemberCoding.stateLimit, let member = members[id] else { break }
            entries.append(
                StateExchange.Entry(signed: member.signed, status: member.status, accuser: member.accusers.first))
        }
        return StateExchange(source: own.record.id, entries: entries)
    }

    mutating func receive(_ state: StateExchange, from sender: Endpoint, exchange: UInt64?) {
        // A newcomer does not repeat to everybody what everybody knows.
        let isFirst = presentCount == 0 && exchange == nil
        let isNewcomer = isFirst || host == sender && exchange == nil
        let answer = exchange.map { Effect.answer(self.state(), exchange: $0) }
        heard(state.source)
        if exchange == nil {
            isExchangeBroken = false
            isLastWordHeard = isLeaving
        }
        for entry in state.entries { merge(entry, from: sender, isNewcomer: isNewcomer) }
        if let answer { turn.append(answer) }
        if isNewcomer { settle(with: sender, isFirst: isFirst) }
    }

    /// A newcomer is seldom alone: the news of those who come after it would need many packets to reach it. So it asks
    /// its host a few more times, after longer and longer pauses.
    mutating func settle(with endpoint: Endpoint, isFirst: Bool) {
        settlingPause = isFirst ? settings.gossipInterval : settlingPause * 2
        guard !isPlain, settlingPause < settings.joinRetryInterval else { return host = nil }
        host = endpoint
        // Spread by what is chance already, the id.
        let part = 0.75 + Double(own.record.id.low % 256) / 512
        nextExchange = now + settlingPause * part
    }

    mutating func merge(_ entry: StateExchange.Entry, from sender: Endpoint, isNewcomer: Bool) {
        let record = entry.signed.record
        // Absent members that are not known here need no introduction.
        let isAbsent = entry.status == .dead || entry.status == .left || entry.status == .stale
        if isAbsent, record.id != own.record.id, members[record.id] == nil { return }
        accept(entry.signed, from: sender, spread: !isNewcomer, isVouched: isNewcomer)
        guard let accuser = entry.accuser else { return }
        let accusation = Accusation(subject: record.id, incarnation: record.incarnation, accuser: accuser)
        switch entry.status {
        case .suspect: consider(accusation, isDeath: false, from: sender)
        case .dead: consider(accusation, isDeath: true, from: sender)
        case .alive, .left, .stale: break
        }
    }

    /// Takes in a packet. Pings are answered last, so that the answer carries what this node says to accusations.
    mutating func receive(_ messages: [GossipMessage], from sender: Endpoint) {
        var corrections: [GossipMessage] = []
        for message in messages {
            switch message {
            case .ping(_, _, let source, _): heard(source)
            case .ack(let number, let source):
                heard(source)
                received(ack: number, from: source)
            case .nack(let number, let source):
                heard(source)
                received(nack: number)
            case .pingRequest(let number, let target, let endpoint, let source):
                heard(source)
                relay(number, target: target, at: endpoint, for: sender)
            case .alive(let signed): accept(signed, from: sender, spread: true)
            case .check(_, _, let source, _, _): heard(source)
            case .confirm(let number, let agrees): received(confirmation: number, agrees: agrees)
            case .suspect(let accusation):
                hear(accusation, isDeath: false, from: sender, &corrections)
            case .dead(let accusation):
                hear(accusation, isDeath: true, from: sender, &corrections)
            }
        }
        for message in messages {
            switch message {
            case .ping(let number, let target, let source, let incarnation):
                guard target == own.record.id, source != target else { continue }
                let ack = GossipMessage.ack(sequence: number, source: own.record.id)
                answer(ack, source: source, incarnation: incarnation, at: sender)
            case .check(let number, let target, let source, let incarnation, let table):
                guard target == own.record.id.shortened, source != own.record.id else { continue }
                let agrees = table == tableSum
                answer(.confirm(sequence: number, agrees: agrees), source: source, incarnation: incarnation, at: sender)
                compared(with: source, agrees: agrees)
            default: break
            }
        }
        if !corrections.isEmpty { turn.append(.send(corrections, to: sender)) }
    }

    /// Who repeats an accusation that was answered is told the answer; one packet for each packet at most.
    ///
    /// Most accusations are old news when many members die together, so these are sorted out by one look at the member.
    private mutating func hear(
        _ accusation: Accusation, isDeath: Bool, from sender: Endpoint, _ corrections: inout [GossipMessage]
    ) {
        if let member = members[accusation.subject] {
            if member.record.incarnation > accusation.incarnation {
                let message = GossipMessage.alive(member.signed)
                if !isPlain, MemberCoding.size(of: message) <= spaceLeft(beside: corrections) {
                    corrections.append(message)
                }
                return
            }
            guard member.isPresent else { return }
            if !isDeath, let suspicion = member.suspicion, suspicion.confirmations >= suspicion.needed { return }
        }
        consider(accusation, isDeath: isDeath, from: sender)
    }

    /// Answers a ping, and tells the asker what is believed of it when that is not good: it may have been cut off, or
    /// restarted without knowing how far its incarnations had come.
    private mutating func answer(_ word: GossipMessage, source: NodeID, incarnation: UInt64, at sender: Endpoint) {
        var messages = [word]
        if let member = members[source] {
            if incarnation < member.record.incarnation { messages.append(.alive(member.signed)) }
            if let accusation = accusation(against: source, member) { messages.append(accusation) }
        } else if lastIntroduction.map({ now - $0 > settings.probeInterval }) ?? true {
            // A stranger that knows us: it has news for us, and the whole state is the quickest way to it.
            lastIntroduction = now
            // Only who speaks of tables is sure to understand a comparison.
            let isComparing = if case .confirm = word { true } else { false }
            turn.append(isComparing ? opening(with: sender) : .exchange(state(), with: sender))
        }
        turn.append(.send(filled(messages), to: sender))
    }
}
