/// Reads values from the wire. Trusts nothing: every length is checked against what is there, and nesting is bounded.
struct BusDecoder {
    static let depth = 32

    private let bytes: [UInt8]
    private let isBig: Bool
    private(set) var offset: Int
    private var end: Int

    init(_ bytes: [UInt8], isBig: Bool, offset: Int = 0) {
        self.bytes = bytes
        self.isBig = isBig
        self.offset = offset
        end = bytes.count
    }

    /// Exactly the values of a signature, up to the end of the bytes.
    mutating func values(_ signature: String) throws(RuntimeFailure) -> [BusValue] {
        let types = Array(signature.utf8)
        var values: [BusValue] = []
        var index = 0
        while index < types.count { values.append(try value(types, &index, 0)) }
        guard offset == end else { throw Self.damaged("more bytes than values") }
        return values
    }

    /// One value, of the complete type that begins at an index of a signature.
    mutating func value(_ types: [UInt8], _ index: inout Int, _ depth: Int) throws(RuntimeFailure) -> BusValue {
        guard depth < Self.depth, let after = BusType.end(types, index) else {
            throw Self.damaged("a signature that is none")
        }
        let type = types[index]
        try align(BusType.alignment(type))
        defer { index = after }
        switch type {
        case UInt8(ascii: "s"), UInt8(ascii: "o"), UInt8(ascii: "g"): return .text(type, try text(type))
        case UInt8(ascii: "v"):
            let signature = Array(try text(UInt8(ascii: "g")).utf8)
            guard BusType.end(signature, 0) == signature.count else {
                throw Self.damaged("a variant that is not of one type")
            }
            var start = 0
            return .variant(try value(signature, &start, depth + 1))
        case UInt8(ascii: "("):
            var members: [BusValue] = []
            var member = index + 1
            while member < after - 1 { members.append(try value(types, &member, depth + 1)) }
            return .structure(members)
        case UInt8(ascii: "a"): return try array(Array(types[index + 1..<after]), depth)
        default:
            let bits = try number(BusType.size(type) ?? 1)
            guard type != UInt8(ascii: "b") || bits < 2 else { throw Self.damaged("a boolean that is neither") }
            return .fixed(type, bits)
        }
    }

    private mutating func array(_ element: [UInt8], _ depth: Int) throws(RuntimeFailure) -> BusValue {
        let length = Int(try number(4))
        try align(BusType.alignment(element[0]))
        guard length <= end - offset else { throw Self.damaged("an array longer than the message") }
        let outer = end
        end = offset + length
        defer { end = outer }
        var values: [BusValue] = []
        while offset < end {
            var index = 0
            values.append(try value(element, &index, depth + 1))
        }
        return .array(String(decoding: element, as: UTF8.self), values)
    }

    private mutating func text(_ type: UInt8) throws(RuntimeFailure) -> String {
        let length = Int(try number(type == UInt8(ascii: "g") ? 1 : 4))
        guard length < end - offset, bytes[offset + length] == 0 else { throw Self.damaged("a string without end") }
        let content = bytes[offset..<offset + length]
        guard !content.contains(0), let text = String(validating: content, as: UTF8.self) else {
            throw Self.damaged("a string that is not UTF-8")
        }
        offset += length + 1
        return text
    }

    private mutating func number(_ size: Int) throws(RuntimeFailure) -> UInt64 {
        try align(size)
        guard size <= end - offset else { throw Self.damaged("an end in the middle of a value") }
        var value: UInt64 = 0
        for index in 0..<size { value = value << 8 | UInt64(bytes[offset + (isBig ? index : size - 1 - index)]) }
        offset += size
        return value
    }

    mutating func align(_ alignment: Int) throws(RuntimeFailure) {
        while offset % alignment != 0 {
            guard offset < end, bytes[offset] == 0 else { throw Self.damaged("padding that is not zero") }
            offset += 1
        }
    }

    static func damaged(_ what: StaticString) -> RuntimeFailure {
        RuntimeFailure("the answer of systemd is no valid D-Bus message: it has \(what)")
    }
}
