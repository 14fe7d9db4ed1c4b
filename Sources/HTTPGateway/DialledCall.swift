internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
internal import Transport

/// One call on a connection of its own, whose request and response flow at the same time.
///
/// Each piece of the request waits until the socket has taken the piece before; the socket is read only while the reader
/// of the response wants more. So neither direction holds more than a few buffers.
final class DialledCall: Sendable {
    private let channel: any Channel
    private let response: BytePipe
    private let upload: Task<Void, Never>

    private init(channel: any Channel, response: BytePipe, upload: Task<Void, Never>) {
        self.channel = channel
        self.response = response
        self.upload = upload
    }

    deinit {
        // Nobody can read the rest any more. A response that is complete does not end a request still being sent.
        guard !response.isFinished else { return }
        upload.cancel()
        channel.close(promise: nil)
    }

    static func open(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields, body: GatewayBody,
        transport: Transport, connectTimeout: Duration, headTimeout: Duration
    ) async throws(HTTPCallError) -> HTTPCaller.StreamedResponse {
        let lifetime = ClientLifetime()
        let loop = transport.eventLoops.any()
        let head = loop.makePromise(of: HTTPResponseHead.self)
        let demand = Demand()
        let response = BytePipe(highWater: 64 << 10) { demand.signal() }
        let channel: any Channel
        do {
            channel = try await transport.connect(to: endpoint, timeout: connectTimeout) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers()
                    let handler = DialledCallHandler(endpoint: endpoint, head: head, body: response, lifetime: lifetime)
                    try pipeline.addHandler(handler)
                    demand.connect(to: NIOLoopBound(handler, eventLoop: channel.eventLoop))
                }
            }
        } catch {
            head.fail(error)
            throw HTTPCallError(error, endpoint: endpoint)
        }
        let timer = loop.scheduleTask(in: TimeAmount(headTimeout)) {
            head.fail(HTTPCallError.timedOut(endpoint))
        }
        defer { timer.cancel() }
        let upload = Task {
            await send(method, endpoint, path, headers: headers, body: body, over: channel, response: response)
        }
        channel.closeFuture.whenComplete { _ in upload.cancel() }
        let call = DialledCall(channel: channel, response: response, upload: upload)
        do {
            let head = try await withTaskCancellationHandler {
                try await head.futureResult.get()
            } onCancel: {
                head.fail(HTTPCallError.cancelled)
            }
            return HTTPCaller.StreamedResponse(
                status: .init(code: Int(head.status.code)), headers: HTTPFields(head.headers),
                body: GatewayBody { try await call.response.next() }, lifetime: lifetime)
        } catch {
            throw HTTPCallError(error, endpoint: endpoint, connected: true)
        }
    }

    private static func send(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields, body: GatewayBody,
        over channel: any Channel, response: BytePipe
    ) async {
        var headers = HTTPHeaders(headers)
        for name in connectionFields { headers.remove(name: name.canonicalName) }
        headers.remove(name: "content-length")
        headers.replaceOrAdd(name: "host", value: endpoint.port == nil ? "localhost" : endpoint.description)
        headers.replaceOrAdd(name: "connection", value: "close")
        headers.add(name: "transfer-encoding", value: "chunked")
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method.rawValue), uri: path, headers: headers)
        do {
            try await channel.writeAndFlush(HTTPClientRequestPart.head(head))
            for try await piece in body where piece.readableBytes > 0 {
                try await channel.writeAndFlush(HTTPClientRequestPart.body(.byteBuffer(piece)))
            }
            try await channel.writeAndFlush(HTTPClientRequestPart.end(nil))
        } catch {
            // Without its last chunk the server sees that the request is not complete.
            channel.close(promise: nil)
        }
    }
}

/// Carries the reader's wish for more bytes to the handler, which exists only once the connection is being made.
private final class Demand: Sendable {
    private let handler = Mutex<NIOLoopBound<DialledCallHandler>?>(nil)

    func connect(to handler: NIOLoopBound<DialledCallHandler>) { self.handler.withLock { $0 = handler } }

    func signal() {
        guard let handler = handler.withLock({ $0 }) else { return }
        handler.eventLoop.execute { handler.value.readIfWanted() }
    }
}

/// The response's side of a dialled call, on its event loop.
private final class DialledCallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let endpoint: Endpoint
    private let head: EventLoopPromise<HTTPResponseHead>
    private let body: BytePipe
    private let lifetime: ClientLifetime
    private var context: ChannelHandlerContext?
    private var ended = false

    init(
        endpoint: Endpoint, head: EventLoopPromise<HTTPResponseHead>, body: BytePipe, lifetime: ClientLifetime
    ) {
        self.endpoint = endpoint
        self.head = head
        self.body = body
        self.lifetime = lifetime
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        readIfWanted()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch Self.unwrapInboundIn(data) {
        case .head(let response): head.succeed(response)
        case .body(let buffer): body.offer(buffer)
        case .end:
            ended = true
            body.finish()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { readIfWanted() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            broken(HTTPCallError.interrupted(endpoint, reason: "closed by the other side"))
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        broken(HTTPCallError.interrupted(endpoint, reason: "closed"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        broken(HTTPCallError(error, endpoint: endpoint, connected: true))
        context.close(promise: nil)
    }

    /// After the end one read stays outstanding, which notices that the server closes while the request still flows.
    func readIfWanted() {
        if ended || body.wantsMore { context?.read() }
    }

    private func broken(_ error: HTTPCallError) {
        head.fail(error)
        if !ended { body.finish(throwing: error) }
        // Also behind a response that is complete: the request may still be flowing, and its producer has to stop.
        lifetime.clientHasGone()
    }
}
