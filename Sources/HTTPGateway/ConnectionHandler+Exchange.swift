internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1

extension ConnectionHandler {
    /// Begins an exchange, or refuses what cannot be one.
    func start(_ head: HTTPRequestHead) {
        guard let context else { return }
        let request: (target: RequestTarget, method: HTTPRequest.Method)
        do throws(GatewayError) {
            request = try check(head)
        } catch {
            refuse(error)
            return
        }
        let exchange = Exchange(connection: self, loop: context.eventLoop, isHead: request.method == .head)
        let keep = head.version == .http1_1 && head.isKeepAlive && !head.headers.contains(name: "upgrade")
        var progress = Progress(exchange: exchange, version: head.version, closeAfter: !keep || stopping)
        progress.expectsContinue = head.headers.contains(name: "expect")
        let chunked = head.headers.contains(name: "transfer-encoding")
        // The parser has checked that it is a number; one too large for Int is too large for any handler.
        let none = stream.map(\.requestEnded) ?? !chunked
        let length = head.headers.first(name: "content-length").map { Int($0) ?? .max } ?? (none ? 0 : nil)
        progress.declaredLength = length
        let body = GatewayBody(declaredLength: length) { try await exchange.body.next() }
        let gatewayRequest = GatewayRequest(
            method: request.method, target: request.target, headers: HTTPFields(head.headers), body: body,
            remote: remote, peerCertificates: certificates, isProtected: isProtected, lifetime: exchange.lifetime)
        let handler = self.handler
        self.progress = progress
        self.progress?.task = Task(executorPreference: executor) {
            await exchange.serve(gatewayRequest, handler: handler)
        }
    }

