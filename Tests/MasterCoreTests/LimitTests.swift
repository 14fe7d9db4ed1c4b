import ClusterModel
import MasterCore
import Testing

@Suite("Bounds on what comes from outside")
struct LimitTests {
    private func refusal(_ info: FrameworkInfo) -> String? {
        var scenario = MasterScenario()
        let connection = scenario.open(info)
        guard case .error(let why)? = scenario.take(connection).first else { return nil }
        return scenario.registry.frameworks.isEmpty ? why : nil
    }

    @Test func `texts of a framework are bounded, and the ERROR names the field`() {
        let long = String(repeating: "x", count: 5_000)
        let changes: [(String, (inout FrameworkInfo) -> Void)] = [
            ("user", { $0.user = long }), ("name", { $0.name = long }), ("hostname", { $0.hostname = long }),
            ("principal", { $0.principal = long }), ("webui_url", { $0.webuiURL = long }),
        ]
        for (field, change) in changes {
            var info = FrameworkInfo.test()
            change(&info)
            #expect(refusal(info)?.contains("\(field) is too long; give it at most 4096 bytes") == true)
        }
    }

    @Test func `a text of the largest length is let in`() {
        #expect(refusal(.test(String(repeating: "x", count: 4_000))) == nil)
    }

    @Test func `control characters count as what they take in the store`() {
        #expect(refusal(.test(String(repeating: "\u{1}", count: 1_000)))?.contains("name is too long") == true)
    }

    @Test func `labels of a framework are bounded together`() {
        var info = FrameworkInfo.test()
        info.labels = [Label](repeating: Label(key: ""), count: 10_000)
        #expect(refusal(info)?.contains("labels are too large") == true)
        info.labels = [Label(key: "k", value: String(repeating: "v", count: 70_000))]
        #expect(refusal(info)?.contains("labels are too large") == true)
    }

    @Test func `the roles of a framework are bounded`() {
        let roles = (0..<65).map { RoleName("r\($0)") }
        #expect(refusal(.test(roles: roles))?.contains("at most 64 roles, not 65") == true)
        #expect(refusal(.test(roles: Array(roles.dropLast()))) == nil)
    }

    @Test func `a framework cannot grow beyond the bounds by an update`() throws {
        var scenario = MasterScenario()
        let framework = try scenario.subscribe()
        let reply = scenario.call(
            framework, .updateFramework(.test(String(repeating: "x", count: 5_000)), suppressedRoles: []))
        guard case .refused(.invalid, _)? = reply else {
            Issue.record("\(String(describing: reply))")
            return
        }
        #expect(scenario.registry.frameworks[framework.id]?.info.name == "framework")
    }

    @Test func `the number of frameworks is bounded, and those that are in may come back`() throws {
        var settings = MasterSettings()
        settings.frameworksMax = 3
        var scenario = MasterScenario(settings)
        var first = try scenario.subscribe()
        _ = try scenario.subscribe()
        let last = try scenario.subscribe()
        let refused = scenario.open(.test())
        guard case .error(let why)? = scenario.take(refused).first else {
            Issue.record("a fourth framework was let in")
            return
        }
        #expect(why.contains("at most 3 frameworks"))
        first = try scenario.resubscribe(first)
        scenario.call(last, .teardown)
        _ = try scenario.subscribe()
    }

    @Test func `the description of an agent is bounded`() {
        var info = AgentInfo.test()
        info.attributes = (0..<3_000).map { Attribute(name: "attribute\($0)", value: .text("value")) }
        var scenario = MasterScenario()
        let connection = scenario.openAgent(info)
        guard case .refused(let why, isFinal: false)? = scenario.takeAgent(connection).first else {
            Issue.record("the agent was let in")
            return
        }
        #expect(why.contains("fewer attributes"))
        #expect(scenario.registry.agents.isEmpty)
    }

    @Test func `the number of agents is bounded, and those that are known may come back`() throws {
        var settings = MasterSettings()
        settings.agentsMax = 2
        var scenario = MasterScenario(settings)
        let first = try scenario.register()
        _ = try scenario.register()
        let connection = scenario.openAgent(.test())
        guard case .refused(_, isFinal: false)? = scenario.takeAgent(connection).first else {
            Issue.record("a third agent was let in")
            return
        }
        _ = try scenario.reregister(first)
    }

    @Test func `the condemned tasks of an agent fit into its record`() throws {
        var scenario = MasterScenario()
        let agent = try scenario.register()
        let framework = try scenario.subscribe()
        scenario.giveUp(agent)
        let tasks = (0..<600).map { number in
            scenario.reported(
                "\(number)" + String(repeating: "x", count: 200), .running, of: framework, on: agent,
                resources: "cpus:0.001")
        }
        let back = try scenario.reregister(agent, tasks: tasks)
        let condemned = scenario.registry.agents[back.id]?.condemned ?? []
        #expect(condemned.count > 100)
        #expect(condemned.reduce(0) { $0 + $1.task.value.utf8.count } < 128 * 1_024)
        #expect(scenario.take(back).count == 600)
    }

    @Test func `refusals that are kept to explain things are bounded`() throws {
        var scenario = MasterScenario()
        _ = try scenario.register()
        let framework = try scenario.subscribe()
        for _ in 0..<200 {
            scenario.call(framework, .revive(roles: []))
            let offer = try scenario.offer(framework)
            scenario.call(framework, .decline(offers: [offer.id], filters: .standard))
        }
        #expect((scenario.core.frameworks[framework.id]?.refusals.count ?? 0) <= 64)
    }
}
