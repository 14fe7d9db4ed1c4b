internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// One connection of the server, on its event loop: turns parsed parts into exchanges, one after the other.
///
/// ```
///            head                   response complete, request complete
/// idle ───────────────▶ exchange ─────────────────────────────────────▶ idle
///   │ timeout, EOF          │ abort, EOF, timeout, malformed input
///   ▼                       ▼
/// closed ◀─────────────  lingering: output is closed, input is thrown away for a moment
/// ```
///
/// Reads are asked for one by one: while nobody wants a request's body, the socket is not read and TCP holds the sender
/// back. When a request is complete one read stays outstanding, so a client that goes away is noticed at once. Requests
/// that come meanwhile (pipelining) wait in `pending`, which holds no more than one read.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Where the current exchange stands.
    struct Progress {
        let exchange: Exchange
        let version: HTTPVersion
        var closeAfter: Bool
        var task: Task<Void, Never>?
        var kind: Exchange.Kind?
        var expectsContinue = false
        /// The length of the request's body, nil when it is chunked.
        var declaredLength: Int?
        var requestEnded = false
        var responseEnded = false
        var taskEnded = false
        var discarded = 0
    }

    let settings: HTTPServerSettings
    let handler: HTTPServer.Handler
    /// The edge of the HTTP/2 stream that this is; nil for a connection of HTTP/1.
    let stream: HTTP2StreamEdge?
    /// Where handlers run; nil for the threads that all tasks share.
    let executor: LoopExecutor?
    var context: ChannelHandlerContext?
    var progress: Progress?
    var pending = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 1)
    /// Malformed input behind a request that is still being answered.
    var malformed: GatewayError?
    var inputClosed = false
    var lingering = false
    var stopping = false
    var timer: Scheduled<Void>?
    /// The peer's address.
    private(set) var remote: Endpoint?
    /// The peer's certificates.
    private(set) var certificates: [[UInt8]] = []
    /// Whether the connection is encrypted.
    private(set) var isProtected = false

    init(
        settings: HTTPServerSettings, loop: any EventLoop, stream: HTTP2StreamEdge? = nil,
        handler: @escaping HTTPServer.Handler
    ) {
        self.settings = settings
        self.stream = stream
        self.handler = handler
        executor = settings.handlersRunOnLoop ? LoopExecutor(loop) : nil
    }

    /// Makes a connection ready to speak HTTP/1.1.
    static func add(
        to channel: any Channel, settings: HTTPServerSettings, handler: @escaping HTTPServer.Handler
    ) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = settings.headBytesLimit
        limits.maxHeaderListSize = settings.headBytesLimit
        limits.maxHeaderFieldCount = settings.headFieldsLimit
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
        try channel.pipeline.syncOperations.addHandlers(
            HTTPResponseEncoder(), ByteToMessageHandler(decoder),
            ConnectionHandler(settings: settings, loop: channel.eventLoop, handler: handler))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        gone()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard timer == nil, progress == nil else { return }
        remote = Transport.remoteEndpoint(of: context.channel)
        certificates = Transport.peerCertificates(of: context.channel)
        isProtected = Transport.isProtected(context.channel)
        startTimer(settings.headTimeout) { connection in
            connection.refuse(GatewayError(.requestTimeout, "no complete request head arrived in time"))
        }
        readIfWanted()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !lingering else { return }
        let part = Self.unwrapInboundIn(data)
        if let progress, progress.requestEnded {
            pending.append(part)
        } else {
            handle(part)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        readIfWanted()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            inputClosed = true
            inputEnded()
        } else if event is ChannelShouldQuiesceEvent {
            stop()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.close(promise: nil)
            return
        }
        guard !lingering else { return }
        let refusal =
            error == .headerOverflow
            ? GatewayError(.requestHeaderFieldsTooLarge, "request head is larger than this server takes")
            : GatewayError(
                .badRequest,
                "malformed HTTP request: its method, path, version or a header cannot be read; send HTTP/1.1 as RFC 9112 has it"
            )
        guard var progress else {
            refuse(refusal)
            return
        }
        malformed = refusal
        progress.closeAfter = true
        self.progress = progress
        if !progress.requestEnded { progress.exchange.body.abandon(refusal) }
        // A stream has no place for a refusal; its client does not speak HTTP, so it is cut off.
        if progress.kind == .stream { abort(progress.exchange) }
    }

    /// Asks for the next read unless what was read already is not wanted yet.
    func readIfWanted() {
        guard let context, !inputClosed else { return }
        if lingering {
            context.read()
            return
        }
        guard pending.isEmpty, malformed == nil else { return }
        guard let progress, !progress.requestEnded else {
            context.read()
            return
        }
        if progress.responseEnded && progress.kind != .duplex || progress.exchange.body.wantsMore { context.read() }
    }

    /// A handler waits for bytes of the body.
    func bodyIsWanted() {
        guard var progress, !progress.requestEnded, let context else { return }
        if progress.expectsContinue {
            progress.expectsContinue = false
            self.progress = progress
            if progress.kind == nil {
                let head = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(Self.wrapOutboundOut(.head(head)), promise: nil)
            }
        }
        if progress.kind == nil, timer == nil, progress.exchange.body.isEmpty { startBodyTimer() }
        readIfWanted()
    }

    private func startBodyTimer() {
        startTimer(settings.bodyTimeout) { connection in
            guard let progress = connection.progress, !progress.requestEnded else { return }
            connection.progress?.closeAfter = true
            progress.exchange.body.abandon(GatewayError(.requestTimeout, "the request body did not arrive in time"))
        }
    }

    func handle(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head):
            stopTimer()
            start(head)
        case .body(let buffer):
            guard let progress else { return }
            stopTimer()
            if progress.responseEnded && progress.kind != .duplex {
                discard(buffer.readableBytes)
            } else {
                progress.exchange.body.offer(buffer)
            }
        case .end:
            guard let progress else { return }
            stopTimer()
            self.progress?.requestEnded = true
            progress.exchange.body.finish()
            completeIfDone()
        }
    }

    private func discard(_ count: Int) {
        progress?.discarded += count
        if let progress, progress.discarded > settings.discardLimit { linger() }
    }

    // MARK: - Endings

    private func inputEnded() {
        guard let progress else {
            if !lingering { context?.close(promise: nil) }
            return
        }
        if lingering {
            context?.close(promise: nil)
        } else if malformed != nil, progress.kind == nil {
            // The handler has been told and answers with 400.
            return
        } else if !progress.requestEnded {
            abort(progress.exchange)
        } else {
            progress.exchange.lifetime.clientHasGone()
            // Someone who closed only his sending side still gets a complete response; a stream would go on for ever.
            if progress.kind == .stream || progress.kind == .duplex { abort(progress.exchange) }
        }
    }

    /// Closes the connection under an exchange that cannot be completed.
    func abort(_ exchange: Exchange) {
        guard let progress, progress.exchange === exchange else { return }
        gone()
        context?.close(promise: nil)
    }

    private func gone() {
        stopTimer()
        pending.removeAll()
        guard let progress else { return }
        self.progress = nil
        if progress.kind == .stream || progress.kind == .duplex { progress.task?.cancel() }
        progress.exchange.body.abandon(GatewayError.clientGone)
        progress.exchange.lifetime.clientHasGone()
    }

    /// Answers input that never became an exchange, and closes.
    func refuse(_ error: GatewayError) {
        guard let context else { return }
        let response = GatewayResponse.failure(error)
        guard case .bytes(let bytes) = response.content else { return }
        var headers = HTTPHeaders(response.headers)
        headers.replaceOrAdd(name: "content-length", value: String(bytes.readableBytes))
        headers.replaceOrAdd(name: "connection", value: "close")
        let head = HTTPResponseHead(
            version: .http1_1, status: .init(statusCode: error.status.code, reasonPhrase: error.status.reasonPhrase),
            headers: headers)
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
        linger()
    }

    /// Ends the output, then reads and throws away for a moment: closing a socket with unread input would reset the
    /// connection and could take the response away from the client before it is read.
    func linger() {
        guard let context, !lingering else { return }
        lingering = true
        gone()
        guard !inputClosed else {
            context.close(promise: nil)
            return
        }
        startTimer(settings.lingerTimeout) { $0.context?.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        readIfWanted()
    }

    /// The server stops: an idle connection closes, others do so when they have answered.
    private func stop() {
        stopping = true
        if progress == nil, !lingering { context?.close(promise: nil) }
        progress?.closeAfter = true
    }

    // MARK: - Timers

    func startTimer(_ duration: Duration, _ action: @escaping (ConnectionHandler) -> Void) {
        stopTimer()
        guard let context else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(duration)) { [weak self] in
            guard let self else { return }
            timer = nil
            action(self)
        }
    }

    func stopTimer() {
        timer?.cancel()
        timer = nil
    }
}
