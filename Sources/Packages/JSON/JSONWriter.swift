extension JSON {
    /// The shortest text, in UTF-8.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    /// Writes the shortest text.
    func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += Array("null".utf8)
        case .flag(let flag): bytes += Array((flag ? "true" : "false").utf8)
        case .number(let number): bytes += Array(number.text.utf8)
        case .text(let text): Self.write(text, to: &bytes)
        case .list(let list):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in list.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            for (index, field) in object.fields.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.write(field.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                field.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Writes a text in quotes.
    static func write(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        escape(text, into: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Writes a text as it stands between quotes.
    static func escape(_ text: String, into bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { text in
            // Most of it stays as it is, and is taken over in one piece.
            var start = 0
            for (index, byte) in text.enumerated()
            where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                bytes.append(contentsOf: text[start..<index])
                start = index + 1
                escape(byte, into: &bytes)
            }
            bytes.append(contentsOf: text[start...])
        }
    }

    private static func escape(_ byte: UInt8, into bytes: inout [UInt8]) {
        switch byte {
        case 0x08: bytes += Array("\\b".utf8)
        case 0x09: bytes += Array("\\t".utf8)
        case 0x0a: bytes += Array("\\n".utf8)
        case 0x0c: bytes += Array("\\f".utf8)
        case 0x0d: bytes += Array("\\r".utf8)
        case 0..<0x20:
            let digits = String(byte, radix: 16)
            bytes += Array(("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8)
        default: bytes += [UInt8(ascii: "\\"), byte]
        }
    }

    /// Without the fields of objects that are null.
    public var withoutNulls: JSON {
        switch self {
        case .list(let list): return .list(list.map(\.withoutNulls))
        case .object(let object):
            var kept = JSONObject()
            for (name, value) in object.fields where value != .null { kept[name] = value.withoutNulls }
            return .object(kept)
        default: return self
        }
    }
}

/// Base64 of RFC 4648, in the usual alphabet.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let rest = bytes[index..<min(index + 3, bytes.count)]
            var word: UInt32 = 0
            for place in 0..<3 { word = word << 8 | (place < rest.count ? UInt32(rest[index + place]) : 0) }
            for place in 0..<4 {
                text.append(
                    place <= rest.count
                        ? alphabet[Int(word >> UInt32(18 - 6 * place) & 0x3f)] : UInt8(ascii: "="))
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes; nil when it is not Base64. Line breaks are passed over.
    static func bytes(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 4 * 3)
        var (word, count, padding): (UInt32, Int, Int) = (0, 0, 0)
        for byte in text.utf8 {
            let value: UInt8
            switch byte {
            case 0x41...0x5a: value = byte - 0x41
            case 0x61...0x7a: value = byte - 0x61 + 26
            case 0x30...0x39: value = byte - 0x30 + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            case UInt8(ascii: "="):
                padding += 1
                continue
            case 0x0a, 0x0d: continue
            default: return nil
            }
            if padding > 0 { return nil }
            word = word << 6 | UInt32(value)
            count += 1
            if count == 4 {
                bytes.append(UInt8(truncatingIfNeeded: word >> 16))
                bytes.append(UInt8(truncatingIfNeeded: word >> 8))
                bytes.append(UInt8(truncatingIfNeeded: word))
                (word, count) = (0, 0)
            }
        }
        switch count {
        case 0: return padding == 0 ? bytes : nil
        case 2 where padding == 0 || padding == 2: return bytes + [UInt8(word >> 4 & 0xff)]
        case 3 where padding <= 1: return bytes + [UInt8(word >> 10 & 0xff), UInt8(word >> 2 & 0xff)]
        default: return nil
        }
    }
}
