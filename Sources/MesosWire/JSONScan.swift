/// One pass over a JSON text before anything is built of it: UTF-8, brackets, strings, depth and number of objects.
///
/// It does not check the grammar between the brackets; the decoder does. It makes sure that the decoder never sees what
/// costs more than its length.
struct JSONScan {
    /// Whether some string may spell a number that is not finite; such texts get a closer look after decoding.
    private(set) var mayHoldNonFinite = false

    /// - Throws: `.empty`, `.notUTF8`, `.tooDeep`, `.tooManyParts`, `.malformedJSON`.
    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: WireLimits) throws(WireError) {
        var index = 0
        // One entry per open bracket: its closing byte.
        var open: [UInt8] = []
        open.reserveCapacity(16)
        var parts = 0
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index = try skipString(bytes, from: index + 1)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if open.count >= limits.depth { throw .tooDeep(limit: limits.depth) }
                open.append(byte == UInt8(ascii: "{") ? UInt8(ascii: "}") : UInt8(ascii: "]"))
                if byte == UInt8(ascii: "{") {
                    parts += 1
                    if parts > limits.parts { throw .tooManyParts(limit: limits.parts) }
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard open.popLast() == byte else {
                    throw .malformedJSON(offset: index, problem: "a bracket closes that was not opened")
                }
            case 0x80...: throw .malformedJSON(offset: index, problem: "a character that belongs into a string")
            default: break
            }
            index += 1
        }
        if !open.isEmpty { throw .malformedJSON(offset: bytes.count, problem: "it ends inside an object or array") }
        if parts == 0 { throw bytes.isEmpty ? .empty : .malformedJSON(offset: 0, problem: "it is not an object") }
    }

    /// Returns the index after the closing quote.
    private mutating func skipString(
        _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(WireError) -> Int {
        var index = start
        if index < bytes.count {
            // NaN, Infinity, -Infinity, or an escape that could be one of their letters.
            switch bytes[index] {
            case UInt8(ascii: "N"), UInt8(ascii: "I"), UInt8(ascii: "-"), UInt8(ascii: "\\"): mayHoldNonFinite = true
            default: break
            }
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") { return index + 1 }
            if byte == UInt8(ascii: "\\") {
                index += 2
            } else if byte < 0x20 {
                throw .malformedJSON(offset: index, problem: "a control character in a string must be escaped")
            } else if byte < 0x80 {
                index += 1
            } else {
                index += try Self.sequenceLength(bytes, at: index)
            }
        }
        throw .malformedJSON(offset: bytes.count, problem: "it ends inside a string")
    }

    /// Length of the well-formed multi-byte sequence at an index (Unicode 15, table 3-7).
    private static func sequenceLength(
        _ bytes: UnsafeBufferPointer<UInt8>, at index: Int
    ) throws(WireError) -> Int {
        let (length, second): (Int, ClosedRange<UInt8>)
        switch bytes[index] {
        case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: throw .notUTF8(offset: index)
        }
        guard index + length <= bytes.count, second.contains(bytes[index + 1]) else { throw .notUTF8(offset: index) }
        for following in 2..<max(length, 2) where bytes[index + following] & 0xc0 != 0x80 {
            throw .notUTF8(offset: index)
        }
        return length
    }
}
