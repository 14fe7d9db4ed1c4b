public import Membership

/// A cluster of real `Membership` values over a network that a seed decides. Time is in microseconds.
///
/// A node is a machine; its name is an identity. Two nodes with one identity are clones, and a node that starts again
/// keeps its identity.
public final class MembershipSimulation {
    struct Node {
        var membership: Membership
        var identity: Int
        var endpoint: Endpoint
        var isRunning = true
        var stalledUntil = 0
        var clock: Duration = .zero
        var timerAt = Int.max
        /// Packets do not come in to it; it opens streams.
        var isClient = false
        /// The keys of packets that it can read, and the one that it writes with.
        var keys: Set<Int> = [0]
        var key = 0
    }

    enum Action {
        case packet([GossipMessage], from: Endpoint, key: Int, to: Int)
        case event(Membership.Event, to: Int)
        case timer(Int)
    }

    public let seed: UInt64
    public let settings: MembershipSettings
    public var network = SimulatedNetwork()
    public var chance: SimulatedChance
    /// Packets go through their bytes, as on a real network.
    public var encodes = true
    /// Members follow SWIM and Lifeguard without this project's own precautions.
    public var isPlain = false
    public internal(set) var now = 0
    public internal(set) var packets = 0
    /// Streams that were opened, and what was said on those of protocol 2.
    public var streams: UInt64 { exchangeCount }
    public internal(set) var steps = 0
    /// What must never happen, and did.
    public internal(set) var violations: [String] = []
    public internal(set) var deaths: [Death] = []
    public internal(set) var absences: [Absence] = []
    public internal(set) var reports: [(node: Int, report: Membership.Report)] = []
    public var keepsReports = false
    /// The identities whose joining or death is timed, and when each observer heard of it.
    var watched: [Int: [Int: Int]] = [:]

    var nodes: [Node] = []
    var queue = SimulatedQueue<Action>()
    var indices: [Endpoint: Int] = [:]
    /// Who opened a stream, and to whom.
    var exchanges: [UInt64: (opener: Int, other: Int)] = [:]
    private var exchangeCount: UInt64 = 0
    var seen: [Int: UInt64] = [:]
    var announced: [Int: UInt64] = [:]
    var absentSince: [Int: Int] = [:]
    var seenTerms: [Int: UInt64] = [:]

    public init(seed: UInt64, settings: MembershipSettings) {
        self.seed = seed
        self.settings = settings
        chance = SimulatedChance(seed: seed)
    }

    public var count: Int { nodes.count }
    public func membership(_ index: Int) -> Membership { nodes[index].membership }
    public static func id(_ identity: Int) -> NodeID { NodeID(high: 7, low: UInt64(identity)) }
    public static func endpoint(_ index: Int) -> Endpoint { Endpoint(ipv4: 0x0a00_0000 + UInt32(index), port: 7_946) }

    /// A signature that only checks that nobody changed the record; forging is tested elsewhere.
    public static func sign(_ record: MemberRecord) -> [UInt8] {
        var sum = record.incarnation &* 0x9e37_79b9_7f4a_7c15 ^ record.id.low
        sum ^= (record.addresses.first?.low ?? 0) << 24 ^ (record.leaderTerm ?? 0) << 56
        sum ^= record.isLeaving ? 1 << 63 : 0
        return [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            for index in 0..<64 { buffer[index] = UInt8(truncatingIfNeeded: sum >> UInt64(index % 8 * 8)) }
            count = 64
        }
    }

    public static let proofs = Membership.Proofs(
        sign: { sign($0) }, verify: { $0.signature == sign($0.record) ? .good : .bad("signature") })

    /// Starts a member that knows nobody.
    /// - Parameters:
    ///   - identity: its name; a new one unless given.
    ///   - endpoint: its address; a new one unless given.
    ///   - change: what else its record says.
    /// - Returns: the node's index.
    @discardableResult
    public func start(
        identity: Int? = nil, at endpoint: Endpoint? = nil, _ change: (inout MemberRecord) -> Void = { _ in }
    ) -> Int {
        let index = nodes.count
        let endpoint = endpoint ?? Self.endpoint(index)
        let identity = identity ?? index
        let membership = newMembership(identity, endpoint, change)
        var node = Node(membership: membership, identity: identity, endpoint: endpoint)
        node.isClient = membership.own.record.isGossipClient
        nodes.append(node)
        indices[endpoint] = index
        // Members do not start in step.
        schedule(index, at: now + chance.pick(0...1_000_000))
        return index
    }

    private func newMembership(
        _ identity: Int, _ endpoint: Endpoint, _ change: (inout MemberRecord) -> Void
    ) -> Membership {
        var record = MemberRecord(
            id: Self.id(identity), roles: .agent, addresses: [endpoint], version: "1.0.0")
        change(&record)
        let membership = Membership(
            record: record, attestation: [UInt8](repeating: 1, count: 100), settings: settings, proofs: Self.proofs,
            now: .microseconds(now))
        guard var membership else { preconditionFailure("the record is too large") }
        membership.isPlain = isPlain
        return membership
    }

