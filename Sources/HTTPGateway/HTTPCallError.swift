internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
public import Transport

/// Why a call got no usable response. A response with any status is not an error.
public enum HTTPCallError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No connection: nothing was sent, trying again is safe.
    case unreachable(Endpoint, reason: String)
    /// The other side's certificate is not one to talk to: nothing was sent.
    case untrusted(Endpoint, reason: String)
    /// No complete response in time; the request may have been carried out.
    case timedOut(Endpoint)
    /// A stream brought nothing for longer than its idle timeout.
    case idle(Endpoint)
    /// The connection broke before the response was complete; the request may have been carried out.
    case interrupted(Endpoint, reason: String)
    /// The response is larger than the caller takes.
    case responseTooLarge(Endpoint, limit: Int)
    /// The other side does not speak HTTP as it should.
    case badResponse(Endpoint, reason: String)
    /// The path cannot be part of a URL.
    case badPath(String)
    /// The calling task was cancelled.
    case cancelled
    /// The caller was shut down.
    case shutDown

    /// One sentence for people: what was attempted, why it failed, what to look at.
    public var description: String {
        switch self {
        case .unreachable(let endpoint, let reason):
            "cannot reach \(endpoint): \(reason); is rondo running there?"
        case .untrusted(let endpoint, let reason): "\(endpoint) is not trusted: \(reason)"
        case .timedOut(let endpoint): "\(endpoint) did not answer in time"
        case .idle(let endpoint): "\(endpoint) sent nothing for too long; the connection is given up"
        case .interrupted(let endpoint, let reason): "the connection to \(endpoint) broke: \(reason)"
        case .responseTooLarge(let endpoint, let limit):
            "\(endpoint) answered with more than \(limit) bytes; ask for less"
        case .badResponse(let endpoint, let reason):
            "\(endpoint) gave no valid HTTP response (\(reason)); is that the right port?"
        case .badPath(let path): "\"\(path)\" cannot be the path of a request; it starts with a slash and is escaped"
        case .cancelled: "the call was cancelled"
        case .shutDown: "the caller was shut down"
        }
    }

    /// Translates what a connection throws.
    ///
    /// - Parameters:
    ///   - error: what was thrown.
    ///   - endpoint: where the call went.
    ///   - connected: whether a response head has arrived already.
    init(_ error: any Error, endpoint: Endpoint, connected: Bool = false) {
        switch error {
        case let error as HTTPCallError: self = error
        case is CancellationError: self = .cancelled
        case TransportError.untrusted(let reason): self = .untrusted(endpoint, reason: reason)
        // TLS has refused this side, perhaps after the request was sent: it was not looked at.
        case let error as TransportError: self = .unreachable(endpoint, reason: TransportError.reason(for: error))
        case is StaleConnection: self = .interrupted(endpoint, reason: "closed by the other side")
        case is HTTPParserError: self = .badResponse(endpoint, reason: "malformed")
        case let error as IOError:
            let reason = TransportError.reason(for: error)
            let broken = connected || error.errnoCode == 104 || error.errnoCode == 32  // ECONNRESET, EPIPE
            self = broken ? .interrupted(endpoint, reason: reason) : .unreachable(endpoint, reason: reason)
        case ChannelError.connectTimeout: self = .unreachable(endpoint, reason: "no answer")
        case let error as NIOConnectionError:
            let reason = error.connectionErrors.first.map { TransportError.reason(for: $0.error) } ?? "no route"
            self = .unreachable(endpoint, reason: reason)
        default: self = .interrupted(endpoint, reason: "\(error)")
        }
    }
}
