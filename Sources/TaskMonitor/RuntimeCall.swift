internal import CLinux
import Glibc
import LinuxSystem

/// One command of the container runtime (`rondo oci …`), run in a child of this process.
///
/// The child is a fork that goes on in the runtime's entry: the same code that engines execute, without the cost of an
/// exec, and without the runtime's memory staying here. What the command said when it failed is in its log.
struct RuntimeCall {
    /// The runtime's command line: arguments in, exit status out. The program hands it in; it never returns to here.
    typealias Entry = ([String]) -> Int32

    /// The descriptors of the child, and so those that a container made by it inherits.
    struct Streams {
        var input: Int32
        var output: Int32
        var errors: Int32
        /// Become 3 and up, in this order, for `--preserve-fds`.
        var kept: [Int32] = []
    }

    /// The child, to be waited for by whoever reaps.
    let pid: Int32
    /// Where the command logs, as lines of JSON.
    let logPath: String

    /// Starts a command.
    ///
    /// - Parameters:
    ///   - arguments: what follows the global flags: `["create", "--bundle", …]`.
    ///   - root: where the runtime keeps its containers.
    ///   - logPath: file that gets the log; appended to.
    ///   - global: further global flags, `--systemd-cgroup` for one.
    ///   - streams: descriptors of the child; all others are closed in it.
    ///   - entry: the runtime.
    ///   - prepare: what the child does first; a text is why it could not, and ends it.
    /// - Returns: the running command.
    /// - Throws: why there is no child.
    static func start(
        _ arguments: [String], root: String, logPath: String, global: [String] = [], streams: Streams,
        entry: Entry, prepare: () -> String? = { nil }
    ) throws(SystemError) -> RuntimeCall {
        let child = clinux_fork()
        guard child >= 0 else { throw SystemError(call: "fork", errno: errno) }
        if child == 0 {
            guard arrange(streams) else { _exit(126) }
            clinux_reset_signals()
            if let reason = prepare() {
                complain(reason, in: logPath)
                _exit(1)
            }
            _exit(entry(["--root", root, "--log", logPath, "--log-format", "json"] + global + arguments))
        }
        return RuntimeCall(pid: child, logPath: logPath)
    }

    /// Waits for a command whose end nothing else looks out for.
    ///
    /// - Returns: its exit status; 128 and its number for a signal.
    func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return Self.exitStatus(status)
    }

    /// The exit status in what waitpid(2) gave; 128 and the number for a signal.
    static func exitStatus(_ status: Int32) -> Int32 {
        status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    /// What the command said last, for a person; nil when it said nothing.
    var complaint: String? {
        guard let text = try? readFile(logPath, limit: 1 << 20) else { return nil }
        return text.split(separator: UInt8(ascii: "\n")).reversed().lazy.compactMap { Self.message(ofLine: $0) }.first
    }

    /// The `msg` of a line of the runtime's log when its level is `error`.
    static func message(ofLine line: ArraySlice<UInt8>) -> String? {
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix("{\"level\":\"error\",\"msg\":\"") else { return nil }
        var message = ""
        var rest = text.dropFirst("{\"level\":\"error\",\"msg\":\"".count)
        while let character = rest.popFirst(), character != "\"" {
            guard character == "\\", let escaped = rest.popFirst() else {
                message.append(character)
                continue
            }
            switch escaped {
            case "n", "r", "t": message.append(" ")
            case "u": rest = rest.dropFirst(4)
            default: message.append(escaped)
            }
        }
        return message
    }

    /// In the child, before the runtime: in the runtime's own form.
    private static func complain(_ reason: String, in logPath: String) {
        let line = JSON.object([("level", .text("error")), ("msg", .text(reason))]).encoded + "\n"
        try? writeFileAtomically(logPath, Array(line.utf8), durable: false)
    }

    /// In the child: the streams at their places, nothing else open.
    private static func arrange(_ streams: Streams) -> Bool {
        let wanted = [streams.input, streams.output, streams.errors] + streams.kept
        // First out of the way of all places, so that no dup2 overwrites a source of a later one.
        let moved = wanted.map { fcntl($0, F_DUPFD, 64 + Int32(wanted.count)) }
        for (place, source) in moved.enumerated() {
            guard source >= 0, dup2(source, Int32(place)) >= 0 else { return false }
        }
        return clinux_close_from(Int32(wanted.count)) == 0
    }
}
