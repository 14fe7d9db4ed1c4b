internal import CLinux
internal import Glibc

/// The runtime's log: what runc's callers read from `--log`, as lines of text or of JSON. Without `--log`, stderr.
final class RuntimeLog {
    enum Format: Sendable {
        case text, json
    }

    /// What is logged; debug only when asked for.
    let isDebugging: Bool
    private let format: Format
    private let descriptor: Int32
    private let isStandardError: Bool

    /// A log on an open descriptor, stderr when none is given; the log owns any other.
    init(descriptor: Int32 = 2, format: Format = .text, debug: Bool = false) {
        self.descriptor = descriptor
        self.format = format
        isDebugging = debug
        isStandardError = descriptor == 2
    }

    deinit {
        if !isStandardError { close(descriptor) }
    }

    /// Opens `--log`, appending; an empty path stands for stderr.
    static func open(_ path: String, format: Format, debug: Bool) throws(RuntimeFailure) -> RuntimeLog {
        guard !path.isEmpty else { return RuntimeLog(format: format, debug: debug) }
        let descriptor = try RuntimeFiles.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        return RuntimeLog(descriptor: descriptor, format: format, debug: debug)
    }

    func debug(_ message: @autoclosure () -> String) {
        if isDebugging { write("debug", message()) }
    }

    func warn(_ message: String) { write("warning", message) }

    func error(_ message: String) { write("error", message) }

    /// The last words of a command that failed: to the log, and plainly to stderr when the log is elsewhere.
    func fatal(_ message: String) {
        error(message)
        if !isStandardError { _ = RuntimeFiles.writeAll(2, Array((Self.oneLine(message) + "\n").utf8)) }
    }

    private func write(_ level: String, _ message: String) {
        let line = Self.line(format, level: level, message: message, time: RuntimeTime.now(nanoseconds: false))
        // One write, so that lines of several processes do not mix; a log that cannot be written is not worth failing.
        _ = RuntimeFiles.writeAll(descriptor, Array(line.utf8))
    }

    static func line(_ format: Format, level: String, message: String, time: String) -> String {
        switch format {
        case .text: return "time=\"\(time)\" level=\(level) msg=\(quoted(message))\n"
        case .json:
            let value = JSONValue.object([
                JSONMember(name: "level", value: .string(level)), JSONMember(name: "msg", value: .string(message)),
                JSONMember(name: "time", value: .string(time)),
            ])
            return value.text() + "\n"
        }
    }

    /// A message that is one word of plain characters is not quoted.
    private static func quoted(_ message: String) -> String {
        let isPlain = message.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "-")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "@"), UInt8(ascii: "^"),
                UInt8(ascii: "+"):
                true
            default: false
            }
        }
        if isPlain && !message.isEmpty { return message }
        var text = "\""
        for scalar in message.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\0"..."\u{1f}", "\u{7f}":
                let digits = String(scalar.value, radix: 16)
                text += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    /// Messages can hold names from outside: no control character of theirs reaches a terminal.
    private static func oneLine(_ message: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in message.unicodeScalars {
            text.append(scalar.value < 0x20 || scalar.value == 0x7f ? " " : scalar)
        }
        return String(text)
    }
}
