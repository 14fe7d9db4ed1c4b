import Membership
import MembershipSimulation
import Testing

@Suite("Bytes of gossip")
struct CodingTests {
    private func record(_ chance: inout SimulatedChance) -> SignedRecord {
        let addresses = (0..<chance.pick(0...4)).map { _ in
            chance.chance(500)
                ? Endpoint(ipv4: UInt32(truncatingIfNeeded: chance.next()), port: 7_946)
                : Endpoint(ipv6High: chance.next(), low: chance.next(), port: 1)
        }
        let record = MemberRecord(
            id: NodeID(high: chance.next(), low: chance.next()), roles: NodeRoles(rawValue: UInt8(chance.pick(0...3))),
            addresses: addresses, version: String(repeating: "é", count: chance.pick(0...16)),
            incarnation: chance.next(), leaderTerm: chance.chance(500) ? chance.next() : nil, protocols: 1...3,
            isGossipClient: chance.chance(300), isLeaving: chance.chance(300))
        let signature = (0..<chance.pick(0...96)).map { UInt8($0) }
        return SignedRecord(record: record, signature: signature, attestation: (0..<150).map { UInt8($0) })!
    }

    private func packet(_ chance: inout SimulatedChance) -> [GossipMessage] {
        (0..<chance.pick(0...8)).map { _ in
            let (one, two) = (NodeID(high: 1, low: chance.next()), NodeID(high: 2, low: chance.next()))
            let number = UInt32(truncatingIfNeeded: chance.next())
            switch chance.pick(0...8) {
            case 0: return .ping(sequence: number, target: one, source: two, incarnation: chance.next())
            case 1: return .ack(sequence: number, source: one)
            case 2: return .nack(sequence: number, source: two)
            case 3:
                return .pingRequest(
                    sequence: number, target: one, at: Endpoint(ipv6High: 1, low: 2, port: 3), source: two)
            case 4: return .alive(record(&chance))
            case 5: return .suspect(Accusation(subject: one, incarnation: chance.next(), accuser: two))
            case 6:
                return .check(
                    sequence: number, target: number ^ 5, source: two,
                    incarnation: chance.next() >> UInt64(chance.pick(0...63)), table: chance.next())
            case 7: return .confirm(sequence: number, agrees: chance.chance(500))
            default: return .dead(Accusation(subject: one, incarnation: chance.next(), accuser: two))
            }
        }
    }

    @Test func `what is written is read again, and in one way only`() throws {
        var chance = SimulatedChance(seed: 1)
        for _ in 0..<500 {
            let packet = packet(&chance)
            #expect(try MemberCoding.packet(from: MemberCoding.encode(packet: packet)) == packet)
            let signed = record(&chance)
            let bytes = MemberCoding.encode(signed)
            #expect(bytes.count == signed.encodedSize)
            #expect(bytes.count <= 512)
            #expect(try MemberCoding.record(from: bytes) == signed)
        }
    }

