internal import CLinux
import Glibc

/// A system call that failed: which one, on what, and why.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The call, such as `open`, or a short verb when several calls are one step.
    public let call: String
    /// The file, directory or object that the call was about, when there is one.
    public let path: String?
    /// The reason as the kernel gave it.
    public let errno: Int32

    /// Describes a failed call.
    public init(call: String, path: String? = nil, errno: Int32) {
        self.call = call
        self.path = path
        self.errno = errno
    }

    /// Describes the call that has just failed in this thread.
    static func last(_ call: String, _ path: String? = nil) -> SystemError {
        SystemError(call: call, path: path, errno: Glibc.errno)
    }

    /// The reason in words, lower case.
    public var reason: String { Self.text(of: errno) }

    /// "open /etc/shadow: permission denied".
    public var description: String {
        if let path { "\(call) \(path): \(reason)" } else { "\(call): \(reason)" }
    }

    /// What an error number means, lower case.
    public static func text(of errno: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        clinux_error_text(errno, &buffer, buffer.count)
        let text = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
