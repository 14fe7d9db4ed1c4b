import Access
import ClusterModel
import FrameworkRuntime
import HTTPGateway
import HTTPTypes
import JobsFramework
import Logging
import MasterNode
import NIOCore
import StateStore
import Testing
import Transport

/// Jobs on a real master, with an agent that runs nothing.
@Suite("Jobs on a master", .timeLimit(.minutes(3)))
struct JobsTests {
    static let job = #"{"id":"night.backup","run":{"cmd":"true","cpus":0.5,"mem":64,"disk":0}}"#
    static let path = "/service/metronome/v1/jobs"

    private func make(_ fixture: MasterFixture, headers: HTTPFields = [:]) async throws {
        let made = try await fixture.post(Self.path, Self.job, headers: headers)
        try #require(made.status == .created, "\(String(buffer: made.bytes))")
    }

    private func start(_ fixture: MasterFixture, headers: HTTPFields = [:]) async throws -> String {
        let started = try await fixture.post(Self.path + "/night.backup/runs", "{}", headers: headers)
        try #require(started.status == .created, "\(String(buffer: started.bytes))")
        return try #require(try JSONNode(started.bytes)["id"]?.text)
    }

    private func acknowledged(_ agent: inout FakeAgent, _ uuid: StatusUUID) async throws {
        while true {
            if case .acknowledge(_, uuid) = try await agent.event() { return }
        }
    }

    @Test func `a run gets an offer, a task, its updates and its place in the history`() async throws {
        try await MasterFixture.with(change: { $0.servesJobs = true }) { fixture in
            try await make(fixture)
            let run = try await start(fixture)
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            #expect(launch.task.taskID.value.hasPrefix("night_backup_\(run)."))
            #expect(launch.task.command?.value == "true")
            #expect(launch.task.resources.total("cpus").value == 0.5)
            try await acknowledged(&agent, try await agent.report(launch, .running))
            let shown = try JSONNode(try await fixture.get(Self.path + "/night.backup/runs/\(run)").bytes)
            #expect(shown["status"]?.text == "ACTIVE")
            #expect(shown["tasks.0.id"]?.text == launch.task.taskID.value)
            #expect(shown["tasks.0.status"]?.text == "TASK_RUNNING")
            try await acknowledged(&agent, try await agent.report(launch, .finished))
            let job = try JSONNode(try await fixture.get(Self.path + "/night.backup?embed=history").bytes)
            #expect(job["history.successCount"]?.number == 1)
            #expect(job["history.successfulFinishedRuns.0.id"]?.text == run)
            // An ordinary framework, for everybody to see.
            let state = try await fixture.json("/state")
            #expect(state["frameworks.0.name"]?.text == "metronome")
            #expect(state["frameworks.0.completed_tasks.0.id"]?.text == launch.task.taskID.value)
        }
    }

    @Test func `a run in flight outlives the master and is not started again`() async throws {
        let store = MemoryStore()
        var launch: TaskLaunch?
        var id: AgentID?
        var run = ""
        try await MasterFixture.with(store: store, change: { $0.servesJobs = true }) { fixture in
            try await make(fixture)
            run = try await start(fixture)
            var agent = try await FakeAgent.register(with: fixture)
            launch = try await agent.launch()
            id = agent.id
        }
        let task = try #require(launch)
        try await MasterFixture.with(store: store, change: { $0.servesJobs = true }) { fixture in
            let running = TaskStatus(
                taskID: task.task.taskID, state: .running, source: .executor, agentID: id,
                timestamp: UnixTime(seconds: 1_700_000_000))
            var agent = try await FakeAgent.register(
                with: fixture, FakeAgent.info(id: id),
                tasks: [ReportedTask(launch: task, status: running, directory: "/work/x")])
            try await acknowledged(&agent, try await agent.report(task, .finished))
            let job = try JSONNode(
                try await fixture.get(Self.path + "/night.backup?embed=history&embed=activeRuns").bytes)
            #expect(job["history.successCount"]?.number == 1)
            #expect(job["history.successfulFinishedRuns.0.id"]?.text == run)
            #expect(job["history.successfulFinishedRuns.0.tasks"]?.items.count == 1)
            #expect(job["activeRuns"] == nil)
        }
    }

