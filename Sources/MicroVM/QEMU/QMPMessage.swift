import Packages

/// What QEMU says on its control socket, a line of JSON each. QEMU runs a guest that may have taken it over: what it says
/// is read as from a stranger.
enum QMPMessage: Equatable, Sendable {
    /// Its first word, with its version.
    case greeting(version: String)
    /// A command was carried out.
    case answer(id: Int, value: JSON)
    /// A command was refused.
    case refusal(id: Int?, reason: String)
    /// Something happened.
    case event(name: String, data: JSONObject)

    /// Bytes of the longest line that is taken; the answers to what is asked here are shorter by far.
    static let lineBytes = 64 << 10

    /// Reads a line.
    /// - Throws: when it is no such message.
    init(_ line: [UInt8]) throws(QMPFault) {
        let document: JSON
        do {
            document = try JSON(parsing: line, limits: JSONLimits(bytes: Self.lineBytes, values: 4_000, depth: 16))
        } catch { throw .malformed(error.reason) }
        guard let object = document.object else { throw .malformed("is no object") }
        if let greeting = object["QMP"] {
            let version = greeting["version"]?["qemu"]
            let numbers = ["major", "minor", "micro"].compactMap { version?[$0]?.integer }
            guard numbers.count == 3 else { throw .malformed("greets without a version") }
            self = .greeting(version: numbers.map { String($0) }.joined(separator: "."))
        } else if let value = object["return"] {
            guard let id = object["id"]?.integer else { throw .malformed("answers nothing that was asked") }
            self = .answer(id: id, value: value)
        } else if let error = object["error"] {
            guard let text = error["desc"]?.text else { throw .malformed("refuses without a reason") }
            self = .refusal(id: object["id"]?.integer, reason: Self.printable(text))
        } else if let name = object["event"]?.text {
            guard name.utf8.count <= 64 else { throw .malformed("has a long event") }
            self = .event(name: Self.printable(name), data: object["data"]?.object ?? JSONObject())
        } else {
            throw .malformed("is of no kind")
        }
    }

    /// A text for logs: short, and without control characters.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.prefix(300).filter { $0.value >= 0x20 && $0.value != 0x7f }))
    }
}

/// Why there is nothing more to talk about with QEMU.
public enum QMPFault: Error, Hashable, Sendable {
    /// A line is longer than any that is wanted.
    case longLine
    /// A line cannot be read.
    case malformed(String)
    /// A message that does not belong here.
    case unexpected(String)
    /// It says nothing.
    case silent(String)

    /// What to tell: lower case, no full stop.
    public var reason: String {
        switch self {
        case .longLine: "QEMU sent a line of more than \(QMPMessage.lineBytes) bytes"
        case .malformed(let problem): "QEMU sent a line that \(problem)"
        case .unexpected(let what): "QEMU sent \(what) when nothing of the kind was due"
        case .silent(let command): "QEMU did not answer \(command) in time"
        }
    }
}

/// Takes lines out of bytes as they come; keeps at most one line.
struct QMPLines: Sendable {
    private var buffer: [UInt8] = []

    /// Makes a reader that has seen nothing.
    init() {}

    /// Takes bytes in.
    /// - Returns: the lines that are whole now, without their ends; empty ones are left out.
    /// - Throws: when a line is too long, whole or not.
    mutating func append(_ bytes: [UInt8]) throws(QMPFault) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if buffer.last == UInt8(ascii: "\r") { buffer.removeLast() }
                if !buffer.isEmpty { lines.append(buffer) }
                buffer = []
            } else {
                guard buffer.count < QMPMessage.lineBytes else { throw .longLine }
                buffer.append(byte)
            }
        }
        return lines
    }
}
