extension JSONValue {
    /// Arrays and objects within one another; each level costs the parser one stack frame.
    static let depthMax = 128

    /// The value of a JSON text (RFC 8259, strictly: no comments, no trailing commas, nothing after the value).
    ///
    /// An escaped surrogate without its partner becomes U+FFFD, as in Go. Messages begin with the name of the text,
    /// such as `config.json`, its line and its column (in bytes), both from 1.
    static func parse(_ bytes: [UInt8], name: String = "json") throws(RuntimeFailure) -> JSONValue {
        try bytes.withUnsafeBufferPointer { buffer throws(RuntimeFailure) in
            var parser = JSONParser(bytes: buffer, name: name)
            return try parser.document()
        }
    }
}

/// A recursive descent over bytes. It looks at every byte once and makes a `String` only for what it keeps.
private struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    let name: String
    var position = 0

    init(bytes: UnsafeBufferPointer<UInt8>, name: String) {
        self.bytes = bytes
        self.name = name
    }

    /// The byte at the position; 0, which no token begins with, at the end.
    private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

    mutating func document() throws(RuntimeFailure) -> JSONValue {
        skipSpace()
        guard position < bytes.count else { throw RuntimeFailure("\(name): the text is empty; expected a json value") }
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("unexpected text after the value") }
        return value
    }

    private mutating func value(depth: Int) throws(RuntimeFailure) -> JSONValue {
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("expected a value")
        }
    }

    private mutating func object(depth: Int) throws(RuntimeFailure) -> JSONValue {
        guard depth < JSONValue.depthMax else { throw failure("nested deeper than \(JSONValue.depthMax) levels") }
        position += 1
        var members: [JSONMember] = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(members)
        }
        while true {
            guard current == UInt8(ascii: "\"") else { throw failure("expected the name of a member in quotes") }
            let name = try string()
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw failure("expected a colon after the name of a member") }
            position += 1
            skipSpace()
            members.append(JSONMember(name: name, value: try value(depth: depth + 1)))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(members)
            default: throw failure("expected a comma or } after a member")
            }
            skipSpace()
        }
    }

    private mutating func array(depth: Int) throws(RuntimeFailure) -> JSONValue {
        guard depth < JSONValue.depthMax else { throw failure("nested deeper than \(JSONValue.depthMax) levels") }
        position += 1
        var elements: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            default: throw failure("expected a comma or ] after an element")
            }
            skipSpace()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(RuntimeFailure) -> JSONValue {
        let count = word.utf8CodeUnitCount
        guard bytes.count - position >= count else { throw failure("expected a value") }
        for offset in 0..<count where bytes[position + offset] != word.utf8Start[offset] {
            throw failure("expected a value")
        }
        position += count
        return value
    }

    private mutating func number() throws(RuntimeFailure) -> JSONValue {
        let start = position
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") {
            position += 1
            if Self.isDigit(current) { throw failure("a number must not begin with 0") }
        } else {
            try digits()
        }
        if current == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return .number(String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self))
    }

    private mutating func digits() throws(RuntimeFailure) {
        guard Self.isDigit(current) else { throw failure("expected a digit") }
        while Self.isDigit(current) { position += 1 }
    }

    private mutating func string() throws(RuntimeFailure) -> String {
        position += 1
        let start = position
        var plain = true
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                let content = UnsafeBufferPointer(rebasing: bytes[start..<position])
                if plain {
                    position += 1
                    return String(decoding: content, as: UTF8.self)
                }
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure("a string is not valid UTF-8")
                }
                position += 1
                return text
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0..<0x20: throw failure("a string holds a control character; write it as an escape")
            case 0x80...: plain = false
            default: break
            }
            position += 1
        }
        throw failure("a string without its closing quote")
    }

    /// The slow way, from the first escape of a string on.
    private mutating func escapedString(from start: Int) throws(RuntimeFailure) -> String {
        var content = [UInt8](bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure("a string is not valid UTF-8")
                }
                position += 1
                return text
            case UInt8(ascii: "\\"):
                position += 1
                content.append(contentsOf: String(Character(try escape())).utf8)
            case 0..<0x20: throw failure("a string holds a control character; write it as an escape")
            default:
                content.append(byte)
                position += 1
            }
        }
        throw failure("a string without its closing quote")
    }

    private mutating func escape() throws(RuntimeFailure) -> Unicode.Scalar {
        let byte = current
        let simple: Unicode.Scalar
        switch byte {
        case UInt8(ascii: "\""): simple = "\""
        case UInt8(ascii: "\\"): simple = "\\"
        case UInt8(ascii: "/"): simple = "/"
        case UInt8(ascii: "b"): simple = "\u{8}"
        case UInt8(ascii: "f"): simple = "\u{c}"
        case UInt8(ascii: "n"): simple = "\n"
        case UInt8(ascii: "r"): simple = "\r"
        case UInt8(ascii: "t"): simple = "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw failure("unknown escape in a string")
        }
        position += 1
        return simple
    }

    private mutating func unicodeEscape() throws(RuntimeFailure) -> Unicode.Scalar {
        position += 1
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        let start = position
        if first < 0xDC00, bytes.count - position >= 6, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        {
            position += 2
            let second = try hexadecimal()
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first & 0x3FF) << 10 | (second & 0x3FF)))
            {
                return scalar
            }
            position = start
        }
        return "\u{FFFD}"
    }

    private mutating func hexadecimal() throws(RuntimeFailure) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch current {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = current - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = current - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = current - UInt8(ascii: "A") + 10
            default: throw failure("\\u must be followed by four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): position += 1
            default: return
            }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0") <= byte && byte <= UInt8(ascii: "9") }

    /// Line and column are counted here, when they are needed, and not on the way.
    private func failure(_ reason: String) -> RuntimeFailure {
        var line = 1
        var column = 1
        for byte in bytes.prefix(position) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        let what = position < bytes.count ? reason : "the text ends too early: \(reason)"
        return RuntimeFailure("\(name): line \(line), column \(column): \(what)")
    }
}
