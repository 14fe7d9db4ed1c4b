import ClusterModel
import HTTPGateway
import HTTPTypes
import MasterCore
import MasterNode
import MesosWire
import NIOCore
import StateStore
import Testing
import Transport

/// Whole conversations of a framework and an agent with a master, over loopback HTTP.
@Suite struct ConversationTests {
    @Test(arguments: [MediaType.json, .protobuf])
    func `a task travels from an offer to its acknowledged end`(media: MediaType) async throws {
        try await MasterFixture.with { fixture in
            var agent = try await FakeAgent.register(with: fixture)
            var framework = try await FakeFramework.subscribe(to: fixture, .named("runner"), as: media)
            let offer = try #require(try await framework.offers().first)
            #expect(offer.agentID == agent.id)
            #expect(offer.resources.total("cpus").value == 8)

            let task = TaskInfo.sleeping("one", on: offer)
            try await framework.send(
                .accept(offers: [offer.id], operations: [.launch([task])], filters: .standard))
            let launch = try await agent.launch()
            #expect(launch.task.taskID == task.taskID)
            #expect(launch.task.command?.value == "sleep 1000")
            #expect(launch.frameworkID == framework.id)

            for state in [TaskState.running, .finished] {
                let uuid = try await agent.report(launch, state)
                let status = try await framework.update()
                #expect(status.state == state)
                #expect(status.uuid == uuid)
                try await framework.send(.acknowledge(agent: agent.id, task: task.taskID, uuid: uuid))
                #expect(try await agent.event() == .acknowledge(launch.key, uuid))
            }
            let state = try await fixture.json("/state")
            #expect(state["frameworks.0.completed_tasks.0.id"]?.text == "one")
            #expect(state["frameworks.0.tasks"]?.items.isEmpty == true)
        }
    }

    @Test func `answers may be in the other encoding than calls`() async throws {
        try await MasterFixture.with { fixture in
            let call = WireSchedulerCall(.subscribe(Subscription(info: .named("mixed"))))
            let response = try await fixture.caller.stream(
                .post, fixture.endpoint, "/master/api/v1/scheduler/",
                headers: [.contentType: "application/json; charset=utf-8", .accept: "application/x-protobuf"],
                body: ByteBuffer(bytes: try WireCodec.encode(call, as: .json)))
            #expect(response.status == .ok)
            #expect(response.headers[.contentType] == "application/x-protobuf")
            var reader = RecordReader(response.body)
            let record = try #require(try await reader.next())
            let event = try WireCodec.decode(WireSchedulerEvent.self, from: record, as: .protobuf)
            #expect(event.type == .subscribed)
            #expect(event.subscribed.masterInfo.port == UInt32(fixture.endpoint.port ?? 0))
        }
    }

    @Test func `a kill reaches the agent`() async throws {
        try await MasterFixture.with { fixture in
            var agent = try await FakeAgent.register(with: fixture)
            var framework = try await FakeFramework.subscribe(to: fixture, .named("killer"))
            let offer = try #require(try await framework.offers().first)
            let task = TaskInfo.sleeping("victim", on: offer)
            try await framework.send(
                .accept(offers: [offer.id], operations: [.launch([task])], filters: .standard))
            let launch = try await agent.launch()
            try await framework.send(.kill(task: task.taskID, agent: nil, gracePeriod: nil))
            #expect(try await agent.event() == .kill(launch.key, gracePeriod: nil))
        }
    }

    @Test func `the same framework id on a new stream ends the old one with an error`() async throws {
        try await MasterFixture.with { fixture in
            var first = try await FakeFramework.subscribe(to: fixture, .named("twice"))
            var info = FrameworkInfo.named("twice")
            info.id = first.id
            let second = try await FakeFramework.subscribe(to: fixture, info)
            #expect(second.id == first.id)
            #expect(second.streamID != first.streamID)
            guard case .error = try await first.event() else {
                Issue.record("the old stream got no ERROR")
                return
            }
            #expect(try await first.reader.next() == nil)
            let late = try await second.call(.revive(roles: []), streamID: first.streamID)
            #expect(late.status == .badRequest)
        }
    }

    @Test func `a framework that goes away is shown as disconnected`() async throws {
        try await MasterFixture.with { fixture in
            do { _ = try await FakeFramework.subscribe(to: fixture, .named("short")) }
            // Letting go of the stream's body closes its connection; the master hears of it in its own time.
            while try await fixture.json("/state")["frameworks.0.connected"]?.bool != false { await Task.yield() }
        }
    }