    @Test func `truncated bytes are refused at every length`() {
        var chance = SimulatedChance(seed: 2)
        var cases = 0
        for _ in 0..<10 {
            let bytes = MemberCoding.encode(record(&chance))
            for length in 0..<bytes.count {
                #expect(throws: MemberCoding.Failure.truncated) {
                    try MemberCoding.record(from: Array(bytes[..<length]))
                }
                cases += 1
            }
        }
        #expect(cases >= 200)
    }

    @Test func `flipped bits are refused, or read as what they say now`() {
        var chance = SimulatedChance(seed: 3)
        for _ in 0..<4_000 {
            var bytes = MemberCoding.encode(packet: packet(&chance))
            for _ in 0..<chance.pick(1...4) {
                bytes[chance.pick(0...bytes.count - 1)] ^= 1 << UInt8(chance.pick(0...7))
            }
            guard let read = try? MemberCoding.packet(from: bytes) else { continue }
            #expect(MemberCoding.encode(packet: read) == bytes, "one value has two encodings")
        }
    }

    @Test func `bytes by chance never trap`() {
        var chance = SimulatedChance(seed: 4)
        for _ in 0..<20_000 {
            var bytes = (0..<chance.pick(0...200)).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
            if !bytes.isEmpty { bytes[0] = 1 }
            if bytes.count > 1 { bytes[1] = UInt8(chance.pick(0...11)) }
            _ = try? MemberCoding.packet(from: bytes)
            _ = try? MemberCoding.state(from: bytes)
            _ = try? MemberCoding.step(from: bytes)
            _ = try? MemberCoding.record(from: bytes)
        }
    }

    private func step(_ chance: inout SimulatedChance) -> ExchangeStep {
        let source = NodeID(high: chance.next(), low: chance.next())
        let entries = (0..<chance.pick(0...3)).map { _ in
            StateExchange.Entry(
                signed: record(&chance), status: chance.chance(500) ? .alive : .dead,
                accuser: chance.chance(500) ? source : nil)
        }
        let state = StateExchange(source: source, entries: entries)
        switch chance.pick(0...4) {
        case 0: return .ask(table: chance.next(), state)
        case 1: return .same(source: source)
        case 2:
            let rows = (0..<chance.pick(0...9)).map { _ in
                ExchangeStep.Row(
                    id: NodeID(high: chance.next(), low: chance.next()),
                    incarnation: chance.next() >> UInt64(chance.pick(0...63)), status: .suspect,
                    check: UInt32(truncatingIfNeeded: chance.next()))
            }
            return .summary(source: source, rows)
        case 3: return .difference(state, wanted: (0..<chance.pick(0...9)).map { NodeID(high: 3, low: UInt64($0)) })
        default: return .rest(state)
        }
    }

    @Test func `the steps of an exchange are read as they were written, and only whole`() throws {
        var chance = SimulatedChance(seed: 5)
        for _ in 0..<300 {
            let step = step(&chance)
            let bytes = MemberCoding.encode(step: step)
            #expect(try MemberCoding.step(from: bytes) == step)
            #expect(throws: MemberCoding.Failure.oversized) { try MemberCoding.step(from: bytes + [0]) }
            let length = chance.pick(0...bytes.count - 1)
            #expect(throws: MemberCoding.Failure.self) { try MemberCoding.step(from: Array(bytes[..<length])) }
            var changed = bytes
            changed[chance.pick(0...bytes.count - 1)] ^= 1 << UInt8(chance.pick(0...7))
            guard let read = try? MemberCoding.step(from: changed) else { continue }
            #expect(MemberCoding.encode(step: read) == changed, "one value has two encodings")
        }
        let source = [UInt8](repeating: 0, count: 16)
        for kind in [3, 5] as [UInt8] {
            #expect(throws: MemberCoding.Failure.oversized) {
                try MemberCoding.step(from: [1, kind] + source + [0xff, 0xff])
            }
        }
        #expect(throws: MemberCoding.Failure.oversized) {
            try MemberCoding.step(from: [1, 4] + source + [0, 0, 0xff, 0xff])
        }
    }

    @Test(arguments: [0, 1, 0x7f, 0x80, 1 << 14, 1 << 62, 1 << 63, .max] as [UInt64])
    func `a number of any length has one encoding`(incarnation: UInt64) throws {
        let check = GossipMessage.check(
            sequence: 1, target: 2, source: NodeID(high: 3, low: 4), incarnation: incarnation, table: 5)
        let bytes = MemberCoding.encode(packet: [check])
        #expect(try MemberCoding.packet(from: bytes) == [check])
        guard incarnation < 0x80 else { return }
        // The same number with a byte that says nothing.
        var longer = bytes
        longer[26] |= 0x80
        longer.insert(0, at: 27)
        #expect(throws: MemberCoding.Failure.malformed) { try MemberCoding.packet(from: longer) }
    }

    @Test func `what is too large is refused`() throws {
        let record = MemberRecord(id: NodeID(high: 1, low: 2), roles: [], addresses: [], version: "1")
        #expect(SignedRecord(record: record, signature: .init(repeating: 0, count: 97), attestation: []) == nil)
        #expect(SignedRecord(record: record, signature: [], attestation: .init(repeating: 0, count: 241)) == nil)
        var many = record
        many.addresses = (0..<5).map { Endpoint(ipv4: $0, port: 1) }
        #expect(SignedRecord(record: many, signature: [], attestation: []) == nil)
        var long = record
        long.version = String(repeating: "v", count: 33)
        #expect(SignedRecord(record: long, signature: [], attestation: []) == nil)
        let good = try #require(SignedRecord(record: record, signature: [], attestation: []))
        #expect(throws: MemberCoding.Failure.oversized) {
            try MemberCoding.record(from: MemberCoding.encode(good) + [0])
        }
        #expect(throws: MemberCoding.Failure.unknownVersion(2)) { try MemberCoding.packet(from: [2]) }
        #expect(throws: MemberCoding.Failure.oversized) {
            try MemberCoding.state(from: [1] + [UInt8](repeating: 0, count: 16) + [0xff, 0xff])
        }
    }
}
