/// The fields of one protocol buffer message as they came over the wire.
///
/// The whole message is checked when it is made, so a reader meets no surprise half-way; what a message within it
/// holds is checked when that is asked for. Fields that nobody asks for are allowed: a newer peer may send them.
struct ProtobufMessage {
    private enum Value {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)
        /// Fixed-size numbers, which no message here uses.
        case other
    }

    /// Far more than any message has: an empty field takes two bytes on the wire, but twenty times that in memory.
    private static let maximumFields = 4096

    private var fields: [(number: UInt64, value: Value)] = []

    /// Reads a message.
    ///
    /// - Parameter bytes: all of it.
    /// - Throws: when it is cut off, too long, or not one at all.
    init(_ bytes: ArraySlice<UInt8>) throws(ShimFailure) {
        var rest = bytes
        while !rest.isEmpty {
            guard fields.count < Self.maximumFields else { throw .invalid("a message has too many fields") }
            let tag = try Self.varint(&rest)
            let number = tag >> 3
            guard number >= 1, number < 1 << 29 else { throw .invalid("a message has a field of number \(number)") }
            switch tag & 7 {
            case 0: fields.append((number, .number(try Self.varint(&rest))))
            case 1: try Self.skip(8, of: &rest, number, &fields)
            case 2:
                let count = try Self.varint(&rest)
                guard count <= UInt64(rest.count) else { throw .invalid("field \(number) is cut off") }
                fields.append((number, .bytes(rest.prefix(Int(count)))))
                rest = rest.dropFirst(Int(count))
            case 5: try Self.skip(4, of: &rest, number, &fields)
            default: throw .invalid("field \(number) is of a kind that is no longer used")
            }
        }
    }

    private static func skip(
        _ count: Int, of rest: inout ArraySlice<UInt8>, _ number: UInt64,
        _ fields: inout [(number: UInt64, value: Value)]
    ) throws(ShimFailure) {
        guard rest.count >= count else { throw .invalid("field \(number) is cut off") }
        rest = rest.dropFirst(count)
        fields.append((number, .other))
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) throws(ShimFailure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw .invalid("a number is cut off") }
            // Of the tenth byte only one bit has a place.
            guard shift < 63 || byte <= 1 else { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw .invalid("a number is longer than 64 bits")
    }

    private func last(_ number: UInt64) -> Value? { fields.last { $0.number == number }?.value }

    /// A number; 0 when it is absent.
    func number(_ field: UInt64) throws(ShimFailure) -> UInt64 {
        switch last(field) {
        case nil: return 0
        case .number(let value): return value
        default: throw .invalid("field \(field) is not a number")
        }
    }

    /// A number of 32 bits.
    func small(_ field: UInt64) throws(ShimFailure) -> UInt32 {
        guard let value = UInt32(exactly: try number(field)) else { throw .invalid("field \(field) is out of range") }
        return value
    }

    func flag(_ field: UInt64) throws(ShimFailure) -> Bool { try number(field) != 0 }

    /// Bytes; none when the field is absent.
    func bytes(_ field: UInt64) throws(ShimFailure) -> ArraySlice<UInt8> {
        switch last(field) {
        case nil: return []
        case .bytes(let content): return content
        default: throw .invalid("field \(field) is not bytes")
        }
    }

    /// Text without NUL; empty when it is absent.
    func text(_ field: UInt64) throws(ShimFailure) -> String { try Self.text(try bytes(field), field) }

    private static func text(_ content: ArraySlice<UInt8>, _ field: UInt64) throws(ShimFailure) -> String {
        guard !content.contains(0), let text = String(validating: content, as: UTF8.self) else {
            throw .invalid("field \(field) is not text")
        }
        return text
    }

    /// Each occurrence of a field that may be repeated.
    func all(_ field: UInt64) throws(ShimFailure) -> [ArraySlice<UInt8>] {
        var found: [ArraySlice<UInt8>] = []
        for each in fields where each.number == field {
            guard case .bytes(let content) = each.value else { throw .invalid("field \(field) is not bytes") }
            found.append(content)
        }
        return found
    }

    func texts(_ field: UInt64) throws(ShimFailure) -> [String] {
        var found: [String] = []
        for content in try all(field) { found.append(try Self.text(content, field)) }
        return found
    }

    /// A message within; an empty one when it is absent.
    func message(_ field: UInt64) throws(ShimFailure) -> ProtobufMessage { try ProtobufMessage(try bytes(field)) }
}
