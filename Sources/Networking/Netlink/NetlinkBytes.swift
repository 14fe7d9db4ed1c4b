/// Bytes as netlink has them: numbers in the machine's own order, attributes padded to four bytes.
extension [UInt8] {
    /// A number in the machine's order.
    mutating func append<Number: FixedWidthInteger>(number: Number) {
        Swift.withUnsafeBytes(of: number) { append(contentsOf: $0) }
    }

    /// A number with its most significant byte first, as nf_tables and packets have it.
    mutating func append<Number: FixedWidthInteger>(big number: Number) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }

    /// An attribute with these bytes; values longer than the length's 16 bits can say are the caller's to avoid.
    mutating func append(attribute kind: UInt16, _ value: [UInt8]) {
        append(number: UInt16(clamping: 4 + value.count))
        append(number: kind)
        self += value
        while count % 4 != 0 { append(0) }
    }

    mutating func append<Number: FixedWidthInteger>(attribute kind: UInt16, number: Number) {
        var value: [UInt8] = []
        value.append(number: number)
        append(attribute: kind, value)
    }

    mutating func append<Number: FixedWidthInteger>(attribute kind: UInt16, big number: Number) {
        var value: [UInt8] = []
        value.append(big: number)
        append(attribute: kind, value)
    }

    /// Text that ends with a NUL.
    mutating func append(attribute kind: UInt16, text: String) {
        append(attribute: kind, Array(text.utf8) + [0])
    }

    /// An attribute of attributes, marked as such.
    mutating func append(nested kind: UInt16, _ fill: (inout [UInt8]) -> Void) {
        var inner: [UInt8] = []
        fill(&inner)
        append(attribute: kind | 0x8000, inner)
    }
}

extension ArraySlice<UInt8> {
    /// A number in the machine's order, nil where the bytes end before.
    func number<Number: FixedWidthInteger>(at offset: Int = 0, as type: Number.Type = Number.self) -> Number? {
        let width = MemoryLayout<Number>.size
        guard offset >= 0, count - offset >= width else { return nil }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }

    /// A number with its most significant byte first.
    func big<Number: FixedWidthInteger>(at offset: Int = 0, as type: Number.Type = Number.self) -> Number? {
        number(at: offset, as: type).map { Number(bigEndian: $0) }
    }

    /// The text before a NUL or the end; nil when it is not UTF-8.
    var text: String? { String(validating: prefix { $0 != 0 }, as: UTF8.self) }

    /// The attributes after `offset` bytes of a fixed header; nil when they are not whole.
    func attributes(from offset: Int = 0) -> NetlinkAttributes? {
        guard offset <= count else { return nil }
        return NetlinkAttributes(dropFirst(offset))
    }
}

/// The attributes of a message or of an attribute. Of a kind that is there twice the last one counts.
struct NetlinkAttributes {
    private(set) var all: [(kind: UInt16, value: ArraySlice<UInt8>)] = []

    /// Nil when lengths do not add up: what has sent it is not the kernel, or speaks another language.
    init?(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while !rest.isEmpty {
            guard let length: UInt16 = rest.number(), let kind: UInt16 = rest.number(at: 2),
                length >= 4, Int(length) <= rest.count
            else { return nil }
            // The upper two bits say how the value is made.
            all.append((kind & 0x3fff, rest.dropFirst(4).prefix(Int(length) - 4)))
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
    }

    subscript(kind: UInt16) -> ArraySlice<UInt8>? { all.last { $0.kind == kind }?.value }

    /// The attributes in an attribute; nil when there is none or it is not whole.
    func nested(_ kind: UInt16) -> NetlinkAttributes? { self[kind].flatMap { NetlinkAttributes($0) } }
}