    /// Starts a stopped node again: it has forgotten everything but its name, and what `change` says.
    public func restart(_ index: Int, _ change: (inout MemberRecord) -> Void = { _ in }) {
        let node = nodes[index]
        noteIncarnation(of: index)
        nodes[index].membership = newMembership(node.identity, node.endpoint, change)
        nodes[index].isRunning = true
        nodes[index].stalledUntil = 0
        nodes[index].clock = .zero
        nodes[index].timerAt = .max
        indices[node.endpoint] = index
        for key in seen.keys where key >> 32 == index { seen[key] = nil }
        for key in absentSince.keys where key >> 32 == index { absentSince[key] = nil }
        seenTerms[index] = nil
        schedule(index, at: now)
    }

    /// Starts members that know each other already.
    public func startTogether(_ number: Int, _ change: (Int, inout MemberRecord) -> Void = { _, _ in }) {
        let first = nodes.count
        for index in first..<(first + number) { start { change(index, &$0) } }
        let entries = (first..<nodes.count).map {
            StateExchange.Entry(signed: nodes[$0].membership.own, status: .alive, accuser: nil)
        }
        let state = StateExchange(source: Self.id(nodes[first].identity), entries: entries)
        for index in first..<nodes.count {
            input(.state(state, from: nodes[first].endpoint, exchange: nil), to: index)
        }
    }

    public func join(_ index: Int, to other: Int) { input(.join([nodes[other].endpoint]), to: index) }
    public func stop(_ index: Int) { nodes[index].isRunning = false }
    public func stall(_ index: Int, for time: Int) {
        nodes[index].stalledUntil = max(nodes[index].stalledUntil, now + time)
    }
    public func stepClock(_ index: Int, by step: Duration) { nodes[index].clock += step }
    public func isStalled(_ index: Int) -> Bool { nodes[index].isRunning && nodes[index].stalledUntil > now }
    public func isRunning(_ index: Int) -> Bool { nodes[index].isRunning }
    public func identity(_ index: Int) -> Int { nodes[index].identity }
    public func isClient(_ index: Int) -> Bool { nodes[index].isClient }
    public func endpoint(of index: Int) -> Endpoint { nodes[index].endpoint }

    /// The packet keys of a node.
    public func setKeys(_ index: Int, read: Set<Int>, write: Int) {
        nodes[index].keys = read
        nodes[index].key = write
    }

    /// Times the joining, or the death, of an identity from now on.
    public func watch(_ identity: Int) { watched[identity] = [:] }

    /// When the last of the members that were there before and run now heard of the joining or the death of one that
    /// was watched; members are those with an index below.
    public func knownToAll(_ identity: Int, members: Int) -> Int? {
        var last = 0
        for index in staying where nodes[index].identity != identity && index < members {
            guard let time = watched[identity]?[index] else { return nil }
            last = max(last, time)
        }
        return last
    }

    /// A network that loses up to 30 % of all packets, and doubles, delays and reorders others.
    public func spoil() {
        network.lossPerMille = chance.pick(0...300)
        network.duplicatesPerMille = chance.pick(0...200)
        // Round trips stay shorter than the time that the preset gives a probe.
        let parts = settings.probeTimeout.components
        let timeout = Int(parts.seconds) * 1_000_000 + Int(parts.attoseconds / 1_000_000_000_000)
        network.delay = 200...chance.pick(1_000...timeout / 4)
    }

    /// Gives a node that does not run another address.
    public func readdress(_ index: Int, to endpoint: Endpoint) {
        if indices[nodes[index].endpoint] == index { indices[nodes[index].endpoint] = nil }
        nodes[index].endpoint = endpoint
        indices[endpoint] = index
    }

    /// Moves a member to another address at once.
    public func move(_ index: Int, to endpoint: Endpoint) {
        readdress(index, to: endpoint)
        input(.addressesChanged([endpoint]), to: index)
    }

    public func run(for time: Int) {
        let end = now + time
        while let at = queue.nextTime, at <= end, let action = queue.takeNext() {
            now = max(now, at)
            perform(action)
        }
        now = end
    }

    private func perform(_ action: Action) {
        let to =
            switch action {
            case .packet(_, _, _, let to): to
            case .event(_, let to): to
            case .timer(let to): to
            }
        guard nodes[to].isRunning else { return }
        if nodes[to].stalledUntil > now { return queue.plan(action, at: nodes[to].stalledUntil) }
        switch action {
        case .packet(let messages, let sender, let key, _):
            if nodes[to].keys.contains(key), !nodes[to].isClient { input(.packet(messages, from: sender), to: to) }
        case .event(let event, _): input(event, to: to)
        case .timer:
            guard nodes[to].timerAt <= now else { return }
            nodes[to].timerAt = .max
            input(.tick, to: to)
        }
    }

