import ClusterModel
import MasterCore
import Scheduling
import Testing

@Suite("Launching")
struct LaunchTests {
    /// One agent, one framework, one offer.
    private func offered(_ info: FrameworkInfo = .test()) throws -> (MasterScenario, FrameworkPeer, AgentPeer, Offer) {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe(info)
        let offer = try scenario.offer(framework)
        return (scenario, framework, agent, offer)
    }

    private func expectRefused(
        _ change: (inout TaskInfo) -> Void, _ reason: StatusReason = .taskInvalid, saying words: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var (scenario, framework, agent, offer) = try offered()
        var task = TaskInfo.test("t", on: offer)
        change(&task)
        #expect(scenario.launch(framework, offer, [task]) == .accepted, sourceLocation: sourceLocation)
        let statuses = scenario.updates(framework)
        #expect(statuses.count == 1, sourceLocation: sourceLocation)
        #expect(statuses.first?.state == .error, sourceLocation: sourceLocation)
        #expect(statuses.first?.reason == reason, sourceLocation: sourceLocation)
        #expect(statuses.first?.source == .master && statuses.first?.uuid == nil, sourceLocation: sourceLocation)
        let message = statuses.first?.message ?? ""
        #expect(message.contains(words), "\(message)", sourceLocation: sourceLocation)
        #expect(scenario.take(agent).isEmpty, sourceLocation: sourceLocation)
        #expect(scenario.free(agent) == offer.resources, sourceLocation: sourceLocation)
        #expect(scenario.core.frameworks[framework.id]?.tasks.isEmpty == true, sourceLocation: sourceLocation)
    }

    @Test func `an accepted task goes to its agent and holds its resources`() throws {
        var (scenario, framework, agent, offer) = try offered(.test(roles: ["a"], capabilities: [.taskKillingState]))
        let info = TaskInfo.test("t", on: offer)
        scenario.launch(framework, offer, [info])
        guard case .run(let launch)? = scenario.take(agent).first else {
            Issue.record("nothing to run")
            return
        }
        #expect(launch.task == info)
        #expect(launch.frameworkID == framework.id && launch.role == "a" && launch.user == "root")
        #expect(launch.wantsKillingState)
        #expect(scenario.task("t", of: framework)?.state == .staging)
        #expect(scenario.free(agent) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
    }

    @Test func `several tasks and operations share one offer`() throws {
        var (scenario, framework, agent, offer) = try offered()
        let operations: [OfferOperation] = [
            .launch([.test("t1", on: offer), .test("t2", on: offer, "cpus:1;mem:64;ports:[31000-31001]")]),
            .unsupported(kind: "RESERVE", id: nil), .launch([.test("t3", on: offer)]),
        ]
        scenario.call(framework, .accept(offers: [offer.id], operations: operations, filters: .standard))
        #expect(scenario.take(agent).count == 3)
        #expect(scenario.free(agent) == bag("cpus:1;mem:3904;ports:[31002-31009]"))
    }

    @Test func `an operation that comes later is OPERATION_ERROR when it has an id, and names itself`() throws {
        var (scenario, framework, agent, offer) = try offered()
        let operations: [OfferOperation] = [
            .unsupported(kind: "RESERVE", id: OperationID("o1")), .unsupported(kind: "CREATE", id: nil),
        ]
        scenario.call(framework, .accept(offers: [offer.id], operations: operations, filters: .standard))
        let expected = OperationStatus(
            id: OperationID("o1"), state: .error,
            message: "RESERVE is not supported yet; its resources are offered again", agentID: offer.agentID)
        #expect(scenario.take(framework.connection) == [.operation(expected)])
        #expect(scenario.free(agent) == offer.resources)
        // A used offer ends the operation as well.
        scenario.call(framework, .accept(offers: [offer.id], operations: operations, filters: .standard))
        guard case .operation(let again)? = scenario.take(framework.connection).first else {
            Issue.record("no status for an operation on a used offer")
            return
        }
        #expect(again.state == .error && again.id == OperationID("o1"))
    }

