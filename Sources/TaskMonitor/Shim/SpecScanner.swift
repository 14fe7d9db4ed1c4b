/// Finds values in a JSON object without building anything: the shim needs two words of a configuration that the
/// runtime reads and checks in full.
struct SpecScanner {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// Where the value of a member of an object is; nil when there is none, or no object.
    static func member(_ name: String, of bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var scanner = SpecScanner(bytes)
        guard scanner.take(UInt8(ascii: "{")) else { return nil }
        let wanted = Array(name.utf8)
        while let key = scanner.string(), scanner.take(UInt8(ascii: ":")) {
            guard let value = scanner.value() else { return nil }
            if key.elementsEqual(wanted) { return value }
            guard scanner.take(UInt8(ascii: ",")) else { return nil }
        }
        return nil
    }

    /// The text of a string value, if it is one without escapes.
    static func text(_ value: ArraySlice<UInt8>?) -> String? {
        guard let value else { return nil }
        var scanner = SpecScanner(value)
        guard let content = scanner.string(), !content.contains(UInt8(ascii: "\\")) else { return nil }
        return String(validating: content, as: UTF8.self)
    }

    private mutating func skipSpace() {
        while position < bytes.endIndex, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard position < bytes.endIndex, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// The content of a string, with its escapes as they are.
    private mutating func string() -> ArraySlice<UInt8>? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        let start = position
        while position < bytes.endIndex {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return bytes[start..<position - 1]
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
        }
        return nil
    }

    /// Any value, skipped; brackets are only counted.
    private mutating func value() -> ArraySlice<UInt8>? {
        skipSpace()
        let start = position
        var depth = 0
        while position < bytes.endIndex {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                guard string() != nil else { return nil }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return bytes[start..<position] }
                depth -= 1
            case UInt8(ascii: ",") where depth == 0: return bytes[start..<position]
            default: break
            }
            position += 1
        }
        return depth == 0 && start < position ? bytes[start..<position] : nil
    }
}

extension SpecScanner {
    /// A process of the runtime's configuration with the given answer to whether it has a terminal: the request's
    /// counts, not the configuration's.
    static func process(_ spec: ArraySlice<UInt8>, terminal: Bool) -> [UInt8]? {
        let word = Array(terminal ? "true".utf8 : "false".utf8)
        if let value = member("terminal", of: spec) {
            return Array(spec[..<value.startIndex]) + word + Array(spec[value.endIndex...])
        }
        guard let brace = spec.firstIndex(of: UInt8(ascii: "{")) else { return nil }
        let rest = spec[(brace + 1)...]
        let isEmpty = rest.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "}")
        return Array("{\"terminal\":".utf8) + word + (isEmpty ? [] : [UInt8(ascii: ",")]) + Array(rest)
    }
}
