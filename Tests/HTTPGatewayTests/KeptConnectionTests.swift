import HTTPGateway
import HTTPTypes
import NIOCore
import Synchronization
import Testing
import Transport

/// What becomes of connections that are kept between calls.
@Suite(.timeLimit(.minutes(2))) struct KeptConnectionTests {
    /// Answers the first request of each connection and closes at the second, without a word.
    private static func run(_ test: @Sendable (HTTPCaller, Endpoint, Fickle.Log) async throws -> Void) async throws {
        let transport = Transport(threads: 1)
        let log = Fickle.Log()
        let listener = try await transport.listen(on: .tcp(.loopback, port: 0)) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(Fickle(log))
            }
        }
        let endpoint = try #require(Transport.localEndpoint(of: listener))
        let caller = HTTPCaller(transport: transport)
        let result: Result<Void, any Error>
        do {
            try await test(caller, endpoint, log)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await caller.shutDown()
        try await listener.close()
        await transport.shutDown()
        try result.get()
    }

    @Test func `a request that changes nothing is sent again when a kept connection was closed`() async throws {
        try await Self.run { caller, endpoint, log in
            for _ in 0..<5 {
                let answer = try await caller.call(.get, endpoint, "/")
                #expect(answer.bytes.text == "ok")
            }
            #expect(log.state.withLock { $0.connections } == 5)
            #expect(log.state.withLock { $0.requests } == 9)
        }
    }

    @Test func `a request that changes something is not sent again`() async throws {
        try await Self.run { caller, endpoint, log in
            let body = ByteBuffer(string: "x")
            _ = try await caller.call(.post, endpoint, "/", body: body)
            await #expect(throws: HTTPCallError.interrupted(endpoint, reason: "closed by the other side")) {
                try await caller.call(.post, endpoint, "/", body: body)
            }
            #expect(log.state.withLock { $0.requests } == 2)
            let answer = try await caller.call(.post, endpoint, "/", body: body)
            #expect(answer.bytes.text == "ok")
        }
    }

    @Test func `calls in progress fail when the caller is shut down`() async throws {
        let started = Signal<Bool>()
        let gone = Signal<Bool>()
        try await Loopback.run { request in
            request.onDisconnect { gone.send() }
            started.send()
            _ = await gone.wait()
            return .complete(.ok)
        } _: { loopback in
            let call = Task { try await loopback.get("/") }
            _ = await started.wait()
            await loopback.caller.shutDown()
            await #expect(throws: HTTPCallError.shutDown) { try await call.value }
            await #expect(throws: HTTPCallError.shutDown) { try await loopback.get("/") }
            #expect(await gone.wait())
        }
    }

    @Test func `a call that is cancelled while it connects does not wait`() async throws {
        let transport = Transport(threads: 1)
        let accepted = Signal<Bool>()
        let listener = try await transport.listen(on: .tcp(.loopback, port: 0)) { channel in
            accepted.send()
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        let endpoint = try #require(Transport.localEndpoint(of: listener))
        // Nobody answers the handshake.
        let security = try TransportSecurity(identity: nil) { _ in nil }
        let caller = HTTPCaller(transport: transport, security: security, connectTimeout: .seconds(60))
        let call = Task { try await caller.call(.get, endpoint, "/", timeout: .seconds(60)) }
        _ = await accepted.wait()
        call.cancel()
        await #expect(throws: HTTPCallError.cancelled) { try await call.value }
        try await listener.close()
        await caller.shutDown()
        await transport.shutDown()
    }
}

/// A server that changes its mind.
private final class Fickle: ChannelInboundHandler {
    final class Log: Sendable {
        let state = Mutex((connections: 0, requests: 0))
    }

    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let log: Log
    private var answered = false

    init(_ log: Log) { self.log = log }

    func channelActive(context: ChannelHandlerContext) {
        log.state.withLock { $0.connections += 1 }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        log.state.withLock { $0.requests += 1 }
        guard !answered else {
            context.close(promise: nil)
            return
        }
        answered = true
        let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        context.writeAndFlush(Self.wrapOutboundOut(answer), promise: nil)
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { context.close(promise: nil) }
}
