/// How fast and how patient gossip is. All nodes of a cluster should use the same.
public struct MembershipSettings: Sendable {
    /// Time between two probes of this node. Shorter finds failures sooner and costs two packets each.
    public var probeInterval: Duration
    /// Time that a probed member has to answer before others are asked to try. Longer forgives slow paths; must be
    /// shorter than `probeInterval`.
    public var probeTimeout: Duration
    /// Number of others that are asked to probe a silent member. More forgive loss and one-way cuts, at two packets
    /// each.
    public var indirectProbes: Int
    /// Time between two rounds of news, while there are any. Shorter spreads faster in more packets.
    public var gossipInterval: Duration
    /// Members that are told in one round of news.
    public var gossipFanout: Int
    /// λ: a piece of news is sent λ·(1 + ⌈log₁₀(members + 1)⌉) times. More survives more loss; with 8 one member in
    /// 2,000 misses it at 5 % loss and waits for an exchange, with 12 one in 90,000.
    public var retransmitFactor: Int
    /// The shortest time to answer an accusation is this · max(1, log₁₀ members) probe intervals. Longer makes mistakes
    /// rarer and failures known later.
    public var suspicionFactor: Double
    /// The time to answer an accusation that nobody else confirms is this many times the shortest.
    public var suspicionStretch: Int
    /// Independent confirmations that shorten the time to answer to its shortest.
    public var suspicionConfirmations: Int
    /// The highest local health score: probes of a node in trouble are up to this + 1 times slower.
    public var localHealthLimit: Int
    /// Time between two exchanges with another member while no comparison of tables says that there is nothing to
    /// exchange, in clusters up to 32 members; it grows with the logarithm above, and is at most four probe intervals
    /// while much news waits. A quarter of it passes between two exchanges because of tables that stay different.
    /// Shorter repairs lost news sooner; an exchange costs some 23 bytes a member and the records that differ, or, with
    /// members that speak protocol 1 alone, up to 512 bytes a member.
    public var exchangeInterval: Duration
    /// Time between two attempts to reach members that are believed dead; heals partitions. It grows with the time
    /// that a member has been dead.
    public var reconnectInterval: Duration
    /// Time between two attempts to join while this node knows nobody.
    public var joinRetryInterval: Duration
    /// Time for which dead and departed members are remembered, so that old news of them is known to be old. Then their
    /// records and addresses are free.
    public var reclaimAfter: Duration
    /// Time between two records, and two exchanges, of a gossip client. Each is news for the whole cluster.
    public var clientInterval: Duration
    /// Silence after which a gossip client is called stale.
    public var clientStaleAfter: Duration
    /// A deadline missed by this much means that the process was stopped: what ran out meanwhile is not held against
    /// others. Must be longer than the pauses of a busy host.
    public var stallThreshold: Duration
    /// Time for the news of leaving to spread before `leaveCompleted` is reported all the same.
    public var leaveTimeout: Duration
    /// Bytes of one packet before encryption. More news in a packet, but no fragments: path MTU less IP, UDP and seal.
    /// 1,144 make a datagram of 1,200, which passes every path that carries IPv6.
    public var packetBudget: Int

    /// For several nodes of one machine, as in tests: quick, and not forgiving.
    public static let loopback = MembershipSettings(
        probeInterval: .milliseconds(500), probeTimeout: .milliseconds(150), indirectProbes: 3,
        gossipInterval: .milliseconds(50), gossipFanout: 3, retransmitFactor: 4, suspicionFactor: 3,
        suspicionStretch: 4, suspicionConfirmations: 2, localHealthLimit: 8, exchangeInterval: .seconds(15),
        reconnectInterval: .milliseconds(500), joinRetryInterval: .seconds(1), reclaimAfter: .seconds(3_600),
        clientInterval: .seconds(5), clientStaleAfter: .seconds(20), stallThreshold: .seconds(1),
        leaveTimeout: .seconds(3), packetBudget: 1_350)

    /// For machines of one site; the default.
    public static let lan = MembershipSettings(
        probeInterval: .seconds(1), probeTimeout: .milliseconds(500), indirectProbes: 3,
        gossipInterval: .milliseconds(150), gossipFanout: 3, retransmitFactor: 4, suspicionFactor: 2.5,
        suspicionStretch: 6, suspicionConfirmations: 3, localHealthLimit: 8, exchangeInterval: .seconds(30),
        reconnectInterval: .seconds(1), joinRetryInterval: .seconds(2), reclaimAfter: .seconds(86_400),
        clientInterval: .seconds(15), clientStaleAfter: .seconds(60), stallThreshold: .seconds(2),
        leaveTimeout: .seconds(5), packetBudget: 1_144)

    /// For machines far from each other: patient, and sparing with packets.
    public static let wan = MembershipSettings(
        probeInterval: .seconds(5), probeTimeout: .seconds(3), indirectProbes: 3, gossipInterval: .milliseconds(500),
        gossipFanout: 4, retransmitFactor: 4, suspicionFactor: 5, suspicionStretch: 6, suspicionConfirmations: 3,
        localHealthLimit: 8, exchangeInterval: .seconds(60), reconnectInterval: .seconds(5),
        joinRetryInterval: .seconds(5), reclaimAfter: .seconds(86_400), clientInterval: .seconds(30),
        clientStaleAfter: .seconds(120), stallThreshold: .seconds(6), leaveTimeout: .seconds(10), packetBudget: 1_144)

    /// How often a piece of news is sent in a cluster of that size.
    func transmissions(members: Int) -> Int {
        var decades = 1
        var reach = 10
        while reach < members + 1 {
            reach *= 10
            decades += 1
        }
        return retransmitFactor * (decades + 1)
    }

    /// The shortest time to answer an accusation in a cluster of that size.
    func shortestSuspicion(members: Int) -> Duration {
        probeInterval * (suspicionFactor * max(1, Logarithm.base10(Double(max(1, members)))))
    }

    /// The time between two exchanges in a cluster of that size.
    func exchangePause(members: Int) -> Duration {
        members <= 32 ? exchangeInterval : exchangeInterval * (Logarithm.base2(Double(members) / 32) + 1)
    }
}
