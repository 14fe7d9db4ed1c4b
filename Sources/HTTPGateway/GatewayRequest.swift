public import HTTPTypes
public import Transport

/// One HTTP request as a handler sees it.
public struct GatewayRequest: Sendable {
    /// GET, POST …
    public var method: HTTPRequest.Method
    /// What was asked for.
    public var target: RequestTarget
    /// The header fields; names compare without case.
    public var headers: HTTPFields
    /// The peer's address; `nil` when it came over a unix socket or a relay.
    public var remote: Endpoint?
    /// The verified certificates of the client as DER, leaf first; empty when it showed none.
    public var peerCertificates: [[UInt8]]
    /// Whether the connection is encrypted; false for a unix socket and a relay, which cross no network themselves.
    public var isProtected: Bool
    /// The body; empty for most GET requests.
    public var body: GatewayBody

    private let lifetime: ClientLifetime

    /// A request made by the caller, as in tests or behind a relay.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - target: what is asked for.
    ///   - headers: the header fields.
    ///   - body: the body.
    ///   - remote: the peer's address.
    ///   - peerCertificates: the client's certificates.
    ///   - isProtected: whether it came encrypted.
    public init(
        method: HTTPRequest.Method = .get, target: RequestTarget, headers: HTTPFields = [:],
        body: GatewayBody = GatewayBody(), remote: Endpoint? = nil, peerCertificates: [[UInt8]] = [],
        isProtected: Bool = false
    ) {
        self.init(
            method: method, target: target, headers: headers, body: body, remote: remote,
            peerCertificates: peerCertificates, isProtected: isProtected, lifetime: ClientLifetime())
    }

    init(
        method: HTTPRequest.Method, target: RequestTarget, headers: HTTPFields, body: GatewayBody, remote: Endpoint?,
        peerCertificates: [[UInt8]], isProtected: Bool, lifetime: ClientLifetime
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.remote = remote
        self.peerCertificates = peerCertificates
        self.isProtected = isProtected
        self.lifetime = lifetime
    }

    /// The decoded path without trailing and double slashes, such as `/v2/apps/group/app`; `/` for the root.
    public var path: String { target.path }

    /// The parameters after `?`.
    public var query: QueryParameters { target.query }

    /// Calls `action` once when the client goes away before the response is complete, at once if it already has.
    ///
    /// For handlers that wait for something: the handler's task is not cancelled before it has answered, since it may
    /// be in the middle of a change.
    ///
    /// - Parameter action: called on any thread; must not block.
    public func onDisconnect(_ action: @escaping @Sendable () -> Void) {
        lifetime.onDisconnect(action)
    }
}
