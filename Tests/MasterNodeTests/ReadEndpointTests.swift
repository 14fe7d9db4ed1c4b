import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import MasterNode
import NIOCore
import StateStore
import Testing

/// What clients read from Mesos' documents, as a table of paths into the JSON.
@Suite struct ReadEndpointTests {
    /// Documents and the fields that clients stop without.
    static let fields: [(String, [String])] = [
        (
            "/state",
            [
                "id", "pid", "leader", "hostname", "version", "cluster", "start_time", "activated_slaves", "flags",
                "slaves.0.id", "slaves.0.pid", "slaves.0.hostname", "slaves.0.port", "slaves.0.active",
                "slaves.0.resources.cpus", "slaves.0.resources.mem", "slaves.0.resources.disk",
                "slaves.0.resources.gpus", "slaves.0.resources.ports", "slaves.0.attributes.rack",
                "slaves.0.used_resources.cpus", "slaves.0.offered_resources", "slaves.0.reserved_resources",
                "slaves.0.unreserved_resources", "slaves.0.registered_time", "slaves.0.version",
                "completed_frameworks", "frameworks.0.id", "frameworks.0.name", "frameworks.0.user",
                "frameworks.0.active", "frameworks.0.connected", "frameworks.0.hostname", "frameworks.0.webui_url",
                "frameworks.0.resources.cpus", "frameworks.0.used_resources.mem", "frameworks.0.roles.0",
                "frameworks.0.capabilities", "frameworks.0.failover_timeout", "frameworks.0.registered_time",
                "frameworks.0.completed_tasks", "frameworks.0.tasks.0.id", "frameworks.0.tasks.0.name",
                "frameworks.0.tasks.0.framework_id", "frameworks.0.tasks.0.executor_id",
                "frameworks.0.tasks.0.slave_id",
                "frameworks.0.tasks.0.state", "frameworks.0.tasks.0.resources.cpus",
                "frameworks.0.tasks.0.statuses.0.state", "frameworks.0.tasks.0.statuses.0.timestamp",
                "frameworks.0.tasks.0.statuses.0.container_status.container_id.value",
                "frameworks.0.tasks.0.statuses.0.container_status.network_infos.0.ip_addresses.0.ip_address",
            ]
        ),
        (
            "/state-summary",
            [
                "cluster", "hostname", "slaves.0.id", "slaves.0.pid", "slaves.0.hostname", "slaves.0.TASK_RUNNING",
                "slaves.0.framework_ids.0", "frameworks.0.id", "frameworks.0.name", "frameworks.0.TASK_RUNNING",
                "frameworks.0.slave_ids.0",
            ]
        ),
        (
            "/slaves",
            [
                "slaves.0.id", "slaves.0.pid", "slaves.0.hostname", "slaves.0.active", "slaves.0.resources.cpus",
                "slaves.0.attributes.rack", "recovered_slaves",
            ]
        ),
        ("/tasks", ["tasks.0.id", "tasks.0.state", "tasks.0.statuses.0.state", "tasks.0.framework_id"]),
        (
            "/frameworks",
            [
                "frameworks.0.id", "frameworks.0.active", "frameworks.0.hostname", "frameworks.0.name",
                "frameworks.0.webui_url", "completed_frameworks",
            ]
        ),
        ("/roles", ["roles.0.name", "roles.0.weight", "roles.0.frameworks.0", "roles.0.resources.cpus"]),
        ("/version", ["version"]), ("/flags", ["flags"]),
        (
            "/metrics/snapshot",
            [
                "master/uptime_secs", "master/elected", "master/slaves_active", "master/frameworks_active",
                "master/tasks_running", "master/tasks_finished", "master/cpus_total", "master/cpus_used",
                "master/mem_percent", "system/cpus_total",
            ]
        ),
        (
            "/rondo/v1/cluster",
            [
                "id", "name", "version", "startedAt", "leader.id", "leader.address", "leader.port", "nodes.connected",
                "nodes.unreachable", "frameworks.connected", "tasks", "resources.cpus",
            ]
        ),
        (
            "/rondo/v1/tasks?state=active",
            [
                "tasks.0.id", "tasks.0.framework", "tasks.0.frameworkName", "tasks.0.state", "tasks.0.node",
                "tasks.0.hostname", "tasks.0.role", "tasks.0.resources.cpus", "tasks.0.directory",
                "tasks.0.lastStatusAt",
            ]
        ),
        ("/rondo/v1/tasks/reader-task", ["id", "statuses.0.state", "command.value"]),
        (
            "/rondo/v1/nodes",
            ["nodes.0.id", "nodes.0.hostname", "nodes.0.state", "nodes.0.resources.mem", "nodes.0.used.cpus"]
        ),
        ("/rondo/v1/nodes/agent.test", ["id", "taskList.0.id"]),
        ("/rondo/v1/frameworks", ["frameworks.0.id", "frameworks.0.state", "frameworks.0.tasks.live"]),
        (
            "/rondo/v1/roles",
            ["roles.0.name", "roles.0.weight", "roles.0.dominantShare", "roles.0.frameworks.0.takesOffers"]
        ),
        ("/rondo/v1/why/reader-task", ["explanations.0.subject", "explanations.0.facts"]),
        ("/rondo/v1/health", ["healthy", "writable"]),
    ]

