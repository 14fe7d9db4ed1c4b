extension Membership {
    /// So much news waiting makes exchanges more frequent.
    private static let manyNews = 48

    /// Runs what is due.
    mutating func runTimers(random: inout some RandomNumberGenerator) {
        runProbe(random: &random)
        if !relays.isEmpty, now >= relayDue { runRelays() }
        if !suspects.isEmpty, now >= nextLook { runSuspicions(random: &random) }
        if news.count > Self.manyNews, nextExchange > now + settings.probeInterval * 4 {
            // More than packets carry in a short time, as after a partition: exchanges carry all of it at once.
            nextExchange = now + settings.probeInterval * Double.random(in: 0.5...4, using: &random)
        }
        if now >= nextExchange { startExchange(random: &random) }
        if now >= nextReconnect { reconnect(random: &random) }
        if now >= nextSweep { sweep() }
        if !vouched.isEmpty, now >= nextVerification { verifyVouched() }
        if !news.isEmpty, now >= nextGossip { gossip(random: &random) }
        // A client's last words are out when somebody answered them.
        let isTold = own.record.isGossipClient ? isLastWordHeard : !news.contains(own.record.id)
        if let deadline = leaveDeadline, now >= deadline || isTold {
            leaveDeadline = nil
            report(.leaveCompleted)
        }
    }

    /// When the next of the timers is due, on the inner clock.
    func earliestDeadline() -> Duration {
        var deadline = min(nextExchange, nextReconnect, nextSweep, nextProbe)
        if !news.isEmpty { deadline = min(deadline, nextGossip) }
        if !vouched.isEmpty { deadline = min(deadline, nextVerification) }
        if let probe {
            deadline = min(deadline, probe.end)
            if !probe.hasAskedOthers { deadline = min(deadline, probe.askOthersAt) }
        }
        if !relays.isEmpty { deadline = min(deadline, relayDue) }
        if !suspects.isEmpty { deadline = min(deadline, nextLook) }
        if let leaveDeadline { deadline = min(deadline, leaveDeadline) }
        return deadline
    }

    /// Tells a few members the news.
    private mutating func gossip(random: inout some RandomNumberGenerator) {
        nextGossip = now + settings.gossipInterval
        guard !own.record.isGossipClient else {
            // What a client knows travels in its exchanges.
            news = BroadcastQueue()
            return
        }
        let targets = choose(settings.gossipFanout, except: nil, random: &random)
        if targets.isEmpty, presentCount == 0 { nextGossip = now + settings.probeInterval }
        for id in targets {
            let packet = filled([])
            guard !packet.isEmpty, let endpoint = members[id]?.endpoint else { break }
            turn.append(.send(packet, to: endpoint))
        }
    }

    /// Adds as much news to a packet as fits.
    func spaceLeft(beside messages: [GossipMessage]) -> Int {
        messages.reduce(settings.packetBudget - 1) { $0 - MemberCoding.size(of: $1) }
    }

    /// The messages with as much news behind them as fits.
    mutating func filled(_ messages: [GossipMessage]) -> [GossipMessage] {
        guard !news.isEmpty else { return messages }
        let limit = settings.transmissions(members: presentMembers)
        return messages + news.take(bytes: spaceLeft(beside: messages), limit: limit)
    }

    /// Up to so many different members that can be reached, by chance.
    func choose(_ count: Int, except: NodeID?, random: inout some RandomNumberGenerator) -> [NodeID] {
        var chosen: [NodeID] = []
        guard !order.isEmpty else { return chosen }
        for _ in 0..<(4 * count + 8) where chosen.count < count {
            let id = order[Int.random(in: 0..<order.count, using: &random)]
            guard id != except, !chosen.contains(id), members[id]?.isReachable == true else { continue }
            chosen.append(id)
        }
        return chosen
    }

    /// Exchanges all that is known with a member, or with a seed while there is none.
    private mutating func startExchange(random: inout some RandomNumberGenerator) {
        let isClient = own.record.isGossipClient
        guard !isLeaving || isClient else {
            nextExchange = now + settings.exchangeInterval
            return
        }
        let partner = choose(1, except: nil, random: &random).first
        // A client cannot find out by itself that all whom it believes present are gone or elsewhere.
        let isElsewhere = isClient && isExchangeBroken && Bool.random(using: &random)
        if !isElsewhere, let endpoint = host ?? partner.flatMap({ members[$0]?.endpoint }) {
            let pause = isClient ? settings.clientInterval : settings.exchangePause(members: presentMembers)
            // Spread by chance, so that members that started together do not exchange together.
            nextExchange = now + pause * Double.random(in: 0.75...1.25, using: &random)
            if isClient, !isLeaving { announce { _ in } }
            // Whose table is like those of others has nothing to ask for.
            if host == nil, hasAgreedLately(within: pause / 2) { return }
            turn.append(opening(with: endpoint, of: host == nil ? partner : member(at: endpoint)))
        } else {
            nextExchange = now + settings.joinRetryInterval
            // When all are gone it is this node that is cut off: where they were, they may be.
            var places = seeds
            if !order.isEmpty, let endpoint = members[order[Int.random(in: 0..<order.count, using: &random)]]?.endpoint
            {
                places.append(endpoint)
            }
            if !places.isEmpty {
                turn.append(.exchange(state(), with: places[Int.random(in: 0..<places.count, using: &random)]))
            }
        }
    }

    /// Tries to reach the dead. All members together try each of them a few times per interval; for a while after one
    /// came back, each member tries several.
    private mutating func reconnect(random: inout some RandomNumberGenerator) {
        nextReconnect = now + settings.reconnectInterval
        guard !isLeaving, !own.record.isGossipClient else { return }
        reseed(random: &random)
        let isRevival = now < revivalEnd
        guard absentCount > 0, isRevival || Int.random(in: 0...presentCount, using: &random) < 4 * absentCount else {
            return
        }
        var left = isRevival ? 8 : 1
        for _ in 0..<64 where left > 0 {
            let id = order[Int.random(in: 0..<order.count, using: &random)]
            guard var member = members[id], member.status == .dead, isRevival || member.nextReconnect <= now else {
                continue
            }
            member.addressIndex &+= 1
            member.nextReconnect = now + (now - member.since) / 16
            members[id] = member
            sendPing(to: id, sequence: takeSequence())
            left -= 1
        }
    }

    /// Tries a seed where no member is: behind it may be a part of the cluster that never knew this one.
    private mutating func reseed(random: inout some RandomNumberGenerator) {
        guard presentCount > 0, !seeds.isEmpty, Int.random(in: 0..<(8 + 2 * presentCount), using: &random) == 0 else {
            return
        }
        let seed = seeds[Int.random(in: 0..<seeds.count, using: &random)]
        let isKnown = members.values.contains { $0.isPresent && $0.record.addresses.contains(seed) }
        if !isKnown { turn.append(.exchange(state(), with: seed)) }
    }

    /// Looks at what only time changes: silent gossip clients, and the dead whose time is over.
    private mutating func sweep() {
        nextSweep = now + settings.probeInterval * 5
        guard hasClients || presentCount < order.count else { return }
        for id in order {
            guard let member = members[id] else { continue }
            let silence = now - member.since
            if member.record.isGossipClient, member.status == .alive, silence > settings.clientStaleAfter {
                setStatus(id, .stale)
                report(.becameStale(id))
            } else if !member.isPresent, silence > settings.reclaimAfter {
                forget(id)
                report(.forgotten(id))
            }
        }
    }

    mutating func forget(_ id: NodeID) {
        guard let member = members.removeValue(forKey: id) else { return }
        table &-= member.counted
        if member.isPresent { presentCount -= 1 }
        if member.status == .dead { absentCount -= 1 }
        news.remove(id)
        let last = order.removeLast()
        if last != id {
            order[member.position] = last
            members[last]?.position = member.position
        }
    }
}
