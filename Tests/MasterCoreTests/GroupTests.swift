import ClusterModel
import MasterCore
import Testing

@Suite("Task groups on the master")
struct GroupTests {
    private func offered(
        _ info: FrameworkInfo = .test()
    ) throws -> (MasterScenario, FrameworkPeer, AgentPeer, Offer) {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe(info)
        let offer = try scenario.offer(framework)
        return (scenario, framework, agent, offer)
    }

    private let group = TaskGroup(executorID: "e", resources: bag("cpus:0.5;mem:32"))

    private func accept(_ offer: Offer, _ group: TaskGroup, _ tasks: [TaskInfo]) -> SchedulerCall {
        .accept(offers: [offer.id], operations: [.launchGroup(group, tasks: tasks)], filters: .standard)
    }

    @Test func `a group goes to its agent as one and holds its executor's resources too`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.call(framework, accept(offer, group, [.test("a", on: offer), .test("b", on: offer)]))
        guard case .runGroup(let launches)? = scenario.take(agent).first else {
            Issue.record("nothing to run")
            return
        }
        #expect(launches.map(\.task.taskID) == ["a", "b"])
        #expect(launches.allSatisfy { $0.group?.tasks == ["a", "b"] && $0.executorID == "e" })
        #expect(scenario.free(agent) == bag("cpus:1.5;mem:3936;ports:[31000-31009]"))
    }

    @Test func `the executor's resources come back with those of the last task`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.call(framework, accept(offer, group, [.test("a", on: offer), .test("b", on: offer)]))
        scenario.report("a", .finished, 1, of: framework, on: agent)
        scenario.acknowledge("a", 1, of: framework, on: agent)
        #expect(scenario.free(agent) == bag("cpus:2.5;mem:4000;ports:[31000-31009]"))
        scenario.report("b", .failed, 2, of: framework, on: agent)
        scenario.acknowledge("b", 2, of: framework, on: agent)
        #expect(scenario.free(agent) == bag("cpus:4;mem:4096;ports:[31000-31009]"))
    }

    @Test func `a restarted master counts the executors of groups that agents report`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.call(framework, accept(offer, group, [.test("a", on: offer), .test("b", on: offer)]))
        guard case .runGroup(let launches)? = scenario.take(agent).first else { throw Missing() }
        scenario.restartMaster()
        let reports = launches.map { launch in
            ReportedTask(
                launch: launch, status: update(launch.task.taskID.value, .running, 1, on: agent), directory: "/d")
        }
        var info = AgentInfo.test()
        info.id = agent.id
        let back = try scenario.register(info, tasks: reports)
        #expect(scenario.free(back) == bag("cpus:1.5;mem:3936;ports:[31000-31009]"))
    }

    private struct Missing: Error {}

    @Test(arguments: [
        ("cpus:0.001;mem:32", "uses less cpus (0.001) than the minimum required (0.01)"),
        ("cpus:1", "uses less mem"),
        ("cpus:3;mem:32", "the task group: the task uses more than its offers have left: cpus: 5 wanted"),
    ])
    func `an executor that does not fit or is too small is refused with its group`(
        resources: String, words: String
    ) throws {
        try expectRefused(saying: words) { group, _ in group.resources = bag(resources) }
    }

    @Test func `a group that is not as Mesos has it is refused as a whole`() throws {
        try expectRefused(saying: "two tasks with the ID 'a'") { $1[1].taskID = "a" }
        try expectRefused(saying: "invalid FrameworkID (Actual: other") { group, _ in group.frameworkID = "other" }
        try expectRefused(saying: "the executor's id must not") { group, _ in group.executorID = "../e" }
        try expectRefused(saying: "not a group") { group, _ in group.defect = "not a group" }
        try expectRefused(saying: "task 'b': Task needs a command") { $1[1].command = nil }
        try expectRefused(saying: "task 'a': the task uses no resources") { $1[0].resources = Resources() }
        try expectRefused(saying: "container.mesos.image' must not be set") { group, _ in
            group.container = ContainerInfo(kind: .mesos, image: "image")
        }
        try expectRefused(saying: "container.type' must be 'MESOS'") { group, _ in
            group.container = ContainerInfo(kind: .docker)
        }
        try expectRefused(saying: "nothing but network_infos") { group, _ in
            group.container = ContainerInfo(kind: .mesos)
            group.container?.hostname = "name"
        }
        try expectRefused(saying: "task 'a' has no image, but its group") { group, _ in
            group.container = ContainerInfo(kind: .mesos)
            group.container?.network = .bridge
        }
        try expectRefused(saying: "the host's port 31001 of a port mapping is not") { group, tasks in
            group.container = ContainerInfo(kind: .mesos)
            group.container?.network = .bridge
            group.container?.portMappings = [.init(hostPort: 31_001, containerPort: 80)]
            for index in tasks.indices { tasks[index].container = ContainerInfo(kind: .mesos, image: "image") }
        }
        try expectRefused(saying: "NetworkInfos must not be set on the task") { _, tasks in
            tasks[0].container = ContainerInfo(kind: .mesos, image: "image")
            tasks[0].container?.network = .bridge
        }
        try expectRefused(saying: "Docker ContainerInfo is not supported") { _, tasks in
            tasks[0].container = ContainerInfo(kind: .docker, image: "image")
        }
    }

    private func expectRefused(
        saying words: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout TaskGroup, inout [TaskInfo]) -> Void
    ) throws {
        var (scenario, framework, agent, offer) = try offered()
        var group = group
        var tasks: [TaskInfo] = [.test("a", on: offer), .test("b", on: offer)]
        change(&group, &tasks)
        scenario.call(framework, accept(offer, group, tasks))
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.taskID) == tasks.map(\.taskID), sourceLocation: sourceLocation)
        for status in statuses {
            #expect(status.state == .error && status.reason == .taskGroupInvalid, sourceLocation: sourceLocation)
            #expect(status.message?.contains(words) == true, "\(status.message ?? "")", sourceLocation: sourceLocation)
        }
        #expect(scenario.take(agent).isEmpty, sourceLocation: sourceLocation)
        #expect(scenario.free(agent) == offer.resources, sourceLocation: sourceLocation)
    }

    @Test func `a second group of the same executor is refused while the first has a task`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.call(framework, accept(offer, group, [.test("a", on: offer)]))
        _ = scenario.take(agent)
        scenario.call(framework, .revive(roles: []))
        let next = try scenario.offer(framework)
        scenario.call(framework, accept(next, group, [.test("b", on: next)]))
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.state) == [.error])
        #expect(statuses.first?.message?.contains("has a task group on the agent already") == true)
        scenario.report("a", .finished, 1, of: framework, on: agent)
        scenario.acknowledge("a", 1, of: framework, on: agent)
        scenario.call(framework, .revive(roles: []))
        let last = try scenario.offer(framework)
        scenario.call(framework, accept(last, group, [.test("c", on: last)]))
        #expect(scenario.take(agent).contains { if case .runGroup = $0 { true } else { false } })
    }

    @Test func `an executor that is shut down ends the tasks that are its own`() throws {
        var (scenario, framework, agent, offer) = try offered()
        let other = TaskGroup(executorID: "other", resources: group.resources)
        let operations: [OfferOperation] = [
            .launchGroup(group, tasks: [.test("a", on: offer), .test("b", on: offer)]),
            .launchGroup(other, tasks: [.test("c", on: offer)]),
        ]
        scenario.call(framework, .accept(offers: [offer.id], operations: operations, filters: .standard))
        _ = scenario.take(agent)
        scenario.call(framework, .shutdown(executor: "none", agent: agent.id))
        scenario.call(framework, .shutdown(executor: "e", agent: "elsewhere"))
        #expect(scenario.take(agent).isEmpty)
        scenario.call(framework, .shutdown(executor: "e", agent: agent.id))
        let keys = ["a", "b"].map { TaskKey(framework: framework.id, task: TaskID($0)) }
        #expect(scenario.take(agent) == keys.map { .kill($0, gracePeriod: nil) })
        scenario.call(framework, .shutdown(executor: "other", agent: agent.id))
        #expect(scenario.take(agent) == [.kill(TaskKey(framework: framework.id, task: "c"), gracePeriod: nil)])
    }
}
