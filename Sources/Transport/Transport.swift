internal import Glibc
public import NIOCore
public import NIOPosix
internal import NIOSSL
internal import Synchronization

/// The one place where connections are opened and accepted.
///
/// Nothing else in the program binds a socket, connects one, or protects one. A connection is plain, or protected by the
/// ``TransportSecurity`` that it is opened with: TLS 1.2 or later, whose peers are judged by their certificates and never
/// by their addresses. Unix sockets are always plain; the kernel says who is there.
///
/// One `Transport` owns the event loops of the process, so it is made once and shut down last.
public final class Transport: Sendable {
    /// The event loops that carry all sockets of the process.
    public let eventLoops: MultiThreadedEventLoopGroup

    /// Starts the event loops.
    ///
    /// - Parameters:
    ///   - threads: how many threads carry sockets; by default two, or one on a machine with one core. Each costs a
    ///     thread's stack and a receive buffer, and one loop already carries thousands of idle streams.
    ///   - handshakeTimeout: how long a TLS handshake may take.
    public init(threads: Int = min(2, max(1, System.coreCount)), handshakeTimeout: Duration = .seconds(10)) {
        self.handshakeTimeout = handshakeTimeout
        eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: max(1, threads))
    }

    /// How many connections of one listener may be in their handshake; further ones are closed at once.
    private static let handshakeLimit = 2048

    /// The longest that a handshake may take.
    private let handshakeTimeout: Duration

    /// Binds and accepts.
    ///
    /// - Parameters:
    ///   - endpoint: where to listen; port 0 takes a free one, see ``localEndpoint(of:)``. A stale socket file at a
    ///     unix path is replaced; the new file is accessible for its owner only.
    ///   - security: protects accepted connections; unix sockets stay plain.
    ///   - clients: whether clients are asked for certificates.
    ///   - protocols: what is spoken here (ALPN), the preferred first; see ``negotiatedProtocol(of:)``.
    ///   - backlog: connections the kernel keeps waiting while the process is busy.
    ///   - refused: told of every peer that the judge does not trust, and why.
    ///   - setUp: runs on the event loop of every accepted connection, before it reads. On a protected one it runs when
    ///     the handshake is complete and the peer is known. The channel is active by then, and `channelActive` follows
    ///     nevertheless, as on plain connections.
    /// - Returns: the listening channel; closing it stops accepting and leaves accepted connections alone.
    /// - Throws: ``TransportError/cannotListen(_:reason:)``, ``TransportError/badIdentity(reason:)``.
    public func listen(
        on endpoint: Endpoint, security: TransportSecurity? = nil, clients: ClientCertificates = .optional,
        protocols: [String] = [], backlog: Int = 512,
        refused: (@Sendable (_ peer: Endpoint?, _ reason: String) -> Void)? = nil,
        setUp: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let security = endpoint.port == nil ? nil : security
        let purpose = TransportSecurity.Purpose.accepting(clients, protocols: protocols)
        _ = try security?.context(for: purpose)
        let handshakes = Handshakes(limit: Self.handshakeLimit)
        let bootstrap = ServerBootstrap(group: eventLoops)
            .serverChannelOption(.backlog, value: Int32(clamping: backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            // TLS knows no half-closed connections: a peer that says goodbye is gone.
            .childChannelOption(.allowRemoteHalfClosure, value: security == nil)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                if channel.remoteAddress?.protocol != .unix {
                    channel.setOption(.tcpOption(.tcp_nodelay), value: 1).whenFailure { _ in }
                }
                guard let security else { return setUp(channel) }
                let opened = channel.eventLoop.makePromise(of: Void.self)
                if let refused {
                    let peer = Self.remoteEndpoint(of: channel)
                    opened.futureResult.whenFailure { error in
                        if case TransportError.untrusted(let reason) = error { refused(peer, reason) }
                    }
                }
                return channel.eventLoop.makeCompletedFuture {
                    try self.accept(channel, security, purpose, handshakes, opened, setUp)
                }
            }
        do {
            switch endpoint {
            case .tcp(let address, let port):
                let socketAddress = try SocketAddress(ipAddress: address.description, port: Int(port))
                return try await bootstrap.bind(to: socketAddress).get()
            case .unix(let path):
                let channel = try await bootstrap.bind(
                    unixDomainSocketPath: path, cleanupExistingSocketFile: true
                ).get()
                // The directory keeps strangers out between bind and chmod; this keeps them out afterwards too.
                guard chmod(path, S_IRUSR | S_IWUSR) == 0 else {
                    let reason = IOError(errnoCode: errno, reason: "chmod \(path)")
                    try? await channel.close()
                    throw reason
                }
                return channel
            }
        } catch {
            throw TransportError.cannotListen(endpoint, reason: TransportError.reason(for: error))
        }
    }

    /// Opens a connection that does not read by itself, as accepted ones do not either.
    ///
    /// - Parameters:
    ///   - endpoint: where to.
    ///   - security: protects the connection; unix sockets stay plain. Its judge alone decides whether the peer is the
    ///     one that was meant: no name is compared.
    ///   - protocols: what may be spoken (ALPN), the preferred first; see ``negotiatedProtocol(of:)``.
    ///   - timeout: how long it may take, and how long the handshake may take after it.
    ///   - setUp: runs on the connection's event loop before it is made; on a protected one when the handshake is
    ///     complete, as in ``listen(on:security:clients:protocols:backlog:refused:setUp:)``.
    /// - Returns: the connection.
    /// - Throws: what NIO throws; ``TransportError/reason(for:)`` puts it into words. ``TransportError`` when the
    ///   handshake fails.
    public func connect(
        to endpoint: Endpoint, security: TransportSecurity? = nil, protocols: [String] = [], timeout: Duration,
        setUp: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let security = endpoint.port == nil ? nil : security
        let loop = eventLoops.any()
        let opened = loop.makePromise(of: Void.self)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: security == nil)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                guard let security else { return setUp(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    let context = try security.context(for: .connecting(protocols: protocols))
                    let peer = TLSPeer(judge: security.judge)
                    let handler =
                        if let web = security.web {
                            try NIOSSLClientHandler(context: context, serverHostname: web.name)
                        } else {
                            try NIOSSLClientHandler(
                                context: context, serverHostname: nil, customVerificationCallback: peer.callback)
                        }
                    let limit = TimeAmount(min(timeout, self.handshakeTimeout))
                    try channel.pipeline.syncOperations.addHandlers(
                        handler, TLSGate(peer: peer, door: nil, timeout: limit, opened: opened, setUp: setUp))
                }
            }
        do {
            let channel: any Channel
            switch endpoint {
            case .tcp(let address, let port):
                let socketAddress = try SocketAddress(ipAddress: address.description, port: Int(port))
                channel = try await bootstrap.connect(to: socketAddress).get()
            case .unix(let path):
                channel = try await bootstrap.connect(unixDomainSocketPath: path).get()
            }
            if security == nil { opened.succeed() }
            try await opened.futureResult.get()
            return channel
        } catch {
            opened.fail(error)
            throw error
        }
    }

    /// Puts an accepted connection behind TLS.
    private func accept(
        _ channel: any Channel, _ security: TransportSecurity, _ purpose: TransportSecurity.Purpose,
        _ handshakes: Handshakes, _ opened: EventLoopPromise<Void>,
        _ setUp: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) throws {
        guard handshakes.begin() else {
            let error = TransportError.refused(reason: "too many handshakes")
            opened.fail(error)
            throw error
        }
        opened.futureResult.whenSuccess { handshakes.end() }
        opened.futureResult.whenFailure { _ in channel.closeFuture.whenComplete { _ in handshakes.end() } }
        do {
            let peer = TLSPeer(judge: security.judge)
            let door = TLSDoor()
            let handler = NIOSSLServerHandler(
                context: try security.context(for: purpose), customVerificationCallback: peer.callback)
            let limit = TimeAmount(handshakeTimeout)
            try channel.pipeline.syncOperations.addHandlers(
                door, handler, TLSGate(peer: peer, door: door, timeout: limit, opened: opened, setUp: setUp))
        } catch {
            opened.fail(error)
            throw error
        }
    }

    /// The verified certificates of the peer; an HTTP/2 stream has those of its connection.
    ///
    /// - Parameter channel: a protected connection, or a channel inside it.
    /// - Returns: DER, leaf first; empty when the peer showed none or the connection is plain.
    public static func peerCertificates(of channel: any Channel) -> [[UInt8]] { TLSPeer.chain(of: channel) }

    /// Whether what is said on a connection is encrypted.
    ///
    /// - Parameter channel: an accepted connection, or a channel inside it.
    /// - Returns: true with TLS.
    public static func isProtected(_ channel: any Channel) -> Bool { TLSPeer.isProtected(channel) }

    /// The protocol that both sides agreed on (ALPN).
    ///
    /// - Parameter channel: a protected connection, or a channel inside it.
    /// - Returns: its name, as `h2`; `nil` when they did not.
    public static func negotiatedProtocol(of channel: any Channel) -> String? { TLSPeer.negotiated(of: channel) }

    /// Where a listening channel is bound, with the port that the kernel chose for port 0.
    ///
    /// - Parameter channel: what ``listen(on:security:clients:protocols:backlog:refused:setUp:)`` returned.
    /// - Returns: its own address; `nil` once it is closed.
    public static func localEndpoint(of channel: any Channel) -> Endpoint? {
        channel.localAddress.flatMap { endpoint(of: $0) }
    }

    /// The peer's end of an accepted connection; `nil` for unix sockets, whose clients have no address.
    ///
    /// - Parameter channel: an accepted connection.
    /// - Returns: the peer's address.
    public static func remoteEndpoint(of channel: any Channel) -> Endpoint? {
        channel.remoteAddress.flatMap { endpoint(of: $0) }
    }

    private static func endpoint(of address: SocketAddress) -> Endpoint? {
        switch address {
        case .unixDomainSocket:
            guard let path = address.pathname, !path.isEmpty else { return nil }
            return .unix(path: path)
        case .v4, .v6:
            guard let text = address.ipAddress, let port = address.port.flatMap({ UInt16(exactly: $0) }),
                let parsed = try? IPAddress(parsing: text)
            else { return nil }
            return .tcp(parsed, port: port)
        }
    }

    /// Stops the event loops. Every channel must be closed before.
    public func shutDown() async {
        try? await eventLoops.shutdownGracefully()
    }
}

/// Counts the handshakes that a listener has in progress.
private final class Handshakes: Sendable {
    private let count = Mutex(0)
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func begin() -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}