    /// Gives a member an event, and carries out what it wants.
    public func input(_ event: Membership.Event, to index: Int) {
        guard nodes[index].isRunning else { return }
        if nodes[index].stalledUntil > now {
            return queue.plan(.event(event, to: index), at: nodes[index].stalledUntil)
        }
        let clock = nodes[index].clock
        let effects = nodes[index].membership.handle(event, now: .microseconds(now) + clock, random: &chance)
        for effect in effects { carryOut(effect, of: index) }
        let due = nodes[index].membership.nextDeadline - clock
        let parts = due.components
        schedule(index, at: Int(parts.seconds) * 1_000_000 + Int(parts.attoseconds / 1_000_000_000_000) + 1)
    }

    private func schedule(_ index: Int, at time: Int) {
        guard time < nodes[index].timerAt else { return }
        nodes[index].timerAt = max(time, now)
        queue.plan(.timer(index), at: max(time, now))
    }

    private func carryOut(_ effect: Membership.Effect, of index: Int) {
        switch effect {
        case .send(let messages, let endpoint): send(messages, from: index, to: endpoint)
        case .exchange(let state, let endpoint):
            guard let number = openStream(from: index, to: endpoint), let to = exchanges[number]?.other else { return }
            let event = Membership.Event.state(state, from: nodes[index].endpoint, exchange: number)
            queue.plan(.event(event, to: to), at: now + 3 * chance.pick(network.delay))
        case .answer(let state, let number):
            guard let to = exchanges.removeValue(forKey: number)?.opener, network.carries(index, to) else { return }
            let event = Membership.Event.state(state, from: nodes[index].endpoint, exchange: nil)
            queue.plan(.event(event, to: to), at: now + chance.pick(network.delay))
        case .ask(let step, let endpoint):
            guard let number = openStream(from: index, to: endpoint, isComparing: true) else { return }
            say(step, from: index, on: number, pause: 2 * chance.pick(network.delay))
        case .say(let step, let number): say(step, from: index, on: number, pause: 0)
        case .report(let report): note(report, of: index)
        }
    }

    private func openStream(from index: Int, to endpoint: Endpoint, isComparing: Bool = false) -> UInt64? {
        guard let to = indices[endpoint], nodes[to].isRunning, network.carries(index, to), network.carries(to, index),
            !isComparing || isComparer(to)
        else {
            queue.plan(.event(.exchangeFailed(endpoint), to: index), at: now + 2_000_000)
            return nil
        }
        exchangeCount += 1
        exchanges[exchangeCount] = (index, to)
        return exchangeCount
    }

    /// Who speaks protocol 1 alone does not understand comparisons.
    private func isComparer(_ index: Int) -> Bool { nodes[index].membership.own.record.protocols.contains(2) }

    private func say(_ step: ExchangeStep, from index: Int, on number: UInt64, pause: Int) {
        guard let (opener, other) = exchanges[number] else { return }
        if step.isLast { exchanges[number] = nil }
        if encodes, (try? MemberCoding.step(from: MemberCoding.encode(step: step))) != step {
            violations.append("a step of an exchange changed on its way: \(step)")
        }
        let to = index == opener ? other : opener
        steps += 1
        guard nodes[to].isRunning, network.carries(index, to) else {
            exchanges[number] = nil
            return queue.plan(.event(.exchangeFailed(nodes[other].endpoint), to: opener), at: now + 2_000_000)
        }
        let event = Membership.Event.step(step, from: nodes[index].endpoint, exchange: number)
        queue.plan(.event(event, to: to), at: now + pause + chance.pick(network.delay))
    }

    private func send(_ messages: [GossipMessage], from index: Int, to endpoint: Endpoint) {
        packets += 1
        var messages = messages
        if encodes {
            let bytes = MemberCoding.encode(packet: messages)
            if bytes.count > settings.packetBudget { violations.append("a packet of \(bytes.count) bytes") }
            guard let decoded = try? MemberCoding.packet(from: bytes), decoded == messages else {
                violations.append("a packet changed on its way: \(messages)")
                return
            }
            messages = decoded
        }
        guard let to = indices[endpoint], network.carries(index, to) else { return }
        let isComparison = messages.contains {
            switch $0 {
            case .check, .confirm: true
            default: false
            }
        }
        if isComparison, !isComparer(to) { return }
        let copies = chance.chance(network.duplicatesPerMille) ? 2 : 1
        for _ in 0..<copies where !chance.chance(network.lossPerMille) {
            let packet = Action.packet(messages, from: nodes[index].endpoint, key: nodes[index].key, to: to)
            queue.plan(packet, at: now + chance.pick(network.delay))
        }
    }
}
