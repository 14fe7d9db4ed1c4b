import ClusterModel
import MasterCore
import Testing

@Suite("Status updates")
struct StatusTests {
    @Test func `an update is passed on, acknowledged and the acknowledgement passed back`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .killing, 7, of: framework, on: agent)
        let status = scenario.updates(framework).first
        #expect(status == update("t", .killing, 7, on: agent))
        #expect(scenario.take(agent).isEmpty)
        scenario.acknowledge("t", 7, of: framework, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
        #expect(scenario.task("t", of: framework)?.pending == nil)
        #expect(scenario.task("t", of: framework)?.directory == "/work/t")
    }

    @Test func `an acknowledgement with another uuid, agent or task is ignored`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .killing, 7, of: framework, on: agent)
        scenario.acknowledge("t", 8, of: framework, on: agent)
        scenario.acknowledge("other", 7, of: framework, on: agent)
        scenario.call(framework, .acknowledge(agent: "other", task: "t", uuid: uuid(7)))
        #expect(scenario.take(agent).isEmpty)
        #expect(scenario.task("t", of: framework)?.pending?.uuid == uuid(7))
    }

    @Test func `an update that the agent sends again is passed on again until it is acknowledged`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .killing, 7, of: framework, on: agent)
        scenario.report("t", .killing, 7, of: framework, on: agent)
        #expect(scenario.updates(framework).count == 2)
        scenario.acknowledge("t", 7, of: framework, on: agent)
        _ = scenario.take(agent)
        scenario.report("t", .killing, 7, of: framework, on: agent)
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
    }

    @Test func `an unacknowledged update is told again after a failover`() throws {
        var (scenario, old, agent) = try MasterScenario.running()
        scenario.report("t", .finished, 7, of: old, on: agent)
        let new = try scenario.resubscribe(old)
        #expect(scenario.updates(new).map(\.uuid) == [uuid(7)])
        scenario.acknowledge("t", 7, of: new, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(new, "t"), uuid(7))])
    }

    @Test func `an update that came while the framework was away is told when it is back`() throws {
        var (scenario, old, agent) = try MasterScenario.running()
        scenario.hangUp(old.connection)
        scenario.report("t", .finished, 7, of: old, on: agent)
        let new = try scenario.resubscribe(old)
        #expect(scenario.updates(new).map(\.state) == [.finished])
    }

    @Test func `the end of a task frees its resources before it is acknowledged`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .failed, 7, of: framework, on: agent)
        #expect(scenario.free(agent) == bag("cpus:4;mem:4096;ports:[31000-31009]"))
        #expect(scenario.task("t", of: framework)?.state == .failed)
        scenario.acknowledge("t", 7, of: framework, on: agent)
        #expect(scenario.task("t", of: framework) == nil)
        #expect(scenario.core.frameworks[framework.id]?.completedTasks.map(\.id) == ["t"])
        #expect(scenario.core.agents[agent.id]?.tasks == [])
    }

    @Test func `an end that waits behind other updates frees resources at once and is told later`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.tell(agent, .ended(key(framework, "t"), .finished))
        #expect(scenario.free(agent) == bag("cpus:4;mem:4096;ports:[31000-31009]"))
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.task("t", of: framework)?.told == .running)
        scenario.report("t", .finished, 8, of: framework, on: agent)
        #expect(scenario.updates(framework).map(\.state) == [.finished])
        #expect(scenario.free(agent) == bag("cpus:4;mem:4096;ports:[31000-31009]"))
    }

    @Test func `an acknowledgement that got lost is given to the agent again`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .finished, 7, of: framework, on: agent)
        scenario.acknowledge("t", 7, of: framework, on: agent)
        _ = scenario.take(framework.connection)
        _ = scenario.take(agent)
        scenario.report("t", .finished, 7, of: framework, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
        #expect(scenario.updates(framework).isEmpty)
        scenario.acknowledge("t", 7, of: framework, on: agent)
        #expect(scenario.take(agent) == [.acknowledge(key(framework, "t"), uuid(7))])
    }

    @Test func `a late update does not turn the state back`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        scenario.report("t", .starting, 9, of: framework, on: agent)
        #expect(scenario.task("t", of: framework)?.state == .running)
    }

    @Test func `an agent cannot report tasks of another agent`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        let liar = try scenario.register(.test("liar"))
        scenario.report("t", .finished, 9, of: framework, on: liar)
        scenario.tell(liar, .ended(key(framework, "t"), .finished))
        #expect(scenario.task("t", of: framework)?.state == .running)
        #expect(scenario.updates(framework).isEmpty)
        #expect(scenario.free(agent) == bag("cpus:3;mem:4032;ports:[31000-31009]"))
    }

    @Test func `only the newest ended tasks are remembered`() throws {
        var settings = MasterSettings()
        settings.completedTasksKept = 8
        var (scenario, framework, agent) = try MasterScenario.running("t", .test(), settings)
        for number in 0..<40 {
            scenario.call(framework, .revive(roles: []))
            let offer = try scenario.offer(framework)
            scenario.launch(framework, offer, [.test("x\(number)", on: offer)])
            scenario.report("x\(number)", .finished, 3, of: framework, on: agent)
            scenario.acknowledge("x\(number)", 3, of: framework, on: agent)
            _ = scenario.take(framework.connection)
            _ = scenario.take(agent)
        }
        let kept = scenario.core.frameworks[framework.id]?.completedTasks ?? []
        #expect((8...10).contains(kept.count))
        #expect(kept.last?.id == "x39")
        scenario.call(framework, .teardown)
        let removed = scenario.core.completedFrameworks.first?.completedTasks ?? []
        #expect(removed.count == 8)
        #expect(removed.last?.id == "t" && removed.dropLast().last?.id == "x39")
    }

    @Test func `only some statuses of a task are remembered`() throws {
        var (scenario, framework, agent) = try MasterScenario.running()
        for number in 10..<60 as Range<UInt8> {
            scenario.report("t", .running, number, of: framework, on: agent)
            scenario.acknowledge("t", number, of: framework, on: agent)
        }
        let statuses = scenario.task("t", of: framework)?.statuses ?? []
        #expect(statuses.count == 10)
        #expect(statuses.first?.uuid == uuid(1))
        #expect(statuses.last?.uuid == uuid(59))
    }

    @Test func `statuses for a framework that is away are bounded`() throws {
        var settings = MasterSettings()
        settings.completedTasksKept = 3
        var scenario = MasterScenario(settings)
        let agent = try scenario.register()
        let framework = try scenario.subscribe()
        let offer = try scenario.offer(framework)
        scenario.launch(framework, offer, (0..<8).map { .test("t\($0)", on: offer, "cpus:0.1;mem:1") })
        scenario.hangUp(framework.connection)
        scenario.giveUp(agent)
        let back = try scenario.resubscribe(framework)
        #expect(scenario.updates(back).count == 3)
    }
}
