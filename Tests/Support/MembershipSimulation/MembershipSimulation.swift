public import Membership

/// SplitMix64: the same everywhere for the same seed.
public struct SimulatedChance: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 0x1234_5678_9abc_def1 }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    public mutating func chance(_ perMille: Int) -> Bool { Int(next() % 1_000) < perMille }
    public mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// What the network does to packets.
public struct SimulatedNetwork: Sendable {
    public var lossPerMille = 0
    public var duplicatesPerMille = 0
    /// Microseconds; differing delays reorder packets.
    public var delay: ClosedRange<Int> = 200...2_000
    /// Directions that carry nothing: from, to.
    public var cuts: Set<[Int]> = []
    /// Members of different groups do not hear each other.
    public var groups: [Int: Int] = [:]

    public init() {}

    func carries(_ from: Int, _ to: Int) -> Bool {
        if groups.isEmpty, cuts.isEmpty { return true }
        return !cuts.contains([from, to]) && groups[from, default: 0] == groups[to, default: 0]
    }
}

/// A cluster of real `Membership` values over a network that a seed decides. Time is in microseconds.
public final class MembershipSimulation {
    public struct Death {
        public var observer: Int
        public var subject: Int
        public var at: Int
    }

    struct Node {
        var membership: Membership
        var isRunning = true
        var stalledUntil = 0
        var clock: Duration = .zero
        var timerAt = Int.max
    }

    enum Action {
        case packet([GossipMessage], from: Int, to: Int)
        case event(Membership.Event, to: Int)
        case timer(Int)
    }

    public let seed: UInt64
    public let settings: MembershipSettings
    public var network = SimulatedNetwork()
    /// Packets go through their bytes, as on a real network.
    public var encodes = true
    public private(set) var now = 0
    public private(set) var packets = 0
    public private(set) var deaths: [Death] = []
    public private(set) var violations: [String] = []
    public private(set) var reports: [(node: Int, report: Membership.Report)] = []
    public var keepsReports = false
    /// When an observer first heard of the member that is watched, or of its death.
    public var watched: Int?
    public private(set) var heard: [Int: Int] = [:]

    public var chance: SimulatedChance
    var nodes: [Node] = []
    private var queue = SimulatedQueue<Action>()
    private var indices: [Endpoint: Int] = [:]
    private var identities: [NodeID: Int] = [:]
    private var exchanges: [UInt64: Int] = [:]
    private var exchangeCount: UInt64 = 0
    private var seen: [[Int]: UInt64] = [:]

    public init(seed: UInt64, settings: MembershipSettings) {
        self.seed = seed
        self.settings = settings
        chance = SimulatedChance(seed: seed)
    }

    public var count: Int { nodes.count }
    public func membership(_ index: Int) -> Membership { nodes[index].membership }
    public static func id(_ index: Int) -> NodeID { NodeID(high: 7, low: UInt64(index)) }
    public static func endpoint(_ index: Int) -> Endpoint { Endpoint(ipv4: 0x0a00_0000 + UInt32(index), port: 7_946) }

    /// A signature that only checks that nobody changed the record; forging is tested elsewhere.
    public static func sign(_ record: MemberRecord) -> [UInt8] {
        let sum = record.incarnation &* 0x9e37_79b9_7f4a_7c15 ^ record.id.low
        return (0..<64).map { UInt8(truncatingIfNeeded: sum >> UInt64($0 % 8 * 8)) }
    }

    public static let proofs = Membership.Proofs(
        sign: { sign($0) }, verify: { $0.signature == sign($0.record) ? .good : .bad("signature") })

    /// Starts a member that knows nobody.
    @discardableResult
    public func start(roles: NodeRoles = .agent) -> Int {
        let index = nodes.count
        let record = MemberRecord(
            id: Self.id(index), roles: roles, addresses: [Self.endpoint(index)], version: "1.0.0")
        let membership = Membership(
            record: record, attestation: [UInt8](repeating: 1, count: 100), settings: settings, proofs: Self.proofs,
            now: .microseconds(now))
        guard let membership else { preconditionFailure("the record is too large") }
        nodes.append(Node(membership: membership))
        indices[Self.endpoint(index)] = index
        identities[Self.id(index)] = index
        // Members do not start in step.
        schedule(index, at: now + chance.pick(0...1_000_000))
        return index
    }

    /// Starts members that know each other already.
    public func startTogether(_ number: Int) {
        let first = nodes.count
        for _ in 0..<number { start() }
        let entries = (first..<nodes.count).map {
            StateExchange.Entry(signed: nodes[$0].membership.own, status: .alive, accuser: nil)
        }
        let state = StateExchange(source: Self.id(first), entries: entries)
        for index in first..<nodes.count {
            input(.state(state, from: Self.endpoint(first), exchange: nil), to: index)
        }
    }

