import Membership

/// A member that hears whatever others care to say, over time. Its own record and its memory of terms must stand it.
enum Conversing {
    static let own = NodeID(high: 1, low: 1)

    /// One step of an input: a word, and what it needs.
    enum Step: UInt8, CaseIterable {
        /// Two bytes of length, then a packet.
        case packet
        /// Two bytes of length, then a state.
        case state
        /// The same as an answer on a stream that is still open.
        case question
        /// One byte: that many fifths of a second pass.
        case time
        case exchangeFailed
        /// One byte: the address.
        case addressesChanged
        /// One byte: the term.
        case leadership
        case leave
    }

    /// Eight bytes of a mixing generator are chance enough here.
    private struct Chance: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    static func run(_ bytes: [UInt8]) {
        var rest = bytes[...]
        var chance = Chance(state: UInt64(rest.popFirst() ?? 0))
        var now = Duration.seconds(100)
        let record = MemberRecord(
            id: own, roles: [.agent, .master], addresses: [Endpoint(ipv4: 0x7f00_0001, port: 1)], version: "1")
        // Half of all signatures are good: what is believed and what is refused have both to be stood.
        let proofs = Membership.Proofs(
            sign: { _ in [0] }, verify: { ($0.signature.first ?? 0) & 1 == 0 ? .good : .bad("it is odd") })
        guard
            var member = Membership(record: record, attestation: [1], settings: .lan, proofs: proofs, now: now)
        else { preconditionFailure("a record that is small enough was refused") }
        while let word = rest.popFirst() {
            guard let event = event(Step.allCases[Int(word) % Step.allCases.count], &rest, &now) else { continue }
            let (incarnation, term) = (member.own.record.incarnation, member.leaderTerm)
            check(member.handle(event, now: now, random: &chance), member)
            precondition(member.own.record.incarnation >= incarnation, "an incarnation went back")
            precondition(member.leaderTerm >= term, "a term went back")
            precondition(member.members[own] == nil, "a member is its own neighbour")
        }
    }

    private static func event(
        _ step: Step, _ rest: inout ArraySlice<UInt8>, _ now: inout Duration
    ) -> Membership.Event? {
        let somewhere = Endpoint(ipv4: 0x7f00_0002, port: 1)
        switch step {
        case .packet:
            guard let messages = try? MemberCoding.packet(from: take(&rest)) else { return nil }
            return .packet(messages, from: somewhere)
        case .state:
            guard let state = try? MemberCoding.state(from: take(&rest)) else { return nil }
            return .state(state, from: somewhere, exchange: nil)
        case .question:
            guard let state = try? MemberCoding.state(from: take(&rest)) else { return nil }
            return .state(state, from: somewhere, exchange: 1)
        case .time:
            now += .milliseconds(200) * Int(rest.popFirst() ?? 1)
            return .tick
        case .exchangeFailed: return .exchangeFailed(somewhere)
        case .addressesChanged:
            return .addressesChanged([Endpoint(ipv4: 0x7f00_0000 | UInt32(rest.popFirst() ?? 1), port: 1)])
        case .leadership: return .leadership(term: rest.popFirst().map(UInt64.init))
        case .leave: return .leave
        }
    }

    private static func take(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        let length = Int(rest.popFirst() ?? 0) << 8 | Int(rest.popFirst() ?? 0)
        let part = Array(rest.prefix(length))
        rest = rest.dropFirst(length)
        return part
    }

    /// What it says in turn must be within the limits and readable.
    private static func check(_ effects: [Membership.Effect], _ member: Membership) {
        for effect in effects {
            switch effect {
            case .send(let messages, _):
                let bytes = MemberCoding.encode(packet: messages)
                precondition(bytes.count <= member.settings.packetBudget, "a packet is larger than its budget")
                precondition((try? MemberCoding.packet(from: bytes)) == messages, "a packet cannot be read")
            case .exchange(let state, _), .answer(let state, _):
                let bytes = MemberCoding.encode(state: state)
                precondition((try? MemberCoding.state(from: bytes)) == state, "a state cannot be read")
            case .report: break
            }
        }
    }
}
