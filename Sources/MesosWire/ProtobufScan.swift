/// Counts what could be messages in a protobuf body, without knowing its schema, before anything is built of it.
///
/// Every length-delimited field counts, and what is inside of it when it reads as fields, so texts and bytes count a
/// little too: the result is an upper bound. A body is walked once per level at most, and what a field skips over is
/// only looked at as its content, so the walk is linear.
struct ProtobufScan {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let limits: WireLimits
    private var parts = 0

    /// - Throws: `.tooManyParts`.
    static func check(_ bytes: UnsafeBufferPointer<UInt8>, limits: WireLimits) throws(WireError) {
        var scan = ProtobufScan(bytes: bytes, limits: limits)
        try scan.walk(0..<bytes.count, depth: 0)
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, limits: WireLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// Walks the fields of what may be a message and stops quietly where it is none; the decoder reports that.
    private mutating func walk(_ range: Range<Int>, depth: Int) throws(WireError) {
        var index = range.lowerBound
        while index < range.upperBound {
            guard let tag = varint(&index, end: range.upperBound), tag >> 3 != 0, tag >> 32 == 0 else { return }
            switch tag & 7 {
            case 0: guard varint(&index, end: range.upperBound) != nil else { return }
            case 1: index += 8
            case 2:
                parts += 1
                if parts > limits.parts { throw .tooManyParts(limit: limits.parts) }
                guard let length = varint(&index, end: range.upperBound),
                    length <= UInt64(range.upperBound - index)
                else { return }
                let end = index + Int(length)
                if depth < limits.depth { try walk(index..<end, depth: depth + 1) }
                index = end
            case 3, 4: break
            case 5: index += 4
            default: return
            }
        }
    }

    private func varint(_ index: inout Int, end: Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while index < end, shift < 64 {
            let byte = bytes[index]
            index += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}
