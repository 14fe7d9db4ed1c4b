public import HTTPTypes

/// A failure that becomes a response: a handler throws it, the server answers with its status.
public struct GatewayError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The status of the response.
    public var status: HTTPResponse.Status
    /// What happened and what to do next; sent as plain text with a final newline.
    public var message: String
    /// Further header fields of the response, such as `WWW-Authenticate`.
    public var headers: HTTPFields

    /// A failure with a status and a sentence.
    ///
    /// - Parameters:
    ///   - status: a 4xx or 5xx status.
    ///   - message: lower case, no full stop.
    ///   - headers: further header fields.
    public init(_ status: HTTPResponse.Status, _ message: String, headers: HTTPFields = [:]) {
        self.status = status
        self.message = message
        self.headers = headers
    }

    /// The status code and the message.
    public var description: String { "\(status.code) \(message)" }

    /// 413: the body has more bytes than the handler takes.
    ///
    /// - Parameter limit: the most bytes that would have been taken.
    /// - Returns: the failure to throw.
    public static func bodyTooLarge(limit: Int) -> GatewayError {
        GatewayError(.contentTooLarge, "request body is larger than \(limit) bytes")
    }

    /// The client closed its connection before the request or the response was complete. Never sent.
    public static let clientGone = GatewayError(.badRequest, "the client closed the connection")

    /// The server is stopping.
    public static let stopping = GatewayError(.serviceUnavailable, "the server is stopping")
}
