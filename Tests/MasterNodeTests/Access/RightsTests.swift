import Access
import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import MasterCore
import MesosWire
import NIOCore
import StateStore
import Testing

@testable import MasterNode

/// What users may do to a running cluster, over its interfaces.
@Suite("Rights over HTTP")
struct RightsTests {
    private func info(
        _ name: String, role: String = "web", user: String = "nobody", principal: String? = nil,
        id: FrameworkID? = nil
    ) -> FrameworkInfo {
        FrameworkInfo(
            user: user, name: name, id: id, failoverTimeout: .seconds(60), roles: [RoleName(role)],
            hostname: "client.test", principal: principal, capabilities: [.multiRole])
    }

    /// The status of a SUBSCRIBE; the stream is left at once.
    private func subscribe(
        _ fixture: MasterFixture, _ info: FrameworkInfo, _ headers: HTTPFields
    ) async throws -> (Int, String) {
        let call = WireSchedulerCall(.subscribe(Subscription(info: info)))
        let response = try await fixture.caller.stream(
            .post, fixture.endpoint, "/api/v1/scheduler",
            headers: headers + [.contentType: "application/json", .accept: "application/json"],
            body: ByteBuffer(bytes: try WireCodec.encode(call, as: .json)), idleTimeout: .seconds(20))
        if response.status == .ok { return (200, "") }
        return (response.status.code, String(buffer: try await response.body.collect()))
    }

    /// A master with an agent, and users alice (web), bob (db), eve (nothing), oscar (operator), vera (viewer).
    private func withCluster(
        change: (inout MasterNode.Settings) -> Void = { _ in },
        _ test: (MasterFixture, inout FakeAgent, [String: HTTPFields]) async throws -> Void
    ) async throws {
        try await AccessFixture.with(change: change) { fixture in
            let credential = try await fixture.nodeCredential().credential
            var agent = try await FakeAgent.register(with: fixture, credential: credential)
            let users = [
                "alice": try await fixture.user("alice", roles: ["user:web"]),
                "bob": try await fixture.user("bob", roles: ["user:db"]),
                "eve": try await fixture.user("eve"),
                "oscar": try await fixture.user("oscar", roles: ["operator"]),
                "vera": try await fixture.user("vera", roles: ["viewer"]),
                "node": [.authorization: "Bearer \(credential)"] as HTTPFields,
            ]
            try await test(fixture, &agent, users)
        }
    }

