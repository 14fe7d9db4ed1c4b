import Membership
import Testing

@testable import Gossip

@Suite("Messages on streams")
struct StreamMessageTests {
    private static func seals() -> (Seal, Seal) {
        (
            Seal(cluster: "one", ring: KeyRing(key(1)), life: 11), Seal(cluster: "one", ring: KeyRing(key(1)), life: 22)
        )
    }

    /// Goal: however the network cuts the bytes, the message is the same.
    @Test(arguments: 0..<12 as Range<UInt64>) func `a message of any size arrives whole`(seed: UInt64) throws {
        var chance = Chance(seed)
        var (alice, bob) = Self.seals()
        let sizes = [0, 1, StreamMessage.partLimit, StreamMessage.partLimit + 1, 300_000]
        let body = chance.bytes(sizes[Int(seed) % sizes.count])
        let whole = StreamMessage.seal(.state, for: 22, body, with: &alice)
        let sealed = try #require(whole)
        var cutter = FrameCutter()
        var message = StreamMessage()
        var rest = sealed.bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(chance.pick(1...60_000))
            rest = rest.dropFirst(piece.count)
            for frame in try cutter.take(piece) {
                #expect(!message.isComplete)
                try message.take(try bob.open(frame, limit: StreamMessage.frameLimit))
            }
        }
        #expect(message.isComplete)
        #expect(message.body == body)
        #expect(message.firstCounter == sealed.firstCounter)
    }

    private static func parts(_ body: [UInt8], _ alice: inout Seal) throws -> [[UInt8]] {
        let whole = StreamMessage.seal(.state, for: 22, body, with: &alice)
        let sealed = try #require(whole)
        var cutter = FrameCutter()
        return try cutter.take(sealed.bytes)
    }

    @Test func `parts that are missing, exchanged or of another message are refused`() throws {
        var (alice, bob) = Self.seals()
        let body = Array(repeating: UInt8(3), count: StreamMessage.partLimit * 3)
        let first = try Self.parts(body, &alice)
        let second = try Self.parts(body, &alice)
        for order in [[first[0], first[2]], [first[0], second[1]]] {
            var message = StreamMessage()
            var judge = bob
            #expect(throws: PacketRefusal.malformed) {
                for part in order { try message.take(try judge.open(part, limit: StreamMessage.frameLimit)) }
            }
        }
        var message = StreamMessage()
        #expect(throws: PacketRefusal.replayed) {
            for part in [first[0], first[0]] {
                try message.take(try bob.open(part, limit: StreamMessage.frameLimit))
            }
        }
    }

    @Test func `a message that is too large is neither sealed nor taken`() throws {
        var (alice, _) = Self.seals()
        let body = Array(repeating: UInt8(0), count: StreamMessage.messageLimit + 1)
        let sealed = StreamMessage.seal(.state, for: 22, body, with: &alice)
        #expect(sealed == nil)
        var message = StreamMessage()
        let part = Array(repeating: UInt8(0), count: StreamMessage.partLimit)
        var counter: UInt64 = 0
        #expect(throws: PacketRefusal.oversized) {
            while true {
                counter += 1
                let header = Envelope.Header(
                    kind: .state, hasMore: true, cluster: 0, key: 0, sender: 1, receiver: 2, counter: counter)
                try message.take(Seal.Opened(header: header, body: part))
            }
        }
        #expect(message.body.count <= StreamMessage.messageLimit)
    }

    @Test(arguments: [[0xff, 0xff, 0xff, 0xff], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 10]] as [[UInt8]])
    func `a length that no part has is refused at once`(prefix: [UInt8]) {
        var cutter = FrameCutter()
        #expect(throws: PacketRefusal.self) { _ = try cutter.take(prefix) }
    }
}

@Suite("Calls to those nearby")
struct BeaconTests {
    private static let addresses = [
        MemberEndpoint(ipv4: 0x0a00_0001, port: 7_946), MemberEndpoint(ipv6High: 1, low: 2, port: 3),
    ]

