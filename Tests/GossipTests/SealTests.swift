import Membership
import Testing

@testable import Gossip

/// Two lives that know each other.
private struct Pair {
    var alice = Seal(cluster: "one", ring: KeyRing(key(1)), life: 11)
    var bob = Seal(cluster: "one", ring: KeyRing(key(1)), life: 22)

    mutating func sealed(_ body: [UInt8] = [1, 2, 3], _ kind: Envelope.Kind = .packet) throws -> [UInt8] {
        try alice.bytes(kind, for: bob.life, body)
    }

    /// What bob says of it.
    mutating func refusal(of bytes: [UInt8]) -> PacketRefusal? {
        do throws(PacketRefusal) {
            _ = try bob.open(bytes)
            return nil
        } catch {
            return error
        }
    }
}

@Suite("Sealed packets")
struct SealTests {
    @Test func `what was sealed is opened, once`() throws {
        var pair = Pair()
        let bytes = try pair.sealed()
        let opened = try pair.bob.open(bytes)
        #expect(opened.body == [1, 2, 3])
        #expect(opened.header.sender == 11)
        #expect(bytes.count == 3 + Envelope.overhead)
        #expect(pair.refusal(of: bytes) == .replayed)
        #expect(pair.bob.senderCount == 1)
    }

    @Test func `nothing of the content is readable`() throws {
        var pair = Pair()
        let secret = Array("the quick brown fox".utf8)
        let bytes = try pair.sealed(secret)
        #expect(!bytes.contains(secret))
    }

    @Test(arguments: 0..<80) func `a packet that was cut is refused`(length: Int) throws {
        var pair = Pair()
        let bytes = try pair.sealed(Array(repeating: 7, count: 24))
        #expect(bytes.count == 80)
        let refusal = pair.refusal(of: Array(bytes.prefix(length)))
        switch length {
        case 0..<3: #expect(refusal == .notGossip)
        case 3..<Envelope.overhead: #expect(refusal == .truncated)
        default: #expect(refusal == .notAuthentic)
        }
        #expect(pair.bob.senderCount == 0)
        #expect(pair.refusal(of: bytes) == nil, "the whole packet is still good")
    }

