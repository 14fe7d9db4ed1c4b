import ClusterModel
import Membership
import Synchronization
import Testing

@testable import Identity

@Suite("Proofs of gossip")
struct RecordProofsTests {
    let authority: ClusterAuthority
    let key = NodeKey()
    let proofs: RecordProofs
    let clock = Clock()

    final class Clock: Sendable {
        private let time = Mutex(UnixTime.start)
        var now: UnixTime {
            get { time.withLock { $0 } }
            set { time.withLock { $0 = newValue } }
        }
    }

    init() throws {
        authority = try newAuthority()
        proofs = RecordProofs(key: NodeKey(), authority: authority.certificate) { [clock] in clock.now }
    }

    private func record(_ key: NodeKey, _ roles: NodeRoles = .agent, incarnation: UInt64 = 1) -> MemberRecord {
        MemberRecord(
            id: key.id, roles: roles, addresses: [Endpoint(ipv4: 1, port: 2)], version: "1", incarnation: incarnation)
    }

    private func signed(
        _ record: MemberRecord, by key: NodeKey, _ attestation: [UInt8]
    ) throws -> SignedRecord {
        let signer = RecordProofs(key: key, authority: authority.certificate) { .start }
        return try #require(
            SignedRecord(record: record, signature: signer.proofs.sign(record), attestation: attestation))
    }

    private func reason(_ signed: SignedRecord) -> String? {
        if case .bad(let reason) = proofs.proofs.verify(signed) { reason } else { nil }
    }

    @Test func `a record of a node of the cluster is good, and fits`() throws {
        let attestation = try newNode(of: authority, [.agent, .master], key: key).attestation
        var record = record(key, [.agent, .master])
        record.addresses = (0..<4).map { Endpoint(ipv6High: $0, low: 1, port: 2) }
        record.version = String(repeating: "v", count: 32)
        record.leaderTerm = 7
        let signed = try signed(record, by: key, attestation)
        #expect(signed.signature.count == 64)
        #expect(signed.encodedSize <= 512)
        #expect(reason(signed) == nil)
        let read = try MemberCoding.record(from: MemberCoding.encode(signed))
        #expect(reason(read) == nil)
    }

    @Test func `a record that is good once is known again, and only as it was`() throws {
        let attestation = try newNode(of: authority, key: key).attestation
        let first = try signed(record(key), by: key, attestation)
        #expect(reason(first) == nil)
        #expect(reason(first) == nil)
        #expect(proofs.rememberedCount == 1)
        let second = try signed(record(key, incarnation: 2), by: key, attestation)
        #expect(reason(second) == nil)
        #expect(reason(first) == nil)
        #expect(proofs.rememberedCount == 1)
        // What is remembered of the true record does not help one with its signature and other words.
        var words = first.record
        words.incarnation = 99
        let forged = try #require(SignedRecord(record: words, signature: first.signature, attestation: attestation))
        #expect(reason(forged)?.contains("not signed") == true)
        words = first.record
        words.roles = [.agent, .master]
        let risen = try signed(words, by: key, attestation)
        #expect(reason(risen)?.contains("attest") == true)
        #expect(reason(second) == nil)
    }

    @Test func `who has no word of the authority is nobody`() throws {
        let attestation = try newNode(of: authority, .agent, key: key).attestation
        let (other, elsewhere) = (NodeKey(), try newAuthority())
        func check(_ signed: SignedRecord, _ word: String) {
            #expect(reason(signed)?.contains(word) == true, "\(reason(signed) ?? "good")")
        }
        check(try signed(record(key, .master), by: key, attestation), "did not attest")
        check(try signed(record(key, [.agent, .master]), by: key, attestation), "did not attest")
        check(try signed(record(key), by: other, attestation), "not signed")
        check(try signed(record(other), by: other, attestation), "does not belong")
        check(try signed(record(key), by: key, newNode(of: elsewhere, key: key).attestation), "did not attest")
        check(
            try signed(record(key), by: key, newNode(of: newAuthority("other"), key: key).attestation), "did not attest"
        )
        check(try signed(record(key), by: key, newNode(of: authority, .master, key: key).attestation), "did not attest")
        check(try signed(record(key), by: key, []), "read")
        check(try signed(record(key), by: key, attestation + [0]), "read")
        let unsigned = try #require(SignedRecord(record: record(key), signature: [], attestation: attestation))
        check(unsigned, "not signed")
        // One's own key in front of somebody's attestation.
        let mixed = other.publicKey.compressed + attestation.dropFirst(33)
        check(try signed(record(other), by: other, mixed), "did not attest")
        check(try signed(record(key), by: other, mixed), "does not belong")
        #expect(proofs.rememberedCount == 0)
        #expect(reason(try signed(record(key), by: key, attestation)) == nil)
    }

    @Test func `an attestation says who, where, what and until when`() throws {
        let issued = try newNode(of: authority, [.agent, .master], key: key)
        let end: [UInt8] = [0, 0, 0, 0, 0x6b, 0x4b, 0x23, 0x80]
        #expect(Array(issued.attestation[..<33]) == key.publicKey.compressed)
        #expect(Array(issued.attestation[33..<41]) == end)
        let said = Array("rondo-attest-v1\(clusterID)".utf8) + key.id.bytes + [3] + end
        #expect(authority.certificate.publicKey.verifies(Array(issued.attestation[41...]), over: said))
    }

    @Test func `an attestation is cut at every length and refused`() throws {
        let attestation = try newNode(of: authority, key: key).attestation
        for count in 0..<attestation.count {
            #expect(reason(try signed(record(key), by: key, Array(attestation[..<count]))) != nil)
        }
    }

    @Test func `an attestation ends, also for a record that is remembered`() throws {
        let signed = try signed(record(key), by: key, newNode(of: authority, key: key).attestation)
        #expect(reason(signed) == nil)
        clock.now = .start + day
        #expect(reason(signed) == nil)
        clock.now = .start + (day + 1)
        #expect(reason(signed)?.contains("fresh token") == true)
    }

    @Test func `an evicted node is not believed any more, also when its record is remembered`() throws {
        let signed = try signed(record(key), by: key, newNode(of: authority, key: key).attestation)
        #expect(reason(signed) == nil)
        proofs.evicted = [key.id]
        #expect(reason(signed)?.contains("evicted") == true)
        proofs.evicted = []
        #expect(reason(signed) == nil)
    }

    @Test func `flipped bits in a record and its proofs are refused`() throws {
        var chance = SeededChance(seed: 7)
        let good = try signed(record(key), by: key, newNode(of: authority, key: key).attestation)
        #expect(reason(good) == nil)
        let bytes = MemberCoding.encode(good)
        var refused = 0
        for _ in 0..<1_500 {
            var flipped = bytes
            let index = Int.random(in: flipped.indices, using: &chance)
            flipped[index] ^= 1 << UInt8.random(in: 0...7, using: &chance)
            guard let read = try? MemberCoding.record(from: flipped) else { continue }
            #expect(reason(read) != nil, "byte \(index)")
            refused += 1
        }
        #expect(refused > 1_000)
        #expect(reason(good) == nil)
    }

    @Test func `what is remembered is bounded, and what is used stays`() throws {
        let attestation = try newNode(of: authority, key: key).attestation
        let first = try signed(record(key), by: key, attestation)
        #expect(reason(first) == nil)
        let small = RecordProofs(key: NodeKey(), authority: authority.certificate, limit: 8) { .start }
        _ = small.proofs.verify(first)
        for _ in 0..<40 {
            let other = NodeKey()
            let signed = try signed(record(other), by: other, newNode(of: authority, key: other).attestation)
            guard case .good = small.proofs.verify(signed), case .good = small.proofs.verify(first) else {
                Issue.record("a good record was refused")
                return
            }
            #expect(small.rememberedCount <= 8)
            #expect(small.remembers(key.id))
        }
    }
}
