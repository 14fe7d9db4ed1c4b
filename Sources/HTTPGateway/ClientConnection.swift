internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
internal import Transport

/// A connection to a server: one call after the other, from any thread.
final class ClientConnection: Sendable {
    let endpoint: Endpoint
    /// Which identity it was opened with.
    let generation: Int
    private let handler = Mutex<NIOLoopBound<ClientHandler>?>(nil)
    private let failure = Mutex<HTTPCallError?>(nil)
    /// Takes the connection back when a call is complete and it can serve another.
    let onIdle: @Sendable (ClientConnection) -> Void

    init(endpoint: Endpoint, generation: Int, onIdle: @escaping @Sendable (ClientConnection) -> Void) {
        self.endpoint = endpoint
        self.generation = generation
        self.onIdle = onIdle
    }

    /// Adds the handlers; called while the connection is made.
    func attach(to channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHTTPClientHandlers()
        let bound = NIOLoopBound(ClientHandler(self), eventLoop: channel.eventLoop)
        handler.withLock { $0 = bound }
        try pipeline.addHandler(bound.value)
    }

    /// Sends a request and returns when the head of its response is there.
    ///
    /// The body goes with the head, or follows in pieces. Throws ``StaleConnection`` when another connection may be
    /// tried, otherwise ``HTTPCallError``.
    func exchange(
        _ request: HTTPRequestHead, body: ByteBuffer?, pieces: GatewayBody?, duplex: Bool, limit: ClientExchange.Limit
    ) async throws -> ClientResponse {
        guard let bound = handler.withLock({ $0 }) else { throw closure }
        let exchange = ClientExchange(limit: limit, duplex: duplex, loop: bound.eventLoop) { [weak self] in
            self?.perform { $0.readIfWanted() }
        }
        let complete = pieces == nil
        Self.perform(on: bound) { handler in handler.start(exchange, request, body, complete: complete) }
        if let pieces { exchange.carry(Task { await self.send(pieces, exchange, bound) }) }
        let head = try await withTaskCancellationHandler {
            try await exchange.head.futureResult.get()
        } onCancel: {
            drop(exchange, HTTPCallError.cancelled)
        }
        return ClientResponse(head, exchange, on: self)
    }

    /// Each piece waits until the socket has taken the piece before, so no more than a few buffers are held.
    private func send(_ pieces: GatewayBody, _ exchange: ClientExchange, _ handler: NIOLoopBound<ClientHandler>) async {
        @Sendable func write(_ part: HTTPClientRequestPart) async throws {
            let promise = handler.eventLoop.makePromise(of: Void.self)
            Self.perform(on: handler) { $0.write(part, exchange, promise) }
            try await promise.futureResult.get()
        }
        do {
            for try await piece in pieces where piece.readableBytes > 0 { try await write(.body(.byteBuffer(piece))) }
            try await write(.end(nil))
        } catch {
            // Without its last chunk the server sees that the request is not complete.
            drop(exchange, HTTPCallError.interrupted(endpoint, reason: "the request could not be sent"))
        }
    }

    /// Ends a call that is not complete, and the connection with it.
    func drop(_ exchange: ClientExchange, _ error: HTTPCallError) {
        perform { $0.drop(exchange, error) }
    }

    /// Closes the connection; a call in progress fails.
    func close(_ error: HTTPCallError) {
        perform { $0.close(error) }
    }

    /// The connection is closed.
    func detach() { handler.withLock { $0 = nil } }

    /// Remembers why it was closed before its first call could begin: TLS may have refused this side.
    func refused(_ error: HTTPCallError) { failure.withLock { $0 = $0 ?? error } }

    /// What a call learns that comes too late.
    var closure: any Error { failure.withLock { $0 } ?? StaleConnection(nothingSent: true) }

    private func perform(_ operation: @escaping @Sendable (ClientHandler) -> Void) {
        if let bound = handler.withLock({ $0 }) { Self.perform(on: bound, operation) }
    }

    private static func perform(
        on handler: NIOLoopBound<ClientHandler>, _ operation: @escaping @Sendable (ClientHandler) -> Void
    ) {
        if handler.eventLoop.inEventLoop {
            operation(handler.value)
        } else {
            handler.eventLoop.execute { operation(handler.value) }
        }
    }
}