    /// What the parser lets through and HTTP does not (RFC 9112 §3.2, RFC 9110 §10.1.1).
    private func check(
        _ head: HTTPRequestHead
    ) throws(GatewayError) -> (target: RequestTarget, method: HTTPRequest.Method) {
        guard stream != nil || head.version.major == 1 && head.version.minor <= 1 else {
            throw GatewayError(.httpVersionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        }
        guard head.headers.count <= settings.headFieldsLimit else {
            throw GatewayError(.requestHeaderFieldsTooLarge, "request has too many header fields")
        }
        guard head.version.minor == 0 || head.headers["host"].count == 1, head.headers["host"].count <= 1 else {
            throw GatewayError(.badRequest, "a request needs exactly one Host header field")
        }
        guard head.headers["content-length"].count <= 1 else {
            throw GatewayError(.badRequest, "a request has at most one Content-Length header field")
        }
        if head.headers.contains(name: "transfer-encoding") {
            guard head.headers["transfer-encoding"].map({ $0.lowercased() }) == ["chunked"] else {
                throw GatewayError(.notImplemented, "the only transfer encoding known here is chunked")
            }
            guard stream != nil || head.version.minor == 1, !head.headers.contains(name: "content-length") else {
                throw GatewayError(.badRequest, "a chunked request is HTTP/1.1 and has no Content-Length")
            }
        }
        if let expectation = head.headers.first(name: "expect"), expectation.lowercased() != "100-continue" {
            throw GatewayError(.expectationFailed, "the only expectation known here is 100-continue")
        }
        guard let method = HTTPRequest.Method(rawValue: head.method.rawValue), method != .connect else {
            throw GatewayError(.notImplemented, "method \(head.method.rawValue) is not implemented here")
        }
        let target = try RequestTarget(parsing: head.uri)
        guard target.raw != "*" || method == .options else {
            throw GatewayError(.badRequest, "request target * is for OPTIONS only")
        }
        return (target, method)
    }

    // MARK: - The response

    /// Sends a head with the first, often the only, bytes of a complete body, in one flush.
    func sendBytes(
        _ exchange: Exchange, _ response: GatewayResponse, first: ByteBuffer, length: Int, only: Bool,
        promise: EventLoopPromise<Void>
    ) {
        guard let context = contextForWriting(exchange, promise) else { return }
        guard progress?.kind == nil else {
            promise.fail(GatewayError.clientGone)
            return
        }
        var head = responseHead(response, kind: .bytes)
        if !head.status.mayHaveNoBody { head.headers.replaceOrAdd(name: "content-length", value: String(length)) }
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        if !exchange.isHead, first.readableBytes > 0 {
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(first))), promise: nil)
        }
        if only || exchange.isHead {
            end(promise)
        } else {
            flush(.body(.byteBuffer(ByteBuffer())), promise)
        }
    }

    /// Sends the head of a streamed response at once.
    func begin(
        _ exchange: Exchange, _ response: GatewayResponse, kind: Exchange.Kind, promise: EventLoopPromise<Void>
    ) {
        guard contextForWriting(exchange, promise) != nil else { return }
        // A client that has closed its side while the handler worked does not read a stream.
        guard progress?.kind == nil, !inputClosed else {
            promise.fail(GatewayError.clientGone)
            return
        }
        if exchange.isHead { progress?.closeAfter = true }
        let head = responseHead(response, kind: kind)
        stopTimer()
        flush(.head(head), promise)
        readIfWanted()
    }

    /// Sends a chunk at once.
    func write(_ exchange: Exchange, _ buffer: ByteBuffer, promise: EventLoopPromise<Void>) {
        guard contextForWriting(exchange, promise) != nil else { return }
        guard let progress, !progress.responseEnded, progress.kind != nil else {
            promise.fail(GatewayError(.internalServerError, "the response has been ended"))
            return
        }
        flush(.body(.byteBuffer(buffer)), promise)
    }

    /// Sends the last chunk; a second call does nothing.
    func finish(_ exchange: Exchange, promise: EventLoopPromise<Void>) {
        guard contextForWriting(exchange, promise) != nil else { return }
        if let progress, progress.responseEnded {
            promise.succeed()
            return
        }
        end(promise)
    }

    /// The handler's task is done with its exchange.
    func taskEnded(_ exchange: Exchange) {
        guard let progress, progress.exchange === exchange else { return }
        self.progress?.taskEnded = true
        completeIfDone()
        guard let progress = self.progress, progress.exchange === exchange, !progress.requestEnded else { return }
        if progress.kind == .duplex || progress.closeAfter {
            linger()
        } else {
            // The rest of a body that nobody wanted is skipped if it is short, and does not take long.
            self.progress?.exchange.body.abandon(GatewayError.clientGone)
            startTimer(settings.lingerTimeout) { $0.linger() }
            readIfWanted()
        }
    }

    /// A client that was too slow gets a moment to read the last record.
    func closeStuckStream(_ exchange: Exchange) {
        guard let progress, progress.exchange === exchange, !progress.responseEnded else { return }
        self.progress?.closeAfter = true
        startTimer(settings.overflowTimeout) { connection in connection.abort(exchange) }
    }

    /// Goes on with the next request once request, response and task have all ended.
    func completeIfDone() {
        guard let done = progress, done.requestEnded, done.responseEnded, done.taskEnded else { return }
        progress = nil
        stopTimer()
        if let malformed, pending.isEmpty {
            self.malformed = nil
            refuse(malformed)
            return
        }
        guard !done.closeAfter || malformed != nil, !inputClosed || !pending.isEmpty, !stopping else {
            linger()
            return
        }
        startTimer(settings.idleTimeout) { $0.context?.close(promise: nil) }
        while progress?.requestEnded != true, let part = pending.popFirst() { handle(part) }
        readIfWanted()
    }

    private func responseHead(_ response: GatewayResponse, kind: Exchange.Kind) -> HTTPResponseHead {
        progress?.kind = kind
        var headers = HTTPHeaders(response.headers)
        for name in connectionFields { headers.remove(name: name.canonicalName) }
        headers.remove(name: "content-length")
        if kind == .bytes, let progress, !progress.requestEnded {
            // Nobody wants the rest of this request. Unless it is known to be short the connection ends with this
            // response, and a client that is not told so would use it again.
            let length = progress.declaredLength ?? .max
            if length > settings.discardLimit { self.progress?.closeAfter = true }
        }
        let close = progress?.closeAfter ?? true
        if close || stopping {
            progress?.closeAfter = true
            if stream == nil { headers.add(name: "connection", value: "close") }
        }
        // The encoder adds "Transfer-Encoding: chunked" for 1.1; to a 1.0 client the end of the connection is the end.
        let version = progress?.version ?? .http1_1
        return HTTPResponseHead(
            version: version,
            status: .init(statusCode: response.status.code, reasonPhrase: response.status.reasonPhrase),
            headers: headers)
    }

    private func contextForWriting(_ exchange: Exchange, _ promise: EventLoopPromise<Void>) -> ChannelHandlerContext? {
        guard let context, let progress, progress.exchange === exchange else {
            promise.fail(GatewayError.clientGone)
            return nil
        }
        return context
    }

    private func end(_ promise: EventLoopPromise<Void>) {
        guard let progress else {
            promise.fail(GatewayError.clientGone)
            return
        }
        self.progress?.responseEnded = true
        if stream == nil && progress.exchange.isHead && progress.kind != .bytes {
            // The encoder knows nothing of HEAD and would send the last chunk of a body that is not there.
            promise.succeed()
            return
        }
        flush(.end(nil), promise)
    }

    /// Writes a part and closes the connection when the client takes nothing of it for too long.
    private func flush(_ part: HTTPServerResponsePart, _ promise: EventLoopPromise<Void>) {
        guard let context else {
            promise.fail(GatewayError.clientGone)
            return
        }
        let waiting = WriteWatch()
        promise.futureResult.assumeIsolated().whenComplete { _ in
            waiting.done = true
            waiting.timer?.cancel()
        }
        context.writeAndFlush(Self.wrapOutboundOut(part), promise: promise)
        guard !waiting.done else { return }
        let channel = context.channel
        // A stream can be reset alone, unless the whole connection is stuck.
        let connection = stream == nil ? nil : channel.parent
        waiting.timer = context.eventLoop.scheduleTask(in: TimeAmount(settings.writeTimeout)) {
            if let connection, !connection.isWritable { connection.close(promise: nil) }
            channel.close(promise: nil)
        }
    }
}

/// Whether one write has been taken by the socket; lives on the event loop.
private final class WriteWatch {
    var done = false
    var timer: Scheduled<Void>?
}

extension HTTPResponseStatus {
    /// 1xx, 204 and 304 have no body and no length (RFC 9110 §8.6).
    fileprivate var mayHaveNoBody: Bool { code < 200 || code == 204 || code == 304 }
}
