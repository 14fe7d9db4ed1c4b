internal import AsyncHTTPClient
public import HTTPTypes
public import NIOCore
internal import NIOHTTP1
internal import Synchronization
public import Transport

/// Makes HTTP calls to endpoints known by address.
///
/// Connections are kept and used again for a minute. Redirects are not followed: a caller that expects one looks at the
/// status. ``shutDown()`` must be called before the transport is shut down.
public final class HTTPCaller: Sendable {
    /// A complete response.
    public struct Response: Sendable {
        /// The status.
        public var status: HTTPResponse.Status
        /// The header fields.
        public var headers: HTTPFields
        /// The body.
        public var bytes: ByteBuffer
    }

    /// A response whose body is still arriving. Letting go of the body ends the call and closes its connection.
    public struct StreamedResponse: Sendable {
        /// The status.
        public var status: HTTPResponse.Status
        /// The header fields.
        public var headers: HTTPFields
        /// The body; reading it throws ``HTTPCallError`` when the connection breaks.
        public var body: GatewayBody

        /// Reports a connection that breaks before the body is complete, whether or not anyone reads; duplex only.
        var lifetime: ClientLifetime?
    }

    private let client: HTTPClient
    private let transport: Transport
    private let connectTimeout: Duration

    /// A caller with its own connections.
    ///
    /// - Parameters:
    ///   - transport: opens the connections; must outlive the caller.
    ///   - connectTimeout: how long a connection may take to be made.
    public init(transport: Transport, connectTimeout: Duration = .seconds(5)) {
        self.transport = transport
        self.connectTimeout = connectTimeout
        client = HTTPClient(
            eventLoopGroupProvider: .shared(transport.eventLoops),
            configuration: .protected(by: transport.scheme, connectTimeout: connectTimeout))
    }

    /// Closes all connections; calls in progress fail.
    public func shutDown() async {
        try? await client.shutdown()
    }

    /// Makes a call and waits for the whole response.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - endpoint: where to.
    ///   - path: path and query, percent-encoded, starting with a slash.
    ///   - headers: header fields; `Host` and the length are added.
    ///   - body: the body.
    ///   - timeout: for everything, connecting and reading included.
    ///   - responseLimit: the most bytes of the response's body to take.
    /// - Returns: the response, whatever its status.
    /// - Throws: ``HTTPCallError``.
    public func call(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields = [:],
        body: ByteBuffer? = nil, timeout: Duration = .seconds(30), responseLimit: Int = 5 << 20
    ) async throws(HTTPCallError) -> Response {
        if let body, body.readableBytes > Self.longBody {
            return try await callAlone(
                method, endpoint, path, headers: headers, body: body, timeout: timeout, responseLimit: responseLimit)
        }
        let start = NIODeadline.now()
        let response = try await execute(
            method, endpoint, path, headers: headers, body: body.map { .bytes($0) }, timeout: timeout)
        if let length = response.headers.first(name: "content-length").flatMap({ Int($0) }), length > responseLimit,
            method != .head
        {
            throw .responseTooLarge(endpoint, limit: responseLimit)
        }
        let left = TimeAmount(timeout) - (NIODeadline.now() - start)
        let arriving = ArrivingBody(response.body, endpoint: endpoint, loop: transport.eventLoops.any())
        arriving.limit(.total(max(left, .milliseconds(1))))
        var whole = ByteBuffer()
        do {
            while var piece = try await arriving.next() {
                guard piece.readableBytes <= responseLimit - whole.readableBytes else {
                    throw HTTPCallError.responseTooLarge(endpoint, limit: responseLimit)
                }
                whole.writeBuffer(&piece)
            }
        } catch {
            throw HTTPCallError(error, endpoint: endpoint, connected: true)
        }
        return Response(
            status: .init(code: Int(response.status.code)), headers: HTTPFields(response.headers), bytes: whole)
    }

    /// Bodies above this many bytes go over a connection of their own.
    private static let longBody = 1 << 20

