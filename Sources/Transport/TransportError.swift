internal import Glibc
internal import NIOCore
internal import NIOSSL

/// Why a connection could not be opened or accepted.
public enum TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Binding or listening failed.
    case cannotListen(Endpoint, reason: String)
    /// A certificate or its key cannot be used.
    case badIdentity(reason: String)
    /// The judge does not trust the other side; nothing was sent to it.
    case untrusted(reason: String)
    /// The handshake failed for another reason.
    case refused(reason: String)

    /// One sentence for people.
    public var description: String {
        switch self {
        case .cannotListen(let endpoint, let reason): "cannot listen on \(endpoint): \(reason)"
        case .badIdentity(let reason): "the certificate or its key cannot be used: \(reason)"
        case .untrusted(let reason): "the other side is not trusted: \(reason)"
        case .refused(let reason): "no protected connection: \(reason)"
        }
    }

    /// The words of an errno, lower case, as in "connection refused"; other errors describe themselves.
    ///
    /// - Parameter error: what NIO threw.
    /// - Returns: a few words that follow a colon.
    public static func reason(for error: any Error) -> String {
        switch error {
        case TransportError.untrusted(let reason): return "not trusted: \(reason)"
        case TransportError.refused(let reason), TransportError.badIdentity(let reason): return reason
        case NIOSSLError.failedToLoadCertificate: return "not a certificate"
        case NIOSSLError.failedToLoadPrivateKey: return "not a private key"
        case NIOSSLError.uncleanShutdown: return "closed without a goodbye"
        case NIOSSLError.handshakeFailed(let error), NIOSSLError.shutdownFailed(let error): return words("\(error)")
        case let error as BoringSSLError: return words("\(error)")
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "its certificate is for another name"
        case let error as IOError: return words(errno: error.errnoCode)
        default: return "\(error)"
        }
    }

    /// TLS 1.3 tells a client that it is refused when the client already believes to be connected.
    static func refusal(in error: any Error) -> TransportError? {
        guard error is BoringSSLError || error is NIOSSLError, "\(error)".contains("_ALERT_") else { return nil }
        return refused(reason: reason(for: error))
    }

    private static func words(errno: Int32) -> String {
        switch errno {
        case EADDRINUSE: "address already in use; is another rondo running there?"
        case EADDRNOTAVAIL: "this machine does not have that address"
        case EACCES, EPERM: "permission denied; ports below 1024 need root"
        case ECONNREFUSED: "connection refused"
        case ECONNRESET: "connection reset"
        case ENOENT: "no such file or directory"
        case ENETUNREACH, EHOSTUNREACH: "no route to host"
        case ETIMEDOUT: "connection timed out"
        case EMFILE, ENFILE: "too many open files; raise the limit of open files"
        default: "errno \(errno)"
        }
    }

    /// What TLS says, by the names that its library gives to failures.
    private static let names: [(name: String, words: String)] = [
        ("EOF during", "closed during the TLS handshake"),
        ("WRONG_VERSION_NUMBER", "the other side does not speak TLS"),
        ("HTTP_REQUEST", "the other side does not speak TLS"),
        ("UNSUPPORTED_PROTOCOL", "no version of TLS in common; at least 1.2 is needed"),
        ("PROTOCOL_VERSION", "no version of TLS in common; at least 1.2 is needed"),
        ("NO_SHARED_CIPHER", "no cipher of TLS in common"),
        ("DID_NOT_RETURN_A_CERTIFICATE", "it showed no certificate"),
        ("CERTIFICATE_REQUIRED", "the other side asks for a certificate"),
        ("KEY_VALUES_MISMATCH", "the key is not that of the certificate"),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is made by nobody that this machine trusts, or has expired"),
        ("_ALERT_", refusedCertificate),
    ]

    /// What a connection fails with when the other side does not trust this one.
    public static let refusedCertificate = "the other side refused the certificate of this one"

    private static func words(_ description: String) -> String {
        names.first { description.contains($0.name) }?.words ?? "TLS failed: \(description)"
    }
}
