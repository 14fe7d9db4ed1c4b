import AgentCore
import ClusterModel
import Testing

@Suite struct AgentTaskTests {
    private let key = Bench.launch("t").key
    private func exit(_ code: Int32) -> ContainerEnd { ContainerEnd(waitStatus: code << 8) }

    @Test func `a task is stored, fetched, launched, and its updates are stored before they are sent`() {
        var bench = Bench()
        let launch = Bench.launch("t", uris: [CommandURI(value: "/f")])
        let first = bench.say(.run(launch))
        let id = bench.core.container(of: key)!
        let stored = StoredTask(launch: launch, containerID: id, directory: "/w/F1/t/\(id)")
        #expect(first == [.storeTask(stored)])
        #expect(bench.handle(.taskStored(id)) == [.fetch(stored)])
        #expect(bench.handle(.fetched(id)) == [.launch(stored)])
        let started = bench.handle(.started(id))
        #expect(started.storedStates == [.starting, .running])
        #expect(started.statuses.isEmpty)
        let sent = bench.handle(.updatesStored(id))
        #expect(sent.statuses.map(\.state) == [.starting])
        #expect(sent == [.send(.status(key, started.stored[0], directory: stored.directory), session: 1)])
    }

    @Test func `updates carry the container's own addresses, also after a restart of the agent`() {
        var bench = Bench()
        let launch = Bench.launch("t")
        _ = bench.say(.run(launch))
        let id = bench.core.container(of: key)!
        _ = bench.handle(.taskStored(id))
        #expect(bench.handle(.connected(id, addresses: ["172.20.0.2", "fd00::2"])).isEmpty)
        let started = bench.handle(.started(id))
        #expect(started.stored.map(\.addresses) == [["172.20.0.2", "fd00::2"], ["172.20.0.2", "fd00::2"]])

        var later = Bench(registered: false)
        let stored = StoredTask(launch: launch, containerID: id, directory: "/w/F1/t/\(id)")
        let found = RecoveredTask(
            stored: stored, updates: [], acknowledged: [], container: .running, addresses: ["172.20.0.2"])
        let recovered = later.handle(.recovered(identity: Bench.agent, tasks: [found], ended: []))
        #expect(recovered.stored.map(\.addresses) == [["172.20.0.2"], ["172.20.0.2"]])
    }

