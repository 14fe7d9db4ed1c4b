import AgentCore
import ClusterModel
import Testing

@Suite struct AgentKillTests {
    private let key = Bench.launch("t").key
    private let terminated = ContainerEnd(waitStatus: 15, isKilledByRequest: true)

    @Test func `a kill goes to the monitor with the grace of the call, the task, or 3 s`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        #expect(bench.say(.kill(key, gracePeriod: nil)) == [.kill(id, gracePeriod: .seconds(3))])
        #expect(bench.say(.kill(key, gracePeriod: .seconds(1))) == [.kill(id, gracePeriod: .seconds(1))])
        let patient = Bench.launch("u") { $0.killGracePeriod = .seconds(30) }
        let other = bench.run(patient)
        #expect(bench.say(.kill(patient.key, gracePeriod: nil)) == [.kill(other, gracePeriod: .seconds(30))])
        let last = bench.handle(.ended(id, terminated)).stored[0]
        #expect(last.state == .killed)
        #expect(last.message == "Command terminated with signal Terminated")
    }

    @Test func `TASK_KILLING comes first and once, for those who want it`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t", wantsKilling: true))
        let first = bench.say(.kill(key, gracePeriod: nil))
        #expect(first.storedStates == [.killing])
        #expect(first.last == .kill(id, gracePeriod: .seconds(3)))
        #expect(bench.say(.kill(key, gracePeriod: .zero)) == [.kill(id, gracePeriod: .zero)])
    }

    @Test func `a drain is told at once, and the task hears of it afterwards`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t", wantsKilling: true))
        let first = bench.say(.kill(key, gracePeriod: nil, drain: .seconds(4)))
        #expect(first.storedStates == [.killing])
        #expect(!first.contains(.kill(id, gracePeriod: .seconds(3))))
        #expect(bench.say(.kill(key, gracePeriod: nil, drain: .seconds(4))).isEmpty)
        #expect(!bench.advance(.milliseconds(3_900)).contains(.kill(id, gracePeriod: .seconds(3))))
        #expect(bench.advance(.milliseconds(100)).contains(.kill(id, gracePeriod: .seconds(3))))
        #expect(!bench.advance(.milliseconds(100)).contains(.kill(id, gracePeriod: .seconds(3))))

        let other = bench.run(Bench.launch("u", wantsKilling: true))
        let second = Bench.launch("u").key
        _ = bench.say(.kill(second, gracePeriod: nil, drain: .seconds(4)))
        #expect(bench.say(.kill(second, gracePeriod: .zero)) == [.kill(other, gracePeriod: .zero)])
        // Who does not want to know gets no time for it.
        let third = bench.run(Bench.launch("v"))
        let asked = bench.say(.kill(Bench.launch("v").key, gracePeriod: nil, drain: .seconds(4)))
        #expect(asked == [.kill(third, gracePeriod: .seconds(3))])
    }

    @Test func `a task that ended by itself meanwhile is not called killed`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        _ = bench.say(.kill(key, gracePeriod: nil))
        #expect(bench.handle(.ended(id, ContainerEnd(waitStatus: 0))).storedStates == [.finished])
    }

    @Test func `a kill before the launch ends the task without starting it`() {
        var bench = Bench()
        let launch = Bench.launch("t", uris: [CommandURI(value: "/f")])
        _ = bench.say(.run(launch))
        let id = bench.core.container(of: key)!
        #expect(bench.say(.kill(key, gracePeriod: nil)).isEmpty)
        let ended = bench.handle(.taskStored(id))
        #expect(ended.storedStates == [.killed])
        #expect(ended.stored[0].reason == .taskKilledDuringLaunch)

        let second = Bench.launch("u", uris: [CommandURI(value: "/f")])
        _ = bench.say(.run(second))
        let other = bench.core.container(of: second.key)!
        _ = bench.handle(.taskStored(other))
        let cancelled = bench.say(.kill(second.key, gracePeriod: nil))
        #expect(cancelled.first == .cancelFetch(other))
        #expect(cancelled.storedStates == [.killed])
        #expect(bench.handle(.fetched(other)).isEmpty)
    }

    @Test func `a kill while the monitor starts is sent when it has started`() {
        var bench = Bench()
        _ = bench.say(.run(Bench.launch("t")))
        let id = bench.core.container(of: key)!
        _ = bench.handle(.taskStored(id))
        #expect(bench.say(.kill(key, gracePeriod: .seconds(1))).isEmpty)
        #expect(bench.handle(.started(id)).contains(.kill(id, gracePeriod: .seconds(1))))
    }

    @Test func `what does not die is destroyed and still called killed`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        _ = bench.drain(key)
        _ = bench.say(.kill(key, gracePeriod: .seconds(2)))
        #expect(bench.advanceHearing(.seconds(16)).isEmpty)
        #expect(bench.advanceHearing(.seconds(1)) == [.destroy(id)])
        #expect(bench.handle(.destroyed(id)).storedStates == [.killed])
    }

    @Test func `a task that runs too long is killed and has failed`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t", wantsKilling: true) { $0.maxCompletionTime = .seconds(8) })
        _ = bench.drain(key)
        #expect(bench.advanceHearing(.seconds(7)).isEmpty)
        #expect(bench.advanceHearing(.seconds(1)) == [.kill(id, gracePeriod: .seconds(3))])
        let last = bench.handle(.ended(id, terminated)).stored[0]
        #expect(last.state == .failed)
        #expect(last.reason == .maxCompletionTimeReached)
    }

    @Test func `a framework's shutdown ends its tasks and no others`() {
        var bench = Bench()
        let mine = bench.run(Bench.launch("t"))
        let also = bench.run(Bench.launch("u"))
        _ = bench.run(Bench.launch("t", framework: FrameworkID("F2")))
        let kills = bench.say(.shutdownFramework(Bench.framework))
        #expect(kills == [.kill(mine, gracePeriod: .seconds(3)), .kill(also, gracePeriod: .seconds(3))])
    }

    @Test func `a kill of an unknown task is ignored`() {
        var bench = Bench()
        #expect(bench.say(.kill(key, gracePeriod: nil)).isEmpty)
    }

    @Test func `a leaving agent kills all, reports, and ends`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        #expect(bench.handle(.leave) == [.kill(id, gracePeriod: .seconds(3))])
        let late = Bench.launch("u")
        _ = bench.say(.run(late))
        let refused = bench.core.container(of: late.key)!
        #expect(bench.handle(.taskStored(refused)).storedStates == [.killed])
        _ = bench.handle(.updatesStored(refused))
        _ = bench.drain(late.key)
        _ = bench.handle(.ended(id, terminated))
        _ = bench.handle(.updatesStored(id))
        for status in bench.core.task(in: id)!.history.dropLast() { _ = bench.say(.acknowledge(key, status.uuid!)) }
        let last = bench.core.task(in: id)!.history.last!
        #expect(last.reason == .agentRemoved)
        #expect(
            bench.say(.acknowledge(key, last.uuid!))
                == [.forgetTask(id), .send(.leave, session: 1), .forgetIdentity, .stop(.left)])
        #expect(bench.core.nextDeadline == nil)
    }

    @Test func `a leaving agent does not wait for ever for acknowledgements`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        _ = bench.handle(.leave)
        _ = bench.handle(.ended(id, terminated))
        _ = bench.handle(.updatesStored(id))
        let end = bench.advanceHearing(.seconds(10))
        #expect(end.suffix(3) == [.forgetTask(id), .forgetIdentity, .stop(.left)].suffix(3))
    }
}
