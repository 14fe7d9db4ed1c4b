internal import FoundationEssentials

/// A JSON value that came in, before anything is made of it: so that everything wrong with it can be said at once, each
/// with its path.
indirect enum JSONValue: Hashable, Sendable, Decodable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    /// The deepest nesting; a job has eight levels.
    private static let depthLimit = 32

    /// What kind of value it is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .flag: "boolean"
        case .number: "number"
        case .text: "string"
        case .list: "array"
        case .object: "object"
        }
    }

    /// Reads a text.
    ///
    /// - Returns: nil when it is not JSON.
    init?(parsing bytes: [UInt8]) {
        guard !Self.endsWithComma(bytes), let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        else {
            return nil
        }
        self = value
    }

    /// Whether an object or a list ends with a comma, which the decoder lets through and RFC 8259 does not.
    private static func endsWithComma(_ bytes: [UInt8]) -> Bool {
        var last: UInt8 = 0
        var isText = false
        var isEscaped = false
        for byte in bytes {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isText = false
                }
                continue
            }
            switch byte {
            case 0x20, 0x09, 0x0a, 0x0d: continue
            case UInt8(ascii: "}"), UInt8(ascii: "]"): if last == UInt8(ascii: ",") { return true }
            case UInt8(ascii: "\""): isText = true
            default: break
            }
            last = byte
        }
        return false
    }

    init(from decoder: any Decoder) throws {
        guard decoder.codingPath.count < Self.depthLimit else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "it is nested too deeply"))
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let object = try? decoder.container(keyedBy: AnyKey.self) {
            var fields: [String: JSONValue] = [:]
            for key in object.allKeys { fields[key.stringValue] = try object.decode(JSONValue.self, forKey: key) }
            self = .object(fields)
        } else {
            self = .list(try container.decode([JSONValue].self))
        }
    }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

/// JSON on its way out, written field by field: ASCII only, absent fields left out.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    mutating func object(_ fields: (inout JSONText) -> Void) {
        enclose("{", "}", fields)
    }

    mutating func list(_ elements: (inout JSONText) -> Void) {
        enclose("[", "]", elements)
    }

    private mutating func enclose(_ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONText) -> Void) {
        separate()
        bytes.append(UInt8(ascii: open))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: close))
        needsComma = true
    }

    mutating func key(_ name: String) {
        text(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func field(_ name: String, _ value: String?) {
        guard let value else { return }
        key(name)
        text(value)
    }

    mutating func field(_ name: String, _ value: Int?) {
        guard let value else { return }
        key(name)
        plain(String(value))
    }

    mutating func field(_ name: String, _ value: Bool) {
        key(name)
        plain(value ? "true" : "false")
    }

    /// Whole numbers without a fraction.
    mutating func field(_ name: String, _ value: Double) {
        key(name)
        if let whole = Int(exactly: value) { plain(String(whole)) } else { plain(value.isFinite ? "\(value)" : "0") }
    }

    mutating func null(_ name: String) {
        key(name)
        plain("null")
    }

    mutating func object(_ name: String, _ fields: (inout JSONText) -> Void) {
        key(name)
        object(fields)
    }

    mutating func list(_ name: String, _ elements: (inout JSONText) -> Void) {
        key(name)
        list(elements)
    }

    private mutating func plain(_ value: String) {
        separate()
        bytes += Array(value.utf8)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    mutating func text(_ text: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        for unit in text.utf16 {
            switch unit {
            case 0x22, 0x5c: bytes += [0x5c, UInt8(truncatingIfNeeded: unit)]
            case 0x0a: bytes += [0x5c, UInt8(ascii: "n")]
            case 0x20..<0x7f: bytes.append(UInt8(truncatingIfNeeded: unit))
            default:
                let digits = String(unit, radix: 16)
                bytes += Array(("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }
}
