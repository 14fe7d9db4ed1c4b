public import HTTPTypes
public import NIOCore

/// What a handler answers.
public struct GatewayResponse: Sendable {
    /// The status.
    public var status: HTTPResponse.Status
    /// The header fields; the server adds `Content-Length`, `Transfer-Encoding` and `Connection` itself.
    public var headers: HTTPFields
    /// The body.
    public var content: Content

    /// Where the body comes from.
    public enum Content: Sendable {
        /// All bytes are there; sent with `Content-Length`.
        case bytes(ByteBuffer)
        /// The closure writes the body. Sent with `Transfer-Encoding: chunked`; the head and each written buffer leave
        /// at once. The closure's task is cancelled when the client goes away; when it throws, the connection is closed
        /// without the last chunk, so that the client sees the body is not complete.
        case stream(@Sendable (ResponseWriter) async throws -> Void)
        /// As `stream`, and the request's body stays readable meanwhile; the connection is used for nothing else
        /// afterwards. The closure may end the response with ``ResponseWriter/finish()`` and go on reading.
        case duplex(@Sendable (ResponseWriter) async throws -> Void)
        /// Records sent by others while the response is open.
        case events(EventStream)
    }

    /// A response with any content.
    ///
    /// - Parameters:
    ///   - status: the status.
    ///   - headers: the header fields.
    ///   - content: the body.
    public init(_ status: HTTPResponse.Status, headers: HTTPFields = [:], content: Content) {
        self.status = status
        self.headers = headers
        self.content = content
    }

    /// A complete response.
    ///
    /// - Parameters:
    ///   - status: the status.
    ///   - headers: the header fields.
    ///   - bytes: the body.
    /// - Returns: the response.
    public static func complete(
        _ status: HTTPResponse.Status, headers: HTTPFields = [:], bytes: ByteBuffer = ByteBuffer()
    ) -> GatewayResponse {
        GatewayResponse(status, headers: headers, content: .bytes(bytes))
    }

    /// A complete response of text or JSON.
    ///
    /// - Parameters:
    ///   - status: the status.
    ///   - text: the body.
    ///   - type: its media type.
    ///   - headers: further header fields.
    /// - Returns: the response.
    public static func text(
        _ status: HTTPResponse.Status, _ text: String, type: String = "text/plain; charset=utf-8",
        headers: HTTPFields = [:]
    ) -> GatewayResponse {
        var headers = headers
        if headers[.contentType] == nil { headers[.contentType] = type }
        return .complete(status, headers: headers, bytes: ByteBuffer(string: text))
    }

    /// The response to a failure: its message and a newline as plain text.
    ///
    /// - Parameter error: what the handler threw.
    /// - Returns: the response.
    public static func failure(_ error: GatewayError) -> GatewayResponse {
        let newline = error.message.hasSuffix("\n") ? "" : "\n"
        return .text(error.status, error.message + newline, headers: error.headers)
    }

    /// A chunked response written by a closure; see ``Content/stream(_:)``.
    ///
    /// - Parameters:
    ///   - status: the status.
    ///   - headers: the header fields.
    ///   - produce: writes the body.
    /// - Returns: the response.
    public static func stream(
        _ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:],
        _ produce: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> GatewayResponse {
        GatewayResponse(status, headers: headers, content: .stream(produce))
    }

    /// A chunked response written while the request is still read; see ``Content/duplex(_:)``.
    ///
    /// - Parameters:
    ///   - status: the status; 200 to 299, or clients stop sending.
    ///   - headers: the header fields.
    ///   - produce: writes the body.
    /// - Returns: the response.
    public static func duplex(
        _ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:],
        _ produce: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> GatewayResponse {
        GatewayResponse(status, headers: headers, content: .duplex(produce))
    }

    /// A chunked response of records; see ``EventStream``.
    ///
    /// - Parameters:
    ///   - stream: where the records come from.
    ///   - status: the status.
    ///   - headers: the header fields.
    /// - Returns: the response.
    public static func events(
        _ stream: EventStream, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> GatewayResponse {
        GatewayResponse(status, headers: headers, content: .events(stream))
    }
}

/// Writes the body of a streamed response.
public struct ResponseWriter: Sendable {
    private let writeBytes: @Sendable (ByteBuffer) async throws -> Void
    private let end: @Sendable () async throws -> Void

    /// A writer that ends elsewhere than in a server's connection, as in tests or behind a relay.
    ///
    /// - Parameters:
    ///   - write: takes bytes and returns when more may follow.
    ///   - finish: ends the body.
    public init(
        write: @escaping @Sendable (ByteBuffer) async throws -> Void,
        finish: @escaping @Sendable () async throws -> Void
    ) {
        writeBytes = write
        end = finish
    }

    /// Sends bytes at once and returns when the socket has taken them, which holds a producer to the client's speed.
    ///
    /// - Parameter buffer: the bytes; an empty buffer is ignored.
    /// - Throws: ``GatewayError/clientGone``, or `CancellationError`.
    public func write(_ buffer: ByteBuffer) async throws {
        guard buffer.readableBytes > 0 else { return }
        try await writeBytes(buffer)
    }

    /// Ends the response before the producer returns; writing afterwards is an error. Called by the server otherwise.
    ///
    /// - Throws: ``GatewayError/clientGone``.
    public func finish() async throws { try await end() }
}
