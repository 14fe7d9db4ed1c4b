public import Logging
public import Membership
internal import NIOCore
internal import NIOPosix
public import Transport

/// A node's part in the gossip: sockets, streams, seals and timers around `Membership`, which decides everything.
///
/// It lives on one event loop of the transport: a packet is opened, judged and answered where it arrives, without a
/// change of threads. Nothing that was not sealed with a key of the ring, by a life that proved to be present, reaches
/// `Membership` (see ``Seal``). Records are judged there, by the proofs that the caller hands in.
///
/// The caller listens to ``reports`` and stores what a restart needs: ``incarnation`` and ``hints``.
public actor GossipNode {
    /// What `Membership` reports. Who falls behind by more than 4,096 loses the oldest and looks at ``members``.
    public nonisolated let reports: AsyncStream<Membership.Report>

    nonisolated let loop: any EventLoop
    nonisolated let transport: Transport
    nonisolated let security: TransportSecurity?
    nonisolated let settings: GossipSettings
    nonisolated let logger: Logger
    nonisolated let gate = StreamGate()

    /// The port of packets and streams.
    public internal(set) var port: UInt16 = 0

    var membership: Membership
    var seal: Seal
    var random = SystemRandomNumberGenerator()
    var sockets: [PacketSocket] = []
    var callers: [PacketSocket] = []
    var isReviving = false
    var listeners: [any Channel] = []
    var tally = GossipCounters()
    var refusals = RefusalLog()
    var policy: BeaconPolicy
    /// The present lives of others, by where they are.
    var lives: [MemberEndpoint: UInt64] = [:]
    /// What was sent last, by counter.
    var sent: [SentPacket?] = Array(repeating: nil, count: 256)
    /// Hellos that may still be sent in this second.
    var hellosLeft = 256
    var conversations: [UInt64: Conversation] = [:]
    /// When something authentic was received last.
    var lastHeard: Duration
    var interfaces: [InterfaceAddress] = []
    var groups: Set<Int> = []

    private let sink: AsyncStream<Membership.Report>.Continuation
    private var timer: Scheduled<Void>?
    private var timerAt: NIODeadline = .distantFuture
    private var tending: RepeatedTask?
    var isStopped = false
    /// Says and hears nothing: see ``pause()``.
    public private(set) var isPaused = false
    /// What came meanwhile and must not be forgotten.
    private var missed: Membership.Event?
    private var hasLeft = false
    private var isResuming = false
    private var leavers: [CheckedContinuation<Void, Never>] = []

    /// A packet on its way: where to, and its content while the receiver may not be able to take it.
    struct SentPacket: Sendable {
        var counter: UInt64
        var endpoint: MemberEndpoint
        var body: [UInt8]?
    }

    /// The event loop.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    private init(
        settings: GossipSettings, membership: Membership, keys: KeyRing, transport: Transport,
        security: TransportSecurity?, logger: Logger
    ) {
        loop = transport.eventLoops.next()
        self.settings = settings
        self.membership = membership
        self.transport = transport
        self.security = security
        self.logger = logger
        seal = Seal(cluster: settings.cluster, ring: keys, life: Self.newLife())
        policy = BeaconPolicy(interval: settings.beacon?.interval ?? .zero)
        lastHeard = Self.clock()
        (reports, sink) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(4_096))
    }

    /// Binds, and begins to take part.
    ///
    /// - Parameters:
    ///   - settings: timing, cluster, addresses.
    ///   - identity: who this node is.
    ///   - proofs: signs this node's records and judges others'.
    ///   - keys: seal everything.
    ///   - hints: where members were last; they are asked at once.
    ///   - transport: carries the sockets; must outlive the node.
    ///   - security: protects streams with TLS; without it they are sealed only.
    ///   - logger: gets a line for what is refused.
    /// - Returns: the running node.
    /// - Throws: ``GossipError``.
    public static func start(
        _ settings: GossipSettings, identity: GossipIdentity, proofs: Membership.Proofs, keys: KeyRing,
        hints: [MemberEndpoint] = [], transport: Transport, security: TransportSecurity? = nil,
        logger: Logger = Logger(label: "rondo.gossip")
    ) async throws(GossipError) -> GossipNode {
        let begin = Membership(
            record: identity.record(at: []), attestation: identity.attestation, settings: settings.membership,
            proofs: proofs, now: clock())
        guard let begin else { throw .recordTooLarge }
        let node = GossipNode(
            settings: settings, membership: begin, keys: keys, transport: transport, security: security,
            logger: logger)
        do throws(GossipError) {
            try await node.begin(identity, proofs, hints)
        } catch {
            await node.stop()
            throw error
        }
        return node
    }

    private func begin(
        _ identity: GossipIdentity, _ proofs: Membership.Proofs, _ hints: [MemberEndpoint]
    ) async throws(GossipError) {
        try await bind()
        await bindBeacon()
        interfaces = InterfaceAddress.all() ?? []
        let membership = Membership(
            record: identity.record(at: ownAddresses()), attestation: identity.attestation,
            settings: settings.membership, proofs: proofs, now: Self.clock())
        guard let membership else { throw .recordTooLarge }
        self.membership = membership
        joinGroups()
        tending = loop.scheduleRepeatedTask(initialDelay: .milliseconds(200), delay: .seconds(1)) { [weak self] _ in
            self?.assumeIsolated { $0.tend() }
        }
        handle(hints.isEmpty ? .tick : .join(hints))
    }

    /// Closes everything at once. Who means to leave the cluster calls ``leave()`` before.
    public func stop() async {
        guard !isStopped else { return }
        isStopped = true
        timer?.cancel()
        tending?.cancel()
        let channels = listeners + sockets.map(\.channel) + callers.map(\.channel)
        for conversation in conversations.values { conversation.channel?.close(promise: nil) }
        conversations = [:]
        for channel in channels { try? await channel.close() }
        sink.finish()
        finishLeaving()
    }

    /// Says goodbye, and returns when the others know or have had time enough to. The node then still has to be
    /// stopped.
    public func leave() async {
        handle(.leave)
        guard !isStopped, !isPaused, !hasLeft else { return }
        await withCheckedContinuation { leavers.append($0) }
    }

    /// Falls silent without a word, as a process that is stopped. For a machine that runs with a copy of another one's
    /// key: each would overtake what the other says of itself, for as long as both speak.
    public func pause() {
        guard !isPaused else { return }
        isPaused = true
        timer?.cancel()
        timerAt = .distantFuture
        for number in conversations.keys { streamClosed(number) }
    }

    /// Takes part again, and blames nobody for the time between.
    public func resume() {
        guard isPaused else { return }
        isPaused = false
        isResuming = true
        handle(missed ?? .tick)
        missed = nil
        isResuming = false
    }

    /// Asks for the state of members that may be at these addresses; they are remembered for as long as this node is
    /// alone.
    public func join(_ hints: [MemberEndpoint]) { handle(.join(hints)) }

    /// This node is elsewhere now. Not needed when the settings name no addresses: then changes are seen.
    public func addressesChanged(_ addresses: [MemberEndpoint]) {
        guard addresses != membership.own.record.addresses else { return }
        policy.addressesChanged(now: Self.clock())
        handle(.addressesChanged(addresses))
    }

    /// This node leads in a term of the store, or, with nil, no longer leads.
    public func leadership(term: UInt64?) { handle(.leadership(term: term)) }

    /// The authority's word for this node's roles is another one now.
    public func attested(roles: NodeRoles, attestation: [UInt8]) {
        handle(.attested(roles: roles, attestation: attestation))
    }

    /// Goes on with other keys, without a gap.
    public func update(_ keys: KeyRing) { seal.update(keys) }

    /// Everything that is known of the others, the dead that are not forgotten included.
    public var members: [Member] { Array(membership.members.values) }

    /// The time on the clock that ``Member/since`` is counted on.
    public var time: Duration { Self.clock() }

    /// What is known of one member.
    public func member(_ id: NodeID) -> Member? { membership.members[id] }

    /// This node's own record as it was announced last.
    public var own: SignedRecord { membership.own }

    /// To be stored: after a restart the node begins one above it.
    public var incarnation: UInt64 { membership.own.record.incarnation }

    /// Number of members that are believed present, this node included.
    public var presentMembers: Int { membership.presentMembers }

    /// The member that leads, and the newest term.
    public var leader: (id: NodeID?, term: UInt64) { (membership.leader, membership.leaderTerm) }

    /// To be stored: where others can be found after a restart, those that are alive first.
    public var hints: [MemberEndpoint] {
        let sorted = membership.members.values.sorted { $0.status.rawValue < $1.status.rawValue }
        return Array(sorted.lazy.flatMap(\.record.addresses).prefix(64))
    }

    /// What was counted since the start.
    public var counters: GossipCounters {
        var counters = tally
        counters.refused = refusals.counts
        return counters
    }

    // MARK: Turns

    /// Lets `Membership` decide about one event, and carries out what it says.
    func handle(_ event: Membership.Event) {
        guard !isStopped else { return }
        if isPaused {
            if case .attested = event { missed = event }
            return
        }
        for effect in membership.handle(event, now: Self.clock(), random: &random) { perform(effect) }
        flush()
        schedule()
    }

    private func perform(_ effect: Membership.Effect) {
        switch effect {
        case .send(let messages, let endpoint): send(messages, to: endpoint)
        case .exchange(let state, let endpoint):
            startConversation(.state, MemberCoding.encode(state: state), with: endpoint)
        case .answer(let state, let number): answer(state, conversation: number)
        case .ask(let step, let endpoint): startConversation(.step, MemberCoding.encode(step: step), with: endpoint)
        case .say(let step, let number): say(step, conversation: number)
        case .report(let report):
            note(report)
            sink.yield(report)
        }
    }

    private func note(_ report: Membership.Report) {
        logger.trace("\(membership.own.record.id) \(report)")
        switch report {
        case .leaveCompleted:
            hasLeft = true
            finishLeaving()
        case .refused(let refusal, let sender):
            logger.warning("a gossip record from \(sender.text) was refused: \(refusal.words)")
        case .duplicateIdentity(let addresses):
            let others = addresses.map(\.text).joined(separator: ", ")
            let advice = "its data directory was copied; stop one of them and let it join anew"
            logger.error("another machine runs with this node's key, at \(others): \(advice)")
        case .stalled(let time) where !isResuming:
            logger.warning("this process stood still for \(time); nobody is blamed for it")
        default: break
        }
    }

    private func finishLeaving() {
        for leaver in leavers { leaver.resume() }
        leavers = []
    }

    /// Makes sure of a turn at the deadline; a timer that comes too early does no harm.
    private func schedule() {
        let deadline = NIODeadline.uptimeNanoseconds(Self.nanoseconds(membership.nextDeadline))
        guard deadline < timerAt else { return }
        timer?.cancel()
        timerAt = deadline
        timer = loop.scheduleTask(deadline: deadline) { [weak self] in
            self?.assumeIsolated {
                $0.timerAt = .distantFuture
                $0.handle(.tick)
            }
        }
    }

    /// What nobody's deadline asks for: once a second.
    private func tend() {
        guard !isStopped else { return }
        hellosLeft = 256
        endOldConversations()
        reviveSockets()
        guard !isPaused else { return }
        watchInterfaces()
        callIfAlone()
    }

    /// Monotonic time.
    static func clock() -> Duration { .nanoseconds(Int64(clamping: NIODeadline.now().uptimeNanoseconds)) }

    private static func nanoseconds(_ time: Duration) -> UInt64 {
        let (seconds, attoseconds) = time.components
        return UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds / 1_000_000_000))
    }

    static func newLife() -> UInt64 { UInt64.random(in: 1...UInt64.max) }
}
