import AgentCore
import ClusterModel
import Testing

@Suite("Task groups on an agent")
struct AgentGroupTests {
    private func key(_ id: String) -> TaskKey { TaskKey(framework: Bench.framework, task: TaskID(id)) }

    /// Brings a group of tasks without files to its running commands.
    private func running(_ ids: [String], _ bench: inout Bench) -> [ContainerID] {
        _ = bench.say(.runGroup(Bench.group(ids)))
        let containers = ids.compactMap { bench.core.container(of: key($0)) }
        for id in containers { _ = bench.handle(.taskStored(id)) }
        for id in containers {
            _ = bench.handle(.started(id))
            _ = bench.handle(.updatesStored(id))
        }
        return containers
    }

    private func end(_ id: ContainerID, _ status: Int32, byRequest: Bool = false, _ bench: inout Bench) -> [AgentEffect]
    {
        bench.handle(.ended(id, ContainerEnd(waitStatus: status, isKilledByRequest: byRequest)))
    }

    @Test func `nothing of a group begins before all of it is stored`() {
        var bench = Bench()
        let effects = bench.say(.runGroup(Bench.group(["a", "b"])))
        #expect(effects.count == 2)
        let ids = ["a", "b"].compactMap { bench.core.container(of: key($0)) }
        let group = ids[0].value.dropLast(2)
        #expect(ids.map(\.value) == ["\(group).0", "\(group).1"])
        #expect(bench.handle(.taskStored(ids[0])).isEmpty)
        let launched = bench.handle(.taskStored(ids[1]))
        let stored = launched.compactMap { if case .launch(let stored) = $0 { stored } else { nil } }
        #expect(stored.map(\.containerID) == ids)
        #expect(stored.map(\.directory) == ["a", "b"].map { "/w/F1/e/\(group)/tasks/\($0)" })
        #expect(stored.map(\.groupDirectory) == [String](repeating: "/w/F1/e/\(group)", count: 2))
        #expect(stored.map(\.groupContainer?.value) == [String](repeating: String(group), count: 2))
    }

    @Test func `the tasks of a group start together, when the last has its files`() {
        var bench = Bench()
        _ = bench.say(.runGroup(Bench.group(["a", "b"], uris: [CommandURI(value: "/f")])))
        let ids = ["a", "b"].compactMap { bench.core.container(of: key($0)) }
        for id in ids { _ = bench.handle(.taskStored(id)) }
        #expect(bench.handle(.fetched(ids[1])).isEmpty)
        #expect(bench.handle(.fetched(ids[0])).count == 2)
    }

