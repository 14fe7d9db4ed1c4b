extension Membership {
    /// At the loss that this node sees, a living member stays silent to all looks by this chance.
    private static let mistake = 0.000_001
    /// No network that is worse than that is waited for.
    private static let mostLooks = 24
    /// Looks at all suspects together, so that the failure of a whole site makes no storm.
    private static let allLooks = 256

    /// Looks for the suspects, and believes those dead whose time is over and whom nobody reaches.
    ///
    /// The countdown is the time that the accused has to answer. But the answer may be lost, more so to the one node
    /// that does not hear the accused. So each node looks for itself before it believes a death: it pings the accused,
    /// asks others to do so, and tells both what it holds against the accused; either may answer with the newer record.
    mutating func runSuspicions(random: inout some RandomNumberGenerator) {
        nextLook = now + settings.gossipInterval
        guard !own.record.isGossipClient else { return }
        let needed = neededLooks
        for place in suspects.indices.reversed() where suspects[place].due <= now {
            let id = suspects[place].id
            guard var suspicion = members[id]?.suspicion else { continue }
            let early = suspicion.start + suspicion.shortest / 2
            let end = suspicion.isDeathTold ? min(suspicion.deadline, early) : suspicion.deadline
            // The last look is only over when the next is due: until then an answer may come.
            let due = suspicion.nextLook ?? now
            if now >= end, suspicion.looks > needed || suspicion.looks == needed && now >= due,
                let incarnation = members[id]?.record.incarnation
            {
                bury(id, by: own.record.id, incarnation: incarnation)
                continue
            }
            if needed > 0, now >= due {
                plan(&suspicion, needed: needed, random: &random)
                if suspicion.looks > 0 { look(for: id, random: &random) }
                members[id]?.suspicion = suspicion
                if suspicion.looks == needed + 1, let incarnation = members[id]?.record.incarnation {
                    // Who looked as often as it takes, and in vain, is a witness of its own.
                    accuse(Accusation(subject: id, incarnation: incarnation, accuser: own.record.id))
                    suspects[place].due = now
                    continue
                }
            }
            let next = suspicion.nextLook ?? end
            suspects[place].due = now >= end ? next : min(next, end)
        }
    }

    private func plan(_ suspicion: inout Suspicion, needed: Int, random: inout some RandomNumberGenerator) {
        let pause = max(settings.probeTimeout, suspicion.shortest / (2 * needed))
        if suspicion.nextLook == nil {
            // All hear of an accusation at about the same time, and must not all ask at the same time.
            suspicion.nextLook = now + pause * Double.random(in: 0..<1, using: &random)
        } else {
            suspicion.looks += 1
            // Enough is done in the first half of the shortest countdown; the rest only keeps an eye on it.
            suspicion.nextLook = now + (suspicion.looks > needed ? max(pause, settings.probeInterval * 2) : pause)
        }
    }

    /// Unanswered looks before a death is believed: the more, the more this network loses.
    private var neededLooks: Int {
        guard !isPlain else { return 0 }
        let part = max(silence, 0.02)
        var count = 1
        var chance = part
        while chance > Self.mistake, count < Self.mostLooks {
            chance *= part
            count += 1
        }
        return max(1, min(count, Self.allLooks / max(1, suspects.count)))
    }

    private mutating func look(for id: NodeID, random: inout some RandomNumberGenerator) {
        members[id]?.addressIndex &+= 1
        guard let target = members[id], let address = target.endpoint else { return }
        let number = takeSequence()
        sendPing(to: id, sequence: number)
        // In a large cluster many look for one, and one would have to answer all.
        let helpers = min(settings.indirectProbes, max(1, 192 / (presentCount + 1)), Self.allLooks / 4 / suspects.count)
        for helper in choose(helpers, except: id, random: &random) {
            guard let endpoint = members[helper]?.endpoint else { continue }
            turn.append(.send(filled(request(number, target, at: address)), to: endpoint))
        }
    }

    /// A countdown became shorter.
    mutating func hurry(_ id: NodeID) {
        if let place = suspects.firstIndex(where: { $0.id == id }) { suspects[place].due = now }
    }

    /// A sign of life of a member, first hand or passed on by the one who was asked to probe.
    mutating func heard(_ id: NodeID) {
        guard !isPlain, !suspects.isEmpty else { return }
        members[id]?.suspicion?.heard(at: now)
    }
}
