import Membership
import MembershipSimulation
import Synchronization
import Testing

@Suite("What a newcomer takes its host's word for")
struct VouchingTests {
    /// Counts what is verified.
    private final class Count: Sendable {
        let ids = Mutex<[NodeID]>([])
        var total: Int { ids.withLock { $0.count } }
    }

    private static func newcomer(_ count: Count) -> Subject {
        var subject = Subject()
        let proofs = Membership.Proofs(
            sign: MembershipSimulation.proofs.sign,
            verify: { signed in
                count.ids.withLock { $0.append(signed.record.id) }
                return MembershipSimulation.proofs.verify(signed)
            })
        subject.membership = Membership(
            record: Subject.record(0), attestation: [], settings: .lan, proofs: proofs, now: subject.now)!
        return subject
    }

    private static func entry(_ signed: SignedRecord) -> StateExchange.Entry {
        StateExchange.Entry(signed: signed, status: .alive, accuser: nil)
    }

    private static func forged(_ index: Int, _ change: (inout MemberRecord) -> Void = { _ in }) -> SignedRecord {
        SignedRecord(record: Subject.record(index, change), signature: [1, 2, 3], attestation: [])!
    }

    private static func tell(_ signed: [SignedRecord], to subject: inout Subject) -> [Membership.Report] {
        let state = StateExchange(source: Subject.id(1), entries: signed.map(entry))
        return subject.reports(.state(state, from: Subject.at(1), exchange: nil))
    }

    @Test func `what the host says counts at once, and is verified soon after`() {
        let count = Count()
        var subject = Self.newcomer(count)
        let told = (1...200).map { Subject.signed($0) }
        #expect(Self.tell(told, to: &subject).count == 200)
        #expect(subject.membership.presentMembers == 201)
        #expect(count.total == 0)
        _ = subject.run(for: .seconds(6), answering: Set(1...200))
        #expect(Set(count.ids.withLock { $0 }) == Set(told.map(\.record.id)))
        #expect(count.total == 200)
        #expect(subject.membership.presentMembers == 201)
    }

    @Test func `a record that is not good is forgotten, and the host named`() {
        var subject = Self.newcomer(Count())
        _ = Self.tell([Subject.signed(1), Self.forged(2), Subject.signed(3)], to: &subject)
        let reports = subject.run(for: .seconds(6), answering: [1, 3])
        #expect(reports.contains(.forgotten(Subject.id(2))))
        #expect(
            reports.contains(.refused(.notVerified(Subject.id(2), reason: "signature"), from: Subject.at(1))))
        #expect(subject.membership.members[Subject.id(2)] == nil)
        #expect(subject.membership.presentMembers == 3)
    }

    @Test func `masters and who claims to lead are verified before they count`() {
        let count = Count()
        var subject = Self.newcomer(count)
        let forged = [
            Self.forged(2) { $0.roles = .master },
            Self.forged(3) {
                $0.roles = [.master, .agent]
                $0.leaderTerm = 9
            },
        ]
        _ = Self.tell([Subject.signed(1)] + forged, to: &subject)
        #expect(count.total == 2)
        #expect(subject.membership.presentMembers == 2)
        #expect(subject.membership.leader == nil)
    }

    @Test func `what comes in packets is verified before it counts`() {
        let count = Count()
        var subject = Self.newcomer(count)
        _ = Self.tell([Subject.signed(1)], to: &subject)
        #expect(subject.hear(.alive(Self.forged(5))).contains { if case .refused = $0 { true } else { false } })
        #expect(subject.membership.members[Subject.id(5)] == nil)
        #expect(count.total == 1)
    }

    @Test func `a true record of a member takes the place of a false one at once`() {
        var subject = Self.newcomer(Count())
        _ = Self.tell([Subject.signed(1), Self.forged(2) { $0.incarnation = 50 }], to: &subject)
        _ = subject.hear(.alive(Subject.signed(2)), from: 3)
        #expect(subject.membership.members[Subject.id(2)]?.signed == Subject.signed(2))
    }

    @Test func `who is no newcomer verifies what another tells`() {
        let count = Count()
        var subject = Self.newcomer(count)
        _ = subject.hear(.alive(Subject.signed(7)), from: 7)
        let before = count.total
        _ = Self.tell([Subject.signed(1), Self.forged(2)], to: &subject)
        #expect(count.total == before + 2)
        #expect(subject.membership.members[Subject.id(2)] == nil)
    }
}
