extension Membership {
    /// Ends, widens or starts a probe, whichever is due.
    mutating func runProbe(random: inout some RandomNumberGenerator) {
        if var current = probe {
            if now >= current.end {
                probe = nil
                conclude(current)
            } else if now >= current.askOthersAt, !current.hasAskedOthers {
                current.hasAskedOthers = true
                current.expectedNacks = askOthers(about: current, random: &random)
                probe = current
            }
        }
        guard now >= nextProbe else { return }
        let interval = settings.probeInterval * (1 + localHealth)
        nextProbe = now + interval
        guard !isLeaving, !own.record.isGossipClient, let target = nextTarget(random: &random),
            let member = members[target]
        else { return }
        let number = takeSequence()
        probe = Probe(
            target: target, sequence: number, incarnation: member.record.incarnation,
            askOthersAt: now + min(settings.probeTimeout * (1 + localHealth), interval), end: now + interval)
        if member.status == .alive, isComparing(with: member), let endpoint = member.endpoint {
            let check = GossipMessage.check(
                sequence: number, target: target.shortened, source: own.record.id, incarnation: own.record.incarnation,
                table: tableSum)
            return turn.append(.send(filled([check]), to: endpoint))
        }
        sendPing(to: target, sequence: number)
    }

    /// A ping says what this node believes of the target when that is not good (Lifeguard's buddy system): the accused
    /// hears it from the one who can hear the answer.
    mutating func sendPing(to target: NodeID, sequence: UInt32) {
        guard let member = members[target], let endpoint = member.endpoint else { return }
        var messages: [GossipMessage] = [
            .ping(sequence: sequence, target: target, source: own.record.id, incarnation: own.record.incarnation)
        ]
        if let accusation = accusation(against: target, member) { messages.append(accusation) }
        turn.append(.send(filled(messages), to: endpoint))
    }

    /// What this node holds against a member, as a message.
    func accusation(against id: NodeID, _ member: Member) -> GossipMessage? {
        let accuser = member.accusers.first ?? own.record.id
        let accusation = Accusation(subject: id, incarnation: member.record.incarnation, accuser: accuser)
        return switch member.status {
        case .suspect: .suspect(accusation)
        case .dead: .dead(accusation)
        case .alive, .left, .stale: nil
        }
    }

    /// The answer to a lone probe that may be a recorded one, when there is nothing else to say: it changes nothing
    /// here, and tells only that this node is there.
    /// - Parameter messages: an authentic packet that is not proven to be new.
    /// - Returns: the packet to answer with; nil when the sender should prove that it is there now.
    public func bareAnswer(to messages: [GossipMessage]) -> [GossipMessage]? {
        func isKnown(_ source: NodeID, _ incarnation: UInt64) -> Bool {
            members[source].map { $0.status == .alive && $0.record.incarnation == incarnation } ?? false
        }
        guard messages.count == 1, let message = messages.first, news.isEmpty else { return nil }
        switch message {
        case .ping(let number, let target, let source, let incarnation)
        where target == own.record.id && isKnown(source, incarnation):
            return [.ack(sequence: number, source: own.record.id)]
        case .check(let number, let target, let source, let incarnation, let table)
        where target == own.record.id.shortened && isKnown(source, incarnation):
            return [.confirm(sequence: number, agrees: table == tableSum)]
        default: return nil
        }
    }

    mutating func takeSequence() -> UInt32 {
        sequence &+= 1
        return sequence
    }

    /// Round robin over a shuffled list (SWIM §4.3): the time until a member is probed again is bounded.
    private mutating func nextTarget(random: inout some RandomNumberGenerator) -> NodeID? {
        for attempt in 0..<2 {
            while let id = round.popLast() {
                if members[id]?.isReachable == true { return id }
            }
            if attempt == 0 { round = order.shuffled(using: &random) }
        }
        return nil
    }

