/// Writes numbers (little-endian) and bytes with their length.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 64) { bytes.reserveCapacity(capacity) }

    mutating func u8(_ value: UInt8) { bytes.append(value) }
    mutating func u16(_ value: UInt16) { number(UInt64(value), bytes: 2) }
    mutating func u32(_ value: UInt32) { number(UInt64(value), bytes: 4) }
    mutating func u64(_ value: UInt64) { number(value, bytes: 8) }
    mutating func raw(_ value: [UInt8]) { bytes += value }

    /// Bytes behind their length of 16 bits.
    mutating func text(_ value: [UInt8]) {
        precondition(value.count <= 0xffff, "a text is too long")
        u16(UInt16(value.count))
        raw(value)
    }

    /// Bytes behind their length of 32 bits.
    mutating func long(_ value: [UInt8]) {
        u32(UInt32(value.count))
        raw(value)
    }

    private mutating func number(_ value: UInt64, bytes count: Int) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
}

/// Reads what `ByteWriter` writes. All that is wrong is one error: the payload cannot be read.
struct ByteReader {
    private let bytes: [UInt8]
    private let kind: FrameKind
    private var place = 0

    init(_ frame: Frame) {
        bytes = frame.payload
        kind = frame.kind
    }

    var malformed: ChannelFault { .malformed(kind) }
    var remaining: Int { bytes.count - place }

    mutating func u8() throws(ChannelFault) -> UInt8 { UInt8(try number(bytes: 1)) }
    mutating func u16() throws(ChannelFault) -> UInt16 { UInt16(try number(bytes: 2)) }
    mutating func u32() throws(ChannelFault) -> UInt32 { UInt32(try number(bytes: 4)) }
    mutating func u64() throws(ChannelFault) -> UInt64 { try number(bytes: 8) }

    mutating func flag() throws(ChannelFault) -> Bool {
        switch try u8() {
        case 0: return false
        case 1: return true
        default: throw malformed
        }
    }

    mutating func raw(_ count: Int) throws(ChannelFault) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw malformed }
        defer { place += count }
        return Array(bytes[place..<place + count])
    }

    /// Bytes behind their length of 16 bits.
    mutating func text(atMost limit: Int) throws(ChannelFault) -> [UInt8] {
        let count = Int(try u16())
        guard count <= limit else { throw malformed }
        return try raw(count)
    }

    /// Bytes behind their length of 32 bits, without a NUL among them.
    mutating func long() throws(ChannelFault) -> [UInt8] { try withoutNUL(raw(Int(try u32()))) }

    /// An absolute path.
    mutating func path() throws(ChannelFault) -> [UInt8] {
        let path = try withoutNUL(text(atMost: ChannelLimits.pathBytes))
        guard path.first == UInt8(ascii: "/") else { throw malformed }
        return path
    }

    func withoutNUL(_ text: [UInt8]) throws(ChannelFault) -> [UInt8] {
        for byte in text where byte == 0 { throw malformed }
        return text
    }

    /// All that is left.
    mutating func rest() -> [UInt8] {
        defer { place = bytes.count }
        return Array(bytes[place...])
    }

    /// Nothing may be left.
    func end() throws(ChannelFault) { guard remaining == 0 else { throw malformed } }

    private mutating func number(bytes count: Int) throws(ChannelFault) -> UInt64 {
        guard count <= remaining else { throw malformed }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[place + index]) << UInt64(8 * index) }
        place += count
        return value
    }
}
