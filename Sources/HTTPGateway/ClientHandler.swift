internal import NIOCore
internal import NIOHTTP1
internal import Transport

/// The event loop's side of a ``ClientConnection``.
///
/// The socket is read only while the reader of a response wants more. Between calls one read stays outstanding, so a
/// server that closes a kept connection is noticed at once.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private struct Progress {
        let exchange: ClientExchange
        let isHead: Bool
        var keep: Bool
        var requestEnded = false
        var headArrived = false
        var responseEnded = false
        var lastRead = NIODeadline.now()
        var timer: Scheduled<Void>?
    }

    private let connection: ClientConnection
    private var context: ChannelHandlerContext?
    private var progress: Progress?
    /// Whether a call was completed here before.
    private var used = false
    private var endpoint: Endpoint { connection.endpoint }

    init(_ connection: ClientConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        broken(HTTPCallError.interrupted(endpoint, reason: "closed"))
        self.context = nil
        connection.detach()
    }

    // MARK: - The request

    func start(_ exchange: ClientExchange, _ head: HTTPRequestHead, _ body: ByteBuffer?, complete: Bool) {
        guard let context, context.channel.isActive, progress == nil else {
            exchange.fail(connection.closure)
            return
        }
        progress = Progress(exchange: exchange, isHead: head.method == .HEAD, keep: head.isKeepAlive)
        startTimer(exchange.limit.first, .timedOut(endpoint))
        guard complete else {
            context.writeAndFlush(Self.wrapOutboundOut(.head(head)), promise: nil)
            readIfWanted()
            return
        }
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        if let body, body.readableBytes > 0 {
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        write(.end(nil), exchange, written)
        readIfWanted()
    }

    func write(_ part: HTTPClientRequestPart, _ exchange: ClientExchange, _ promise: EventLoopPromise<Void>) {
        guard let context, progress?.exchange === exchange else {
            promise.fail(ChannelError.ioOnClosedChannel)
            return
        }
        if case .end = part {
            promise.futureResult.assumeIsolated().whenSuccess { [self] in
                guard progress?.exchange === exchange else { return }
                progress?.requestEnded = true
                completeIfDone()
            }
        }
        context.writeAndFlush(Self.wrapOutboundOut(part), promise: promise)
    }

    // MARK: - The response

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let progress, !progress.responseEnded else {
            // Nobody asked for anything.
            context.close(promise: nil)
            return
        }
        self.progress?.lastRead = .now()
        switch Self.unwrapInboundIn(data) {
        case .head(let head): arrived(head, progress)
        case .body(let buffer): progress.exchange.body.offer(buffer)
        case .end:
            self.progress?.responseEnded = true
            if !progress.exchange.duplex { self.progress?.timer?.cancel() }
            completeIfDone()
            progress.exchange.body.finish()
        }
    }

    private func arrived(_ head: HTTPResponseHead, _ progress: Progress) {
        let delimited =
            progress.isHead || head.status == .noContent || head.status == .notModified
            || head.headers.contains(name: "content-length") || head.headers.contains(name: "transfer-encoding")
        self.progress?.keep = progress.keep && head.isKeepAlive && delimited
        self.progress?.headArrived = true
        if case .head(_, let idle) = progress.exchange.limit {
            progress.timer?.cancel()
            if let idle { startTimer(idle, .idle(endpoint)) }
        }
        progress.exchange.head.succeed(head)
    }

    func channelReadComplete(context: ChannelHandlerContext) { readIfWanted() }

    /// After the end of a response one read stays outstanding.
    func readIfWanted() {
        guard let progress, !progress.responseEnded else {
            context?.read()
            return
        }
        if progress.exchange.body.wantsMore { context?.read() }
    }

    private func completeIfDone() {
        guard let done = progress, done.responseEnded, done.requestEnded || !done.exchange.duplex else { return }
        progress = nil
        done.timer?.cancel()
        if done.keep, done.requestEnded, context?.channel.isActive == true {
            used = true
            connection.onIdle(connection)
            readIfWanted()
        } else if done.exchange.duplex {
            // The server may still be busy with the request and closes when it is not.
            readIfWanted()
        } else {
            done.exchange.stopUpload()
            context?.close(promise: nil)
        }
    }

    // MARK: - Endings

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        broken(HTTPCallError.interrupted(endpoint, reason: "closed by the other side"))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        broken(HTTPCallError.interrupted(endpoint, reason: "closed"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        broken(HTTPCallError(error, endpoint: endpoint, connected: true))
        context.close(promise: nil)
    }

    /// The caller gives up.
    func drop(_ exchange: ClientExchange, _ error: HTTPCallError) {
        guard let progress, progress.exchange === exchange else { return }
        close(error)
    }

    func close(_ error: HTTPCallError) {
        if let ended = progress {
            progress = nil
            ended.timer?.cancel()
            ended.exchange.fail(error, discarding: true)
        }
        context?.close(promise: nil)
    }

    private func broken(_ error: HTTPCallError) {
        guard let ended = progress else {
            if !used { connection.refused(error) }
            return
        }
        progress = nil
        ended.timer?.cancel()
        let stale = used && !ended.headArrived
        ended.exchange.fail(stale ? StaleConnection(nothingSent: false) : error)
    }

    private func startTimer(_ time: TimeAmount, _ error: HTTPCallError) {
        progress?.timer = context?.eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            guard let self, let progress else { return }
            if case .idle = error {
                // Waiting for a reader is not the sender's idleness.
                let silent = progress.exchange.body.wantsMore ? NIODeadline.now() - progress.lastRead : .zero
                if silent < time { return startTimer(time - silent, error) }
            }
            close(error)
        }
    }
}