    @Test(arguments: 0..<(80 * 8)) func `a packet with one changed bit is refused`(bit: Int) throws {
        var pair = Pair()
        let bytes = try pair.sealed(Array(repeating: 7, count: 24))
        var changed = bytes
        changed[bit / 8] ^= 1 << UInt8(bit % 8)
        let refusal = pair.refusal(of: changed)
        switch bit / 8 {
        case 0..<2: #expect(refusal == .notGossip)
        case 2: #expect(refusal == .unknownVersion(changed[2]))
        case 3:
            if case .unknownKind = refusal {} else { #expect(refusal == .notAuthentic) }
        case 4..<12: #expect(refusal == .otherCluster)
        case 12..<16:
            if case .unknownKey = refusal {} else { Issue.record("\(refusal as Any)") }
        default: #expect(refusal == .notAuthentic)
        }
        #expect(pair.bob.senderCount == 0)
        #expect(pair.refusal(of: bytes) == nil, "the packet itself is still good")
    }

    /// Goal: whatever comes, it is refused for a reason, nothing traps, and nothing is believed.
    @Test func `a hundred thousand mutated packets are all refused`() throws {
        var chance = Chance(4)
        var pair = Pair()
        var seen: [String: Int] = [:]
        var sources: [[UInt8]] = []
        for _ in 0..<64 { sources.append(try pair.sealed(chance.bytes(chance.pick(0...1_144)))) }
        for source in sources { #expect(pair.refusal(of: source) == nil) }
        for _ in 0..<100_000 {
            let original = sources[chance.pick(0...sources.count - 1)]
            var bytes = original
            for _ in 0..<chance.pick(1...4) { Self.mutate(&bytes, &chance) }
            let refusal = pair.refusal(of: bytes)
            seen[refusal?.name ?? "taken", default: 0] += 1
            if refusal == .replayed, bytes != original { seen["replayed-changed", default: 0] += 1 }
        }
        #expect(seen["taken"] == nil)
        for name in ["not-gossip", "unknown-version", "truncated", "unknown-kind", "unknown-key", "not-authentic"] {
            #expect(seen[name, default: 0] > 100, "\(name): \(seen)")
        }
        #expect(pair.bob.senderCount == 1)
        let bytes = try pair.sealed()
        #expect(pair.refusal(of: bytes) == nil, "a good packet is still taken")
    }

    private static func mutate(_ bytes: inout [UInt8], _ chance: inout Chance) {
        guard !bytes.isEmpty else { return bytes = chance.bytes(chance.pick(1...100)) }
        let place = chance.pick(0...bytes.count - 1)
        switch chance.pick(0...6) {
        case 0: bytes[place] ^= 1 << UInt8(chance.pick(0...7))
        case 1: bytes[place] = UInt8(truncatingIfNeeded: chance.next())
        case 2: bytes = Array(bytes.prefix(place))
        case 3: bytes.insert(contentsOf: chance.bytes(chance.pick(1...40)), at: place)
        case 4: bytes.removeSubrange(place..<min(bytes.count, place + chance.pick(1...40)))
        case 5: bytes += chance.bytes(chance.pick(1...2_000))
        default:
            // The header is the part with meaning.
            bytes[min(place % Envelope.headerSize, bytes.count - 1)] = UInt8(truncatingIfNeeded: chance.next())
        }
    }

    @Test func `a packet of another cluster is refused, with the same key and before it is opened`() throws {
        var pair = Pair()
        pair.alice = Seal(cluster: "two", ring: KeyRing(key(1)), life: 11)
        let bytes = try pair.sealed()
        #expect(pair.refusal(of: bytes) == .otherCluster)
    }

    @Test func `a packet of a key that is not in the ring is refused by the name of the key`() throws {
        var pair = Pair()
        pair.alice = Seal(cluster: "one", ring: KeyRing(key(2)), life: 11)
        let bytes = try pair.sealed()
        #expect(pair.refusal(of: bytes) == .unknownKey(key(2).id))
    }

    @Test func `a packet that is too large is refused before it is opened`() throws {
        var pair = Pair()
        let bytes = try pair.sealed(Array(repeating: 0, count: Envelope.datagramLimit))
        #expect(pair.refusal(of: bytes) == .oversized)
    }

    @Test func `a packet that this life sent itself is refused`() throws {
        var pair = Pair()
        let bytes = try pair.sealed()
        #expect(throws: PacketRefusal.own) { try pair.alice.open(bytes) }
    }

    @Test func `a packet for an earlier life is not taken, and says who sent it`() throws {
        var pair = Pair()
        let bytes = try pair.sealed()
        var later = Seal(cluster: "one", ring: KeyRing(key(1)), life: 23)
        #expect(throws: PacketRefusal.notFresh(sender: 11, counter: 1)) { try later.open(bytes) }
        #expect(later.senderCount == 0, "who may be a replay gets no place in the table")
    }

    @Test func `a call and a greeting name no life, and others must`() throws {
        var pair = Pair()
        for kind in [Envelope.Kind.beacon, .greeting] {
            let open = try pair.alice.bytes(kind, for: 0, [9])
            #expect(pair.refusal(of: open) == nil)
            let named = try pair.alice.bytes(kind, for: 22, [9])
            #expect(pair.refusal(of: named) == .unknownKind(kind.rawValue))
        }
        #expect(pair.bob.senderCount == 0)
        for kind in [Envelope.Kind.packet, .hello, .state, .answer, .messages] {
            let open = try pair.alice.bytes(kind, for: 0, [9])
            if case .notFresh = pair.refusal(of: open) {} else { Issue.record("\(kind)") }
        }
    }

    @Test func `packets and streams count apart`() throws {
        var pair = Pair()
        let early = try pair.sealed([1], .state)
        for _ in 0..<2_000 {
            let bytes = try pair.sealed()
            #expect(pair.refusal(of: bytes) == nil)
        }
        #expect(pair.refusal(of: early) == nil, "a slow stream is not a replay")
        #expect(pair.refusal(of: early) == .replayed)
    }

    @Test func `keys are exchanged without a gap`() throws {
        var pair = Pair()
        var ring = KeyRing(key(1))
        try ring.add(key(2))
        pair.bob.update(ring)
        let old = try pair.sealed()
        #expect(pair.refusal(of: old) == nil)
        try ring.use(key(2).id)
        pair.alice.update(ring)
        let new = try pair.sealed()
        #expect(pair.refusal(of: new) == nil)
        pair.bob.update(ring)
        // Another life: two that count alike under one would be replays of each other.
        var behind = Seal(cluster: "one", ring: KeyRing(key(1)), life: 12)
        behind.update(KeyRing(key(1)))
        let late = try behind.bytes(.packet, for: 22, [5])
        #expect(pair.refusal(of: late) == nil, "the old key opens until it is removed")
        try ring.remove(key(1).id)
        pair.bob.update(ring)
        let gone = try pair.sealed()
        #expect(pair.refusal(of: gone) == nil)
        pair.alice.update(KeyRing(key(1)))
        let refused = try pair.sealed()
        #expect(pair.refusal(of: refused) == .unknownKey(key(1).id))
    }

    @Test func `a full table of senders ends the life instead of forgetting one`() throws {
        var bob = Seal(cluster: "one", ring: KeyRing(key(1)), life: 22, senderLimit: 3)
        var recorded: [[UInt8]] = []
        for life in 101...103 {
            var other = Seal(cluster: "one", ring: KeyRing(key(1)), life: UInt64(life))
            let bytes = try other.bytes(.packet, for: 22, [1])
            _ = try bob.open(bytes)
            recorded.append(bytes)
        }
        #expect(bob.isFull)
        bob.begin(life: 23)
        #expect(!bob.isFull)
        for bytes in recorded {
            #expect(throws: PacketRefusal.self) { try bob.open(bytes) }
        }
        #expect(bob.senderCount == 0)
    }
}

extension Seal {
    mutating func bytes(_ kind: Envelope.Kind, for life: UInt64, _ body: [UInt8]) throws -> [UInt8] {
        let sealed = seal(kind, for: life, body)
        return try #require(sealed).envelope
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: [UInt8]) -> Bool {
        guard part.count <= count else { return false }
        return (0...(count - part.count)).contains { Array(self[$0..<($0 + part.count)]) == part }
    }
}

@Suite("Key rings")
struct KeyRingTests {
    @Test func `a ring keeps its rules`() throws {
        var ring = KeyRing(key(1))
        try ring.add(key(1))
        #expect(ring.keys.count == 1)
        #expect(throws: KeyRingError.unknown(key(2).id)) { try ring.use(key(2).id) }
        #expect(throws: KeyRingError.inUse(key(1).id)) { try ring.remove(key(1).id) }
        for number in 2...8 { try ring.add(key(UInt8(number))) }
        #expect(throws: KeyRingError.full) { try ring.add(key(9)) }
        try ring.use(key(5).id)
        #expect(ring.primary == key(5))
        #expect(ring.keys.count == 8)
        try ring.remove(key(1).id)
        #expect(ring.key(key(1).id) == nil)
    }

    @Test func `a key is 32 bytes, and its text does not show it`() {
        #expect(GossipKey(bytes: Array(repeating: 1, count: 31)) == nil)
        #expect(GossipKey(bytes: Array(repeating: 1, count: 33)) == nil)
        #expect("\(key(1))".count == 8)
        #expect(GossipKey.generate() != GossipKey.generate())
    }
}

@Suite("Replay windows")
struct ReplayWindowTests {
    /// Goal: the bitmap does what a set would do.
    @Test(arguments: 0..<20 as Range<UInt64>) func `a window remembers exactly the newest 1,024`(seed: UInt64) {
        var chance = Chance(seed)
        var window = ReplayWindow()
        var seen: Set<UInt64> = []
        var highest: UInt64 = 0
        for _ in 0..<5_000 {
            let counter: UInt64 =
                switch chance.pick(0...9) {
                case 0: highest + UInt64(chance.pick(1...3_000))
                case 1...5: highest + 1
                default: highest > 1_500 ? highest - UInt64(chance.pick(0...1_500)) : UInt64(chance.pick(0...1_500))
                }
            let isNew =
                counter > highest || counter > 0 && highest - counter < ReplayWindow.size && !seen.contains(counter)
            #expect(window.isNew(counter) == isNew)
            if isNew {
                window.insert(counter)
                seen.insert(counter)
                highest = max(highest, counter)
            }
        }
    }
}
