public import Logging
internal import NIOCore
internal import Synchronization
public import Transport

/// An HTTP server: one listener, one handler for all requests. It speaks HTTP/1.1, and HTTP/2 where a protected connection
/// has agreed on it.
///
/// It routes nothing and knows no endpoint; it keeps the wire strict, clients within their limits, and streams flowing.
/// Each request runs in a task of its own; a handler that throws becomes a 500, or the status of the ``GatewayError`` it
/// threw, and never ends the server.
public final class HTTPServer: Sendable {
    /// Answers one request.
    public typealias Handler = @Sendable (GatewayRequest) async throws -> GatewayResponse

    /// Where it listens, with the port the kernel chose if 0 was asked for.
    public let endpoint: Endpoint

    private let listener: any Channel
    private let connections: ConnectionTable

    private init(endpoint: Endpoint, listener: any Channel, connections: ConnectionTable) {
        self.endpoint = endpoint
        self.listener = listener
        self.connections = connections
    }

    /// Starts to listen and to answer.
    ///
    /// - Parameters:
    ///   - endpoint: where to listen.
    ///   - transport: accepts the connections; must outlive the server.
    ///   - security: protects the connections; unix sockets stay plain.
    ///   - clients: whether clients are asked for certificates; see ``GatewayRequest/peerCertificates``.
    ///   - settings: the limits.
    ///   - logger: gets a line for refused connections.
    ///   - handler: answers every request, many at once.
    /// - Returns: the running server.
    /// - Throws: ``TransportError`` when the address cannot be bound or there is no certificate.
    public static func start(
        on endpoint: Endpoint, transport: Transport, security: TransportSecurity? = nil,
        clients: ClientCertificates = .optional, settings: HTTPServerSettings = HTTPServerSettings(),
        logger: Logger = Logger(label: "rondo.http"), handler: @escaping Handler
    ) async throws -> HTTPServer {
        let connections = ConnectionTable(limit: settings.connectionLimit, logger: logger)
        let listener = try await transport.listen(
            on: endpoint, security: security, clients: clients, protocols: ["h2", "http/1.1"],
            refused: { connections.refused($0, $1) }
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                guard connections.admit(channel) else { return }
                if Transport.negotiatedProtocol(of: channel) == "h2" {
                    try HTTP2Connection.add(to: channel, settings: settings, handler: handler)
                } else {
                    try ConnectionHandler.add(to: channel, settings: settings, handler: handler)
                }
                connections.insert(channel)
            }
        }
        let bound = Transport.localEndpoint(of: listener) ?? endpoint
        return HTTPServer(endpoint: bound, listener: listener, connections: connections)
    }

    /// How many connections are open.
    public var connectionCount: Int { connections.count }

    /// Stops accepting, lets requests in progress end, and closes what is still open after a while.
    ///
    /// Event streams do not end by themselves: finish them before, or they are cut off when the time is over.
    ///
    /// - Parameter grace: how long requests in progress may take.
    public func stop(grace: Duration = .seconds(5)) async {
        try? await listener.close()
        await connections.close(grace: grace, loop: listener.eventLoop)
    }
}

/// The open connections of a server.
private final class ConnectionTable: Sendable {
    private struct State {
        var open: [ObjectIdentifier: any Channel] = [:]
        var stopping = false
        var emptied: EventLoopPromise<Void>?
        var lastRefusal: NIODeadline?
    }

    private let state = Mutex(State())
    private let limit: Int
    private let logger: Logger

    init(limit: Int, logger: Logger) {
        self.limit = limit
        self.logger = logger
    }

    var count: Int { state.withLock { $0.open.count } }

    /// At most one line a second: strangers decide how many there would be.
    func refused(_ peer: Endpoint?, _ reason: String) {
        let now = NIODeadline.now()
        let silent = state.withLock { state in
            if let last = state.lastRefusal, now - last < .seconds(1) { return true }
            state.lastRefusal = now
            return false
        }
        if !silent { logger.notice("connection from \(peer.map { "\($0)" } ?? "nowhere") refused: \(reason)") }
    }

    /// Turns a connection away with a few constant bytes when there are too many.
    func admit(_ channel: any Channel) -> Bool {
        let (stopping, full) = state.withLock { ($0.stopping, $0.open.count >= limit) }
        guard stopping || full else { return true }
        if full { logger.warning("connection refused: \(limit) connections are open") }
        if Transport.negotiatedProtocol(of: channel) == "h2" {
            channel.close(promise: nil)
            return false
        }
        let text = stopping ? "the server is stopping\n" : "too many connections\n"
        let response =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            + "Content-Length: \(text.utf8.count)\r\n\r\n\(text)"
        // The channel is not active before its initializer has returned.
        channel.eventLoop.execute {
            channel.writeAndFlush(ByteBuffer(string: response)).whenComplete { _ in channel.close(promise: nil) }
        }
        return false
    }

    func insert(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        state.withLock { $0.open[id] = channel }
        channel.closeFuture.whenComplete { [self] _ in
            let emptied = state.withLock { state in
                state.open[id] = nil
                return state.open.isEmpty ? state.emptied.take() : nil
            }
            emptied?.succeed()
        }
    }

    func close(grace: Duration, loop: any EventLoop) async {
        let promise = loop.makePromise(of: Void.self)
        let open = state.withLock { state in
            state.stopping = true
            if state.open.isEmpty { promise.succeed() } else { state.emptied = promise }
            return Array(state.open.values)
        }
        for channel in open { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        let timer = loop.scheduleTask(in: TimeAmount(grace)) { [self] in
            let left = state.withLock { Array($0.open.values) }
            for channel in left { channel.close(promise: nil) }
        }
        try? await promise.futureResult.get()
        timer.cancel()
    }
}
