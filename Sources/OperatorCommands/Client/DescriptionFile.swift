internal import Appliance
internal import Glibc
internal import LinuxSystem

/// A description of a job or a service that somebody wrote: JSON, or the same in YAML.
enum DescriptionFile {
    static let bytesMax = YAMLDocument.bytesMax

    /// Reads a file; `-` is standard input.
    ///
    /// - Throws: ``ApplianceError`` that says where it is wrong.
    static func read(_ path: String) throws -> JSONValue {
        let name = path == "-" ? "standard input" : path
        let bytes: [UInt8]
        if path == "-" {
            bytes = try standardInput()
        } else {
            do throws(SystemError) { bytes = try readFile(path, limit: bytesMax) } catch {
                throw ApplianceError(.usage, "cannot read \(path): \(error.reason)")
            }
        }
        do { return try value(bytes) } catch { throw ApplianceError(.usage, "\(name): \(error)") }
    }

    /// The value of a text: JSON, or YAML, which has all of JSON and says which line is wrong.
    static func value(_ bytes: [UInt8]) throws -> JSONValue {
        let first = bytes.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        if first == UInt8(ascii: "{") || first == UInt8(ascii: "["), let value = try? JSONValue(parsing: bytes) {
            return value
        }
        return try value(YAMLDocument.parse(bytes))
    }

    private static func standardInput() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= bytesMax else {
                throw ApplianceError(.usage, "standard input has more than \(bytesMax) bytes")
            }
        }
    }

    private static func value(_ yaml: YAMLValue) -> JSONValue {
        switch yaml {
        case .scalar(let text, _, isPlain: false): .text(text)
        case .scalar(let text, _, isPlain: true): plain(text)
        case .sequence(let items, _): .list(items.map(value))
        case .mapping(let entries, _):
            .object(Dictionary(entries.map { ($0.key, value($0.value)) }) { $1 })
        }
    }

    /// What a word means without quotes, by the core schema of YAML 1.2: `no` and `on` are text.
    private static func plain(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        // Words such as `infinity` and `0x1p3` are numbers for the functions below and not for YAML.
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || [0x2b, 0x2d, 0x2e, 0x45, 0x65].contains($0) })
        else { return .text(text) }
        if let number = Int64(text) { return .integer(number) }
        if let number = Double(text), number.isFinite { return .number(number) }
        return .text(text)
    }
}