    @Test func `the next update waits for the acknowledgement, which is noted before`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        let uuid = bench.core.task(in: id)!.history[0].uuid!
        let next = bench.say(.acknowledge(key, uuid))
        #expect(next.first == .storeAcknowledgement(id, uuid))
        #expect(next.statuses.map(\.state) == [.running])
        #expect(bench.say(.acknowledge(key, uuid)).isEmpty)
    }

    @Test func `an unacknowledged update is sent again after 10 s`() {
        var bench = Bench()
        _ = bench.run(Bench.launch("t"))
        #expect(bench.advanceHearing(.seconds(9)).isEmpty)
        #expect(bench.advanceHearing(.seconds(1)).statuses.map(\.state) == [.starting])
        #expect(bench.advanceHearing(.seconds(19)).isEmpty)
        #expect(bench.advanceHearing(.seconds(1)).statuses.map(\.state) == [.starting])
    }

    @Test func `the same run again changes nothing`() {
        var bench = Bench()
        let launch = Bench.launch("t")
        _ = bench.run(launch)
        #expect(bench.say(.run(launch)).isEmpty)
        let other = Bench.launch("t", framework: FrameworkID("F2"))
        #expect(bench.say(.run(other)).count == 1)
    }

    @Test func `every status names agent, executor and container`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        _ = bench.handle(.ended(id, exit(0)))
        _ = bench.handle(.updatesStored(id))
        let statuses = bench.drain(key)
        #expect(statuses.map(\.state) == [.starting, .running, .finished])
        for status in statuses {
            #expect(status.agentID == Bench.agent)
            #expect(status.executorID == ExecutorID("t"))
            #expect(status.containerID == id)
            #expect(status.source == .executor)
            #expect(status.uuid?.bytes.count == 16)
        }
    }

    @Test(arguments: [
        (Int32(0), TaskState.finished, StatusReason?.none, "Command exited with status 0"),
        (3 << 8, .failed, .commandExecutorFailed, "Command exited with status 3"),
        (9, .failed, .commandExecutorFailed, "Command terminated with signal Killed"),
        (11 | 0x80, .failed, .commandExecutorFailed, "Command terminated with signal Segmentation fault (core dumped)"),
    ])
    func `an ended command is finished or failed`(
        status: Int32, state: TaskState, reason: StatusReason?, message: String
    ) {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        let last = bench.handle(.ended(id, ContainerEnd(waitStatus: status))).stored[0]
        #expect(last.state == state)
        #expect(last.reason == reason)
        #expect(last.message == message)
    }

    @Test func `a command that is over before its start was told has all its updates`() {
        var bench = Bench()
        _ = bench.say(.run(Bench.launch("t")))
        let id = bench.core.container(of: key)!
        _ = bench.handle(.taskStored(id))
        #expect(bench.handle(.ended(id, exit(0))).storedStates == [.starting, .running])
        #expect(bench.handle(.updatesStored(id)).storedStates == [.finished])
    }

    @Test func `want of memory is told with the limit`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        let last = bench.handle(.ended(id, ContainerEnd(waitStatus: 9, isOutOfMemory: true))).stored[0]
        #expect(last.reason == .containerLimitationMemory)
        #expect(last.source == .agent)
        #expect(last.message!.contains("32 MiB"))
    }

    @Test func `an acknowledged end is forgotten, and its resources are free before`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t", cpus: 4))
        _ = bench.handle(.ended(id, exit(0)))
        let other = bench.say(.run(Bench.launch("u", cpus: 4)))
        #expect(other.count == 1)
        _ = bench.handle(.updatesStored(id))
        for status in bench.core.task(in: id)!.history.dropLast() { _ = bench.say(.acknowledge(key, status.uuid!)) }
        let last = bench.core.task(in: id)!.history.last!
        #expect(bench.say(.acknowledge(key, last.uuid!)) == [.forgetTask(id)])
        #expect(bench.core.container(of: key) == nil)
        #expect(bench.core.completedTasks.map(\.stored.containerID) == [id])
    }

    @Test func `a task beyond the agent's resources fails with what is short and leaves no directory behind`() {
        var bench = Bench()
        _ = bench.run(Bench.launch("t", cpus: 3))
        let big = Bench.launch("u", cpus: 2)
        _ = bench.say(.run(big))
        let id = bench.core.container(of: big.key)!
        let last = bench.handle(.taskStored(id)).stored[0]
        #expect(last.state == .failed)
        #expect(last.reason == .containerLaunchFailed)
        #expect(last.message!.contains("cpus: 2 wanted, 1 of 4 left"))
        _ = bench.handle(.updatesStored(id))
        #expect(bench.drain(big.key).count == 1)
        #expect(bench.core.completedTasks.isEmpty)
    }

    @Test func `a hostile id and a missing command are refused`() {
        var bench = Bench()
        for launch in [Bench.launch("../x"), Bench.launch("n") { $0.command = nil }] {
            _ = bench.say(.run(launch))
            let id = bench.core.container(of: launch.key)!
            let effects = bench.handle(.taskStored(id))
            #expect(effects.storedStates == [.failed])
            #expect(effects.count == 1)
        }
    }

    @Test func `a task that cannot be stored fails and is told from memory`() {
        var bench = Bench()
        _ = bench.say(.run(Bench.launch("t")))
        let id = bench.core.container(of: key)!
        let effects = bench.handle(.taskStoreFailed(id, reason: "no space left on device"))
        #expect(effects.stored.isEmpty)
        #expect(effects.statuses.map(\.state) == [.failed])
        #expect(effects.statuses[0].message!.contains("no space left on device"))
        #expect(bench.say(.acknowledge(key, effects.statuses[0].uuid!)) == [.forgetTask(id)])
    }

    @Test func `an update that cannot be stored is tried again and not sent before`() {
        var bench = Bench()
        _ = bench.say(.run(Bench.launch("t")))
        let id = bench.core.container(of: key)!
        _ = bench.handle(.taskStored(id))
        let updates = bench.handle(.started(id)).stored
        #expect(bench.handle(.updatesStoreFailed(id, reason: "full")).isEmpty)
        #expect(bench.handle(.ended(id, exit(0))).isEmpty)
        #expect(bench.advance(.milliseconds(999)).isEmpty)
        let again = bench.advance(.milliseconds(1))
        #expect(again.storedStates == [.starting, .running, .finished])
        #expect(Array(again.stored.prefix(2)) == updates)
        #expect(bench.handle(.updatesStored(id)).statuses.map(\.state) == [.starting])
    }

    @Test func `what cannot be fetched or launched fails with the reason`() {
        var bench = Bench()
        let launch = Bench.launch("t", uris: [CommandURI(value: "/f")])
        _ = bench.say(.run(launch))
        let id = bench.core.container(of: key)!
        _ = bench.handle(.taskStored(id))
        let last = bench.handle(.fetchFailed(id, reason: "cannot read /f")).stored[0]
        #expect((last.state, last.source) == (.failed, .agent))
        #expect(last.reason == .containerLaunchFailed)
        #expect(last.message == "cannot read /f")

        let second = Bench.launch("u")
        _ = bench.say(.run(second))
        let other = bench.core.container(of: second.key)!
        _ = bench.handle(.taskStored(other))
        #expect(bench.handle(.launchFailed(other, reason: "no user 'x'")).stored[0].message == "no user 'x'")
    }

    @Test func `a monitor that starts nothing in time is destroyed`() {
        var bench = Bench()
        _ = bench.say(.run(Bench.launch("t")))
        let id = bench.core.container(of: key)!
        _ = bench.handle(.taskStored(id))
        #expect(bench.advanceHearing(.seconds(60)) == [.destroy(id)])
        #expect(bench.handle(.started(id)).isEmpty)
        #expect(bench.handle(.destroyed(id)).stored[0].reason == .containerLaunchFailed)
    }

    @Test func `when the monitor is lost the cgroup is destroyed before the task fails`() {
        var bench = Bench()
        let id = bench.run(Bench.launch("t"))
        #expect(bench.handle(.monitorLost(id, reason: "killed")) == [.destroy(id)])
        let last = bench.handle(.destroyed(id)).stored[0]
        #expect(last.state == .failed)
        #expect(last.reason == .executorTerminated)
    }

    @Test func `only the newest and young work directories stay`() {
        var bench = Bench {
            $0.keptWorkDirectories = 2; $0.keptFor = .seconds(3_600)
        }
        var directories: [String] = []
        var removed: [AgentEffect] = []
        for name in ["a", "b", "c"] {
            let launch = Bench.launch(name)
            let id = bench.run(launch)
            directories.append(bench.core.task(in: id)!.stored.directory)
            _ = bench.handle(.ended(id, exit(0)))
            _ = bench.handle(.updatesStored(id))
            for status in bench.core.task(in: id)!.history {
                removed += bench.say(.acknowledge(launch.key, status.uuid!)).filter {
                    if case .removeWorkDirectory = $0 { true } else { false }
                }
            }
        }
        #expect(removed == [.removeWorkDirectory(path: directories[0])])
        bench.now = bench.now + .seconds(3_601)
        let aged = bench.say(.heartbeat).filter { if case .removeWorkDirectory = $0 { true } else { false } }
        #expect(aged == directories.dropFirst().map { .removeWorkDirectory(path: $0) })
    }
}
