/// Annotations `org.systemd.property.NAME` of a container: properties of its unit, with values as text.
enum UnitAnnotations {
    private static let prefix = "org.systemd.property."

    static func read(_ annotations: [(name: String, value: String)]) throws(RuntimeFailure) -> [UnitProperty] {
        var list: [UnitProperty] = []
        for (key, text) in annotations where key.hasPrefix(prefix) {
            var name = String(key.dropFirst(prefix.count))
            guard name.utf8.count >= 3,
                name.utf8.allSatisfy({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) })
            else {
                throw RuntimeFailure(
                    "annotation \(key) names no property of systemd: at least three letters, no others")
            }
            do throws(RuntimeFailure) {
                var parser = ValueParser(text)
                var value = try parser.whole()
                // Documented as TimeoutStopSec in seconds, on the bus it is TimeoutStopUSec in microseconds.
                if name.hasSuffix("Sec"), let before = name.utf8.dropLast(3).last, before >= UInt8(ascii: "a") {
                    name = name.dropLast(3) + "USec"
                    value = try microseconds(value)
                }
                list.append(UnitProperty(name, value))
            } catch {
                throw RuntimeFailure("annotation \(key)=\(text): \(error.message)")
            }
        }
        return list
    }

    private static func microseconds(_ value: BusValue) throws(RuntimeFailure) -> BusValue {
        guard case .fixed(let type, let bits) = value, type != UInt8(ascii: "b") else {
            throw RuntimeFailure("a time must be a number of seconds")
        }
        if type == UInt8(ascii: "d") {
            let time = Double(bitPattern: bits) * 1_000_000
            guard time >= 0, time < 0x1p64 else { throw RuntimeFailure("a time must not be negative, nor that long") }
            return .uint64(UInt64(time))
        }
        let isSigned = [UInt8(ascii: "n"), UInt8(ascii: "i"), UInt8(ascii: "x")].contains(type)
        let (time, overflow) = bits.multipliedReportingOverflow(by: 1_000_000)
        let size = BusType.size(type) ?? 8
        let isNegative = isSigned && bits >> UInt64(size * 8 - 1) & 1 == 1
        guard !overflow, !isNegative else { throw RuntimeFailure("a time must not be negative, nor that long") }
        return .uint64(time)
    }
}

/// Reads values in GVariant's text form: `true`, `5`, `uint64 5`, `1.5`, `'text'`, `['a', 'b']`, `('a', 5)`, `@as []`.
struct ValueParser {
    private var rest: ArraySlice<UInt8>

    init(_ text: String) { rest = Array(text.utf8)[...] }

    mutating func whole() throws(RuntimeFailure) -> BusValue {
        let value = try value(nil, 0)
        skipSpace()
        guard rest.isEmpty else { throw Self.invalid("there is more behind the value") }
        return value
    }

    private static let keywords: [String: Character] = [
        "boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u", "handle": "h",
        "int64": "x", "uint64": "t", "double": "d", "string": "s", "objectpath": "o", "signature": "g",
    ]

    /// `wanted`: the signature that the value must have, if that is known.
    private mutating func value(_ wanted: [UInt8]?, _ depth: Int) throws(RuntimeFailure) -> BusValue {
        guard depth < 16 else { throw Self.invalid("it is nested too deep") }
        skipSpace()
        guard let first = rest.first else { throw Self.invalid("it has no value") }
        switch first {
        case UInt8(ascii: "'"), UInt8(ascii: "\""):
            let type = wanted?.first ?? UInt8(ascii: "s")
            guard [UInt8(ascii: "s"), UInt8(ascii: "o"), UInt8(ascii: "g")].contains(type) else { throw Self.mismatch }
            return .text(type, try quoted())
        case UInt8(ascii: "["): return try array(wanted, depth)
        case UInt8(ascii: "("): return try structure(wanted, depth)
        case UInt8(ascii: "@"):
            let signature = Array(rest.dropFirst().prefix(255))
            guard let end = BusType.end(signature, 0) else { throw Self.mismatch }
            let type = Array(signature[..<end])
            guard wanted == nil || wanted == type else { throw Self.mismatch }
            rest = rest.dropFirst(end + 1)
            return try value(type, depth + 1)
        default:
            let text = word()
            if let type = Self.keywords[text] {
                guard wanted == nil || wanted == Array(type.utf8) else { throw Self.mismatch }
                return try value(Array(type.utf8), depth + 1)
            }
            return try number(text, wanted)
        }
    }

