import Membership
import MembershipSimulation
import Testing

/// One member under test, with a clock that is moved by hand.
struct Subject {
    var membership: Membership
    var now: Duration = .seconds(100)
    var chance = SimulatedChance(seed: 1)

    init(change: (inout MemberRecord) -> Void = { _ in }, settings: MembershipSettings = .lan) {
        var record = Self.record(0)
        change(&record)
        membership = Membership(
            record: record, attestation: [], settings: settings, proofs: MembershipSimulation.proofs, now: now)!
    }

    static func id(_ index: Int) -> NodeID { MembershipSimulation.id(index) }
    static func at(_ index: Int) -> Endpoint { MembershipSimulation.endpoint(index) }

    static func record(_ index: Int, _ change: (inout MemberRecord) -> Void = { _ in }) -> MemberRecord {
        var record = MemberRecord(id: id(index), roles: .agent, addresses: [at(index)], version: "1")
        change(&record)
        return record
    }

    static func signed(_ index: Int, _ change: (inout MemberRecord) -> Void = { _ in }) -> SignedRecord {
        let record = record(index, change)
        return SignedRecord(record: record, signature: MembershipSimulation.sign(record), attestation: [])!
    }

    /// All effects of one event.
    mutating func take(_ event: Membership.Event) -> [Membership.Effect] {
        membership.handle(event, now: now, random: &chance)
    }

    /// What is reported on one event.
    mutating func reports(_ event: Membership.Event) -> [Membership.Report] {
        take(event).compactMap { if case .report(let report) = $0 { report } else { nil } }
    }

    mutating func hear(_ messages: GossipMessage..., from index: Int = 1) -> [Membership.Report] {
        reports(.packet(messages, from: Self.at(index)))
    }

    /// Runs all deadlines up to a time; probes are answered by the members given.
    mutating func run(for time: Duration, answering: Set<Int> = []) -> [Membership.Report] {
        var reports: [Membership.Report] = []
        let end = now + time
        var turns = 0
        while membership.nextDeadline <= end, turns < 100_000 {
            turns += 1
            now = max(now, membership.nextDeadline)
            var effects = take(.tick)
            while !effects.isEmpty {
                switch effects.removeFirst() {
                case .report(let report): reports.append(report)
                case .send(let messages, let endpoint):
                    guard let index = answering.first(where: { Self.at($0) == endpoint }) else { continue }
                    for case .ping(let number, _, _, _) in messages {
                        effects += take(.packet([.ack(sequence: number, source: Self.id(index))], from: endpoint))
                    }
                    for case .check(let number, _, _, _, _) in messages {
                        effects += take(.packet([.confirm(sequence: number, agrees: true)], from: endpoint))
                    }
                default: break
                }
            }
        }
        #expect(turns < 100_000, "the deadlines do not move on")
        now = end
        return reports
    }

    mutating func meet(_ indices: Int...) {
        for index in indices { _ = hear(.alive(Self.signed(index)), from: index) }
    }
}

private func suspicion(of index: Int, by accuser: Int, incarnation: UInt64 = 1) -> GossipMessage {
    .suspect(
        Accusation(subject: Subject.id(index), incarnation: incarnation, accuser: Subject.id(accuser)))
}

@Suite("What a member does")
struct BehaviourTests {
    @Test func `an accused member names its accuser and announces itself anew`() {
        var subject = Subject()
        subject.meet(1, 2)
        let reports = subject.hear(suspicion(of: 0, by: 2))
        #expect(reports == [.refuted(accuser: Subject.id(2), incarnation: 2)])
        #expect(subject.membership.own.record.incarnation == 2)
        #expect(subject.membership.localHealth == 1)
        // The same accusation is old now.
        #expect(subject.hear(suspicion(of: 0, by: 1)).isEmpty)
    }

    @Test func `an incarnation that never was is not believed`() {
        var subject = Subject()
        subject.meet(1)
        let forged = suspicion(of: 0, by: 1, incarnation: 1 << 60)
        let refusal = Membership.Refusal.forgedIncarnation(accuser: Subject.id(1))
        #expect(subject.hear(forged) == [.refused(refusal, from: Subject.at(1))])
        #expect(subject.hear(forged).isEmpty)
        #expect(subject.membership.own.record.incarnation == 1)
        #expect(subject.hear(suspicion(of: 1, by: 2, incarnation: 9)).isEmpty)
        #expect(subject.membership.members[Subject.id(1)]?.status == .alive)
    }

