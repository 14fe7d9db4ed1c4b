import AgentCore
import ClusterModel
import Testing

@Suite struct AgentRecoveryTests {
    private let launch = Bench.launch("t", uris: [CommandURI(value: "/f")])
    private let id = ContainerID("c")
    private var stored: StoredTask { StoredTask(launch: launch, containerID: id, directory: "/w/F1/t/c") }

    private func update(_ state: TaskState, _ number: UInt8) -> TaskStatus {
        TaskStatus(
            taskID: TaskID("t"), state: state, source: .executor, timestamp: UnixTime(nanoseconds: 1_000_000_000_000),
            uuid: StatusUUID(bytes: [UInt8](repeating: number, count: 16)))
    }

    private func recover(
        _ bench: inout Bench, _ updates: [TaskStatus], acknowledged: [TaskStatus] = [],
        _ container: RecoveredTask.Container, identity: AgentID? = Bench.agent
    ) -> [AgentEffect] {
        let task = RecoveredTask(
            stored: stored, updates: updates, acknowledged: Set(acknowledged.compactMap(\.uuid)), container: container)
        return bench.handle(.recovered(identity: identity, tasks: [task], ended: []))
    }

    @Test func `a stored task that was not launched is launched`() {
        var bench = Bench(registered: false)
        let effects = recover(&bench, [], .notLaunched)
        #expect(effects.first == .fetch(stored))
        guard case .connect(1, let registration) = effects.last else { Issue.record("\(effects)"); return }
        #expect(registration.tasks.map(\.status.state) == [.staging])
        #expect(bench.handle(.fetched(id)) == [.launch(stored)])
    }

    @Test func `a running task is adopted, and the oldest unacknowledged update is sent`() {
        var bench = Bench(registered: false)
        let (starting, running) = (update(.starting, 1), update(.running, 2))
        let effects = recover(&bench, [starting, running], acknowledged: [starting], .running)
        #expect(effects.count == 1)
        #expect(bench.say(Bench.subscribed).statuses == [running])
        #expect(bench.say(.kill(launch.key, gracePeriod: nil)) == [.kill(id, gracePeriod: .seconds(3))])
    }

    @Test func `updates that were not stored before the crash are made now`() {
        var bench = Bench(registered: false)
        #expect(recover(&bench, [], .running).storedStates == [.starting, .running])
        var other = Bench(registered: false)
        let end = ContainerEnd(waitStatus: 3 << 8)
        #expect(recover(&other, [update(.starting, 1)], .ended(end)).storedStates == [.running])
        #expect(other.handle(.updatesStored(id)).stored.map(\.message) == ["Command exited with status 3"])
    }

    @Test func `an end that was stored is not made twice`() {
        var bench = Bench(registered: false)
        let end = update(.finished, 3)
        let effects = recover(&bench, [end], .ended(ContainerEnd(waitStatus: 9)))
        #expect(effects.count == 1)
        #expect(bench.say(Bench.subscribed).statuses == [end])
    }

    @Test func `an acknowledged end whose files are still there is forgotten`() {
        var bench = Bench(registered: false)
        let end = update(.finished, 3)
        let effects = recover(&bench, [end], acknowledged: [end], .ended(ContainerEnd(waitStatus: 0)))
        #expect(effects.first == .forgetTask(id))
        #expect(bench.core.currentTasks.isEmpty)
    }

    @Test func `a task whose monitor is gone is destroyed and has failed`() {
        var bench = Bench(registered: false)
        let effects = recover(&bench, [update(.running, 1)], .lost(reason: "the machine was restarted"))
        #expect(effects.first == .destroy(id))
        let last = bench.handle(.destroyed(id)).stored[0]
        #expect(last.reason == .executorTerminated)
        #expect(last.message!.contains("the machine was restarted"))
    }

    @Test func `the time limit goes on over a restart`() {
        var bench = Bench(registered: false)
        let limited = Bench.launch("t") { $0.maxCompletionTime = .seconds(60) }
        let task = RecoveredTask(
            stored: StoredTask(launch: limited, containerID: id, directory: "/w"), updates: [update(.running, 1)],
            acknowledged: [], container: .running)
        bench.now = Moment(elapsed: .zero, wall: UnixTime(nanoseconds: 1_050_000_000_000))
        _ = bench.handle(.recovered(identity: Bench.agent, tasks: [task], ended: []))
        _ = bench.say(Bench.subscribed)
        #expect(!bench.advanceHearing(.seconds(9)).contains(.kill(id, gracePeriod: .seconds(3))))
        #expect(bench.advanceHearing(.seconds(1)).contains(.kill(id, gracePeriod: .seconds(3))))
    }

    @Test func `tasks of an identity that was taken away are ended and not reported`() {
        var bench = Bench(registered: false)
        let effects = recover(&bench, [update(.running, 1)], .running, identity: nil)
        #expect(Array(effects.prefix(2)) == [.destroy(id), .forgetTask(id)])
        guard case .connect(1, let registration) = effects.last else { Issue.record("\(effects)"); return }
        #expect(registration.tasks.isEmpty)
    }
}