    public func join(_ index: Int, to other: Int) { input(.join([Self.endpoint(other)]), to: index) }
    public func stop(_ index: Int) { nodes[index].isRunning = false }
    public func stall(_ index: Int, for time: Int) { nodes[index].stalledUntil = now + time }
    public func stepClock(_ index: Int, by step: Duration) { nodes[index].clock += step }
    public func watch(_ index: Int) {
        watched = index
        heard = [:]
    }
    public func isStalled(_ index: Int) -> Bool { nodes[index].stalledUntil > now }

    /// Moves a member to another address at once.
    public func move(_ index: Int, to endpoint: Endpoint) {
        for (old, owner) in indices where owner == index { indices[old] = nil }
        indices[endpoint] = index
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

    /// True when each running member believes exactly the running members present.
    public var viewsAgree: Bool {
        let running = nodes.indices.filter { nodes[$0].isRunning && !nodes[$0].membership.own.record.isLeaving }
        return running.allSatisfy { observer in
            let members = nodes[observer].membership.members
            let present = members.values.count { $0.status == .alive }
            return present == running.count - 1
                && running.allSatisfy { $0 == observer || members[Self.id($0)]?.status == .alive }
        }
    }

    private func perform(_ action: Action) {
        switch action {
        case .packet(let messages, let from, let to):
            if isStalled(to) { return queue.plan(action, at: nodes[to].stalledUntil) }
            guard nodes[to].isRunning else { return }
            input(.packet(messages, from: sourceEndpoint(from)), to: to)
        case .event(let event, let to):
            if isStalled(to) { return queue.plan(action, at: nodes[to].stalledUntil) }
            guard nodes[to].isRunning else { return }
            input(event, to: to)
        case .timer(let index):
            if isStalled(index) { return queue.plan(action, at: nodes[index].stalledUntil) }
            guard nodes[index].isRunning, nodes[index].timerAt <= now else { return }
            nodes[index].timerAt = .max
            input(.tick, to: index)
        }
    }

    private func sourceEndpoint(_ index: Int) -> Endpoint {
        nodes[index].membership.own.record.addresses.first ?? Self.endpoint(index)
    }

    /// Gives a member an event, and carries out what it wants.
    public func input(_ event: Membership.Event, to index: Int) {
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
            let pause = 3 * chance.pick(network.delay)
            guard let to = indices[endpoint], nodes[to].isRunning, network.carries(index, to),
                network.carries(to, index)
            else { return queue.plan(.event(.exchangeFailed(endpoint), to: index), at: now + 2_000_000) }
            exchangeCount += 1
            exchanges[exchangeCount] = index
            let from = sourceEndpoint(index)
            queue.plan(.event(.state(state, from: from, exchange: exchangeCount), to: to), at: now + pause)
        case .answer(let state, let number):
            guard let to = exchanges.removeValue(forKey: number), network.carries(index, to) else { return }
            let pause = chance.pick(network.delay)
            queue.plan(.event(.state(state, from: sourceEndpoint(index), exchange: nil), to: to), at: now + pause)
        case .report(let report): note(report, of: index)
        }
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
        let copies = chance.chance(network.duplicatesPerMille) ? 2 : 1
        for _ in 0..<copies where !chance.chance(network.lossPerMille) {
            queue.plan(.packet(messages, from: index, to: to), at: now + chance.pick(network.delay))
        }
    }

    private func note(_ report: Membership.Report, of index: Int) {
        if keepsReports { reports.append((index, report)) }
        switch report {
        case .died(let id, _):
            guard let subject = identities[id] else { return }
            deaths.append(Death(observer: index, subject: subject, at: now))
            if subject == watched { heard[index] = heard[index] ?? now }
        case .joined(let id): if let subject = identities[id], subject == watched { heard[index] = heard[index] ?? now }
        default: break
        }
    }

    /// Looks at all views: incarnations never go back. Called between steps of small runs.
    public func checkIncarnations() {
        for (observer, node) in nodes.enumerated() {
            for (id, member) in node.membership.members {
                guard let subject = identities[id] else { continue }
                let key = [observer, subject]
                if let before = seen[key], before > member.record.incarnation {
                    violations.append("\(observer) went back to \(member.record.incarnation) of \(subject)")
                }
                seen[key] = member.record.incarnation
            }
        }
    }
}

/// What will happen, in order of time; what was planned first goes first among equals.
struct SimulatedQueue<Action> {
    private struct Entry {
        var at: Int
        var number: Int
        var action: Action
        func isBefore(_ other: Entry) -> Bool { at != other.at ? at < other.at : number < other.number }
    }

    private var heap: [Entry] = []
    private var planned = 0

    var nextTime: Int? { heap.first?.at }

    mutating func plan(_ action: Action, at: Int) {
        heap.append(Entry(at: at, number: planned, action: action))
        planned += 1
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func takeNext() -> Action? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.action }
        heap[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[smallest]) { smallest = child }
            }
            if smallest == parent { break }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
        return first.action
    }
}
