internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1

/// One request and its response on one connection: the handle with which the handler's task reaches the event loop.
final class Exchange: Sendable {
    /// What the response turned out to be; decides what a vanished client means for it.
    enum Kind: Sendable {
        case bytes, stream, duplex
    }

    let body: BytePipe
    let lifetime = ClientLifetime()
    /// HEAD: the head is sent as for GET, without a body.
    let isHead: Bool
    private let connection: NIOLoopBound<ConnectionHandler>
    private var loop: any EventLoop { connection.eventLoop }

    init(connection: ConnectionHandler, loop: any EventLoop, isHead: Bool) {
        let connection = NIOLoopBound(connection, eventLoop: loop)
        self.connection = connection
        self.isHead = isHead
        body = BytePipe {
            if loop.inEventLoop {
                connection.value.bodyIsWanted()
            } else {
                loop.execute { connection.value.bodyIsWanted() }
            }
        }
    }

    /// Runs the handler and sends what it answers. Never throws: what goes wrong becomes a response or a closed
    /// connection.
    func serve(_ request: GatewayRequest, handler: HTTPServer.Handler) async {
        let response: GatewayResponse
        do {
            response = try await handler(request)
        } catch let error as GatewayError {
            response = .failure(error)
        } catch {
            response = .failure(GatewayError(.internalServerError, "the request failed: \(error)"))
        }
        do {
            try await send(response)
            lifetime.responseIsComplete()
            perform { [self] connection in connection.taskEnded(self) }
        } catch {
            perform { [self] connection in connection.abort(self) }
        }
    }

    private func send(_ response: GatewayResponse) async throws {
        switch response.content {
        case .bytes(let bytes):
            try await sendComplete(response, bytes)
        case .stream(let produce):
            try await begin(response, kind: .stream)
            if !isHead { try await produce(writer) }
            try await finish()
        case .duplex(let produce):
            try await begin(response, kind: .duplex)
            if !isHead { try await produce(writer) }
            try await finish()
        case .events(let stream):
            try await send(response, events: stream)
        }
    }

    private func send(_ response: GatewayResponse, events stream: EventStream) async throws {
        lifetime.onDisconnect { stream.close(gone: true) }
        stream.onOverflow { [self] in
            loop.execute { [self] in connection.value.closeStuckStream(self) }
        }
        do {
            try await begin(response, kind: .stream)
            if !isHead {
                while let batch = await stream.nextBatch() { try await write(batch) }
            }
            try await finish()
        } catch {
            stream.close(gone: true)
            throw error
        }
        stream.close(gone: false)
    }

    /// Large bodies go out in slices, each with its own write timeout, so that a slow but living client gets them all.
    private func sendComplete(_ response: GatewayResponse, _ bytes: ByteBuffer) async throws {
        let slice = 256 << 10
        var rest = bytes
        let first = rest.readSlice(length: min(rest.readableBytes, slice)) ?? ByteBuffer()
        let only = rest.readableBytes == 0
        try await onLoop { [self] connection, promise in
            connection.sendBytes(
                self, response, first: first, length: bytes.readableBytes, only: only, promise: promise)
        }
        guard !only, !isHead else { return }
        while let next = rest.readSlice(length: min(rest.readableBytes, slice)), next.readableBytes > 0 {
            try await write(next)
        }
        try await finish()
    }

    private func begin(_ response: GatewayResponse, kind: Kind) async throws {
        try await onLoop { [self] connection, promise in
            connection.begin(self, response, kind: kind, promise: promise)
        }
    }

    private func write(_ buffer: ByteBuffer) async throws {
        try Task.checkCancellation()
        try await onLoop { [self] connection, promise in connection.write(self, buffer, promise: promise) }
    }

    private func finish() async throws {
        try await onLoop { [self] connection, promise in connection.finish(self, promise: promise) }
    }

    private var writer: ResponseWriter {
        ResponseWriter(
            write: { [self] buffer in
                // A slice at a time, for the same reason as above and to keep what waits in the channel small.
                var rest = buffer
                while let slice = rest.readSlice(length: min(rest.readableBytes, 256 << 10)), slice.readableBytes > 0 {
                    try await write(slice)
                }
            },
            finish: { [self] in try await finish() })
    }

    private func onLoop(
        _ operation: @escaping @Sendable (ConnectionHandler, EventLoopPromise<Void>) -> Void
    ) async throws {
        let promise = loop.makePromise(of: Void.self)
        perform { connection in operation(connection, promise) }
        do {
            try await promise.futureResult.get()
        } catch is ChannelError {
            throw GatewayError.clientGone
        } catch is IOError {
            throw GatewayError.clientGone
        }
    }

    /// Does something with the connection: at once when this is its thread already.
    private func perform(_ operation: @escaping @Sendable (ConnectionHandler) -> Void) {
        if loop.inEventLoop {
            operation(connection.value)
        } else {
            loop.execute { [connection] in operation(connection.value) }
        }
    }
}
