import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import NIOCore
import Testing

/// An agent that speaks over HTTP and runs nothing.
struct FakeAgent {
    let fixture: MasterFixture
    let session: String
    let credential: String?
    private(set) var id: AgentID
    var reader: RecordReader

    private struct Subscribe: Encodable {
        var type = "SUBSCRIBE"
        var subscribe: AgentRegistration
    }

    private struct Call: Encodable {
        var type = "CALLS"
        var calls: [AgentCall]
    }

    static func info(_ name: String = "agent.test", id: AgentID? = nil) -> AgentInfo {
        AgentInfo(
            id: id, hostname: name, address: "127.0.0.1", port: 5051,
            resources: try! Resources([
                .scalar("cpus", 8), .scalar("mem", 8_192), .scalar("disk", 10_000), .ports(31_000, 32_000),
            ]), attributes: [Attribute(text: "rack:r1")!], version: "0.0.1-test")
    }

    static func register(
        with fixture: MasterFixture, _ info: AgentInfo = info(), tasks: [ReportedTask] = [], credential: String? = nil
    ) async throws -> FakeAgent {
        let body = Subscribe(subscribe: AgentRegistration(info: info, tasks: tasks))
        var headers: HTTPFields = [.contentType: "application/json"]
        if let credential { headers[.authorization] = "Bearer \(credential)" }
        let response = try await fixture.caller.stream(
            .post, fixture.endpoint, "/api/v1/agent", headers: headers,
            body: ByteBuffer(bytes: try JSONEncoder().encode(body)), idleTimeout: .seconds(20))
        try #require(response.status == .ok)
        var agent = FakeAgent(
            fixture: fixture, session: try #require(response.headers[.session]), credential: credential,
            id: AgentID(""), reader: RecordReader(response.body))
        guard case .subscribed(let id, _, _) = try await agent.next() else {
            Issue.record("the first event is not subscribed")
            return agent
        }
        agent.id = id
        return agent
    }

    mutating func next() async throws -> AgentEvent {
        let record = try #require(try await reader.next(), "the stream ended")
        return try JSONDecoder().decode(AgentEvent.self, from: Data(record))
    }

    /// The next event that is not a heartbeat.
    mutating func event() async throws -> AgentEvent {
        while true {
            let event = try await next()
            if event != .heartbeat { return event }
        }
    }

    mutating func launch() async throws -> TaskLaunch {
        while true {
            if case .run(let launch) = try await event() { return launch }
        }
    }

    func post(_ call: AgentCall) async throws -> HTTPCaller.Response {
        var headers: HTTPFields = [.contentType: "application/json", .session: session]
        if let credential { headers[.authorization] = "Bearer \(credential)" }
        return try await fixture.caller.call(
            .post, fixture.endpoint, "/api/v1/agent", headers: headers,
            body: ByteBuffer(bytes: try JSONEncoder().encode(Call(calls: [call]))))
    }

    /// Reports a state, as an agent that ran the task would.
    func report(
        _ launch: TaskLaunch, _ state: TaskState, isHealthy: Bool? = nil
    ) async throws -> StatusUUID {
        var generator = SystemRandomNumberGenerator()
        let uuid = StatusUUID(using: &generator)
        let status = TaskStatus(
            taskID: launch.task.taskID, state: state, source: .executor, agentID: id,
            executorID: ExecutorID(launch.task.taskID.value), timestamp: UnixTime(seconds: 1_700_000_000), uuid: uuid,
            isHealthy: isHealthy, containerID: ContainerID("c-" + launch.task.taskID.value), addresses: ["127.0.0.1"])
        let response = try await post(.status(launch.key, status, directory: "/work/" + launch.task.taskID.value))
        #expect(response.status == .accepted)
        return uuid
    }
}
