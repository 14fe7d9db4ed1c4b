internal import HTTPGateway
internal import HTTPTypes
internal import NIOCore
internal import Synchronization
internal import Transport

/// HTTP to servers by name: TLS with the machine's authorities, redirects, and the kinds of failure told apart.
///
/// The connections of one server are kept and used again; ``shutDown()`` closes them.
final class WebClient: Sendable {
    private struct Place: Hashable {
        var isSecure: Bool
        var host: String
    }

    struct Answer: Sendable {
        /// Where it came from after all redirects.
        var address: WebAddress
        var response: HTTPCaller.StreamedResponse
    }

    private let transport: Transport
    private let ownsTransport: Bool
    private let settings: RegistrySettings
    private let callers = Mutex<[Place: HTTPCaller]>([:])
    private let resolved = Mutex<[String: [Endpoint]]>([:])

    init(_ transport: Transport?, _ settings: RegistrySettings) {
        self.transport = transport ?? Transport()
        ownsTransport = transport == nil
        self.settings = settings
    }

    func shutDown() async {
        let open = callers.withLock { callers in
            defer { callers = [:] }
            return Array(callers.values)
        }
        for caller in open { await caller.shutDown() }
        if ownsTransport { await transport.shutDown() }
    }

    private func caller(_ address: WebAddress) -> HTTPCaller {
        callers.withLock { callers in
            let place = Place(isSecure: address.isSecure, host: address.host)
            if let caller = callers[place] { return caller }
            let isLiteral = (try? IPAddress(parsing: address.host)) != nil && address.host != "localhost"
            let trust = WebTrust(name: isLiteral ? nil : address.host, authorities: settings.authorities)
            let caller = HTTPCaller(
                transport: transport, security: address.isSecure ? TransportSecurity(web: trust) : nil,
                connectTimeout: min(settings.timeout, .seconds(15)))
            callers[place] = caller
            return caller
        }
    }

    /// Whether a server may be spoken to without TLS.
    func mayBePlain(_ address: WebAddress) -> Bool {
        settings.isPlainAllowed || settings.plain.contains(address.authority)
            || (address.isLoopback && settings.authorities == nil)
    }

    /// Sends a request and follows redirects of those without a body.
    ///
    /// The Authorization header goes only to the server that it is for, and TLS is not given up on the way.
    func fetch(
        _ method: HTTPRequest.Method, _ address: WebAddress, headers: HTTPFields, authorization: String?,
        body: ByteBuffer? = nil
    ) async throws(ImageError) -> Answer {
        var here = address
        for _ in 0...settings.redirects {
            guard here.isSecure || mayBePlain(here) else {
                throw ImageError(
                    .registry,
                    "\(here.authority) is to be asked without TLS; allow it with --plain-http if that is meant")
            }
            var fields = headers
            if let authorization, here.isSameOrigin(as: address) { fields[.authorization] = authorization }
            let response = try await call(method, here, fields, body)
            guard body == nil, [301, 302, 303, 307, 308].contains(response.status.code) else {
                return Answer(address: here, response: response)
            }
            guard let location = response.headers[.location], let next = here.following(location) else {
                throw ImageError(.registry, "\(here.authority) redirects to what is no address")
            }
            guard next.isSecure || !here.isSecure else {
                throw ImageError(
                    .registry, "\(here.authority) redirects to \(next.authority) without TLS, which is refused")
            }
            // So that the connection can be used again.
            _ = try? await Self.collect(response.body, limit: 64 << 10)
            here = next
        }
        throw ImageError(
            .registry, "\(address.authority) redirects more than \(settings.redirects) times, perhaps in a circle")
    }

    private func call(
        _ method: HTTPRequest.Method, _ address: WebAddress, _ headers: HTTPFields, _ body: ByteBuffer?
    ) async throws(ImageError) -> HTTPCaller.StreamedResponse {
        // The head of the answer comes after all of a body.
        let patience = body == nil ? settings.timeout : max(settings.timeout, .seconds(600))
        var fields = headers
        if let host = HTTPField.Name("host") { fields[host] = address.authority }
        fields[.userAgent] = "rondo"
        var problem = ImageError(.unreachable, "\(address.authority) has no address", isPassing: true)
        for endpoint in try await endpoints(address) {
            do throws(HTTPCallError) {
                return try await caller(address).stream(
                    method, endpoint, address.target, headers: fields, body: body, headTimeout: patience,
                    idleTimeout: settings.timeout)
            } catch {
                problem = Self.translate(error, address)
                // Another address may answer where this one cannot be reached; other failures are the server's.
                guard case .unreachable = error else { throw problem }
            }
        }
        throw problem
    }

    private func endpoints(_ address: WebAddress) async throws(ImageError) -> [Endpoint] {
        if let known = resolved.withLock({ $0[address.authority] }) { return known }
        let found = try await address.resolve()
        resolved.withLock { $0[address.authority] = found }
        return found
    }

    /// What went wrong with a connection, in words about the server that was meant.
    static func translate(_ error: any Error, _ address: WebAddress) -> ImageError {
        let name = address.authority
        guard let error = error as? HTTPCallError else {
            if error is CancellationError { return ImageError(.cancelled, "it was cancelled") }
            return ImageError(.unreachable, "the connection to \(name) broke: \(error)", isPassing: true)
        }
        switch error {
        case .unreachable(_, let reason):
            let isFinal = reason.contains("certificate") || reason.contains("TLS")
            return ImageError(.unreachable, "\(name) cannot be reached: \(reason)", isPassing: !isFinal)
        case .untrusted(_, let reason): return ImageError(.unreachable, "\(name) is not trusted: \(reason)")
        case .timedOut, .idle:
            return ImageError(.unreachable, "\(name) did not answer in time", isPassing: true)
        case .interrupted(_, let reason):
            return ImageError(.unreachable, "the connection to \(name) broke: \(reason)", isPassing: true)
        // Also what a chunked answer becomes when it is cut off.
        case .badResponse:
            return ImageError(
                .registry, "the answer of \(name) is not HTTP as it should be, or was cut off", isPassing: true)
        case .cancelled, .shutDown: return ImageError(.cancelled, "it was cancelled")
        default: return ImageError(.registry, "\(name): \(error)")
        }
    }

    /// Reads a short body.
    static func collect(_ body: GatewayBody, limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await piece in body {
            guard piece.readableBytes <= limit - bytes.count else {
                throw ImageError(.registry, "the registry answered with more than \(limit) bytes")
            }
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}
