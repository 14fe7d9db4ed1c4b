/// Who is in the cluster, as one node sees it: SWIM with suspicion, Lifeguard's three parts, and anti-entropy.
///
/// It is one value with one inbox. Each node probes one member after another in shuffled rounds; a member that answers
/// neither the node nor others that were asked to try is accused, by name of the accuser, and the accusation travels
/// with the news that ride on every packet. The accused hears of it first, in the next probe to it, and answers with a
/// record of a higher incarnation, which beats the accusation everywhere; when it does not answer in time, it is
/// believed dead. Nobody is believed dead on hearsay: another's word starts this node's own countdown, each
/// confirmation shortens it, and at its end this node must have looked for the accused itself, in vain. Now and then two
/// members exchange all they know, and try to reach the dead, which heals partitions: once the network is whole again,
/// all views agree within 45 probe intervals. Every record is signed by its node and judged by the caller's verifier
/// before it counts; those that a newcomer's host tells it, soon after (`Membership+Vouching`).
///
/// ```
///            accusation                countdown ends
///   alive ───────────────► suspect ───────────────────► dead ─── reclaimAfter ──► (forgotten)
///     ▲ ◄──── higher incarnation ─┘                       │
///     └────────────────── higher incarnation ◄────────────┘      alive ── last record ──► left
/// ```
///
/// The caller must: hand in authenticated input only, one event at a time; call with `.tick` at `nextDeadline`; carry
/// out the effects in order; store `own.record.incarnation` if it wants a restarted node to be known at once.
/// It never does: remove an agent (that is the master's decision), trust an address, read a clock, do cryptography.
public struct Membership: Sendable {
    /// The versions of the gossip protocol that this code speaks. With version 2 members compare their tables with each
    /// probe, and exchange only what differs.
    public static let protocols: ClosedRange<UInt8> = 1...2

    /// The timing in force.
    public let settings: MembershipSettings
    /// This node's own record as it was announced last.
    public internal(set) var own: SignedRecord
    /// All others that are known, the dead that are not forgotten among them.
    public internal(set) var members: [NodeID: Member] = [:]
    /// The member that leads, this node included, by the newest term that a master claimed.
    public internal(set) var leader: NodeID?
    /// The newest term that was seen; an older one never counts again.
    public internal(set) var leaderTerm: UInt64 = 0
    /// Lifeguard's local health: 0 is well; higher makes this node slower to blame others.
    public internal(set) var localHealth = 0
    /// When `handle(.tick, …)` is due.
    public private(set) var nextDeadline: Duration

    let proofs: Proofs
    /// Members in no order, for choosing by chance; `Member.position` points here.
    var order: [NodeID] = []
    /// Members that are suspect, in the order in which they became so.
    var suspects: [Suspect] = []
    /// The part of the members that answer a probe, but not in time and directly; follows the last probes.
    var silence = 0.05
    /// Without the precautions beyond SWIM and Lifeguard: what the simulation compares with.
    package var isPlain = false
    var presentCount = 0
    var absentCount = 0
    /// A gossip client was seen once.
    var hasClients = false
    var news = BroadcastQueue()
    var seeds: [Endpoint] = []
    var round: [NodeID] = []
    var probe: Probe?
    var relays: [UInt32: Relay] = [:]
    /// Nothing is to be done about relays before.
    var relayDue: Duration = .zero
    var sequence: UInt32 = 0
    var isLeaving = false
    var isLastWordHeard = false
    /// The last exchange that this node asked for came to nothing.
    var isExchangeBroken = false
    var foreignLives = 0
    var foreignAddresses: [Endpoint]?
    var nextRivalry: Duration = .zero
    var refusals: Set<RefusalKey> = []
    /// The sum of the fingerprints of all others that can be probed.
    var table: UInt64 = 0
    var comparison = Comparison()

    var nextProbe: Duration
    var nextLook: Duration
    var nextGossip: Duration
    var nextExchange: Duration
    var nextReconnect: Duration
    var nextSweep: Duration
    var leaveDeadline: Duration?
    var lastIntroduction: Duration?
    /// The one that let this node in, while it asks it once more who else came.
    var host: Endpoint?
    /// The pause before it asks again; grows with each time.
    var settlingPause: Duration = .zero
    /// Members whose records this node's host vouched for, and that are to be verified, the next one last.
    var vouched: [NodeID] = []
    /// When the next of them are verified.
    var nextVerification: Duration = .zero
    /// Until then all that are believed dead are tried again, because one of them came back.
    var revivalEnd: Duration = .zero

    /// The time of this turn: never goes back, whatever the caller's clock does.
    var now: Duration
    private var clockOffset: Duration = .zero
    /// The effects of this turn so far.
    var turn: [Effect] = []

