extension JSONValue {
    /// The value as JSON text, without a line break at the end: `indent` spaces per level and one member or element
    /// a line, or, without it, all in one line without spaces.
    func text(indent: Int? = nil) -> String {
        text(indentation: indent.map { String(repeating: " ", count: max(0, $0)) })
    }

    /// The value as JSON text with its levels set in by the given white space.
    func text(indentation: String?) -> String {
        var bytes: [UInt8] = []
        append(to: &bytes, indentation: indentation.map { Array($0.utf8) }, level: 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func append(to bytes: inout [UInt8], indentation: [UInt8]?, level: Int) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .string(let text): Self.append(text, to: &bytes)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (offset, element) in elements.enumerated() {
                if offset > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.lineBreak(in: &bytes, indentation: indentation, level: level + 1)
                element.append(to: &bytes, indentation: indentation, level: level + 1)
            }
            if !elements.isEmpty { Self.lineBreak(in: &bytes, indentation: indentation, level: level) }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (offset, member) in members.enumerated() {
                if offset > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.lineBreak(in: &bytes, indentation: indentation, level: level + 1)
                Self.append(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                if indentation != nil { bytes.append(UInt8(ascii: " ")) }
                member.value.append(to: &bytes, indentation: indentation, level: level + 1)
            }
            if !members.isEmpty { Self.lineBreak(in: &bytes, indentation: indentation, level: level) }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func lineBreak(in bytes: inout [UInt8], indentation: [UInt8]?, level: Int) {
        guard let indentation else { return }
        bytes.append(UInt8(ascii: "\n"))
        for _ in 0..<level { bytes.append(contentsOf: indentation) }
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: #"\r"#.utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: #"\t"#.utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: #"\u00"#.utf8)
                bytes.append(hexadecimal(byte >> 4))
                bytes.append(hexadecimal(byte & 15))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
