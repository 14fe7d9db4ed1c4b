internal import NIOCore

/// Writes JSON text straight into a buffer: ASCII only, one line, nothing in between.
///
/// Large documents such as `/state` are written field by field, without a tree of values. Non-ASCII characters become
/// `\uXXXX`, because some Mesos clients count characters where bytes are meant.
struct JSONWriter {
    private(set) var buffer: ByteBuffer
    private var needsComma = false

    init(capacity: Int = 4_096) { buffer = ByteBufferAllocator().buffer(capacity: capacity) }

    /// An object as a whole document or an element of a list.
    mutating func object(_ fields: (inout JSONWriter) throws -> Void) rethrows {
        separate()
        buffer.writeInteger(UInt8(ascii: "{"))
        needsComma = false
        try fields(&self)
        buffer.writeInteger(UInt8(ascii: "}"))
        needsComma = true
    }

    /// A list as a whole document or an element of a list.
    mutating func list(_ elements: (inout JSONWriter) throws -> Void) rethrows {
        separate()
        buffer.writeInteger(UInt8(ascii: "["))
        needsComma = false
        try elements(&self)
        buffer.writeInteger(UInt8(ascii: "]"))
        needsComma = true
    }

    /// A field whose value the closure writes.
    mutating func field(_ name: String, _ value: (inout JSONWriter) throws -> Void) rethrows {
        key(name)
        try value(&self)
    }

    mutating func field(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    mutating func field(_ name: String, _ value: StaticString) {
        key(name)
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        buffer.writeStaticString(value)
        buffer.writeInteger(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Writes the field only when there is a value: clients stumble over null.
    mutating func field(_ name: String, _ value: String?) {
        if let value { field(name, value) }
    }

    mutating func field(_ name: String, _ value: Bool) {
        key(name)
        bool(value)
    }

    mutating func field(_ name: String, _ value: some BinaryInteger) {
        key(name)
        number(value)
    }

    mutating func field(_ name: String, _ value: Double) {
        key(name)
        number(value)
    }

    mutating func objectField(_ name: String, _ fields: (inout JSONWriter) throws -> Void) rethrows {
        key(name)
        try object(fields)
    }

    mutating func listField(_ name: String, _ elements: (inout JSONWriter) throws -> Void) rethrows {
        key(name)
        try list(elements)
    }

    mutating func string(_ text: String) {
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        writeEscaped(text)
        buffer.writeInteger(UInt8(ascii: "\""))
        needsComma = true
    }

    mutating func bool(_ value: Bool) {
        separate()
        buffer.writeString(value ? "true" : "false")
        needsComma = true
    }

    mutating func number(_ value: some BinaryInteger) {
        separate()
        buffer.writeString(String(value))
        needsComma = true
    }

    /// Whole numbers keep their `.0`, as Mesos writes doubles; what JSON cannot say becomes 0.
    mutating func number(_ value: Double) {
        separate()
        buffer.writeString(value.isFinite ? "\(value)" : "0.0")
        needsComma = true
    }

    /// JSON that was written elsewhere.
    mutating func raw(_ json: ByteBuffer) {
        separate()
        buffer.writeImmutableBuffer(json)
        needsComma = true
    }

    private mutating func key(_ name: String) {
        string(name)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func writeEscaped(_ text: String) {
        var text = text
        let isPlain = text.withUTF8 { bytes in
            bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        }
        if isPlain {
            buffer.writeString(text)
            return
        }
        for unit in text.utf16 {
            switch unit {
            case 0x22: buffer.writeStaticString("\\\"")
            case 0x5c: buffer.writeStaticString("\\\\")
            case 0x0a: buffer.writeStaticString("\\n")
            case 0x0d: buffer.writeStaticString("\\r")
            case 0x09: buffer.writeStaticString("\\t")
            case 0x20..<0x7f: buffer.writeInteger(UInt8(truncatingIfNeeded: unit))
            default:
                let digits = String(unit, radix: 16)
                buffer.writeStaticString("\\u")
                for _ in digits.utf8.count..<4 { buffer.writeInteger(UInt8(ascii: "0")) }
                buffer.writeString(digits)
            }
        }
    }
}