    /// The probe that is on its way.
    struct Probe: Sendable {
        var target: NodeID
        var sequence: UInt32
        var incarnation: UInt64
        var askOthersAt: Duration
        var end: Duration
        var hasAskedOthers = false
        var expectedNacks = 0
        var nacks = 0
    }

    /// A suspect, and a time before which there is nothing to do about it.
    struct Suspect: Sendable {
        var id: NodeID
        var due: Duration
    }

    /// A probe for somebody else.
    struct Relay: Sendable {
        var origin: Endpoint
        var sequence: UInt32
        var nackAt: Duration
        var end: Duration
        var hasNacked = false
    }

    struct RefusalKey: Hashable, Sendable {
        var sender: Endpoint
        var kind: Int
    }

    /// Starts a node that knows nobody yet; nil when its record is too large.
    /// - Parameters:
    ///   - record: what the node says of itself; its incarnation should be above the last one that it announced.
    ///   - attestation: the proof of its roles.
    ///   - settings: the timing.
    ///   - proofs: the cryptography.
    ///   - now: monotonic time.
    public init?(
        record: MemberRecord, attestation: [UInt8], settings: MembershipSettings, proofs: Proofs, now: Duration
    ) {
        guard let own = SignedRecord(record: record, signature: proofs.sign(record), attestation: attestation) else {
            return nil
        }
        self.own = own
        self.settings = settings
        self.proofs = proofs
        self.now = now
        nextProbe = now
        nextLook = now
        nextGossip = now
        nextExchange = now + settings.joinRetryInterval
        nextReconnect = now + settings.reconnectInterval
        nextSweep = now + settings.probeInterval
        nextDeadline = now
        claimLeadership(own, from: nil)
    }

    /// Takes in one event.
    /// - Parameters:
    ///   - event: what happened.
    ///   - now: monotonic time. When it jumps ahead or back, nobody is blamed for it.
    ///   - random: chance; the same seed gives the same run.
    /// - Returns: what must be done, in order.
    public mutating func handle(
        _ event: Event, now: Duration, random: inout some RandomNumberGenerator
    ) -> [Effect] {
        turn.removeAll(keepingCapacity: true)
        advance(to: now)
        switch event {
        case .tick: break
        case .join(let endpoints): join(endpoints)
        case .packet(let messages, let sender): receive(messages, from: sender)
        case .state(let state, let sender, let exchange): receive(state, from: sender, exchange: exchange)
        case .step(let step, let sender, let exchange): receive(step, from: sender, exchange: exchange)
        case .exchangeFailed(let endpoint):
            if endpoint == host { settle(with: endpoint, isFirst: false) }
            isExchangeBroken = true
            nextExchange = min(nextExchange, self.now + settings.joinRetryInterval)
        case .addressesChanged(let addresses):
            if addresses != own.record.addresses { announce { $0.addresses = addresses } }
        case .leadership(let term):
            if term != own.record.leaderTerm { announce { $0.leaderTerm = term } }
        case .attested(let roles, let attestation): announce(attestation: attestation) { $0.roles = roles }
        case .leave: leave()
        }
        runTimers(random: &random)
        nextDeadline = earliestDeadline() - clockOffset
        return turn
    }

    /// Number of members that are believed present, this node included.
    public var presentMembers: Int { presentCount + 1 }

    /// The newest protocol version that every present member speaks; nil when there is none.
    public var protocolVersion: UInt8? {
        var lowest = own.record.protocols.lowerBound
        var highest = own.record.protocols.upperBound
        for member in members.values where member.isPresent {
            lowest = max(lowest, member.record.protocols.lowerBound)
            highest = min(highest, member.record.protocols.upperBound)
        }
        return lowest <= highest ? highest : nil
    }

    /// Sets the turn's time. A clock that went back goes on from where it was; one that ran far ahead of a deadline
    /// means that this process stood still, and every countdown stands still with it.
    private mutating func advance(to clock: Duration) {
        if clock + clockOffset < now { clockOffset = now - clock }
        let time = clock + clockOffset
        let late = time - (nextDeadline + clockOffset)
        if late > settings.stallThreshold, !isPlain {
            for suspect in suspects { members[suspect.id]?.suspicion?.postpone(by: late) }
            probe = nil
            relays.removeAll()
            adjustHealth(by: 1)
            report(.stalled(late))
        }
        now = time
    }

    mutating func report(_ report: Report) { turn.append(.report(report)) }

    mutating func adjustHealth(by amount: Int) {
        localHealth = min(max(0, localHealth + amount), settings.localHealthLimit)
    }

    /// Says each kind of refusal once for each sender, and remembers a bounded number of them.
    mutating func refuse(_ refusal: Refusal, from sender: Endpoint?) {
        guard let sender else { return }
        if refusals.count >= 1_024 { refusals.removeAll() }
        guard refusals.insert(RefusalKey(sender: sender, kind: refusal.kind)).inserted else { return }
        report(.refused(refusal, from: sender))
    }
}
