import Membership
import MembershipSimulation
import Testing

@Suite("Tables that are compared")
struct ComparisonTests {
    /// Goal: where nothing happens, nothing but probes is said.
    @Test(arguments: [2, 16, 64]) func `members with the same table open no streams`(size: Int) {
        let cluster = MembershipSimulation(seed: UInt64(size), settings: .lan)
        cluster.startTogether(size)
        cluster.run(for: 20 * second)
        let (streams, packets) = (cluster.streams, cluster.packets)
        cluster.run(for: 600 * second)
        #expect(cluster.streams == streams)
        let each = Double(cluster.packets - packets) / Double(600 * size)
        #expect((1.8...2.1).contains(each), "a probe and its answer each second")
        #expect(cluster.disagreement == nil)
    }

    @Test func `equal tables cost one small message each way`() throws {
        var one = Subject()
        var other = Subject { $0 = Subject.record(1) }
        _ = other.hear(.alive(Subject.signed(0)), from: 0)
        _ = one.hear(.alive(Subject.signed(1)))
        for index in 2..<200 {
            _ = one.hear(.alive(Subject.signed(index)))
            _ = other.hear(.alive(Subject.signed(index)))
        }
        // So much news is reason enough for an exchange.
        var said: [ExchangeStep] = []
        for _ in 0..<100 where said.isEmpty {
            one.now += .milliseconds(100)
            for case .ask(let step, _) in one.take(.tick) { said.append(step) }
        }
        let ask = try #require(said.first)
        for case .say(let step, 7) in other.take(.step(ask, from: Subject.at(0), exchange: 7)) { said.append(step) }
        #expect(said.count == 2)
        #expect(said.last == .same(source: Subject.id(1)))
        #expect(said.allSatisfy { MemberCoding.encode(step: $0).count < 200 })
    }

    /// Goal: news that no packet brought is found by comparing, long before the next exchange would be due.
    @Test func `any difference heals`() async {
        await Seeds.run(200) { seed in
            let cluster = MembershipSimulation.ofSomePreset(seed)
            let period = cluster.settings.period
            let size = cluster.chance.pick(3...24)
            cluster.startTogether(size) { index, record in
                record.roles = [.master, .agent]
                if index % 5 == 4 { record.protocols = 1...1 }
            }
            cluster.run(for: 10 * period)
            // Nothing arrives while the news is sent as often as it ever is.
            let subject = 4 * cluster.chance.pick(0...(size - 1) / 5)
            cluster.network.lossPerMille = 1_000
            cluster.input(.attested(roles: .agent, attestation: [UInt8](repeating: 2, count: 100)), to: subject)
            cluster.run(for: 2 * period)
            cluster.network.lossPerMille = 0
            var periods = 0
            func isKnown() -> Bool {
                let record = cluster.membership(subject).own.record
                return (0..<size).allSatisfy {
                    $0 == subject
                        || cluster.membership($0).members[MembershipSimulation.id(subject)]?.record == record
                }
            }
            while !isKnown(), periods < 30 {
                cluster.run(for: period)
                periods += 1
            }
            if !isKnown() { return "\(size) members: not healed after \(periods) periods" }
            return cluster.disagreement ?? cluster.violations.first
        }
    }

    @Test(arguments: [true, false]) func `only who speaks protocol 2 is asked to compare`(isOld: Bool) {
        var subject = Subject()
        _ = subject.hear(.alive(Subject.signed(1) { if isOld { $0.protocols = 1...1 } }))
        var (checks, pings, exchanges, asks) = (0, 0, 0, 0)
        for _ in 0..<600 {
            subject.now += .milliseconds(100)
            for effect in subject.take(.tick) {
                switch effect {
                case .exchange: exchanges += 1
                case .send(let messages, _):
                    // It answers, and its table is never the same.
                    var answer: GossipMessage?
                    if case .ping(let number, _, _, _) = messages.first {
                        pings += 1
                        answer = .ack(sequence: number, source: Subject.id(1))
                    } else if case .check(let number, _, _, _, _) = messages.first {
                        checks += 1
                        answer = .confirm(sequence: number, agrees: false)
                    }
                    for case .ask in answer.map({ subject.take(.packet([$0], from: Subject.at(1))) }) ?? [] {
                        asks += 1
                    }
                default: break
                }
            }
        }
        #expect((checks > 50) == !isOld)
        #expect((pings > 50) == isOld)
        #expect((exchanges > 0) == isOld)
        #expect((2...8).contains(asks) == !isOld, "less and less often: \(asks)")
    }