    @Test func `a task that fails takes the rest of its group with it, whose statuses say so`() {
        var bench = Bench()
        let ids = running(["a", "b", "c"], &bench)
        let effects = end(ids[1], 256, &bench)
        #expect(effects.storedStates == [.failed])
        #expect(effects.contains(.kill(ids[0], gracePeriod: .seconds(3))))
        #expect(effects.contains(.kill(ids[2], gracePeriod: .seconds(3))))
        let killed = end(ids[0], 15, byRequest: true, &bench)
        #expect(killed.stored.first?.state == .killed)
        #expect(killed.stored.first?.executorID == ExecutorID("e"))
        #expect(
            killed.stored.first?.message?.hasPrefix("killed: task 'b' of its group has ended with TASK_FAILED") == true)
        #expect(!killed.contains { if case .releaseGroup = $0 { true } else { false } })
        let last = end(ids[2], 15, byRequest: true, &bench)
        let container = ContainerID(String(ids[0].value.dropLast(2)))
        #expect(last.first == .releaseGroup(container))
    }

    @Test func `a task that ends well leaves the rest of its group alone`() {
        var bench = Bench()
        let ids = running(["a", "b"], &bench)
        let effects = end(ids[0], 0, &bench)
        #expect(effects.storedStates == [.finished])
        #expect(!effects.contains { if case .kill = $0 { true } else { false } })
        let last = end(ids[1], 0, &bench)
        #expect(last.storedStates == [.finished])
    }

    @Test func `a killed task takes the rest of its group with it`() {
        var bench = Bench()
        let ids = running(["a", "b"], &bench)
        #expect(bench.say(.kill(key("a"), gracePeriod: .seconds(7))) == [.kill(ids[0], gracePeriod: .seconds(7))])
        let effects = end(ids[0], 0, byRequest: true, &bench)
        #expect(effects.storedStates == [.killed])
        #expect(effects.contains(.kill(ids[1], gracePeriod: .seconds(3))))
    }

    @Test func `a task whose image cannot be had keeps the others from starting`() {
        var bench = Bench()
        _ = bench.say(.runGroup(Bench.group(["a", "b", "c"], uris: [CommandURI(value: "/f")])))
        let ids = ["a", "b", "c"].compactMap { bench.core.container(of: key($0)) }
        for id in ids { _ = bench.handle(.taskStored(id)) }
        _ = bench.handle(.fetched(ids[0]))
        let effects = bench.handle(.fetchFailed(ids[1], reason: "no image"))
        #expect(effects.storedStates == [.failed, .killed, .killed])
        #expect(effects.contains(.cancelFetch(ids[2])))
        #expect(!effects.contains { if case .launch = $0 { true } else { false } })
    }

    @Test func `a group that does not fit is refused as a whole`() {
        var bench = Bench()
        // Each task alone would fit, but not both and the executor.
        let effects = bench.say(.runGroup(Bench.group(["a", "b"], cpus: 2)))
        #expect(effects.count == 2)
        let ids = ["a", "b"].compactMap { bench.core.container(of: key($0)) }
        let ends = ids.flatMap { bench.handle(.taskStored($0)) }
        #expect(ends.storedStates == [.failed, .failed])
        #expect(ends.stored.first?.message?.contains("cpus: 4.1 wanted") == true)
    }

    @Test func `the executor's share is free again after the last task`() {
        var bench = Bench()
        let ids = running(["a", "b"], &bench)
        let big = Bench.launch("big", cpus: 3.9)
        _ = end(ids[0], 0, &bench)
        _ = bench.say(.run(big))
        let refused = bench.handle(.taskStored(bench.core.container(of: big.key)!))
        #expect(refused.storedStates == [.failed])
        _ = end(ids[1], 0, &bench)
        let again = Bench.launch("again", cpus: 3.9)
        _ = bench.say(.run(again))
        let effects = bench.handle(.taskStored(bench.core.container(of: again.key)!))
        #expect(effects.contains { if case .launch = $0 { true } else { false } })
    }

    @Test func `an acknowledged task is kept until its group is over, and its id is free meanwhile`() {
        var bench = Bench()
        let ids = running(["a", "b"], &bench)
        _ = end(ids[0], 0, &bench)
        _ = bench.handle(.updatesStored(ids[0]))
        let seen = bench.drain(key("a"))
        #expect(seen.map(\.state) == [.starting, .running, .finished])
        #expect(bench.core.container(of: key("a")) == nil)
        #expect(bench.core.currentTasks.map(\.stored.containerID) == [ids[1]])
        let second = bench.run(Bench.launch("a"))
        let effects = end(ids[1], 0, &bench)
        #expect(effects.contains(.forgetTask(ids[0])))
        #expect(bench.core.container(of: key("a")) == second)
    }

    // MARK: recovery

    private func recovered(
        _ id: String, _ number: Int, _ states: [TaskState], of ids: [String], isAcknowledged: Bool = false,
        _ container: RecoveredTask.Container
    ) -> RecoveredTask {
        let launch = Bench.group(ids).first { $0.task.taskID.value == id }!
        var task = RecoveredTask(
            stored: StoredTask(
                launch: launch, containerID: ContainerID("x.\(number)"), directory: "/w/F1/e/x/tasks/\(id)"),
            updates: [], acknowledged: [], container: container)
        for (index, state) in states.enumerated() {
            let uuid = StatusUUID(bytes: [UInt8](repeating: UInt8(number * 10 + index), count: 16))
            task.updates.append(
                TaskStatus(
                    taskID: TaskID(id), state: state, source: .executor, agentID: Bench.agent,
                    timestamp: UnixTime(nanoseconds: 1), uuid: uuid, containerID: ContainerID("x.\(number)")))
            if isAcknowledged { task.acknowledged.insert(uuid) }
        }
        return task
    }

    private func recover(_ tasks: [RecoveredTask], _ bench: inout Bench) -> [AgentEffect] {
        bench.handle(.recovered(identity: Bench.agent, tasks: tasks, ended: []))
    }

    @Test func `a restarted agent that has a part of a group begins none of it`() {
        var bench = Bench(registered: false)
        let effects = recover([recovered("a", 0, [], of: ["a", "b"], .notLaunched)], &bench)
        #expect(effects.storedStates == [.killed])
        #expect(effects.stored.first?.message?.contains("before it had stored the whole group") == true)
        #expect(!effects.contains { if case .launch = $0 { true } else { false } })
    }

    @Test func `a restarted agent goes on with a group that was not begun`() {
        var bench = Bench(registered: false)
        let tasks = ["a", "b"].enumerated().map { recovered($1, $0, [], of: ["a", "b"], .notLaunched) }
        let effects = recover(tasks, &bench)
        #expect(effects.count { if case .launch = $0 { true } else { false } } == 2)
    }

    @Test func `a restarted agent kills what is left of a group of which one failed`() {
        var bench = Bench(registered: false)
        let failed = recovered(
            "a", 0, [.starting, .running, .failed], of: ["a", "b"], isAcknowledged: true,
            .ended(ContainerEnd(waitStatus: 256)))
        let effects = recover([failed, recovered("b", 1, [.starting, .running], of: ["a", "b"], .running)], &bench)
        #expect(effects.contains(.kill(ContainerID("x.1"), gracePeriod: .seconds(3))))
        #expect(bench.core.currentTasks.map(\.stored.containerID) == [ContainerID("x.1")])
    }

    @Test func `a restarted agent lets a group be of which one finished`() {
        var bench = Bench(registered: false)
        let finished = recovered(
            "a", 0, [.starting, .running, .finished], of: ["a", "b"], isAcknowledged: true,
            .ended(ContainerEnd(waitStatus: 0)))
        let effects = recover([finished, recovered("b", 1, [.starting, .running], of: ["a", "b"], .running)], &bench)
        #expect(!effects.contains { if case .kill = $0 { true } else { false } })
        #expect(end(ContainerID("x.1"), 0, &bench).contains(.forgetTask(ContainerID("x.0"))))
    }

    @Test func `a task that ended while the agent was away takes its group with it`() {
        var bench = Bench(registered: false)
        let ids = ["a", "b"]
        let effects = recover(
            [
                recovered("a", 0, [.starting, .running], of: ids, .running),
                recovered("b", 1, [.starting, .running], of: ids, .ended(ContainerEnd(waitStatus: 256))),
            ], &bench)
        #expect(effects.storedStates == [.failed])
        #expect(effects.contains(.kill(ContainerID("x.0"), gracePeriod: .seconds(3))))
    }
}