    /// A call with a long body, which a server may refuse before it has read it: it answers, and closes. The client
    /// library loses that answer when the connection ends under its feet.
    private func callAlone(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields, body: ByteBuffer,
        timeout: Duration, responseLimit: Int
    ) async throws(HTTPCallError) -> Response {
        let slice = 64 << 10
        let rest = Mutex(body)
        let pieces = GatewayBody {
            rest.withLock { $0.readSlice(length: min($0.readableBytes, slice)) }.flatMap {
                $0.readableBytes > 0 ? $0 : nil
            }
        }
        let streamed = try await duplex(method, endpoint, path, headers: headers, body: pieces, headTimeout: timeout)
        do {
            let bytes = try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await streamed.body.collect(upTo: responseLimit) }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw HTTPCallError.timedOut(endpoint)
                }
                return try await group.next() ?? ByteBuffer()
            }
            return Response(status: streamed.status, headers: streamed.headers, bytes: bytes)
        } catch is GatewayError {
            throw .responseTooLarge(endpoint, limit: responseLimit)
        } catch {
            throw HTTPCallError(error, endpoint: endpoint, connected: true)
        }
    }

    /// Makes a call whose response is read while it arrives, for as long as it takes.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - endpoint: where to.
    ///   - path: path and query, percent-encoded, starting with a slash.
    ///   - headers: header fields.
    ///   - body: the body.
    ///   - headTimeout: how long the head of the response may take.
    ///   - idleTimeout: gives up when nothing arrives for this long, as when heartbeats stop; `nil` waits for ever.
    /// - Returns: the response's head, and its body while it arrives.
    /// - Throws: ``HTTPCallError``.
    public func stream(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields = [:],
        body: ByteBuffer? = nil, headTimeout: Duration = .seconds(30), idleTimeout: Duration? = nil
    ) async throws(HTTPCallError) -> StreamedResponse {
        let response = try await execute(
            method, endpoint, path, headers: headers, body: body.map { .bytes($0) }, timeout: headTimeout)
        return streamed(response, endpoint, idleTimeout: idleTimeout)
    }

    /// Makes a call whose request is still being sent while its response is read. The server must answer with a head
    /// of status 200 to 299 before it has read the request. Each such call has a connection of its own.
    ///
    /// The client library is not used for these: it takes a request's body as fast as it is produced, whatever the
    /// connection does, and a relay must not hold what an operator cannot read.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - endpoint: where to.
    ///   - path: path and query, percent-encoded, starting with a slash.
    ///   - headers: header fields.
    ///   - body: the request's body, read as fast as the server takes it; its reader is cancelled when the connection
    ///     breaks. When it throws, the connection is closed.
    ///   - headTimeout: how long the head of the response may take.
    /// - Returns: the response's head, and its body while it arrives.
    /// - Throws: ``HTTPCallError``.
    public func duplex(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields = [:],
        body: GatewayBody, headTimeout: Duration = .seconds(30)
    ) async throws(HTTPCallError) -> StreamedResponse {
        try check(path)
        return try await DialledCall.open(
            method, endpoint, path, headers: headers, body: body, transport: transport,
            connectTimeout: connectTimeout, headTimeout: headTimeout)
    }

    private func streamed(
        _ response: HTTPClientResponse, _ endpoint: Endpoint, idleTimeout: Duration?
    ) -> StreamedResponse {
        let arriving = ArrivingBody(response.body, endpoint: endpoint, loop: transport.eventLoops.any())
        if let idleTimeout { arriving.limit(.idle(TimeAmount(idleTimeout))) }
        return StreamedResponse(
            status: .init(code: Int(response.status.code)), headers: HTTPFields(response.headers),
            body: GatewayBody { try await arriving.next() })
    }

    private func execute(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields,
        body: HTTPClientRequest.Body?, timeout: Duration
    ) async throws(HTTPCallError) -> HTTPClientResponse {
        var request = HTTPClientRequest(url: try url(endpoint, path))
        request.method = HTTPMethod(rawValue: method.rawValue)
        request.headers = HTTPHeaders(headers)
        if endpoint.port == nil { request.headers.replaceOrAdd(name: "host", value: "localhost") }
        request.body = body
        do {
            return try await client.execute(request, timeout: TimeAmount(timeout))
        } catch {
            throw HTTPCallError(error, endpoint: endpoint)
        }
    }

    private func check(_ path: String) throws(HTTPCallError) {
        let legal = path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
        guard path.hasPrefix("/"), legal else { throw .badPath(path) }
    }

    private func url(_ endpoint: Endpoint, _ path: String) throws(HTTPCallError) -> String {
        try check(path)
        switch endpoint {
        case .tcp: return "\(transport.scheme.rawValue)://\(endpoint)\(path)"
        case .unix(let socket):
            let host = socket.utf8.map { byte -> String in
                let plain = (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                let digits = String(byte, radix: 16, uppercase: true)
                return plain ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + digits
            }
            return "http+unix://\(host.joined())\(path)"
        }
    }
}

extension HTTPClient.Configuration {
    /// The client's share of the one transport seam: what protects connections is decided by the scheme, here and
    /// nowhere else.
    fileprivate static func protected(
        by scheme: Transport.Scheme, connectTimeout: Duration
    ) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: TimeAmount(connectTimeout), read: nil))
        switch scheme {
        case .plain: configuration.tlsConfiguration = nil
        }
        configuration.httpVersion = .http1Only
        configuration.connectionPool.idleTimeout = .seconds(60)
        // Streams hold a connection each, so the pool's own idea of politeness would block calls beside them.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 4096
        // A refused connection is an answer, which callers with their own back-off want to see at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }
}
