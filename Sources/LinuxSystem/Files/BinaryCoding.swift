/// Why bytes from a file or a socket are not what they should be.
public enum FormatError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The first bytes are those of another kind of file.
    case wrongKind(expected: String)
    /// Written by a newer release; this one must not guess.
    case unsupportedVersion(UInt32)
    /// The bytes end inside of a field.
    case truncated(field: String)
    /// More than the format allows.
    case tooLarge(field: String, limit: Int)
    /// A value that the field cannot have.
    case invalid(field: String)
    /// Bytes follow the last field.
    case trailingBytes

    /// What is wrong, lower case.
    public var description: String {
        switch self {
        case .wrongKind(let expected): "not a \(expected)"
        case .unsupportedVersion(let version):
            "version \(version) of this format is newer than this program; upgrade it"
        case .truncated(let field): "ends inside of \(field)"
        case .tooLarge(let field, let limit): "\(field) exceeds the limit of \(limit)"
        case .invalid(let field): "\(field) has no valid value"
        case .trailingBytes: "has bytes after its end"
        }
    }
}

/// Writes the fields of our small binary formats: little endian, strings with a length in front.
///
/// Not JSON, because the monitor reads it too and one monitor runs per task: a JSON decoder costs each of them memory.
struct BinaryWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ value: Bool) { put(UInt8(value ? 1 : 0)) }

    mutating func put(_ text: String) {
        let content = Array(text.utf8)
        put(UInt32(clamping: content.count))
        bytes.append(contentsOf: content)
    }

    mutating func put<Element>(_ list: [Element], _ one: (inout BinaryWriter, Element) -> Void) {
        put(UInt32(clamping: list.count))
        for element in list { one(&self, element) }
    }

    mutating func put<Value>(_ value: Value?, _ one: (inout BinaryWriter, Value) -> Void) {
        put(value != nil)
        if let value { one(&self, value) }
    }
}

/// Reads what `BinaryWriter` wrote, trusting nothing.
struct BinaryReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: some Sequence<UInt8>) {
        self.bytes = ArraySlice(bytes)
        position = self.bytes.startIndex
    }

    mutating func integer<Value: FixedWidthInteger>(
        _ field: String, as type: Value.Type = Value.self
    ) throws(FormatError) -> Value {
        let size = Value.bitWidth / 8
        guard bytes.endIndex - position >= size else { throw .truncated(field: field) }
        var value: Value = 0
        for offset in (0..<size).reversed() {
            // A one-byte type cannot be shifted by its own width, and need not be.
            value = (size > 1 ? value << 8 : 0) | Value(truncatingIfNeeded: bytes[position + offset])
        }
        position += size
        return value
    }

    mutating func flag(_ field: String) throws(FormatError) -> Bool {
        switch try integer(field, as: UInt8.self) {
        case 0: false
        case 1: true
        default: throw .invalid(field: field)
        }
    }

    /// Text without NUL, at most `limit` bytes of UTF-8.
    mutating func text(_ field: String, limit: Int) throws(FormatError) -> String {
        let count = Int(try integer(field, as: UInt32.self))
        guard count <= limit else { throw .tooLarge(field: field, limit: limit) }
        guard bytes.endIndex - position >= count else { throw .truncated(field: field) }
        let content = bytes[position..<position + count]
        guard !content.contains(0), let text = String(validating: content, as: UTF8.self) else {
            throw .invalid(field: field)
        }
        position += count
        return text
    }

    mutating func list<Element>(
        _ field: String, limit: Int, _ one: (inout BinaryReader) throws(FormatError) -> Element
    ) throws(FormatError) -> [Element] {
        let count = Int(try integer(field, as: UInt32.self))
        guard count <= limit else { throw .tooLarge(field: field, limit: limit) }
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try one(&self)) }
        return elements
    }

    mutating func optional<Value>(
        _ field: String, _ one: (inout BinaryReader) throws(FormatError) -> Value
    ) throws(FormatError) -> Value? {
        try flag(field) ? try one(&self) : nil
    }

    /// Checks the four-byte kind and the version that start each of our files.
    @discardableResult
    mutating func header(kind: UInt32, name: String, newest: UInt32) throws(FormatError) -> UInt32 {
        guard try integer(name, as: UInt32.self) == kind else { throw .wrongKind(expected: name) }
        let version = try integer("version", as: UInt32.self)
        guard version >= 1 else { throw .invalid(field: "version") }
        guard version <= newest else { throw .unsupportedVersion(version) }
        return version
    }

    func end() throws(FormatError) {
        guard position == bytes.endIndex else { throw .trailingBytes }
    }
}