    @Test func `a framework subscribes in its user's roles, as an account that the user may use`() async throws {
        try await withCluster { fixture, _, users in
            let alice = try #require(users["alice"])
            let cases: [(String, FrameworkInfo, String, Int, String)] = [
                ("own role", info("a"), "alice", 200, ""), ("below it", info("b", role: "web/shop"), "alice", 200, ""),
                ("own principal", info("c", principal: "alice"), "alice", 200, ""),
                ("own account", info("d", user: "alice"), "alice", 200, ""),
                ("another role", info("e", role: "db"), "alice", 403, "framework.register:db"),
                ("a role that begins alike", info("f", role: "website"), "alice", 403, "framework.register:website"),
                ("everybody's role", info("g", role: "*"), "alice", 403, "framework.register:*"),
                ("root", info("h", user: "root"), "alice", 403, "task.run-as:root"),
                ("the agent's account", info("i", user: ""), "alice", 403, "task.run-as:"),
                ("number 0", info("j", user: "0"), "alice", 403, "task.run-as:0"),
                ("another's account", info("k", user: "bob"), "alice", 403, "task.run-as:bob"),
                ("another principal", info("l", principal: "bob"), "alice", 403, "principal"),
                ("no rights", info("m"), "eve", 403, "framework.register:web"),
                ("a viewer", info("n"), "vera", 403, "framework.register:web"),
                ("an operator", info("o", user: "www-data"), "oscar", 200, ""),
                ("an operator as root", info("p", user: "root"), "oscar", 403, "task.run-as:root"),
                ("a node", info("q"), "node", 403, "node"),
            ]
            for (name, info, user, status, reason) in cases {
                let answer = try await subscribe(fixture, info, try #require(users[user]))
                #expect(answer.0 == status, "\(name): \(answer.1)")
                #expect(answer.1.contains(reason), "\(name): \(answer.1)")
            }
            #expect(try await subscribe(fixture, info("r", user: "root"), AccessFixture.root).0 == 200)
            var framework = try await FakeFramework.subscribe(to: fixture, info("s"), headers: alice)
            _ = try await framework.offers()
            let core = try await fixture.node.snapshot()
            #expect(core.frameworks[framework.id]?.info.principal == "alice")
        }
    }

    @Test func `a task that may not run as its account is refused, and the others of the call run`() async throws {
        try await withCluster { fixture, agent, users in
            var framework = try await FakeFramework.subscribe(
                to: fixture, info("web"), headers: try #require(users["alice"]))
            let offer = try #require(try await framework.offers().first)
            var tasks = ["good", "root", "zero", "empty", "alice", "bob"].map {
                TaskInfo.sleeping($0, on: offer)
            }
            for (index, user) in [nil, "root", "00", "", "alice", "bob"].enumerated() {
                tasks[index].command?.user = user
            }
            try await framework.send(
                .accept(offers: [offer.id], operations: [.launch(tasks)], filters: .standard))
            var refused: [String: String] = [:]
            for _ in 0..<4 {
                let status = try await framework.update()
                #expect(status.state == .error)
                refused[status.taskID.value] = status.message ?? ""
            }
            #expect(Set(refused.keys) == ["root", "zero", "empty", "bob"])
            #expect(refused["bob"]?.contains("task.run-as:bob") == true)
            let started = [try await agent.launch().task.taskID.value, try await agent.launch().task.taskID.value]
            #expect(Set(started) == ["good", "alice"])
        }
    }

    @Test func `a stream, a framework and an update are their user's`() async throws {
        try await withCluster { fixture, _, users in
            let (alice, bob) = (try #require(users["alice"]), try #require(users["bob"]))
            var framework = try await FakeFramework.subscribe(to: fixture, info("web"), headers: alice)
            _ = try await framework.offers()
            var stolen = framework
            for headers in [bob, try #require(users["oscar"])] {
                stolen.headers = headers
                #expect(try await stolen.call(.revive(roles: [])).status.code == 403)
                #expect(try await stolen.call(.teardown).status.code == 403)
            }
            stolen.headers = [:]
            #expect(try await stolen.call(.revive(roles: [])).status.code == 401)
            try await framework.send(.revive(roles: []))
            // Another role, user or principal by the back door.
            for changed in [info("web", role: "db"), info("web", user: "root"), info("web", principal: "bob")] {
                let response = try await framework.call(.updateFramework(changed, suppressedRoles: []))
                #expect(response.status.code == 403)
            }
            #expect(
                try await framework.call(.updateFramework(info("web", role: "web/new"), suppressedRoles: [])).status
                    .code == 202)
            // Taken over by who may end it, and by nobody else.
            let id = framework.id
            #expect(try await subscribe(fixture, info("web", role: "db", id: id), bob).0 == 403)
            #expect(try await subscribe(fixture, info("web", id: id), alice).0 == 200)
            let core = try await fixture.node.snapshot()
            #expect(core.frameworks[id]?.info.principal == "alice")
        }
    }

    @Test func `operators' calls take the right over what they change`() async throws {
        try await withCluster { fixture, agent, users in
            var framework = try await FakeFramework.subscribe(
                to: fixture, info("web"), headers: try #require(users["alice"]))
            let offer = try #require(try await framework.offers().first)
            try await framework.send(
                .accept(
                    offers: [offer.id], operations: [.launch([.sleeping("t", on: offer)])], filters: .standard))
            _ = try await agent.launch()
            let id = framework.id.value
            let weights = { (role: String) in
                "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"role\":\"\(role)\",\"weight\":2}]}}"
            }
            let gone = "{\"type\":\"MARK_AGENT_GONE\",\"mark_agent_gone\":{\"agent_id\":{\"value\":\"nobody\"}}}"
            let end = "{\"type\":\"TEARDOWN\",\"teardown\":{\"framework_id\":{\"value\":\"\(id)\"}}}"
            let noEnd = "{\"type\":\"TEARDOWN\",\"teardown\":{\"framework_id\":{\"value\":\"none\"}}}"
            // Path, body, and the statuses of alice, bob, eve, oscar, vera and a node.
            let cases: [(String, String, [Int])] = [
                ("/api/v1", weights("web"), [403, 403, 403, 200, 403, 403]),
                ("/api/v1", gone, [403, 403, 403, 404, 403, 403]),
                ("/api/v1", noEnd, [403, 403, 403, 404, 403, 403]),
                ("/rondo/v1/frameworks/none/teardown", "{}", [403, 403, 403, 404, 403, 403]),
                ("/rondo/v1/tasks/none/t/kill", "{}", [403, 403, 403, 404, 403, 403]),
                ("/api/v1", "{\"type\":\"GET_STATE\"}", [200, 200, 403, 200, 200, 200]),
                ("/api/v1", "{\"type\":\"GET_HEALTH\"}", [200, 200, 403, 200, 200, 200]),
                (
                    "/api/v1", "{\"type\":\"READ_FILE\",\"read_file\":{\"path\":\"/master/log\",\"offset\":0}}",
                    [403, 403, 403, 404, 404, 403]
                ),
                ("/slave/none/api/v1", "{}", [403, 403, 403, 400, 403, 403]),
                ("/slave/none/api/v1", Self.wait("c"), [403, 403, 403, 404, 403, 403]),
                ("/mesos/agent/none/slave(1)/api/v1", Self.wait("c"), [403, 403, 403, 404, 403, 403]),
                ("/slave/none/api/v1/x", Self.wait("c"), [403, 403, 403, 404, 403, 403]),
                ("/rondo/v1/tokens", "{}", [403, 403, 403, 201, 403, 403]),
                ("/rondo/v1/tokens", "{\"role\":\"master\"}", [403, 403, 403, 403, 403, 403]),
                ("/rondo/v1/users", "{\"name\":\"x\"}", [403, 403, 403, 403, 403, 403]),
                // The last ones that find the framework.
                ("/rondo/v1/tasks/\(id)/t/kill", "{}", [200, 403, 403, 200, 403, 403]),
                ("/api/v1", end, [0, 403, 403, 0, 403, 403]),
                ("/rondo/v1/frameworks/\(id)/teardown", "{}", [0, 403, 403, 0, 403, 403]),
            ]
            let names = ["alice", "bob", "eve", "oscar", "vera", "node"]
            for (path, body, statuses) in cases {
                for (name, status) in zip(names, statuses) where status != 0 {
                    let response = try await fixture.post(path, body, headers: try #require(users[name]))
                    #expect(
                        response.status.code == status,
                        "\(name) \(path) \(body.prefix(60)): \(String(buffer: response.bytes))")
                }
            }
            let form = try await fixture.post(
                "/master/teardown", "frameworkId=\(id)", type: nil, headers: try #require(users["bob"]))
            #expect(form.status.code == 403)
            let mine = try await fixture.post(
                "/master/teardown", "frameworkId=\(id)", type: nil, headers: try #require(users["alice"]))
            #expect(mine.status == .ok)
        }
    }

    private static func wait(_ container: String) -> String {
        let id = "{\"value\":\"session\",\"parent\":{\"value\":\"\(container)\"}}"
        return "{\"type\":\"WAIT_CONTAINER\",\"wait_container\":{\"container_id\":\(id)}}"
    }

    @Test func `a command in a container takes the right over its task's role`() async throws {
        try await withCluster(change: { $0.agentAnswerTimeout = .milliseconds(200) }) { fixture, agent, users in
            var framework = try await FakeFramework.subscribe(
                to: fixture, info("web"), headers: try #require(users["alice"]))
            let offer = try #require(try await framework.offers().first)
            try await framework.send(
                .accept(
                    offers: [offer.id], operations: [.launch([.sleeping("t", on: offer)])], filters: .standard))
            let launch = try await agent.launch()
            _ = try await agent.report(launch, .running)
            let start =
                "{\"type\":\"ATTACH_CONTAINER_INPUT\",\"attach_container_input\":{\"type\":\"CONTAINER_ID\","
                + "\"container_id\":{\"value\":\"session\",\"parent\":{\"value\":\"c-t\"}}}}"
            // Those who may are let through to the agent, which does not answer here: 504.
            let statuses = ["alice": 504, "bob": 403, "eve": 403, "oscar": 504, "vera": 403, "node": 403]
            for (name, status) in statuses {
                let user = try #require(users[name])
                let call = try await fixture.post("/agent/\(agent.id)/api/v1", Self.wait("c-t"), headers: user)
                #expect(call.status.code == status, "\(name): \(String(buffer: call.bytes))")
                let other = try await fixture.post("/agent/\(agent.id)/api/v1", Self.wait("c-other"), headers: user)
                #expect(other.status.code == (name == "oscar" ? 504 : 403), "\(name)")
                let stream = try await fixture.post(
                    "/slave/\(agent.id)/slave(1)/api/v1", "\(start.utf8.count)\n\(start)", type: "application/recordio",
                    headers: user)
                #expect(stream.status.code == status, "\(name): \(String(buffer: stream.bytes))")
            }
        }
    }

    @Test func `reading takes rights too, and environments are for those of the role`() async throws {
        try await withCluster { fixture, agent, users in
            var framework = try await FakeFramework.subscribe(
                to: fixture, info("web"), headers: try #require(users["alice"]))
            let offer = try #require(try await framework.offers().first)
            try await framework.send(
                .accept(
                    offers: [offer.id], operations: [.launch([.sleeping("t", on: offer)])], filters: .standard))
            _ = try await agent.launch()
            let names = ["alice", "bob", "eve", "oscar", "vera", "node"]
            let cases: [(String, [Int])] = [
                ("/state", [200, 200, 403, 200, 200, 200]), ("/rondo/v1/tasks/t", [200, 200, 403, 200, 200, 200]),
                ("/metrics", [200, 200, 403, 200, 200, 200]), ("/files/browse?path=/", [403, 403, 403, 404, 404, 403]),
                ("/agent/none/files/read", [403, 403, 403, 404, 403, 403]),
                ("/rondo/v1/audit", [403, 403, 403, 404, 403, 403]),
                ("/rondo/v1/users", [403, 403, 403, 403, 403, 403]),
                ("/rondo/v1/users/alice", [200, 403, 403, 403, 403, 403]),
                ("/rondo/v1/users/alice/tokens", [200, 403, 403, 403, 403, 403]),
                ("/acs/api/v1/users", [403, 403, 403, 403, 403, 403]), ("/nothing", [404, 404, 404, 404, 404, 404]),
            ]
            for (path, statuses) in cases {
                for (name, status) in zip(names, statuses) {
                    let response = try await fixture.get(path, headers: try #require(users[name]))
                    #expect(response.status.code == status, "\(name) \(path)")
                }
            }
            let seen: [(String, Bool)] = [
                ("alice", true), ("bob", false), ("oscar", true), ("vera", false), ("node", false),
            ]
            for (name, sees) in seen {
                for path in ["/state", "/tasks", "/frameworks", "/rondo/v1/tasks/t"] {
                    let response = try await fixture.get(path, headers: try #require(users[name]))
                    #expect(String(buffer: response.bytes).contains("hunter2") == sees, "\(name) \(path)")
                }
            }
        }
    }

    @Test func `a node's agent has the node's id, and speaks for no other`() async throws {
        try await withCluster { fixture, agent, users in
            let joined = try await fixture.nodeCredential("node-b")
            let second = try await FakeAgent.register(
                with: fixture, FakeAgent.info("b.test"), credential: joined.credential)
            #expect(second.id.value == joined.id)
            #expect(second.id != agent.id)
            struct Subscribe: Encodable {
                var type = "SUBSCRIBE"
                var subscribe: AgentRegistration
            }
            let stolen = Subscribe(subscribe: AgentRegistration(info: FakeAgent.info("b.test", id: agent.id)))
            let body = String(decoding: try JSONEncoder().encode(stolen), as: UTF8.self)
            let refused = try await fixture.post(
                "/api/v1/agent", body,
                headers: [.authorization: "Bearer " + joined.credential])
            #expect(refused.status.code == 403)
            let again = try await FakeAgent.register(
                with: fixture, FakeAgent.info(id: agent.id),
                credential: String(try #require(users["node"]?[.authorization]).dropFirst("Bearer ".count)))
            #expect(again.id == agent.id)
            // A session is its node's.
            let calls = try await fixture.post(
                "/api/v1/agent", "{\"type\":\"CALLS\",\"calls\":[{\"heartbeat\":{}}]}",
                headers: [
                    .session: again.session,
                    .authorization: "Bearer " + joined.credential,
                ])
            #expect(calls.status.code == 401)
        }
    }

    @Test func `only nodes take part as agents`() async throws {
        try await withCluster { fixture, _, users in
            let body = "{\"type\":\"SUBSCRIBE\",\"subscribe\":{}}"
            for name in ["alice", "eve", "oscar", "vera"] {
                let response = try await fixture.post("/api/v1/agent", body, headers: try #require(users[name]))
                #expect(response.status.code == 403, "\(name)")
            }
            let node = try await fixture.post("/api/v1/agent", body, headers: try #require(users["node"]))
            #expect(node.status.code == 400)
        }
    }
}
