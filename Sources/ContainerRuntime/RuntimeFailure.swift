internal import CLinux

/// Why the runtime could not do what it was asked: one line for people, which callers such as podman show as it is.
struct RuntimeFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// What happened, why, and what to do, lower case, no full stop.
    var message: String
    /// The exit status of the command; 1 unless there is a reason.
    var status: Int32 = 1
    /// Whether the container's own standard error has the message already.
    var isTold = false

    init(_ message: String, status: Int32 = 1) {
        self.message = message
        self.status = status
    }

    /// A system call that failed: `doing: words of the errno`, in lower case as callers of runc look for them.
    init(_ doing: String, errno code: Int32, status: Int32 = 1) {
        var buffer = [CChar](repeating: 0, count: 160)
        clinux_error_text(code, &buffer, buffer.count)
        // As runc writes them: engines look for "permission denied" in these lines, in that case.
        if 65...90 ~= buffer[0], 97...122 ~= buffer[1] { buffer[0] += 32 }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.init("\(doing): \(text)", status: status)
    }

    var description: String { message }
}
