import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import MasterNode
import NIOCore
import StateStore
import Testing
import Transport

/// Names of a master's tasks, as Mesos-DNS' clients read them and as agents learn of them.
@Suite("Names on a master", .timeLimit(.minutes(2)))
struct NamesTests {
    private func hosts(_ name: String, _ fixture: MasterFixture) async throws -> [String] {
        try await fixture.json("/mesos_dns/v1/hosts/\(name)").items.compactMap { $0["ip"]?.text }
    }

    /// Asks until what is known is all there is; the master holds the last question back.
    private func changes(_ mark: JSONNode?, _ fixture: MasterFixture) async throws -> JSONNode {
        var query = ""
        if let mark, let epoch = mark["epoch"]?.text, let revision = mark["revision"]?.number,
            let base = mark["base"]?.number
        {
            query = "?epoch=\(epoch)&revision=\(UInt64(revision))&base=\(UInt64(base))"
        }
        return try await fixture.json("/rondo/v1/names" + query)
    }

    @Test func `masters and agents have names`() async throws {
        try await MasterFixture.with { fixture in
            let agent = try await FakeAgent.register(with: fixture)
            _ = try await changes(nil, fixture)
            #expect(try await hosts("leader.mesos", fixture) == ["127.0.0.1"])
            #expect(try await hosts("master.mesos.", fixture) == ["127.0.0.1"])
            #expect(try await hosts("nothing.mesos", fixture) == [""])
            let port = try #require(fixture.endpoint.port)
            let services = try await fixture.json("/mesos_dns/v1/services/_leader._tcp.mesos")
            #expect(services["0.port"]?.text == "\(port)")
            #expect(try await fixture.json("/mesos_dns/v1/config")["domain"]?.text == "mesos")
            #expect(try await fixture.json("/mesos_dns/v1/version")["Service"]?.text == "Mesos-DNS")
            #expect(try await fixture.json("/mesos_dns/v1/axfr")["Records.As"] != nil)
            #expect(try await fixture.get("/mesos_dns/v1/nothing").status == .notFound)
            #expect(try await fixture.send(.delete, "/mesos_dns/v1/hosts/leader.mesos").status == .methodNotAllowed)
            _ = agent
        }
    }

    @Test func `a task has a name while it runs, and agents learn of it when it does`() async throws {
        try await MasterFixture.with(change: { $0.servesJobs = true }) { fixture in
            var agent = try await FakeAgent.register(with: fixture)
            var known = try await changes(nil, fixture)
            #expect(known["isWhole"]?.bool == true)
            let job = #"{"id":"night.backup","run":{"cmd":"sleep 100","cpus":0.5,"mem":64,"disk":0}}"#
            try #require(try await fixture.post("/service/metronome/v1/jobs", job).status == .created)
            try #require(
                try await fixture.post("/service/metronome/v1/jobs/night.backup/runs", "{}").status == .created)
            let launch = try await agent.launch()
            let name = "\(launch.task.name.replacing(".", with: "-")).metronome.mesos"
            #expect(try await hosts(name, fixture) == [""])

            _ = try await agent.report(launch, .running)
            let key = "t/\(launch.frameworkID)/\(launch.task.taskID)"
            func item(_ changes: JSONNode) -> JSONNode? {
                guard case .object(let all)? = changes["changed"] else { return nil }
                return all[key]
            }
            repeat { known = try await changes(known["mark"], fixture) } while item(known) == nil
            #expect(known["isWhole"]?.bool == false)
            #expect(item(known)?["task._0.agent"]?.text == agent.id.value)
            #expect(try await hosts(name, fixture) == ["127.0.0.1"])
            #expect(
                try await fixture.json("/mesos_dns/v1/enumerate")["frameworks.0.tasks.0.id"]?.text
                    == launch.task.taskID.value)

            _ = try await agent.report(launch, .finished)
            repeat { known = try await changes(known["mark"], fixture) } while known["removed"]?.items.isEmpty != false
            #expect(known["removed"]?.items.contains(.text(key)) == true)
            #expect(try await hosts(name, fixture) == [""])
        }
    }

    @Test func `a task with a health check has a name while it passes`() async throws {
        try await MasterFixture.with(change: { $0.servesServices = true }) { fixture in
            var agent = try await FakeAgent.register(with: fixture)
            let app = #"""
                {"id":"/web","cmd":"serve","cpus":0.5,"mem":64,
                 "healthChecks":[{"protocol":"COMMAND","command":{"value":"true"}}]}
                """#
            try #require(try await fixture.post("/service/marathon/v2/apps", app).status == .created)
            let launch = try await agent.launch()
            var known = try await changes(nil, fixture)
            for (isHealthy, wanted) in [(nil, [""]), (true, ["127.0.0.1"]), (false, [""])] as [(Bool?, [String])] {
                _ = try await agent.report(launch, .running, isHealthy: isHealthy)
                while isHealthy != nil, try await hosts("web.rondo", fixture) != wanted {
                    known = try await changes(known["mark"], fixture)
                }
                #expect(try await hosts("web.rondo", fixture) == wanted)
            }
        }
    }

    @Test func `a restarted master says which agents it still waits for`() async throws {
        let store = MemoryStore()
        let first = try await MasterFixture.with(store: store) { fixture in
            _ = try await FakeAgent.register(with: fixture)
            return try await changes(nil, fixture)
        }
        try await MasterFixture.with(store: store) { fixture in
            let known = try await changes(first["mark"], fixture)
            #expect(known["isWhole"]?.bool == true)
            guard case .object(let items)? = known["changed"] else { throw CancellationError() }
            let agents = items.filter { $0.key.hasPrefix("a/") }
            #expect(agents.count == 1)
            #expect(agents.values.first?["agent.isAwaited"]?.bool == true)
            let id = try #require(agents.values.first?["agent._0.id"]?.text)
            _ = try await FakeAgent.register(with: fixture, FakeAgent.info(id: AgentID(id)))
            var next = known
            repeat { next = try await changes(next["mark"], fixture) } while next["isWhole"]?.bool != false
            guard case .object(let changed)? = next["changed"] else { throw CancellationError() }
            #expect(changed["a/\(id)"]?["agent.isAwaited"]?.bool == false)
        }
    }

    @Test(arguments: [
        "?epoch=x&revision=1&base=1", "?epoch=&revision=-1&base=9", "?revision=1",
        "?epoch=%41&revision=99999999999999999999",
    ])
    func `whoever knows something else is told everything`(query: String) async throws {
        try await MasterFixture.with { fixture in
            let answer = try await fixture.json("/rondo/v1/names\(query)")
            #expect(answer["isWhole"]?.bool == true)
        }
    }
}
