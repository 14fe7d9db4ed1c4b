import HTTPGateway
import HTTPTypes
import NIOCore
import Synchronization
import Testing
import Transport

/// A master with a broker, and an agent without a listener that answers what the master asks.
private struct Cluster {
    static func run(
        connects: Bool = true, timeout: Duration = .seconds(20), limit: Int = 1024,
        agent: @escaping HTTPServer.Handler,
        _ test: @Sendable (Loopback, StreamBroker) async throws -> Void
    ) async throws {
        let brokerBox = Signal<StreamBroker>()
        let agentSide = Signal<@Sendable (OpenStream) -> Void>()
        try await Loopback.run { request in
            let broker = await brokerBox.wait()
            if request.path.hasPrefix("/api/v1/agent/streams/"), let id = request.target.segments.last {
                return broker.accept(id, from: request.headers[.authorization] ?? "", request)
            }
            let send = await agentSide.wait()
            return await broker.relay(request, to: "A", path: request.target.raw, timeout: timeout) { send($0) }
        } _: { loopback in
            let broker = StreamBroker(transport: loopback.transport, limit: limit)
            let answer = StreamAnswer(caller: loopback.caller, handler: agent)
            agentSide.send { stream in
                guard connects else { return }
                Task { try await answer.answer(stream, at: loopback.server.endpoint, headers: [.authorization: "A"]) }
            }
            brokerBox.send(broker)
            try await test(loopback, broker)
        }
    }
}

@Suite(.timeLimit(.minutes(3))) struct BrokerTests {
    @Test func `a request reaches the agent and its response comes back`() async throws {
        try await Cluster.run { request in
            #expect(request.query["a"] == "b c")
            return .text(.accepted, "\(request.method) \(request.path)\n", headers: [.eTag: "\"1\""])
        } _: { loopback, broker in
            for _ in 0..<5 {
                let answer = try await loopback.get("/agent/A/files?a=b%20c")
                #expect(answer.status == .accepted)
                #expect(answer.bytes.text == "GET /agent/A/files\n")
                #expect(answer.headers[.eTag] == "\"1\"")
            }
            #expect(broker.waitingCount == 0)
        }
    }

    @Test func `64 MiB go through in both directions at once`() async throws {
        let gap = Gap()
        try await Cluster.run { request in
            .duplex { writer in
                for try await piece in request.body { try await writer.write(piece) }
            }
        } _: { loopback, _ in
            let response = try await loopback.caller.duplex(
                .post, loopback.server.endpoint, "/echo", body: largeBody(pieces: 1024, gap: gap))
            for try await piece in response.body { gap.consumed(piece.readableBytes) }
            #expect(gap.total == 64 << 20)
            #expect(gap.worst < 48 << 20)
        }
    }

    @Test func `a large complete response goes through`() async throws {
        try await Cluster.run { _ in
            .complete(.ok, bytes: ByteBuffer(repeating: 1, count: 3_000_000))
        } _: { loopback, _ in
            let answer = try await loopback.get("/x")
            #expect(answer.bytes.readableBytes == 3_000_000)
        }
    }

    @Test func `an agent that does not connect costs a 504`() async throws {
        try await Cluster.run(connects: false, timeout: .milliseconds(100)) { _ in
            .complete(.ok)
        } _: { loopback, broker in
            let answer = try await loopback.get("/x")
            #expect(answer.status == .gatewayTimeout)
            #expect(broker.waitingCount == 0)
        }
    }

    @Test func `too many waiting requests are turned away`() async throws {
        try await Cluster.run(connects: false, limit: 0) { _ in
            .complete(.ok)
        } _: { loopback, _ in
            let answer = try await loopback.get("/x")
            #expect(answer.status == .serviceUnavailable)
        }
    }

    @Test func `an operator who leaves ends what the agent streams`() async throws {
        let ended = Signal<Bool>()
        try await Cluster.run { request in
            .stream { writer in
                try await writer.write(ByteBuffer(string: "log"))
                // Nothing more is written: the agent has to hear of it all the same.
                await withTaskCancellationHandler {
                    _ = await ended.wait()
                } onCancel: {
                    ended.send()
                }
            }
        } _: { loopback, _ in
            let client = try RawClient(port: loopback.port)
            await client.send("GET /log HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = await client.read(until: "log")
            client.close()
            #expect(await ended.wait())
        }
    }

    @Test func `an agent that breaks off in the middle breaks the operator's response off`() async throws {
        try await Cluster.run { _ in
            .stream { writer in
                try await writer.write(ByteBuffer(string: "half"))
                throw CancellationError()
            }
        } _: { loopback, _ in
            await #expect(throws: HTTPCallError.self) { try await loopback.get("/x") }
        }
    }

    @Test func `an agent's failure is the operator's answer`() async throws {
        try await Cluster.run { _ in
            throw GatewayError(.notFound, "no such file")
        } _: { loopback, _ in
            let answer = try await loopback.get("/x")
            #expect(answer.status == .notFound)
            #expect(answer.bytes.text == "no such file\n")
        }
    }

    @Test func `nobody can take a stream that waits for another agent or for nobody`() async throws {
        let asked = Signal<OpenStream>()
        let broker = Signal<StreamBroker>()
        try await Loopback.run { request in
            let broker = await broker.wait()
            if request.path.hasPrefix("/api/") {
                return broker.accept(request.target.segments.last ?? "", from: "B", request)
            }
            return await broker.relay(request, to: "A", path: "/", timeout: .milliseconds(300)) { asked.send($0) }
        } _: { loopback in
            broker.send(StreamBroker(transport: loopback.transport))
            async let operatorsAnswer = loopback.get("/x")
            let stream = await asked.wait()
            let stolen = try await loopback.caller.call(.post, loopback.server.endpoint, stream.dialPath)
            #expect(stolen.status == .notFound)
            let unknown = try await loopback.caller.call(.post, loopback.server.endpoint, "/api/v1/agent/streams/x")
            #expect(unknown.status == .notFound)
            let answer = try await operatorsAnswer
            #expect(answer.status == .gatewayTimeout)
        }
    }

    @Test(arguments: [
        "", "nonsense\n", "{}\n", #"{"status":99,"headers":[]}"# + "\n", #"{"status":200,"headers":[["a"]]}"# + "\n",
        #"{"status":200,"headers":[["a b","c"]]}"# + "\n", #"{"status":200,"headers":[["a","b\u000d\u000a"]]}"# + "\n",
        String(repeating: "x", count: 100_000),
    ])
    func `an agent that sends no valid head costs a 502`(line: String) async throws {
        let broker = Signal<StreamBroker>()
        let caller = Signal<Loopback>()
        try await Loopback.run { request in
            let broker = await broker.wait()
            if request.path.hasPrefix("/api/") {
                return broker.accept(request.target.segments.last ?? "", from: "A", request)
            }
            return await broker.relay(request, to: "A", path: "/") { stream in
                let loopback = await caller.wait()
                Task {
                    try? await loopback.caller.call(
                        .post, loopback.server.endpoint, stream.dialPath, body: ByteBuffer(string: line))
                }
            }
        } _: { loopback in
            caller.send(loopback)
            broker.send(StreamBroker(transport: loopback.transport))
            let answer = try await loopback.get("/x")
            #expect(answer.status == .badGateway)
        }
    }
}
