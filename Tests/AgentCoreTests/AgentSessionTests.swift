import AgentCore
import ClusterModel
import Testing

@Suite struct AgentSessionTests {
    @Test func `an agent subscribes with all its tasks, and keeps the id it is given before anything else`() {
        var bench = Bench(registered: false)
        let first = bench.handle(.recovered(identity: nil, tasks: [], ended: []))
        #expect(first == [.connect(session: 1, AgentRegistration(info: bench.core.info, tasks: []))])
        #expect(!bench.core.isRegistered)
        #expect(bench.say(Bench.subscribed) == [.storeIdentity(Bench.agent)])
        #expect(bench.core.isRegistered)

        let id = bench.run(Bench.launch("t"))
        _ = bench.handle(.connectionLost(session: 1, reason: "reset"))
        let again = bench.advance(.seconds(1))
        guard case .connect(2, let registration) = again.first else {
            Issue.record("no subscription: \(again)")
            return
        }
        #expect(registration.info.id == Bench.agent)
        #expect(registration.tasks.map(\.status.state) == [.running])
        #expect(registration.tasks[0].directory == "/w/F1/t/\(id)")
        // The oldest unacknowledged update is sent at once.
        #expect(bench.say(Bench.subscribed, session: 2).statuses.map(\.state) == [.starting])
    }

    @Test func `events of an older session are ignored`() {
        var bench = Bench()
        _ = bench.handle(.connectionLost(session: 1, reason: "reset"))
        #expect(bench.say(.run(Bench.launch("t"))).isEmpty)
        _ = bench.advance(.seconds(1))
        #expect(bench.say(.run(Bench.launch("t"))).isEmpty)
        #expect(bench.say(.run(Bench.launch("t")), session: 2).isEmpty, "not subscribed yet")
        #expect(bench.handle(.connectionLost(session: 1, reason: "late")).isEmpty)
        _ = bench.say(Bench.subscribed, session: 2)
        #expect(bench.say(.run(Bench.launch("t")), session: 2).count == 1)
    }

    @Test func `nothing is sent without a session, and everything is stored`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        _ = bench.handle(.connectionLost(session: 1, reason: "reset"))
        #expect(bench.handle(.ended(id, ContainerEnd(waitStatus: 0))).storedStates == [.finished])
        #expect(bench.handle(.updatesStored(id)).isEmpty)
    }

    @Test func `pauses between attempts double with jitter up to a bound, and start over after a success`() {
        var bench = Bench(registered: false)
        _ = bench.handle(.recovered(identity: nil, tasks: [], ended: []))
        var bound = Duration.milliseconds(250)
        for session in 1...8 {
            let lost = bench.now.elapsed
            #expect(
                bench.handle(.connectionLost(session: session, reason: "refused")) == [.disconnect(session: session)])
            let pause = bench.core.nextDeadline! - lost
            #expect(pause >= bound / 2 && pause <= bound, "session \(session): \(pause)")
            #expect(bench.advance(pause - .nanoseconds(1)).isEmpty)
            #expect(bench.advance(.nanoseconds(1)).count == 1)
            bound = min(bound * 2, .seconds(4))
        }
        _ = bench.say(Bench.subscribed, session: 9)
        _ = bench.handle(.connectionLost(session: 9, reason: "reset"))
        #expect(bench.core.nextDeadline! - bench.now.elapsed <= .milliseconds(250))
    }

    @Test func `an unanswered subscription is given up`() {
        var bench = Bench(registered: false)
        _ = bench.handle(.recovered(identity: nil, tasks: [], ended: []))
        #expect(bench.advance(.seconds(9)).isEmpty)
        #expect(bench.advance(.seconds(1)) == [.disconnect(session: 1)])
    }

    @Test func `a heartbeat goes out every interval, and a master silent for three is given up`() {
        var bench = Bench()
        #expect(bench.advance(.seconds(5)) == [.send(.heartbeat, session: 1)])
        #expect(bench.advance(.seconds(5)) == [.send(.heartbeat, session: 1)])
        #expect(bench.advance(.seconds(5)) == [.disconnect(session: 1)])
    }

    @Test func `a refusal for now is tried again, a final one ends all tasks and the agent`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        #expect(bench.say(.refused(reason: "recovering", isFinal: false)) == [.disconnect(session: 1)])
        _ = bench.advance(.seconds(4))
        _ = bench.say(Bench.subscribed, session: 2)
        let end = bench.say(.refused(reason: "gone", isFinal: true), session: 2)
        #expect(end == [.disconnect(session: 2), .forgetIdentity, .kill(id, gracePeriod: .seconds(3))])
        let last = bench.handle(.ended(id, ContainerEnd(waitStatus: 15, isKilledByRequest: true)))
        #expect(last.suffix(2) == [.forgetTask(id), .stop(.refused("gone"))])
    }

    @Test func `a ping is answered at once, and only within its session`() {
        var bench = Bench()
        #expect(bench.say(.ping) == [.send(.heartbeat, session: 1)])
        #expect(bench.say(.warning("a copy")).isEmpty)
        _ = bench.handle(.connectionLost(session: 1, reason: "reset"))
        #expect(bench.say(.ping).isEmpty)
    }

    @Test func `a copy stands back for as long as it is told, through other failures too, and may be taken in later`() {
        var bench = Bench(registered: false)
        _ = bench.handle(.recovered(identity: Bench.agent, tasks: [], ended: []))
        let refusal = AgentEvent.duplicate(reason: "another machine", retryAfter: .seconds(60))
        #expect(bench.say(refusal) == [.disconnect(session: 1)])
        #expect(bench.advance(.milliseconds(29_999)).isEmpty)
        #expect(bench.advance(.milliseconds(30_001)).count == 1)
        // The master is away for a moment: the other machine is to be the first that is back.
        _ = bench.handle(.connectionLost(session: 2, reason: "refused"))
        #expect(bench.advance(.milliseconds(29_999)).isEmpty)
        _ = bench.advance(.milliseconds(30_001))
        _ = bench.say(Bench.subscribed, session: 3)
        #expect(bench.core.isRegistered)
        let lost = bench.now.elapsed
        _ = bench.handle(.connectionLost(session: 3, reason: "reset"))
        #expect(bench.core.nextDeadline! - lost <= .milliseconds(250))
    }

    @Test func `a copy that leaves ends without waiting, and says nothing in the other machine's name`() {
        var bench = Bench(registered: false)
        _ = bench.handle(.recovered(identity: Bench.agent, tasks: [], ended: []))
        _ = bench.say(.duplicate(reason: "another machine", retryAfter: .seconds(60)))
        let end = bench.handle(.leave)
        #expect(end.last == .stop(.left))
        #expect(!end.contains { if case .send = $0 { true } else { false } })
    }

    @Test func `a pause that a master asks for is kept within bounds`() {
        for pause in [Duration.zero, .seconds(1_000_000)] {
            var bench = Bench(registered: false)
            _ = bench.handle(.recovered(identity: Bench.agent, tasks: [], ended: []))
            let before = bench.now.elapsed
            _ = bench.say(.duplicate(reason: "another machine", retryAfter: pause))
            let wait = bench.core.nextDeadline! - before
            #expect(wait >= .milliseconds(500) && wait <= .seconds(600))
        }
    }

    @Test func `a stream is opened in its session`() {
        var bench = Bench()
        let request = StreamRequest(id: StreamID("s"), method: "GET", target: "/state")
        #expect(bench.say(.openStream(request)) == [.openStream(request, session: 1)])
    }
}