    /// A master with one agent, one framework and one running task.
    private func withTask(
        credentials: any NodeCredentials = OpenCredentials(),
        change: (inout MasterNode.Settings) -> Void = { _ in }, credential: String? = nil,
        _ test: (MasterFixture, FakeFramework) async throws -> Void
    ) async throws {
        try await MasterFixture.with(credentials: credentials, change: change) { fixture in
            var agent = try await FakeAgent.register(with: fixture, credential: credential)
            var framework = try await FakeFramework.subscribe(to: fixture, .named("reader"))
            let offer = try #require(try await framework.offers().first)
            try await framework.send(
                .accept(
                    offers: [offer.id], operations: [.launch([.sleeping("reader-task", on: offer)])],
                    filters: .standard))
            let launch = try await agent.launch()
            _ = try await agent.report(launch, .running)
            #expect(try await framework.update().state == .running)
            try await test(fixture, framework)
        }
    }

    @Test func `every field that clients read is there, under every name of the document`() async throws {
        try await withTask { fixture, _ in
            for (path, fields) in Self.fields {
                let document = try await fixture.json(path)
                for field in fields {
                    // Metric names have slashes and no dots, so one path form serves all.
                    #expect(document[field] != nil, "\(path) lacks \(field)")
                }
                guard !path.hasPrefix("/rondo") else { continue }
                for name in ["/master" + path, "/mesos" + path, "/mesos/master" + path, path + "/", path + ".json"] {
                    #expect(try await fixture.get(name).status == .ok, "\(name)")
                }
            }
            let state = try await fixture.json("/master/state.json")
            #expect(state["frameworks.0.tasks.0.executor_id"]?.text == "")
            #expect(state["slaves.0.pid"]?.text == "slave(1)@127.0.0.1:5051")
            #expect(state["slaves.0.resources.ports"]?.text == "[31000-32000]")
            #expect(state["slaves.0.used_resources.cpus"]?.number == 0.1)
            #expect(try await fixture.json("/version")["version"]?.text == "1.11.0")
            let redirect = try await fixture.get("/redirect")
            #expect(redirect.status.code == 307)
            #expect(redirect.headers[.location]?.hasPrefix("//127.0.0.1:") == true)
        }
    }

