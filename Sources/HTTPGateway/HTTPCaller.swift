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

    private let pool: ClientPool
    private let connectTimeout: Duration

    /// A caller with its own connections.
    ///
    /// - Parameters:
    ///   - transport: opens the connections; must outlive the caller.
    ///   - security: protects the connections; unix sockets stay plain. Each new connection is judged, and shows the
    ///     identity of that moment.
    ///   - connectTimeout: how long a connection may take to be made.
    public init(transport: Transport, security: TransportSecurity? = nil, connectTimeout: Duration = .seconds(5)) {
        self.connectTimeout = connectTimeout
        pool = ClientPool(transport: transport, security: security, timeout: connectTimeout)
    }

    /// Closes all connections; calls in progress fail.
    public func shutDown() async {
        await pool.shutDown()
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
        let response = try await open(
            method, endpoint, path, headers: headers, body: body, limit: .total(TimeAmount(timeout)))
        return try await Self.collect(response, endpoint, method, responseLimit)
    }

    /// Sends a long body piece by piece, over a connection of its own, and waits for the whole response. The server may
    /// refuse the call before it has read everything.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - endpoint: where to.
    ///   - path: path and query, percent-encoded, starting with a slash.
    ///   - headers: header fields.
    ///   - body: the body, read as fast as the server takes it.
    ///   - length: how many bytes it has.
    ///   - timeout: for everything.
    ///   - responseLimit: the most bytes of the response's body to take.
    /// - Returns: the response, whatever its status.
    /// - Throws: ``HTTPCallError``.
    public func upload(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields = [:],
        body: GatewayBody, length: Int64, timeout: Duration, responseLimit: Int = 5 << 20
    ) async throws(HTTPCallError) -> Response {
        var request = try head(method, endpoint, path, headers)
        request.headers.replaceOrAdd(name: "host", value: Self.host(endpoint))
        request.headers.add(name: "content-length", value: String(length))
        request.headers.replaceOrAdd(name: "connection", value: "close")
        let response: ClientResponse
        do {
            let connection = try await pool.open(endpoint, within: connectTimeout)
            response = try await connection.exchange(
                request, body: nil, pieces: body, duplex: false, limit: .total(TimeAmount(timeout)))
        } catch {
            throw HTTPCallError(error, endpoint: endpoint)
        }
        return try await Self.collect(response, endpoint, method, responseLimit)
    }

    private static func collect(
        _ response: ClientResponse, _ endpoint: Endpoint, _ method: HTTPRequest.Method, _ responseLimit: Int
    ) async throws(HTTPCallError) -> Response {
        if let length = response.head.headers.first(name: "content-length").flatMap({ Int($0) }),
            length > responseLimit, method != .head
        {
            throw .responseTooLarge(endpoint, limit: responseLimit)
        }
        var whole = ByteBuffer()
        do {
            while var piece = try await response.exchange.body.next() {
                guard piece.readableBytes <= responseLimit - whole.readableBytes else {
                    throw HTTPCallError.responseTooLarge(endpoint, limit: responseLimit)
                }
                whole.writeBuffer(&piece)
            }
        } catch {
            throw HTTPCallError(error, endpoint: endpoint, connected: true)
        }
        return Response(
            status: .init(code: Int(response.head.status.code)), headers: HTTPFields(response.head.headers),
            bytes: whole)
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
        let limit = ClientExchange.Limit.head(TimeAmount(headTimeout), idle: idleTimeout.map { TimeAmount($0) })
        let response = try await open(method, endpoint, path, headers: headers, body: body, limit: limit)
        return StreamedResponse(response)
    }

    /// Makes a call whose request is still being sent while its response is read. The server must answer with a head
    /// of status 200 to 299 before it has read the request. Each such call has a connection of its own.
    ///
    /// The body is taken only as fast as the connection takes it: a relay must not hold what an operator cannot read.
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
        let limit = ClientExchange.Limit.head(TimeAmount(headTimeout), idle: nil)
        var request = try head(method, endpoint, path, headers)
        request.headers.replaceOrAdd(name: "host", value: Self.host(endpoint))
        request.headers.replaceOrAdd(name: "connection", value: "close")
        request.headers.add(name: "transfer-encoding", value: "chunked")
        do {
            let connection = try await pool.open(endpoint, within: headTimeout)
            return StreamedResponse(
                try await connection.exchange(request, body: nil, pieces: body, duplex: true, limit: limit))
        } catch {
            throw HTTPCallError(error, endpoint: endpoint)
        }
    }

    /// Bodies above this many bytes go piece by piece over a connection of their own: a server may refuse them before
    /// it has read them.
    private static let longBody = 1 << 20

    /// Sends a request whose body is there, over a kept connection if there is one, and waits for the response's head.
    private func open(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, headers: HTTPFields, body: ByteBuffer?,
        limit: ClientExchange.Limit
    ) async throws(HTTPCallError) -> ClientResponse {
        var request = try head(method, endpoint, path, headers)
        if body != nil || method == .post || method == .put || method == .patch {
            request.headers.add(name: "content-length", value: String(body?.readableBytes ?? 0))
        }
        let long = body.map { $0.readableBytes > Self.longBody } ?? false
        if long { request.headers.add(name: "connection", value: "close") }
        let start = NIODeadline.now()
        do {
            while !long, let kept = try pool.take(endpoint) {
                do {
                    return try await kept.exchange(request, body: body, pieces: nil, duplex: false, limit: limit)
                } catch let stale as StaleConnection {
                    // The server may have closed it just now; what was not seen may be sent again, once.
                    if stale.nothingSent { continue }
                    guard Self.safe.contains(method) else { throw stale }
                    break
                }
            }
            let connection = try await pool.open(endpoint, within: .nanoseconds(limit.first.nanoseconds))
            return try await connection.exchange(
                request, body: long ? nil : body, pieces: long ? body.map { Self.slices($0) } : nil, duplex: false,
                limit: limit.less(NIODeadline.now() - start))
        } catch {
            throw HTTPCallError(error, endpoint: endpoint)
        }
    }

    /// Methods that change nothing.
    private static let safe: Set<HTTPRequest.Method> = [.get, .head, .options]

    private static func slices(_ body: ByteBuffer) -> GatewayBody {
        let rest = Mutex(body)
        return GatewayBody {
            rest.withLock { $0.readSlice(length: min($0.readableBytes, 64 << 10)) }.flatMap {
                $0.readableBytes > 0 ? $0 : nil
            }
        }
    }

    private static func host(_ endpoint: Endpoint) -> String {
        endpoint.port == nil ? "localhost" : endpoint.description
    }

    private func head(
        _ method: HTTPRequest.Method, _ endpoint: Endpoint, _ path: String, _ fields: HTTPFields
    ) throws(HTTPCallError) -> HTTPRequestHead {
        let legal = path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
        guard path.hasPrefix("/"), legal else { throw .badPath(path) }
        var headers = HTTPHeaders(fields)
        for name in connectionFields { headers.remove(name: name.canonicalName) }
        headers.remove(name: "content-length")
        if endpoint.port == nil || !headers.contains(name: "host") {
            headers.replaceOrAdd(name: "host", value: Self.host(endpoint))
        }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method.rawValue), uri: path, headers: headers)
    }
}

extension HTTPCaller.StreamedResponse {
    init(_ response: ClientResponse) {
        self.init(
            status: .init(code: Int(response.head.status.code)), headers: HTTPFields(response.head.headers),
            body: GatewayBody { try await response.exchange.body.next() }, lifetime: response.exchange.lifetime)
    }
}
