import ClusterModel
import FoundationEssentials
import Glibc
import Membership

@testable import Gossip
@testable import Identity

/// Inputs to begin with: one good example of everything that is parsed, so that chance starts from there.
enum Seeds {
    static func record(_ number: UInt64, incarnation: UInt64 = 3) -> SignedRecord {
        let record = MemberRecord(
            id: NodeID(high: 1, low: number), roles: number == 2 ? [.master] : [.agent],
            addresses: [
                Endpoint(ipv4: 0x7f00_0000 | UInt32(number), port: 7_946),
                Endpoint(ipv6High: 0xfd00_0000_0000_0000, low: number, port: 7_946),
            ], version: "0.1.0", incarnation: incarnation, leaderTerm: number == 2 ? 4 : nil,
            isGossipClient: number == 5, isLeaving: number == 6)
        return SignedRecord(record: record, signature: Array(repeating: 2, count: 64), attestation: [1, 2, 3])!
    }

    static let messages: [GossipMessage] = {
        let (own, other) = (Conversing.own, NodeID(high: 1, low: 2))
        let address = Endpoint(ipv4: 0x7f00_0003, port: 7_946)
        return [
            .ping(sequence: 1, target: own, source: other, incarnation: 3), .ack(sequence: 2, source: other),
            .nack(sequence: 3, source: other),
            .pingRequest(sequence: 4, target: NodeID(high: 1, low: 3), at: address, source: other),
            .alive(record(2)), .alive(record(3)),
            .suspect(Accusation(subject: own, incarnation: 1, accuser: other)),
            .dead(Accusation(subject: NodeID(high: 1, low: 3), incarnation: 3, accuser: other)),
        ]
    }()

    static let state: StateExchange = {
        let rows: [(UInt64, MemberStatus, NodeID?)] = [
            (2, .alive, nil), (3, .suspect, NodeID(high: 1, low: 2)), (4, .dead, NodeID(high: 1, low: 2)),
            (5, .stale, nil), (6, .left, nil),
        ]
        let entries = rows.map { StateExchange.Entry(signed: record($0.0), status: $0.1, accuser: $0.2) }
        return StateExchange(source: NodeID(high: 1, low: 2), entries: entries)
    }()

    static let beacon = Beacon(
        node: NodeID(high: 1, low: 2), isIsolated: true,
        addresses: [Endpoint(ipv4: 0x7f00_0002, port: 7_946), Endpoint(ipv6High: 1, low: 2, port: 7_946)])

    /// A state, a packet for each message, time between them, and the word to leave at the end.
    private static let conversation: [UInt8] = {
        func counted(_ step: Conversing.Step, _ body: [UInt8]) -> [UInt8] {
            [step.rawValue, UInt8(body.count >> 8), UInt8(body.count & 0xff)] + body
        }
        var bytes: [UInt8] = [9] + counted(.question, MemberCoding.encode(state: state))
        for message in messages {
            bytes += counted(.packet, MemberCoding.encode(packet: [message]))
            bytes += [Conversing.Step.time.rawValue, 3]
        }
        return bytes + [
            Conversing.Step.leadership.rawValue, 9, Conversing.Step.addressesChanged.rawValue, 7,
            Conversing.Step.exchangeFailed.rawValue, Conversing.Step.time.rawValue, 90, Conversing.Step.leave.rawValue,
            Conversing.Step.time.rawValue, 40,
        ]
    }()

    private static func identities() throws -> [(Parser, [UInt8])] {
        let now = UnixTime(seconds: 1_800_000_000)
        let authority = try ClusterAuthority(clusterID: "fuzz", name: "fuzz", now: now)
        let request = try CertificateRequest(key: NodeKey())
        let token = JoinToken(role: .agent, pin: authority.pin).text
        let issued = try authority.issueNode(request, roles: .agent, now: now)
        let pem = String(decoding: request.pem, as: UTF8.self)
        let body = try JSONEncoder().encode(["token": token, "request": pem, "name": "one", "role": "agent"])
        let session = SessionToken(user: "one", version: 1, expiresAt: now).signed(with: SessionKeys(), now: now)
        return [
            (.joinToken, Array(" \(token)\n".utf8)), (.joinBody, Array(body)), (.certificateRequest, request.pem),
            (.certificateRequest, request.der), (.certificate, issued.chain[0]), (.certificate, issued.chain[1]),
            (.signedToken, Array(session.utf8)),
        ]
    }

    static func write(to folder: String) -> Bool {
        guard let identities = try? identities() else { return false }
        var all = identities + Sealed.envelopes.map { (Parser.envelope, $0) }
        all += [
            (.stream, [40] + Sealed.conversation), (.packet, MemberCoding.encode(packet: messages)),
            (.record, MemberCoding.encode(record(2))), (.state, MemberCoding.encode(state: state)),
            (.beacon, beacon.bytes), (.conversation, conversation),
        ]
        all += Packaged.seeds
        all += Channelled.seeds
        all += messages.map { (.packet, MemberCoding.encode(packet: [$0])) }
        for (number, (parser, bytes)) in all.enumerated() {
            guard let file = fopen("\(folder)/seed-\(parser)-\(number)", "w") else { return false }
            let content = [parser.rawValue] + bytes
            guard fwrite(content, 1, content.count, file) == content.count, fclose(file) == 0 else { return false }
        }
        return true
    }
}