    @Test func `hearsay of a death is only an accusation`() {
        var subject = Subject()
        subject.meet(1, 2, 3)
        let death = GossipMessage.dead(
            Accusation(subject: Subject.id(2), incarnation: 1, accuser: Subject.id(1)))
        #expect(subject.hear(death) == [.suspected(Subject.id(2), accuser: Subject.id(1))])
        #expect(subject.hear(.alive(Subject.signed(2) { $0.incarnation = 2 })) == [.recovered(Subject.id(2))])
        #expect(subject.hear(death).isEmpty)
    }

    @Test func `a suspect that answers this node is not given up, whatever others say`() {
        var subject = Subject()
        subject.meet(1, 2, 3, 4, 5)
        for accuser in 2...5 { _ = subject.hear(suspicion(of: 1, by: accuser)) }
        _ = subject.run(for: .seconds(2), answering: [1, 2, 3, 4, 5])
        _ = subject.hear(
            .dead(Accusation(subject: Subject.id(1), incarnation: 1, accuser: Subject.id(2))), from: 2)
        #expect(subject.run(for: .seconds(60), answering: [1, 2, 3, 4, 5]).isEmpty)
        #expect(subject.membership.members[Subject.id(1)]?.status == .suspect)
        #expect(
            subject.run(for: .seconds(60), answering: [2, 3, 4, 5]).contains {
                if case .died = $0 { true } else { false }
            })
    }

    @Test func `others are asked before a death is believed, and told what is held against the suspect`() {
        var subject = Subject()
        subject.meet(1, 2, 3, 4)
        _ = subject.hear(suspicion(of: 1, by: 2))
        var asked: Set<Endpoint> = []
        for _ in 0..<20 {
            subject.now += .milliseconds(100)
            for case .send(let messages, let endpoint) in subject.take(.tick) {
                guard case .pingRequest(_, Subject.id(1), _, _) = messages.first else { continue }
                #expect(messages.dropFirst().first == suspicion(of: 1, by: 2))
                asked.insert(endpoint)
            }
        }
        #expect(asked == [Subject.at(2), Subject.at(3), Subject.at(4)])
    }

    @Test func `who repeats an old accusation is told the newer record`() {
        var subject = Subject()
        let newer = Subject.signed(1) { $0.incarnation = 2 }
        _ = subject.hear(.alive(newer))
        var told: [GossipMessage] = []
        for case .send(let messages, Subject.at(3)) in subject.take(
            .packet([suspicion(of: 1, by: 2)], from: Subject.at(3)))
        { told += messages }
        #expect(told == [.alive(newer)])
        #expect(subject.membership.members[Subject.id(1)]?.status == .alive)
    }

    @Test func `the answer to a probe carries the answer to the accusation in it`() {
        var subject = Subject()
        subject.meet(1)
        let ping = GossipMessage.ping(sequence: 9, target: Subject.id(0), source: Subject.id(1), incarnation: 1)
        var answers: [[GossipMessage]] = []
        for case .send(let messages, Subject.at(1)) in subject.take(
            .packet([ping, suspicion(of: 0, by: 2)], from: Subject.at(1)))
        { answers.append(messages) }
        let answer = answers.first { $0.first == .ack(sequence: 9, source: Subject.id(0)) }
        #expect(answer?.contains(.alive(subject.membership.own)) == true)
        #expect(subject.membership.own.record.incarnation == 2)
    }

    @Test func `confirmations shorten the time to answer`() {
        func timeOfDeath(accusers: [Int]) -> Int {
            var subject = Subject()
            subject.meet(1, 2, 3, 4, 5)
            for accuser in accusers { _ = subject.hear(suspicion(of: 1, by: accuser)) }
            for second in 1...60 where subject.membership.members[Subject.id(1)]?.status == .suspect {
                // Only accusations of others count here: this node's own accusation is repeated by them.
                _ = subject.run(for: .seconds(1), answering: [2, 3, 4, 5])
                if subject.membership.members[Subject.id(1)]?.status == .dead { return second }
            }
            return .max
        }
        let times = [[2], [2, 3], [2, 3, 4], [2, 3, 4, 5]].map(timeOfDeath)
        #expect(times == times.sorted(by: >))
        // Six times the shortest at most, less as soon as the own probe fails; the shortest, and the last own look.
        #expect((6...18).contains(times[0]))
        #expect((3...4).contains(times[3]))
        // One accuser who repeats himself is one accuser.
        #expect(timeOfDeath(accusers: [2, 2, 2, 2]) == times.first)
    }

    @Test func `clients, which probe nobody, are not waited for as witnesses`() {
        var times: [Duration] = []
        for clients in [0, 6] {
            var subject = Subject()
            subject.meet(1, 2)
            for index in 0..<clients {
                _ = subject.hear(.alive(Subject.signed(10 + index) { $0.isGossipClient = true }))
            }
            _ = subject.run(for: .seconds(3), answering: [1, 2])
            let accuse = { Accusation(subject: Subject.id(2), incarnation: 1, accuser: Subject.id($0)) }
            _ = subject.hear(.suspect(accuse(9)))
            _ = subject.hear(.suspect(accuse(1)))
            let began = subject.now
            while subject.membership.members[Subject.id(2)]?.status != .dead, subject.now - began < .seconds(60) {
                _ = subject.run(for: .milliseconds(100), answering: [1])
            }
            times.append(subject.now - began)
        }
        #expect(times[1] <= times[0] + .milliseconds(200), "\(times)")
    }

    @Test func `a suspect hears of it in the probe`() {
        var subject = Subject()
        subject.meet(1)
        _ = subject.hear(suspicion(of: 1, by: 9))
        var told = false
        for _ in 0..<40 {
            subject.now += .milliseconds(50)
            for case .send(let messages, Subject.at(1)) in subject.take(.tick) {
                if case .ping = messages.first { told = told || messages.dropFirst().contains(suspicion(of: 1, by: 9)) }
            }
        }
        #expect(told)
    }

    @Test func `a silent member dies, is remembered, and is forgotten in the end`() {
        var settings = MembershipSettings.lan
        settings.reclaimAfter = .seconds(60)
        var subject = Subject(settings: settings)
        subject.meet(1, 2)
        let reports = subject.run(for: .seconds(30), answering: [2])
        #expect(reports.contains(.died(Subject.id(1), accusers: [Subject.id(0)])))
        #expect(subject.hear(.alive(Subject.signed(1))).isEmpty)
        #expect(subject.membership.members[Subject.id(1)]?.status == .dead)
        #expect(subject.run(for: .seconds(80), answering: [2]).contains(.forgotten(Subject.id(1))))
        let heir = Subject.signed(7) { $0.addresses = [Subject.at(1)] }
        #expect(subject.hear(.alive(heir)) == [.joined(Subject.id(7))])
    }

    @Test func `a dead member with a higher incarnation is believed again`() {
        var subject = Subject()
        subject.meet(1, 2)
        _ = subject.run(for: .seconds(30), answering: [2])
        #expect(subject.hear(.alive(Subject.signed(1) { $0.incarnation = 2 })) == [.recovered(Subject.id(1))])
    }

    @Test func `leaving is no death`() {
        var subject = Subject()
        subject.meet(1)
        let last = Subject.signed(1) {
            $0.incarnation = 2
            $0.isLeaving = true
        }
        #expect(subject.hear(.alive(last)) == [.departed(Subject.id(1))])
        #expect(subject.hear(suspicion(of: 1, by: 2, incarnation: 2)).isEmpty)
        #expect(subject.membership.presentMembers == 1)
        #expect(subject.reports(.leave) == [.leaveCompleted])
    }

    @Test func `the news of leaving is spread before it is complete`() {
        var subject = Subject()
        subject.meet(1, 2, 3)
        #expect(!subject.reports(.leave).contains(.leaveCompleted))
        #expect(subject.run(for: .seconds(5), answering: [1, 2, 3]).contains(.leaveCompleted))
    }

    @Test func `a live member at new addresses is an event of its own`() {
        var subject = Subject()
        subject.meet(1)
        let moved = Subject.signed(1) {
            $0.incarnation = 2
            $0.addresses = [Subject.at(77)]
        }
        let expected = Membership.Report.addressesChanged(
            Subject.id(1), from: [Subject.at(1)], to: [Subject.at(77)])
        #expect(subject.hear(.alive(moved)) == [expected])
        _ = subject.reports(.addressesChanged([Subject.at(78)]))
        #expect(subject.membership.own.record.addresses == [Subject.at(78)])
        #expect(subject.membership.own.record.incarnation == 2)
        let taker = Subject.signed(5) { $0.addresses = [Subject.at(77)] }
        let contest = Membership.Report.addressContested(
            Subject.at(77), newcomer: Subject.id(5), holder: Subject.id(1))
        #expect(subject.hear(.alive(taker)).contains(contest))
    }

    @Test func `only masters lead, and a newer term wins for good`() {
        var subject = Subject()
        let pretender = Subject.signed(1) { $0.leaderTerm = 9 }
        let refusal = Membership.Refusal.leaderWithoutMasterRole(Subject.id(1))
        #expect(subject.hear(.alive(pretender)).contains(.refused(refusal, from: Subject.at(1))))
        #expect(subject.membership.leader == nil)
        func claim(_ index: Int, _ term: UInt64, incarnation: UInt64 = 1) -> GossipMessage {
            .alive(
                Subject.signed(index) {
                    $0.roles = .master
                    $0.leaderTerm = term
                    $0.incarnation = incarnation
                })
        }
        #expect(subject.hear(claim(2, 3)).contains(.leaderChanged(Subject.id(2), term: 3)))
        #expect(subject.hear(claim(3, 4)).contains(.leaderChanged(Subject.id(3), term: 4)))
        #expect(!subject.hear(claim(4, 2)).contains { if case .leaderChanged = $0 { true } else { false } })
        #expect(subject.membership.leader == Subject.id(3))
        let deposed = Subject.signed(3) {
            $0.roles = .master
            $0.incarnation = 2
        }
        #expect(subject.hear(.alive(deposed)).contains(.leaderChanged(nil, term: 4)))
        #expect(!subject.hear(claim(2, 3, incarnation: 2)).contains(.leaderChanged(Subject.id(2), term: 3)))
    }

    @Test func `bad records are refused once for each sender, with the reason`() {
        var subject = Subject()
        let bad = SignedRecord(record: Subject.record(1), signature: [1], attestation: [])!
        let refusal = Membership.Refusal.notVerified(Subject.id(1), reason: "signature")
        #expect(subject.hear(.alive(bad), from: 1) == [.refused(refusal, from: Subject.at(1))])
        #expect(subject.hear(.alive(bad), from: 1).isEmpty)
        #expect(subject.hear(.alive(bad), from: 2) == [.refused(refusal, from: Subject.at(2))])
        #expect(subject.membership.members.isEmpty)
    }

    @Test func `members without a common protocol are refused, and the common version is known`() {
        var subject = Subject(change: { $0.protocols = 1...3 })
        let refusal = Membership.Refusal.incompatibleProtocol(Subject.id(1), theirs: 4...5, ours: 1...3)
        let new = Subject.signed(1) { $0.protocols = 4...5 }
        #expect(subject.hear(.alive(new)) == [.refused(refusal, from: Subject.at(1))])
        _ = subject.hear(.alive(Subject.signed(2) { $0.protocols = 2...9 }))
        #expect(subject.membership.protocolVersion == 3)
        _ = subject.hear(.alive(Subject.signed(3) { $0.protocols = 1...2 }))
        #expect(subject.membership.protocolVersion == 2)
    }

    @Test func `a restarted member goes on above its earlier life, and a copied key is noticed`() {
        var subject = Subject()
        subject.meet(1)
        let earlier = Subject.signed(0) { $0.incarnation = 7 }
        #expect(subject.hear(.alive(earlier)).isEmpty)
        #expect(subject.membership.own.record.incarnation == 8)
        var duplicates = 0
        for _ in 0..<3 {
            let next = subject.membership.own.record.incarnation + 1
            let other = Subject.signed(0) {
                $0.incarnation = next
                $0.addresses = [Subject.at(50)]
            }
            let reports = subject.hear(.alive(other))
            if reports.contains(.duplicateIdentity(addresses: [Subject.at(50)])) { duplicates += 1 }
        }
        #expect(duplicates == 1)
    }

    @Test func `a gossip client is never probed, and stale after silence`() {
        var subject = Subject()
        _ = subject.hear(.alive(Subject.signed(1) { $0.isGossipClient = true }))
        #expect(subject.hear(suspicion(of: 1, by: 2)).isEmpty)
        #expect(subject.run(for: .seconds(50)).isEmpty)
        #expect(subject.run(for: .seconds(30)) == [.becameStale(Subject.id(1))])
        let again = Subject.signed(1) {
            $0.isGossipClient = true
            $0.incarnation = 2
        }
        #expect(subject.hear(.alive(again)) == [.recovered(Subject.id(1))])
    }

    @Test func `a jump of the clock blames nobody`() {
        var subject = Subject()
        subject.meet(1, 2)
        _ = subject.hear(suspicion(of: 1, by: 2))
        subject.now += .seconds(500)
        let reports = subject.reports(.tick)
        #expect(reports.contains { if case .stalled = $0 { true } else { false } })
        #expect(subject.membership.members[Subject.id(1)]?.status == .suspect)
        subject.now -= .seconds(450)
        #expect(subject.reports(.tick).isEmpty)
        _ = subject.run(for: .seconds(40), answering: [2])
        #expect(subject.membership.members[Subject.id(1)]?.status == .dead)
    }
}
