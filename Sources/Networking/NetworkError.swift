internal import Glibc
internal import LinuxSystem

/// Why a container could not be connected, or a network not be made or removed.
public struct NetworkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of fault it is, for those who decide what to do about it.
    public enum Kind: Equatable, Sendable {
        /// The kernel or a file has refused.
        case system(errno: Int32)
        /// What was asked for makes no sense.
        case invalidRequest
        /// No address is left.
        case noAddress
        /// A port of the host is used already.
        case portTaken
        /// No network has that name.
        case unknownNetwork
        /// A plugin has failed.
        case plugin
    }

    /// What kind of fault it is.
    public let kind: Kind
    /// What happened, why, and what to do.
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// `doing` goes on after "cannot".
    static func system(_ doing: String, _ errno: Int32) -> NetworkError {
        var text = "cannot \(doing): \(SystemError.text(of: errno))"
        if errno == EPERM { text += "; networks of containers need root, or CAP_NET_ADMIN and CAP_SYS_ADMIN" }
        if errno == EOPNOTSUPP || errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT {
            text += "; the kernel lacks it (rondo doctor tells what is needed)"
        }
        return NetworkError(.system(errno: errno), text)
    }

    /// The call that has just failed in this thread.
    static func last(_ doing: String) -> NetworkError { system(doing, Glibc.errno) }

    static func file(_ error: SystemError) -> NetworkError {
        NetworkError(.system(errno: error.errno), "cannot keep what containers use of the network: \(error)")
    }

    /// Whether the kernel gave this reason.
    func isErrno(_ number: Int32) -> Bool { kind == .system(errno: number) }
}