    @Test func `operations that nobody knows are OPERATION_UNKNOWN`() throws {
        var (scenario, framework, _, _) = try offered()
        scenario.call(framework, .reconcileOperations([OperationID("o9")]))
        let expected = OperationStatus(
            id: OperationID("o9"), state: .unknown, message: "Reconciliation: Operation is unknown")
        #expect(scenario.take(framework.connection) == [.operation(expected)])
    }

    @Test func `a task that wants more than is left gets TASK_ERROR naming the resource`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.launch(
            framework, offer,
            [.test("t1", on: offer, "cpus:3;mem:64"), .test("t2", on: offer, "cpus:2;mem:64"), .test("t3", on: offer)])
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.taskID) == ["t2"])
        #expect(statuses.first?.state == .error && statuses.first?.reason == .taskInvalid)
        #expect(statuses.first?.message?.contains("cpus: 2 wanted, 1 left in the offers, 1 short") == true)
        #expect(scenario.take(agent).count == 2)
        #expect(scenario.free(agent) == bag("mem:3968;ports:[31000-31009]"))
    }

    @Test func `a task that wants a port that is not offered gets TASK_ERROR naming it`() throws {
        try expectRefused({ $0.resources = bag("cpus:1;ports:[80-80]") }, saying: "ports: [80-80] wanted")
    }

    @Test func `a task without resources gets TASK_ERROR`() throws {
        try expectRefused({ $0.resources = Resources() }, saying: "uses no resources")
    }

    @Test func `a task for another agent than the offer's gets TASK_ERROR`() throws {
        try expectRefused({ $0.agentID = "elsewhere" }, saying: "Task uses agent elsewhere")
    }

    @Test func `a task without a command gets TASK_ERROR`() throws {
        try expectRefused({ $0.command = nil }, saying: "needs a command")
        try expectRefused({ $0.command = CommandInfo(value: "") }, saying: "a shell command needs a value")
        try expectRefused({ $0.command = CommandInfo(isShell: false, value: nil) }, saying: "the program to execute")
    }

    @Test func `a task with fields that cannot be honoured gets TASK_ERROR naming them`() throws {
        try expectRefused(
            { $0.unsupported = ["container", "health_check"] }, saying: "not supported yet: container, health_check")
    }

    @Test func `a task that could not be read gets TASK_ERROR with the reason`() throws {
        try expectRefused({ $0.defect = "cpus must not be negative" }, saying: "cpus must not be negative")
    }

    @Test func `a task id that could be a path gets TASK_ERROR`() throws {
        try expectRefused({ $0.taskID = "../../etc" }, saying: "task id must not contain slashes")
    }

    @Test func `a task whose description is too large for a checkpoint gets TASK_ERROR`() throws {
        let words = "65536 at most; put large data into a file"
        try expectRefused({ $0.data = [UInt8](repeating: 0, count: 70_000) }, saying: words)
        try expectRefused(
            { $0.command?.environment = [.init(name: "A", value: String(repeating: "x", count: 70_000))] },
            saying: words)
        try expectRefused({ $0.labels = [Label](repeating: Label(key: ""), count: 4_000) }, saying: words)
        try expectRefused({ $0.command = CommandInfo(value: String(repeating: "\u{1}", count: 12_000)) }, saying: words)
    }

    @Test func `a task id that is in use gets TASK_ERROR and the first task goes on`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.call(framework, .revive(roles: []))
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, [.test("t", on: offer)])
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.state) == [.error])
        #expect(statuses.first?.message?.contains("ID of a task") == true)
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test(arguments: [true, false])
    func `tasks of an unknown offer are lost or dropped, as the framework has it`(isAware: Bool) throws {
        var (scenario, framework, agent, offer) = try offered(isAware ? .partitionAware : .test())
        scenario.call(
            framework,
            .accept(
                offers: ["unknown"], operations: [.launch([.test("t1", on: offer), .test("t2", on: offer)])],
                filters: .standard))
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.state) == [isAware ? .dropped : .lost, isAware ? .dropped : .lost])
        #expect(statuses.allSatisfy { $0.reason == .invalidOffers && $0.source == .master && $0.uuid == nil })
        #expect(statuses.first?.message?.contains("is not valid (any more)") == true)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `an offer is accepted once, other tasks of a second ACCEPT are lost`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.launch(framework, offer, [.test("t1", on: offer)])
        scenario.launch(framework, offer, [.test("t2", on: offer)])
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.taskID) == ["t2"])
        #expect(statuses.map(\.state) == [.lost])
        #expect(statuses.first?.message?.contains("accepted already") == true)
        #expect(scenario.take(agent).count == 1)
    }

    @Test func `an ACCEPT that is sent again answers where its live task stands`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.launch(framework, offer, [.test("t", on: offer)])
        scenario.report("t", .running, 1, of: framework, on: agent)
        _ = scenario.take(framework.connection)
        _ = scenario.take(agent)
        scenario.launch(framework, offer, [.test("t", on: offer)])
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.state) == [.running])
        #expect(statuses.first?.reason == .reconciliation)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `an ACCEPT that is sent again after the end answers the end`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.launch(framework, offer, [.test("t", on: offer)])
        scenario.report("t", .finished, 1, of: framework, on: agent)
        scenario.acknowledge("t", 1, of: framework, on: agent)
        _ = scenario.take(framework.connection)
        scenario.launch(framework, offer, [.test("t", on: offer)])
        #expect(scenario.updates(framework).map(\.state) == [.finished])
    }

    @Test func `an offer of another framework cannot be accepted and stays out`() throws {
        var (scenario, _, agent, offer) = try offered()
        let thief = try scenario.subscribe()
        scenario.launch(thief, offer, [.test("t", on: offer)])
        #expect(scenario.updates(thief).map(\.reason) == [.invalidOffers])
        #expect(scenario.core.offers[offer.id] != nil)
        #expect(scenario.take(agent).isEmpty)
    }

    @Test func `offers of two agents cannot be accepted together and are taken back`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register(.test("one"))
        _ = try scenario.register(.test("two"))
        let framework = try scenario.subscribe()
        let offers = scenario.offers(framework)
        try #require(offers.count == 2)
        scenario.call(
            framework,
            .accept(
                offers: offers.map(\.id), operations: [.launch([.test("t", on: offers[0])])], filters: .standard))
        let statuses = scenario.updates(framework)
        #expect(statuses.map(\.reason) == [.invalidOffers])
        #expect(statuses.first?.message?.contains("one agent at a time") == true)
        #expect(scenario.core.offers.isEmpty)
        scenario.advance(.seconds(2))
        #expect(scenario.offers(framework).count == 2)
    }

    @Test func `an offer that was rescinded cannot be accepted`() throws {
        var (scenario, framework, agent, offer) = try offered()
        scenario.hangUp(agent.connection)
        _ = scenario.take(framework.connection)
        scenario.launch(framework, offer, [.test("t", on: offer)])
        let status = scenario.updates(framework).first
        #expect(status?.state == .lost)
        #expect(status?.message?.contains("was rescinded") == true)
    }

    @Test func `two offers of one agent can be accepted together`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.call(framework, .revive(roles: []))
        let first = try scenario.offer(framework)
        scenario.report("t", .finished, 2, of: framework, on: agent)
        let second = try scenario.offer(framework)
        scenario.call(
            framework,
            .accept(
                offers: [first.id, second.id], operations: [.launch([.test("big", on: first, "cpus:4;mem:4096")])],
                filters: .standard))
        #expect(scenario.task("big", of: framework)?.state == .staging)
        #expect(scenario.free(agent) == bag("ports:[31000-31009]"))
    }

    @Test func `a launch that the agent never got is dropped or lost when the agent registers without it`() throws {
        for isAware in [true, false] {
            var (scenario, framework, agent, offer) = try offered(isAware ? .partitionAware : .test())
            scenario.launch(framework, offer, [.test("t", on: offer)])
            let back = try scenario.reregister(agent)
            let statuses = scenario.updates(framework)
            #expect(statuses.map(\.state) == [isAware ? .dropped : .lost])
            #expect(statuses.first?.reason == .reconciliation)
            #expect(scenario.free(back) == offer.resources)
        }
    }
}