    private mutating func askOthers(about probe: Probe, random: inout some RandomNumberGenerator) -> Int {
        guard let target = members[probe.target], let address = target.endpoint else { return 0 }
        let helpers = choose(settings.indirectProbes, except: probe.target, random: &random)
        for helper in helpers {
            guard let endpoint = members[helper]?.endpoint else { continue }
            turn.append(.send(filled(request(probe.sequence, target, at: address)), to: endpoint))
        }
        // The direct path is tried again as well: with loss alone this is the likeliest to be answered.
        sendPing(to: probe.target, sequence: probe.sequence)
        return helpers.count
    }

    /// Asks for a probe, and says what is held against the target: who knows better answers that at once.
    func request(_ sequence: UInt32, _ target: Member, at address: Endpoint) -> [GossipMessage] {
        let id = target.record.id
        let request = GossipMessage.pingRequest(sequence: sequence, target: id, at: address, source: own.record.id)
        return accusation(against: id, target).map { [request, $0] } ?? [request]
    }

    /// Nobody answered. Missing nacks say that the fault may be this node's own.
    private mutating func conclude(_ probe: Probe) {
        adjustHealth(by: probe.expectedNacks > 0 ? max(0, probe.expectedNacks - probe.nacks) : 1)
        members[probe.target]?.addressIndex &+= 1
        guard let member = members[probe.target], member.record.incarnation == probe.incarnation else { return }
        accuse(
            Accusation(subject: probe.target, incarnation: probe.incarnation, accuser: own.record.id))
    }

    mutating func received(ack number: UInt32, from source: NodeID) {
        if let relay = relays.removeValue(forKey: number) {
            turn.append(.send(filled([.ack(sequence: relay.sequence, source: source)]), to: relay.origin))
        } else if let current = probe, current.sequence == number, current.target == source {
            probe = nil
            adjustHealth(by: -1)
            // Only answered probes count: silence of the dead says nothing of the network.
            silence += ((current.hasAskedOthers ? 1 : 0) - silence) / 16
        }
    }

    /// The answer to a check: it names nobody, because only the present target of a probe may answer its number.
    mutating func received(confirmation number: UInt32, agrees: Bool) {
        guard let current = probe, current.sequence == number else { return }
        heard(current.target)
        received(ack: number, from: current.target)
        compared(with: current.target, agrees: agrees)
    }

    mutating func received(nack number: UInt32) {
        if probe?.sequence == number { probe?.nacks += 1 }
    }

    /// Probes for somebody else. The number of such favours at a time is bounded.
    mutating func relay(_ number: UInt32, target: NodeID, at endpoint: Endpoint, for origin: Endpoint) {
        guard relays.count < 1_024, !own.record.isGossipClient else { return }
        let mine = takeSequence()
        let due = now + settings.probeTimeout * 0.8
        relayDue = relays.isEmpty ? due : min(relayDue, due)
        relays[mine] = Relay(
            origin: origin, sequence: number, nackAt: due,
            end: now + settings.probeInterval)
        var messages: [GossipMessage] = [
            .ping(sequence: mine, target: target, source: own.record.id, incarnation: own.record.incarnation)
        ]
        if let member = members[target], let accusation = accusation(against: target, member) {
            messages.append(accusation)
        }
        turn.append(.send(filled(messages), to: members[target]?.endpoint ?? endpoint))
    }

    mutating func runRelays() {
        for (number, relay) in relays.sorted(by: { $0.key < $1.key }) {
            if now >= relay.end {
                relays[number] = nil
            } else if now >= relay.nackAt, !relay.hasNacked {
                relays[number]?.hasNacked = true
                let nack = GossipMessage.nack(sequence: relay.sequence, source: own.record.id)
                turn.append(.send(filled([nack]), to: relay.origin))
            }
        }
        // Many favours are looked at together.
        let next = relays.values.map { $0.hasNacked ? $0.end : $0.nackAt }.min() ?? now
        relayDue = max(next, now + settings.probeTimeout / 16)
    }
}