    @Test func `no document has null, not ASCII, or more than one line`() async throws {
        try await MasterFixture.with { fixture in
            _ = try await FakeFramework.subscribe(to: fixture, .named("gr\u{fc}n \u{1f680} \"quoted\" \\ \u{1}"))
            for path in ["/state", "/frameworks", "/state-summary", "/rondo/v1/frameworks"] {
                let response = try await fixture.get(path)
                #expect(response.bytes.readableBytesView.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "\(path)")
                #expect(!String(buffer: response.bytes).contains("null"), "\(path)")
                #expect(
                    try JSONNode(response.bytes)["frameworks.0.name"]?.text == "gr\u{fc}n \u{1f680} \"quoted\" \\ \u{1}"
                )
            }
        }
    }

    @Test func `tasks can be limited, ordered and asked for by id`() async throws {
        try await withTask { fixture, framework in
            let none = try await fixture.json("/tasks?limit=0")
            #expect(none["tasks"]?.items.count == 0)
            #expect(try await fixture.json("/tasks?limit=-1&order=asc")["tasks"]?.items.count == 1)
            #expect(try await fixture.json("/tasks?task_id=reader-task")["tasks"]?.items.count == 1)
            #expect(try await fixture.json("/tasks?task_id=other")["tasks"]?.items.count == 0)
            #expect(try await fixture.json("/tasks?framework_id=\(framework.id)")["tasks"]?.items.count == 1)
            #expect(try await fixture.json("/tasks?offset=1")["tasks"]?.items.count == 0)
        }
    }

    @Test func `commands' environments are for those with a credential`() async throws {
        let store = MemoryStore()
        let credentials = StoredCredentials(store: store, administrator: "an-administrator-of-this-test")
        let node = try await credentials.issue(name: "n", role: "agent", now: UnixTime(seconds: 0))
        try await withTask(credentials: credentials, credential: node.credential) { fixture, _ in
            let stranger = try await fixture.get("/state")
            #expect(!String(buffer: stranger.bytes).contains("hunter2"))
            let liar = try await fixture.get("/state", headers: [.authorization: "Bearer node.x.y"])
            #expect(!String(buffer: liar.bytes).contains("hunter2"))
            let friend = try await fixture.get("/state", headers: [.authorization: "Bearer \(node.credential)"])
            #expect(String(buffer: friend.bytes).contains("hunter2"))
        }
    }

    @Test(arguments: [
        "GET_HEALTH", "GET_VERSION", "GET_FLAGS", "GET_METRICS", "GET_STATE", "GET_AGENTS", "GET_FRAMEWORKS",
        "GET_TASKS", "GET_EXECUTORS", "GET_ROLES", "GET_WEIGHTS", "GET_QUOTA", "GET_MASTER", "GET_MAINTENANCE_STATUS",
        "GET_MAINTENANCE_SCHEDULE", "GET_LOGGING_LEVEL", "GET_OPERATIONS",
    ])
    func `the operator interface answers`(call: String) async throws {
        try await withTask { fixture, _ in
            for path in ["/api/v1", "/api/v1/operator", "/mesos/api/v1"] {
                let response = try await fixture.post(path, "{\"type\":\"\(call)\"}")
                try #require(response.status == .ok, "\(String(buffer: response.bytes))")
                let answer = try JSONNode(response.bytes)
                #expect(answer["type"]?.text == call)
                #expect(answer[call.lowercased()] != nil, "the inner key is a must")
            }
            let binary = try await fixture.post(
                "/api/v1", "{\"type\":\"\(call)\"}", headers: [.accept: "application/x-protobuf"])
            #expect(binary.status == .ok)
            #expect(binary.headers[.contentType] == "application/x-protobuf")
        }
    }

    @Test func `the master's log can be read in pieces and nothing else`() async throws {
        let path = "/tmp/rondo-test-log-\(UInt64.random(in: 0...UInt64.max))"
        try Data("first line\nsecond \u{e9}\n".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await MasterFixture.with(change: { $0.logPath = path }) { fixture in
            let size = try await fixture.json("/files/read.json?path=/master/log&offset=-1")
            #expect(size["data"]?.text == "")
            #expect(size["offset"]?.number == 21)
            let piece = try await fixture.json("/master/files/read?path=/master/log&offset=6&length=4")
            #expect(piece["data"]?.text == "line")
            // The last character has two bytes; a read that ends inside it leaves it for the next.
            let cut = try await fixture.json("/files/read?path=/master/log&offset=11&length=8")
            #expect(cut["data"]?.text == "second ")
            let past = try await fixture.json("/files/read?path=/master/log&offset=1000&length=4")
            #expect(past["data"]?.text == "")
            let list = try await fixture.json("/files/browse.json?path=/master/log")
            for field in ["0.path", "0.nlink", "0.size", "0.mtime", "0.mode", "0.uid", "0.gid"] {
                #expect(list[field] != nil, "\(field)")
            }
            let whole = try await fixture.get("/files/download?path=/master/log")
            #expect(whole.bytes.readableBytes == 21)
            let read = try await fixture.post(
                "/api/v1", "{\"type\":\"READ_FILE\",\"read_file\":{\"path\":\"/master/log\",\"offset\":0,\"length\":5}}"
            )
            #expect(try JSONNode(read.bytes)["read_file.data"]?.text == "Zmlyc3Q=")
        }
    }

    @Test func `the page and the metrics are there for people and for Prometheus`() async throws {
        try await withTask { fixture, _ in
            let root = try await fixture.get("/")
            #expect(root.status == .seeOther)
            #expect(root.headers[.location] == "/ui")
            let page = try await fixture.get("/ui/tasks")
            #expect(page.headers[.contentType] == "text/html; charset=utf-8")
            let policy = try #require(page.headers[HTTPField.Name("Content-Security-Policy")!])
            #expect(policy.contains("default-src 'none'"))
            let html = String(buffer: page.bytes)
            #expect(html.contains("reader-task"))
            #expect(!html.contains("<script>"))
            let text = String(buffer: try await fixture.get("/metrics").bytes)
            for line in [
                "rondo_tasks{state=\"TASK_RUNNING\"} 1.0", "rondo_agents{state=\"connected\"} 1.0",
                "rondo_calls_total{type=\"ACCEPT\"} 1.0", "rondo_tasks_launched_total 1.0",
            ] {
                #expect(text.contains(line + "\n"), "\(line)")
            }
            #expect(text.contains("process_resident_memory_bytes "))
            #expect(text.contains("rondo_turn_seconds_bucket{le=\"+Inf\"}"))
        }
    }

    @Test func `hostile names are harmless on the page`() async throws {
        try await MasterFixture.with { fixture in
            _ = try await FakeFramework.subscribe(to: fixture, .named("<script>alert(1)</script>\"'&"))
            let html = String(buffer: try await fixture.get("/ui/frameworks").bytes)
            #expect(!html.contains("<script>"))
            #expect(html.contains("&lt;script&gt;"))
        }
    }
}
