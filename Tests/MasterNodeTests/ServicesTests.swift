import Access
import ClusterModel
import FrameworkRuntime
import HTTPGateway
import HTTPTypes
import Logging
import MasterNode
import NIOCore
import ServicesFramework
import StateStore
import Testing
import Transport

/// Services on a real master, with an agent that runs nothing.
@Suite("Services on a master", .timeLimit(.minutes(3)))
struct ServicesTests {
    static let app = #"{"id":"/shop/web","cmd":"serve","cpus":0.5,"mem":64}"#
    static let path = "/service/marathon/v2/apps"

    private func make(_ fixture: MasterFixture, headers: HTTPFields = [:]) async throws {
        let made = try await fixture.post(Self.path, Self.app, headers: headers)
        try #require(made.status == .created, "\(String(buffer: made.bytes))")
    }

    private func acknowledged(_ agent: inout FakeAgent, _ uuid: StatusUUID) async throws {
        while true {
            if case .acknowledge(_, uuid) = try await agent.event() { return }
        }
    }

    private func shown(_ fixture: MasterFixture) async throws -> JSONNode {
        try JSONNode(try await fixture.get(Self.path + "/shop/web").bytes)
    }

    @Test func `an app gets an offer and a task, and another one when that fails`() async throws {
        try await MasterFixture.with(change: { $0.servesServices = true }) { fixture in
            try await make(fixture)
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            #expect(launch.task.taskID.value.hasPrefix("shop_web.instance-"))
            #expect(launch.task.taskID.value.hasSuffix("._app.1"))
            #expect(launch.task.command?.value == "serve")
            #expect(launch.task.command?.environment.contains { $0.name == "MARATHON_APP_ID" } == true)
            try await acknowledged(&agent, try await agent.report(launch, .running))
            let app = try await shown(fixture)
            #expect(app["app.tasks.0.id"]?.text == launch.task.taskID.value)
            #expect(app["app.tasksRunning"]?.number == 1)
            #expect(app["app.deployments"]?.items.isEmpty == true)
            try await acknowledged(&agent, try await agent.report(launch, .failed))
            let next = try await agent.launch()
            #expect(next.task.taskID != launch.task.taskID)
            #expect(try await shown(fixture)["app.lastTaskFailure.state"]?.text == "TASK_FAILED")
            // An ordinary framework, for everybody to see.
            let state = try await fixture.json("/state")
            #expect(state["frameworks.0.name"]?.text == "marathon")
        }
    }

    @Test func `a task and a deployment outlive the master`() async throws {
        let store = MemoryStore()
        var launch: TaskLaunch?
        var id: AgentID?
        try await MasterFixture.with(store: store, change: { $0.servesServices = true }) { fixture in
            try await make(fixture)
            var agent = try await FakeAgent.register(with: fixture)
            launch = try await agent.launch()
            id = agent.id
        }
        let task = try #require(launch)
        try await MasterFixture.with(store: store, change: { $0.servesServices = true }) { fixture in
            #expect(try await shown(fixture)["app.deployments"]?.items.count == 1)
            let starting = TaskStatus(
                taskID: task.task.taskID, state: .starting, source: .executor, agentID: id,
                timestamp: UnixTime(seconds: 1_700_000_000))
            var agent = try await FakeAgent.register(
                with: fixture, FakeAgent.info(id: id),
                tasks: [ReportedTask(launch: task, status: starting, directory: "/work/x")])
            try await acknowledged(&agent, try await agent.report(task, .running))
            let app = try await shown(fixture)
            #expect(app["app.tasks"]?.items.count == 1)
            #expect(app["app.tasksRunning"]?.number == 1)
            #expect(app["app.deployments"]?.items.isEmpty == true)
        }
    }

    @Test func `the same framework works over HTTP`() async throws {
        try await MasterFixture.with { fixture in
            let clock = SystemClock()
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let services = ServicesFramework(
                ServicesFramework.Settings(
                    user: "nobody",
                    master: MasterInfo(
                        id: MasterID("m"), hostname: "here", address: "127.0.0.1", port: 1, version: "1.11.0"),
                    version: "0", newSeed: { (3, 4) }, newID: { FrameworkID("services-1") }),
                store: MemoryStore(), connector: HTTPScheduler(caller: fixture.caller, endpoint: fixture.endpoint),
                clock: FrameworkClock(now: { clock.now() }, sleep: { try await clock.sleep(until: $0) }), logger: logger
            )
            let work = Task { try await services.run() }
            func call(_ method: HTTPRequest.Method, _ path: String, _ body: String = "") async throws -> JSONNode {
                let target = try RequestTarget(parsing: path)
                let request = GatewayRequest(
                    method: method, target: target, body: GatewayBody(ByteBuffer(string: body)))
                let response = try await services.respond(to: request, path: target.segments, visitor: Everybody())
                guard case .bytes(let bytes) = response.content else { return .null }
                return try JSONNode(bytes)
            }
            _ = try await call(.post, "/v2/apps", Self.app)
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            try await acknowledged(&agent, try await agent.report(launch, .running))
            #expect(try await call(.get, "/v2/apps/shop/web")["app.tasksRunning"]?.number == 1)
            services.stop()
            _ = await work.result
        }
    }

    @Test func `a framework that is torn down begins anew and starts its apps again`() async throws {
        try await MasterFixture.with(change: { $0.servesServices = true }) { fixture in
            try await make(fixture)
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            let torn = try await fixture.post("/teardown", "frameworkId=\(launch.frameworkID)", type: nil)
            #expect(torn.status == .ok)
            let next = try await agent.launch()
            #expect(next.frameworkID != launch.frameworkID)
        }
    }

    @Test func `who may not run a task may not make an app that does`() async throws {
        try await AccessFixture.with(change: { $0.servesServices = true }) { fixture in
            #expect(try await fixture.get(Self.path).status == .unauthorized)
            let viewer = try await fixture.user("viewer", roles: ["viewer"])
            #expect(try await fixture.get(Self.path, headers: viewer).status == .ok)
            let refused = try await fixture.post(Self.path, Self.app, headers: viewer)
            #expect(refused.status == .forbidden)
            #expect(try JSONNode(refused.bytes)["message"]?.text?.isEmpty == false)
            // An operator may start tasks, but not as root, which is what an app without a user runs as.
            let operators = try await fixture.user("op", roles: ["operator"])
            #expect(try await fixture.post(Self.path, Self.app, headers: operators).status == .forbidden)
            try await make(fixture, headers: AccessFixture.root)
        }
    }

    @Test func `a master without services says so`() async throws {
        try await MasterFixture.with { fixture in
            let answer = try await fixture.get(Self.path)
            #expect(answer.status == .notFound)
            #expect(try JSONNode(answer.bytes)["message"]?.text?.isEmpty == false)
        }
    }
}

private struct Everybody: ServicesVisitor {
    func require(_ action: Action) throws {}
    func may(_ action: Action) -> Bool { true }
    func note(_ action: String, _ object: String) {}
}