    @Test func `the same framework works over HTTP`() async throws {
        try await MasterFixture.with { fixture in
            let connector = HTTPScheduler(caller: fixture.caller, endpoint: fixture.endpoint)
            let clock = SystemClock()
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let jobs = JobsFramework(
                JobsFramework.Settings(
                    user: "nobody", address: "127.0.0.1:1", version: "0", seed: 1, newID: { FrameworkID("jobs-1") }),
                store: MemoryStore(), connector: connector,
                clock: FrameworkClock(now: { clock.now() }, sleep: { try await clock.sleep(until: $0) }), logger: logger
            )
            let work = Task { try await jobs.run() }
            func call(_ method: HTTPRequest.Method, _ path: String, _ body: String = "") async throws -> JSONNode {
                let target = try RequestTarget(parsing: path)
                let request = GatewayRequest(
                    method: method, target: target, body: GatewayBody(ByteBuffer(string: body)))
                let response = try await jobs.respond(to: request, path: target.segments, visitor: Everybody())
                guard case .bytes(let bytes) = response.content else { return .null }
                return try JSONNode(bytes)
            }
            _ = try await call(.post, "/v1/jobs", Self.job)
            let run = try #require(try await call(.post, "/v1/jobs/night.backup/runs")["id"]?.text)
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            #expect(launch.task.taskID.value.contains(run))
            try await acknowledged(&agent, try await agent.report(launch, .failed))
            #expect(try await call(.get, "/v1/jobs/night.backup?embed=history")["history.failureCount"]?.number == 1)
            jobs.stop()
            _ = await work.result
        }
    }

    @Test func `a framework that is torn down begins anew`() async throws {
        try await MasterFixture.with(change: { $0.servesJobs = true }) { fixture in
            try await make(fixture)
            _ = try await start(fixture)
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            let torn = try await fixture.post("/teardown", "frameworkId=\(launch.frameworkID)", type: nil)
            #expect(torn.status == .ok)
            // The run had no restart policy: it has failed with its task, and the next one is another framework's.
            while try JSONNode(try await fixture.get(Self.path + "/night.backup/runs").bytes).items.count > 0 {
                await Task.yield()
            }
            _ = try await start(fixture)
            let next = try await agent.launch()
            #expect(next.frameworkID != launch.frameworkID)
        }
    }

    @Test func `who may not run a task may not make a job that does`() async throws {
        try await AccessFixture.with(change: { $0.servesJobs = true }) { fixture in
            #expect(try await fixture.get(Self.path).status == .unauthorized)
            let viewer = try await fixture.user("viewer", roles: ["viewer"])
            #expect(try await fixture.get(Self.path, headers: viewer).status == .ok)
            let refused = try await fixture.post(Self.path, Self.job, headers: viewer)
            #expect(refused.status == .forbidden)
            #expect(try JSONNode(refused.bytes)["message"]?.text?.isEmpty == false)
            // An operator may start tasks, but not as root, which is what a job without a user runs as.
            let operators = try await fixture.user("op", roles: ["operator"])
            #expect(try await fixture.post(Self.path, Self.job, headers: operators).status == .forbidden)
            try await make(fixture, headers: AccessFixture.root)
        }
    }

    @Test func `a master without jobs says so`() async throws {
        try await MasterFixture.with { fixture in
            let answer = try await fixture.get(Self.path)
            #expect(answer.status == .notFound)
            #expect(try JSONNode(answer.bytes)["message"]?.text?.isEmpty == false)
        }
    }
}

private struct Everybody: JobsVisitor {
    func require(_ action: Action) throws {}
    func may(_ action: Action) -> Bool { true }
    func note(_ action: String, _ object: String) {}
}