    @Test func `a message and a shutdown are received`() async throws {
        try await MasterFixture.with { fixture in
            let framework = try await FakeFramework.subscribe(to: fixture, .named("talker"))
            try await framework.send(
                .message(agent: AgentID("a"), executor: ExecutorID("e"), data: [1, 2, 3]))
            try await framework.send(.shutdown(executor: ExecutorID("e"), agent: AgentID("a")))
            try await framework.send(.request)
            try await framework.send(.teardown)
            let state = try await fixture.json("/state")
            #expect(state["completed_frameworks.0.id"]?.text == framework.id.value)
        }
    }

    @Test func `a slow reader is dropped and told why`() async throws {
        try await MasterFixture.with(change: { $0.streamBytes = 4_096 }) { fixture in
            var framework = try await FakeFramework.subscribe(to: fixture, .named("slow"))
            // Each query is answered by an update; nobody reads them meanwhile, until the kernel's buffers and then
            // the stream's are full.
            let queries = (0..<20_000).map { SchedulerCall.TaskQuery(task: TaskID("nobody-knows-\($0)")) }
            try await framework.send(.reconcile(queries))
            // By now the stream may be closed already.
            _ = try? await framework.call(.reconcile(queries))
            var last: SchedulerEvent?
            // What counts is the last record; how the connection ends after it is the gateway's business.
            while let record = try? await framework.reader.next() {
                last = try SchedulerEvent(try WireCodec.decode(WireSchedulerEvent.self, from: record, as: .json))
            }
            guard case .error(let message)? = last else {
                Issue.record("the last record is not an ERROR")
                return
            }
            #expect(message.contains("slowly"))
            let refused = try await framework.call(.revive(roles: []))
            #expect(refused.status == .forbidden || refused.status == .badRequest)
        }
    }

    @Test func `stopping tells every framework`() async throws {
        try await MasterFixture.with { fixture in
            var framework = try await FakeFramework.subscribe(to: fixture, .named("last"))
            await fixture.node.stop()
            guard case .error = try await framework.event() else {
                Issue.record("no ERROR before the end")
                return
            }
            #expect(try await framework.reader.next() == nil)
        }
    }

    @Test func `the operator stream begins with the state and follows every change`() async throws {
        try await MasterFixture.with { fixture in
            let response = try await fixture.caller.stream(
                .post, fixture.endpoint, "/api/v1", headers: [.contentType: "application/json"],
                body: ByteBuffer(string: "{\"type\":\"SUBSCRIBE\"}"))
            #expect(response.status == .ok)
            var reader = RecordReader(response.body)
            let first = try JSONNode(try #require(try await reader.next()))
            #expect(first["type"]?.text == "SUBSCRIBED")
            for part in ["get_agents", "get_frameworks", "get_tasks", "get_executors"] {
                #expect(first["subscribed.get_state.\(part)"] != nil, "\(part)")
            }
            #expect(try JSONNode(try #require(try await reader.next()))["type"]?.text == "HEARTBEAT")

            var agent = try await FakeAgent.register(with: fixture)
            let added = try JSONNode(try #require(try await reader.next()))
            #expect(added["type"]?.text == "AGENT_ADDED")
            #expect(added["agent_added.agent.agent_info.id.value"]?.text == agent.id.value)

            var framework = try await FakeFramework.subscribe(to: fixture, .named("seen"))
            #expect(try JSONNode(try #require(try await reader.next()))["type"]?.text == "FRAMEWORK_ADDED")
            let offer = try #require(try await framework.offers().first)
            try await framework.send(
                .accept(
                    offers: [offer.id], operations: [.launch([.sleeping("seen", on: offer)])], filters: .standard))
            let task = try JSONNode(try #require(try await reader.next()))
            #expect(task["type"]?.text == "TASK_ADDED")
            #expect(task["task_added.task.task_id.value"]?.text == "seen")
            let launch = try await agent.launch()
            _ = try await agent.report(launch, .running)
            let updated = try JSONNode(try #require(try await reader.next()))
            #expect(updated["type"]?.text == "TASK_UPDATED")
            #expect(updated["task_updated.state"]?.text == "TASK_RUNNING")
        }
    }

    @Test func `a request for an agent's own routes travels over a stream that the agent opens`() async throws {
        try await MasterFixture.with { fixture in
            var agent = try await FakeAgent.register(with: fixture)
            let id = agent.id
            async let answer = fixture.get("/agent/\(id)/files/read.json?path=%2Fa%20b&offset=0")
            guard case .openStream(let request) = try await agent.event() else {
                Issue.record("no openStream")
                return
            }
            #expect(request.method == "GET")
            #expect(request.target == "/files/read.json?path=%2Fa%20b&offset=0")
            let head = "{\"status\":200,\"headers\":[[\"Content-Type\",\"text/plain\"]]}\nhello"
            let dialled = try await fixture.post("/api/v1/agent/streams/\(request.id)", head, type: nil)
            #expect(dialled.status == .ok)
            let response = try await answer
            #expect(response.status == .ok)
            #expect(String(buffer: response.bytes) == "hello")
        }
    }
}