    @Test func `a call is read as it was written`() throws {
        for addresses in [[], Self.addresses, Self.addresses + Self.addresses] {
            let beacon = Beacon(node: id(5), isIsolated: true, addresses: addresses)
            #expect(try Beacon(reading: beacon.bytes) == beacon)
        }
    }

    /// Goal: nothing but what is written is read, and nothing traps.
    @Test func `a call that was changed is refused or means something else`() {
        var chance = Chance(9)
        let bytes = Beacon(node: id(5), isIsolated: true, addresses: Self.addresses).bytes
        for length in 0..<bytes.count {
            #expect(throws: PacketRefusal.malformed) { try Beacon(reading: Array(bytes.prefix(length))) }
        }
        #expect(throws: PacketRefusal.malformed) { try Beacon(reading: bytes + [0]) }
        for _ in 0..<20_000 {
            let noise = chance.bytes(chance.pick(0...120))
            guard let beacon = try? Beacon(reading: noise) else { continue }
            #expect(beacon.bytes == noise)
        }
    }

    @Test func `a node calls at intervals while it is alone, and three times when its addresses change`() {
        var policy = BeaconPolicy(interval: .seconds(5))
        var calls: [Int] = []
        for second in 0..<30 {
            if second == 20 { policy.addressesChanged(now: .seconds(second)) }
            if policy.isDue(now: .seconds(second), isIsolated: second < 12) { calls.append(second) }
        }
        #expect(calls == [0, 5, 10, 20, 21, 22])
    }

    @Test func `a call is answered by a few, and not twice in a second`() {
        var chance = Chance(1)
        let alone = Beacon(node: id(5), isIsolated: true, addresses: Self.addresses)
        var answers = 0
        for _ in 0..<1_000 {
            var policy = BeaconPolicy(interval: .seconds(5))
            let first = policy.answers(
                alone, knownAt: nil, isIsolated: false, presentMembers: 1_000, now: .zero, random: &chance)
            if first { answers += 1 }
        }
        #expect((1...12).contains(answers))
        var policy = BeaconPolicy(interval: .seconds(5))
        let times: [Duration] = [.zero, .milliseconds(500), .milliseconds(1_500)]
        var answered: [Bool] = []
        for time in times {
            answered.append(
                policy.answers(alone, knownAt: nil, isIsolated: false, presentMembers: 3, now: time, random: &chance))
        }
        #expect(answered == [true, false, true])
        let settled = Beacon(node: id(6), isIsolated: false, addresses: Self.addresses)
        let again = policy.answers(
            settled, knownAt: Self.addresses, isIsolated: false, presentMembers: 3, now: .zero, random: &chance)
        #expect(!again, "it is where it was, and is not alone")
    }

    @Test func `a node says of itself what others can reach`() {
        func at(_ name: String, _ index: Int, _ address: MemberEndpoint) -> InterfaceAddress {
            InterfaceAddress(name: name, index: index, address: address, broadcast: nil, hasMulticast: true)
        }
        let four = MemberEndpoint(ipv4: 0x0a00_0001, port: 0)
        let bridge = MemberEndpoint(ipv4: 0xac11_0001, port: 0)
        let own = MemberEndpoint(ipv4: 0xac19_0001, port: 0)
        let six = MemberEndpoint(ipv6High: 0x2001_0db8_0000_0000, low: 1, port: 0)
        let local = MemberEndpoint(ipv6High: 0xfe80_0000_0000_0000, low: 1, port: 0)
        let loop = MemberEndpoint(ipv4: 0x7f00_0001, port: 0)
        let all = [
            at("lo", 1, loop), at("docker0", 2, bridge), at("rondo0", 2, own), at("eth0", 3, six), at("eth0", 3, local),
            at("eth0", 3, four),
        ]
        let said = InterfaceAddress.advertised(all, port: 9)
        #expect(said == [four, six, bridge].map { $0.with(port: 9) })
        #expect(InterfaceAddress.advertised([at("lo", 1, loop)], port: 9) == [loop.with(port: 9)])
        #expect(InterfaceAddress.advertised([], port: 9).isEmpty)
    }
}
