import HTTPGateway
import NIOCore
import NIOHTTP1
import NIOHTTP2
import Synchronization
import Transport

/// A client of HTTP/2 that reads only what it is told to.
struct HTTP2Client: Sendable {
    let channel: any Channel
    private let streams: NIOHTTP2Handler.StreamMultiplexer

    init(_ loopback: SecureLoopback) async throws {
        let security = try TransportSecurity(identity: nil, judge: loopback.authority.judge("server"))
        let multiplexer = Signal<NIOHTTP2Handler.StreamMultiplexer>()
        channel = try await loopback.transport.connect(
            to: loopback.endpoint, security: security, protocols: ["h2"], timeout: .seconds(5)
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.syncOptions?.setOption(.autoRead, value: true)
                var configuration = NIOHTTP2Handler.ConnectionConfiguration()
                configuration.controlFrameRateLimit.maximumCount = 100_000
                let handler = NIOHTTP2Handler(
                    mode: .client, eventLoop: channel.eventLoop, connectionConfiguration: configuration
                ) { $0.eventLoop.makeSucceededVoidFuture() }
                try channel.pipeline.syncOperations.addHandlers(handler, Ignoring())
                multiplexer.send(try handler.syncMultiplexer())
            }
        }
        streams = await multiplexer.wait()
    }

    /// Opens a stream and sends a request without a body, or the head of one with a body.
    func open(_ method: HTTPMethod, _ path: String, headers: HTTPHeaders = [:], end: Bool = true) async throws
        -> HTTP2Call
    {
        let pipe = HTTP2Call.Arrivals()
        let promise = channel.eventLoop.makePromise(of: (any Channel).self)
        streams.createStreamChannel(promise: promise) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                try stream.pipeline.syncOperations.addHandlers(
                    HTTP2FramePayloadToHTTP1ClientCodec(httpProtocol: .https), HTTP2CallHandler(pipe))
            }
        }
        let stream = try await promise.futureResult.get()
        var headers = headers
        headers.add(name: "host", value: "test")
        let head = HTTPRequestHead(version: .http2, method: method, uri: path, headers: headers)
        stream.write(HTTPClientRequestPart.head(head), promise: nil)
        if end { stream.write(HTTPClientRequestPart.end(nil), promise: nil) }
        stream.flush()
        return HTTP2Call(stream: stream, arrivals: pipe)
    }

    func get(_ path: String) async throws -> (status: Int, body: String) {
        let call = try await open(.GET, path)
        return try await call.finish()
    }
}

/// One stream of the client.
struct HTTP2Call: Sendable {
    /// What has come, one event at a time.
    final class Arrivals: Sendable {
        private let events: AsyncThrowingStream<HTTPClientResponsePart, any Error>
        let source: AsyncThrowingStream<HTTPClientResponsePart, any Error>.Continuation

        init() { (events, source) = AsyncThrowingStream.makeStream() }

        func all() -> AsyncThrowingStream<HTTPClientResponsePart, any Error> { events }
    }

    let stream: any Channel
    let arrivals: Arrivals

    /// Reads until the response ends.
    func finish() async throws -> (status: Int, body: String) {
        var status = 0
        var body = ""
        stream.read()
        for try await part in arrivals.all() {
            switch part {
            case .head(let head): status = Int(head.status.code)
            case .body(let bytes): body += String(buffer: bytes)
            case .end: return (status, body)
            }
            stream.read()
        }
        throw CancellationError()
    }

    func send(_ bytes: ByteBuffer, end: Bool = false) async throws {
        try await stream.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(bytes)))
        if end { try await stream.writeAndFlush(HTTPClientRequestPart.end(nil)) }
    }
}

private final class HTTP2CallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let arrivals: HTTP2Call.Arrivals

    init(_ arrivals: HTTP2Call.Arrivals) { self.arrivals = arrivals }

    private var delivered = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        delivered = true
        arrivals.source.yield(Self.unwrapInboundIn(data))
    }

    /// A read may bring nothing but a window.
    func channelReadComplete(context: ChannelHandlerContext) {
        if !delivered { context.read() }
        delivered = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { arrivals.source.finish(throwing: error) }

    func channelInactive(context: ChannelHandlerContext) { arrivals.source.finish(throwing: ChannelError.eof) }
}

private final class Ignoring: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

/// A protected connection that says the frames it is told to, right or wrong.
struct RawHTTP2: Sendable {
    let channel: any Channel
    private let received: Received

    final class Received: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    init(_ loopback: SecureLoopback) async throws {
        let security = try TransportSecurity(identity: nil, judge: loopback.authority.judge("server"))
        let received = Received()
        self.received = received
        channel = try await loopback.transport.connect(
            to: loopback.endpoint, security: security, protocols: ["h2"], timeout: .seconds(5)
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.syncOptions?.setOption(.autoRead, value: true)
                try channel.pipeline.syncOperations.addHandler(Collecting(received))
            }
        }
        await send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + Self.frame(4, 0, 0, []))
    }

    func send(_ bytes: [UInt8]) async { try? await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// A GET request for `/` as compressed header fields.
    static let get: [UInt8] = [0x82, 0x84, 0x87, 0x01, 0x01, 0x68]

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF), type, flags]
            + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 0xFF) } + payload
    }

    /// The error of the last GOAWAY frame once the server has closed the connection.
    func goodbye() async -> UInt32? {
        try? await channel.closeFuture.get()
        let bytes = received.bytes.withLock { $0 }
        var at = 0
        var error: UInt32?
        while at + 9 <= bytes.count {
            let length = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
            if bytes[at + 3] == 7, at + 17 <= bytes.count {
                error = bytes[(at + 13)..<(at + 17)].reduce(0) { $0 << 8 | UInt32($1) }
            }
            at += 9 + length
        }
        return error
    }
}

private final class Collecting: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let received: RawHTTP2.Received

    init(_ received: RawHTTP2.Received) { self.received = received }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Self.unwrapInboundIn(data).readableBytesView
        received.bytes.withLock { $0 += bytes }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
