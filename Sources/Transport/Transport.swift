internal import Glibc
public import NIOCore
public import NIOPosix

/// The one place where connections are opened and accepted.
///
/// Nothing else in the program binds a socket, connects one, or decides what protects it. Today every connection is
/// plain: keys, TLS and mutual TLS come in by changing this type alone. Rows above it get channels on which HTTP can
/// be spoken and never ask how the bytes are protected.
///
/// One `Transport` owns the event loops of the process, so it is made once and shut down last.
public final class Transport: Sendable {
    /// The event loops that carry all sockets of the process.
    public let eventLoops: MultiThreadedEventLoopGroup

    /// What protects the connections that callers open, as the scheme of their URLs. The HTTP client opens its sockets
    /// itself, on ``eventLoops``, and takes its protection from here.
    public let scheme: Scheme = .plain

    /// How connections are protected.
    public enum Scheme: String, Sendable {
        /// Bare TCP or a unix socket.
        case plain = "http"
    }

    /// Starts the event loops.
    ///
    /// - Parameter threads: how many threads carry sockets; by default two, or one on a machine with one core. Each
    ///   costs a thread's stack and a receive buffer, and one loop already carries thousands of idle streams.
    public init(threads: Int = min(2, max(1, System.coreCount))) {
        eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: max(1, threads))
    }

    /// Binds and accepts.
    ///
    /// - Parameters:
    ///   - endpoint: where to listen; port 0 takes a free one, see ``localEndpoint(of:)``. A stale socket file at a
    ///     unix path is replaced; the new file is accessible for its owner only.
    ///   - backlog: connections the kernel keeps waiting while the process is busy.
    ///   - setUp: runs on the event loop of every accepted connection, before it reads.
    /// - Returns: the listening channel; closing it stops accepting and leaves accepted connections alone.
    /// - Throws: ``TransportError/cannotListen(_:reason:)``.
    public func listen(
        on endpoint: Endpoint, backlog: Int = 512,
        setUp: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: eventLoops)
            .serverChannelOption(.backlog, value: Int32(clamping: backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                if channel.remoteAddress?.protocol != .unix {
                    channel.setOption(.tcpOption(.tcp_nodelay), value: 1).whenFailure { _ in }
                }
                return setUp(channel)
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
    ///   - timeout: how long it may take.
    ///   - setUp: runs on the connection's event loop before it is made.
    /// - Returns: the connection.
    /// - Throws: what NIO throws; ``TransportError/reason(for:)`` puts it into words.
    public func connect(
        to endpoint: Endpoint, timeout: Duration,
        setUp: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: eventLoops)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer(setUp)
        switch endpoint {
        case .tcp(let address, let port):
            let socketAddress = try SocketAddress(ipAddress: address.description, port: Int(port))
            return try await bootstrap.connect(to: socketAddress).get()
        case .unix(let path):
            return try await bootstrap.connect(unixDomainSocketPath: path).get()
        }
    }

    /// Where a listening channel is bound, with the port that the kernel chose for port 0.
    ///
    /// - Parameter channel: what ``listen(on:backlog:setUp:)`` returned.
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

/// Why a connection could not be opened or accepted.
public enum TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Binding or listening failed.
    case cannotListen(Endpoint, reason: String)

    /// One sentence for people.
    public var description: String {
        switch self {
        case .cannotListen(let endpoint, let reason): "cannot listen on \(endpoint): \(reason)"
        }
    }

    /// The words of an errno, lower case, as in "connection refused"; other errors describe themselves.
    ///
    /// - Parameter error: what NIO threw.
    /// - Returns: a few words that follow a colon.
    public static func reason(for error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        switch error.errnoCode {
        case EADDRINUSE: return "address already in use; is another rondo running there?"
        case EADDRNOTAVAIL: return "this machine does not have that address"
        case EACCES, EPERM: return "permission denied; ports below 1024 need root"
        case ECONNREFUSED: return "connection refused"
        case ECONNRESET: return "connection reset"
        case ENOENT: return "no such file or directory"
        case ENETUNREACH, EHOSTUNREACH: return "no route to host"
        case ETIMEDOUT: return "connection timed out"
        case EMFILE, ENFILE: return "too many open files; raise the limit of open files"
        default: return "errno \(error.errnoCode)"
        }
    }
}
