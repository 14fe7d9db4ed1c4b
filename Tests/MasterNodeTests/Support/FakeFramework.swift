import ClusterModel
import HTTPGateway
import HTTPTypes
import MesosWire
import NIOCore
import Testing

/// A framework that speaks over HTTP, in either encoding.
struct FakeFramework {
    let fixture: MasterFixture
    let media: MediaType
    /// Sent with every call, for a credential.
    var headers: HTTPFields
    private(set) var streamID: String
    private(set) var id: FrameworkID
    var reader: RecordReader

    static func subscribe(
        to fixture: MasterFixture, _ info: FrameworkInfo, as media: MediaType = .json, headers: HTTPFields = [:]
    ) async throws -> FakeFramework {
        let call = WireSchedulerCall(.subscribe(Subscription(info: info)))
        let response = try await fixture.caller.stream(
            .post, fixture.endpoint, "/api/v1/scheduler",
            headers: headers + [.contentType: media.headerValue, .accept: media.headerValue],
            body: ByteBuffer(bytes: try WireCodec.encode(call, as: media)), idleTimeout: .seconds(20))
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == media.headerValue)
        let streamID = try #require(response.headers[.streamID])
        #expect((1...128).contains(streamID.utf8.count))
        var framework = FakeFramework(
            fixture: fixture, media: media, headers: headers, streamID: streamID, id: FrameworkID(""),
            reader: RecordReader(response.body))
        guard case .subscribed(let id, _, _) = try await framework.next() else {
            Issue.record("the first event is not SUBSCRIBED")
            return framework
        }
        framework.id = id
        // Clients that read by lines need the next record's length to see this one.
        #expect(try await framework.next() == .heartbeat)
        return framework
    }

    /// The next event that is not a heartbeat.
    mutating func event() async throws -> SchedulerEvent {
        while true {
            let event = try await next()
            if event != .heartbeat { return event }
        }
    }

    mutating func next() async throws -> SchedulerEvent {
        let record = try #require(try await reader.next(), "the stream ended")
        let wire = try WireCodec.decode(WireSchedulerEvent.self, from: record, as: media)
        return try #require(try SchedulerEvent(wire))
    }

    mutating func offers() async throws -> [Offer] {
        while true {
            if case .offers(let offers) = try await event() { return offers }
        }
    }

    mutating func update() async throws -> TaskStatus {
        while true {
            if case .update(let status) = try await event() { return status }
        }
    }

    func call(_ call: SchedulerCall, streamID: String? = nil) async throws -> HTTPCaller.Response {
        let body = try WireCodec.encode(WireSchedulerCall(.call(id, call)), as: media)
        return try await fixture.caller.call(
            .post, fixture.endpoint, "/api/v1/scheduler",
            headers: headers + [.contentType: media.headerValue, .streamID: streamID ?? self.streamID],
            body: ByteBuffer(bytes: body))
    }

    /// Sends a call that must be received.
    func send(_ call: SchedulerCall) async throws {
        let response = try await self.call(call)
        #expect(response.status == .accepted, "\(String(buffer: response.bytes))")
        #expect(response.headers[.contentLength] == "0")
    }
}

extension HTTPFields {
    static func + (left: HTTPFields, right: HTTPFields) -> HTTPFields {
        var all = left
        for field in right { all.append(field) }
        return all
    }
}

extension TaskInfo {
    /// A small command task on the agent of an offer.
    static func sleeping(_ name: String, on offer: Offer, cpus: Double = 0.1) -> TaskInfo {
        TaskInfo(
            name: name, taskID: TaskID(name), agentID: offer.agentID,
            resources: try! Resources([.scalar("cpus", cpus), .scalar("mem", 32)]),
            command: CommandInfo(
                value: "sleep 1000", environment: [CommandInfo.Variable(name: "SECRET", value: "hunter2")]))
    }
}

extension FrameworkInfo {
    static func named(_ name: String, failover: Duration = .seconds(60)) -> FrameworkInfo {
        FrameworkInfo(user: "nobody", name: name, failoverTimeout: failover, hostname: "client.test")
    }
}
