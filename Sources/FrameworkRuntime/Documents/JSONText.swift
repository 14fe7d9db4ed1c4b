/// JSON on its way out, written field by field: ASCII only, absent fields left out.
public struct JSONText: Sendable {
    /// What is written so far.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Nothing yet.
    public init() {}

    /// Writes an object.
    public mutating func object(_ fields: (inout JSONText) -> Void) {
        enclose("{", "}", fields)
    }

    /// Writes a list.
    public mutating func list(_ elements: (inout JSONText) -> Void) {
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

    /// Writes a name; its value must follow.
    public mutating func key(_ name: String) {
        text(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a text, unless there is none.
    public mutating func field(_ name: String, _ value: String?) {
        guard let value else { return }
        key(name)
        text(value)
    }

    /// Writes a number, unless there is none.
    public mutating func field(_ name: String, _ value: Int?) {
        guard let value else { return }
        key(name)
        plain(String(value))
    }

    /// Writes a truth value.
    public mutating func field(_ name: String, _ value: Bool) {
        key(name)
        plain(value ? "true" : "false")
    }

    /// Writes a number; whole ones without a fraction.
    public mutating func field(_ name: String, _ value: Double) {
        key(name)
        number(value)
    }

    /// Writes that there is no value.
    public mutating func null(_ name: String) {
        key(name)
        plain("null")
    }

    /// Writes an object under a name.
    public mutating func object(_ name: String, _ fields: (inout JSONText) -> Void) {
        key(name)
        object(fields)
    }

    /// Writes a list under a name.
    public mutating func list(_ name: String, _ elements: (inout JSONText) -> Void) {
        key(name)
        list(elements)
    }

    /// Writes a number; whole ones without a fraction.
    public mutating func number(_ value: Double) {
        if let whole = Int(exactly: value) { plain(String(whole)) } else { plain(value.isFinite ? "\(value)" : "0") }
    }

    /// Writes texts under names, in order of these.
    public mutating func texts(_ name: String, _ values: [String: String]) {
        object(name) { json in
            for (key, value) in values.sorted(by: { $0.key < $1.key }) { json.field(key, value) }
        }
    }

    /// Writes a list of texts under a name.
    public mutating func texts(_ name: String, _ values: [String]) {
        list(name) { json in for value in values { json.text(value) } }
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

    /// Writes a text.
    public mutating func text(_ text: String) {
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

extension JSONText {
    /// Writes the fields of an answer that says what is wrong with a document and where, in Marathon's form: at most a
    /// hundred defects, those of one path together.
    public mutating func invalid(_ defects: [FieldDefect]) {
        var paths: [String] = []
        var errors: [String: [String]] = [:]
        for defect in defects.prefix(100) {
            if errors[defect.path] == nil { paths.append(defect.path) }
            errors[defect.path, default: []].append(defect.message)
        }
        field("message", "Object is not valid")
        list("details") { json in
            for path in paths {
                json.object { json in
                    json.field("path", path)
                    json.list("errors") { json in for text in errors[path] ?? [] { json.text(text) } }
                }
            }
        }
    }
}