    @Test func `news that three others have is not repeated`() throws {
        var subject = Subject()
        var other = Subject { $0 = Subject.record(5) }
        for index in 0..<5 { _ = other.hear(.alive(Subject.signed(index))) }
        subject.meet(1, 2, 3, 4, 5)
        var table: UInt64?
        for _ in 0..<30 where table == nil {
            other.now += .milliseconds(100)
            for case .send(let messages, _) in other.take(.tick) {
                if case .check(_, _, _, _, let sum) = messages.first { table = sum }
            }
        }
        let sum = try #require(table)
        func answer(_ sum: UInt64) -> [GossipMessage] {
            let check = GossipMessage.check(sequence: 1, target: 0, source: Subject.id(1), incarnation: 1, table: sum)
            for case .send(let messages, Subject.at(1)) in subject.take(.packet([check], from: Subject.at(1))) {
                return messages
            }
            return []
        }
        #expect(answer(sum &+ 1).first == .confirm(sequence: 1, agrees: false))
        for _ in 0..<3 {
            let messages = answer(sum)
            #expect(messages.first == .confirm(sequence: 1, agrees: true))
            #expect(messages.count > 1, "the news rides on the answer")
        }
        #expect(answer(sum) == [.confirm(sequence: 1, agrees: true)])
    }

    /// Goal: whatever an authenticated member says, the answer is bounded, and no forged record is believed.
    @Test func `hostile steps are bounded`() throws {
        var subject = Subject()
        subject.meet(1, 2, 3)
        let rows = (0..<MemberCoding.stateLimit).map {
            ExchangeStep.Row(id: Subject.id(1_000 + $0 % 9_000), incarnation: .max, status: .alive, check: 0)
        }
        var said: [ExchangeStep] = []
        func hear(_ step: ExchangeStep) {
            let effects = subject.take(.step(step, from: Subject.at(1), exchange: 3))
            for case .say(let step, 3) in effects { said.append(step) }
        }
        hear(.summary(source: Subject.id(1), rows))
        guard case .difference(let state, let wanted)? = said.last else { return #expect(Bool(false), "no answer") }
        #expect(wanted.count == 9_000, "each once")
        #expect(state.entries.count == 3, "all that the other does not name")
        hear(.difference(state, wanted: Array(repeating: Subject.id(2), count: MemberCoding.stateLimit)))
        guard case .rest(let rest)? = said.last else { return #expect(Bool(false), "no answer") }
        #expect(rest.entries.map(\.signed.record.id) == [Subject.id(2)])
        let forged = SignedRecord(record: Subject.record(8), signature: [1], attestation: [])!
        let entry = StateExchange.Entry(signed: forged, status: .alive, accuser: nil)
        hear(.rest(StateExchange(source: Subject.id(1), entries: [entry])))
        #expect(subject.membership.members[Subject.id(8)] == nil)
        #expect(said.count == 2)
        // Nobody is told to be dead of whom nothing worse is known.
        let dead = ExchangeStep.Row(id: Subject.id(2), incarnation: 1, status: .dead, check: 0)
        hear(.summary(source: Subject.id(1), [dead]))
        #expect(subject.membership.members[Subject.id(2)]?.status == .alive)
    }

    @Test func `a probe that may be a recorded one is answered barely, or not at all`() {
        var subject = Subject()
        subject.meet(1)
        let ping = GossipMessage.ping(sequence: 9, target: Subject.id(0), source: Subject.id(1), incarnation: 1)
        #expect(subject.membership.bareAnswer(to: [ping]) == nil, "there is news, which only the present may have")
        _ = subject.run(for: .seconds(20), answering: [1])
        #expect(subject.membership.bareAnswer(to: [ping]) == [.ack(sequence: 9, source: Subject.id(0))])
        #expect(subject.membership.bareAnswer(to: [ping, ping]) == nil)
        let stranger = GossipMessage.ping(sequence: 9, target: Subject.id(0), source: Subject.id(5), incarnation: 1)
        #expect(subject.membership.bareAnswer(to: [stranger]) == nil)
        let other = GossipMessage.ping(sequence: 9, target: Subject.id(7), source: Subject.id(1), incarnation: 1)
        #expect(subject.membership.bareAnswer(to: [other]) == nil)
    }
}
