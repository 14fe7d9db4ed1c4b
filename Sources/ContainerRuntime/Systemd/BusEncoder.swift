/// Writes values as D-Bus has them on the wire (D-Bus Specification, "Marshaling").
struct BusEncoder {
    private(set) var bytes: [UInt8] = []
    /// Big-endian; our own messages are little-endian.
    var isBig = false

    mutating func align(_ alignment: Int) {
        while bytes.count % alignment != 0 { bytes.append(0) }
    }

    mutating func number(_ value: UInt64, size: Int) {
        align(size)
        for index in 0..<size {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * (isBig ? size - 1 - index : index))))
        }
    }

    mutating func append(_ value: BusValue) {
        switch value {
        case .fixed(let type, let bits): number(bits, size: BusType.size(type) ?? 1)
        case .text(let type, let text):
            let isSignature = type == UInt8(ascii: "g")
            number(UInt64(text.utf8.count), size: isSignature ? 1 : 4)
            bytes += text.utf8
            bytes.append(0)
        case .array(let element, let values):
            number(0, size: 4)
            let place = bytes.count - 4
            // The padding before the first element does not count, and is there without elements as well.
            align(BusType.alignment(element.utf8.first ?? 0))
            let start = bytes.count
            for value in values { append(value) }
            var length = BusEncoder(isBig: isBig)
            length.number(UInt64(bytes.count - start), size: 4)
            bytes.replaceSubrange(place..<place + 4, with: length.bytes)
        case .structure(let members):
            align(8)
            for member in members { append(member) }
        case .variant(let value):
            append(.text(UInt8(ascii: "g"), value.signature))
            append(value)
        }
    }

    init(isBig: Bool = false) { self.isBig = isBig }
}