    private func number(_ text: String, _ wanted: [UInt8]?) throws(RuntimeFailure) -> BusValue {
        if text == "true" || text == "false" {
            guard wanted == nil || wanted == [UInt8(ascii: "b")] else { throw Self.mismatch }
            return .bool(text == "true")
        }
        let isReal = text.contains(".") || text.lowercased().contains("e") && !text.lowercased().hasPrefix("0x")
        let type = wanted?.first ?? UInt8(ascii: isReal ? "d" : "i")
        if type == UInt8(ascii: "d"), let number = Double(text) { return .fixed(type, number.bitPattern) }
        let isNegative = text.hasPrefix("-")
        let digits = text.lowercased().dropFirst(isNegative || text.hasPrefix("+") ? 1 : 0)
        let isHex = digits.hasPrefix("0x")
        guard let size = BusType.size(type), type != UInt8(ascii: "d"), type != UInt8(ascii: "b"),
            digits.first?.isNumber == true,
            let magnitude = UInt64(isHex ? digits.dropFirst(2) : digits, radix: isHex ? 16 : 10)
        else { throw Self.invalid("\(text) is no value of its type; write text in quotes") }
        let isSigned = [UInt8(ascii: "n"), UInt8(ascii: "i"), UInt8(ascii: "x"), UInt8(ascii: "h")].contains(type)
        let most: UInt64 = isSigned ? 1 << UInt64(size * 8 - 1) - 1 : size == 8 ? .max : 1 << UInt64(size * 8) - 1
        guard magnitude <= (isNegative ? (isSigned ? most + 1 : 0) : most) else {
            throw Self.invalid("\(text) is out of range; a larger type helps, such as uint64 \(text)")
        }
        let mask: UInt64 = size == 8 ? .max : 1 << UInt64(size * 8) - 1
        return .fixed(type, (isNegative ? 0 &- magnitude : magnitude) & mask)
    }

    private mutating func array(_ wanted: [UInt8]?, _ depth: Int) throws(RuntimeFailure) -> BusValue {
        guard wanted == nil || wanted?.first == UInt8(ascii: "a") else { throw Self.mismatch }
        var element = wanted.map { Array($0.dropFirst()) }
        var values: [BusValue] = []
        try list(UInt8(ascii: "]")) { (parser: inout ValueParser) throws(RuntimeFailure) in
            let value = try parser.value(element, depth + 1)
            element = element ?? Array(value.signature.utf8)
            values.append(value)
        }
        guard let element else { throw Self.invalid("an empty array needs its type, such as @as []") }
        return .array(String(decoding: element, as: UTF8.self), values)
    }

    private mutating func structure(_ wanted: [UInt8]?, _ depth: Int) throws(RuntimeFailure) -> BusValue {
        var index = 1
        var values: [BusValue] = []
        try list(UInt8(ascii: ")")) { (parser: inout ValueParser) throws(RuntimeFailure) in
            var type: [UInt8]?
            if let wanted {
                guard let end = BusType.end(wanted, index) else { throw Self.mismatch }
                type = Array(wanted[index..<end])
                index = end
            }
            values.append(try parser.value(type, depth + 1))
        }
        let value = BusValue.structure(values)
        guard !values.isEmpty, wanted == nil || Array(value.signature.utf8) == wanted else { throw Self.mismatch }
        return value
    }

    private mutating func list(
        _ end: UInt8, _ element: (inout ValueParser) throws(RuntimeFailure) -> Void
    ) throws(RuntimeFailure) {
        rest.removeFirst()
        while true {
            skipSpace()
            if rest.first == end { break }
            try element(&self)
            skipSpace()
            if rest.first == UInt8(ascii: ",") {
                rest.removeFirst()
            } else if rest.first != end {
                throw Self.invalid("a list is not closed")
            }
        }
        rest.removeFirst()
    }

    private mutating func quoted() throws(RuntimeFailure) -> String {
        let quote = rest.removeFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == quote {
                guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { break }
                return text
            }
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case let escaped?
            where [quote, UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(escaped):
                bytes.append(escaped)
            default: throw Self.invalid("its text has an escape other than \\n, \\t, \\\\ and quotes")
            }
        }
        throw Self.invalid("its text is not closed, or has a zero byte")
    }

    /// Up to what ends a word.
    private mutating func word() -> String {
        let word = rest.prefix { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+")...UInt8(ascii: "."):
                byte != UInt8(ascii: ",")
            default: false
            }
        }
        rest = rest[word.endIndex...]
        return String(decoding: word, as: UTF8.self)
    }

    private mutating func skipSpace() {
        while let byte = rest.first, byte <= 0x20 { rest.removeFirst() }
    }

    private static var mismatch: RuntimeFailure { invalid("a value is not of the type that is said before it") }

    private static func invalid(_ why: String) -> RuntimeFailure {
        RuntimeFailure("\(why) (values are like true, 5, uint64 5, 1.5, 'text', ['a', 'b'])")
    }
}
