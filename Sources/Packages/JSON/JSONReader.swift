/// Why a text is not JSON, or more of it than is taken.
public struct JSONFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where, in bytes from the beginning.
    public var offset: Int
    /// What is wrong there.
    public var reason: String
    /// Where, for people.
    public var description: String { "\(reason) (byte \(offset))" }
}

/// How much JSON is taken: it comes from outside.
public struct JSONLimits: Hashable, Sendable {
    /// The longest text.
    public var bytes: Int
    /// The most values, of all kinds.
    public var values: Int
    /// How deep lists and objects may be nested.
    public var depth: Int

    /// Makes limits.
    public init(bytes: Int, values: Int = 200_000, depth: Int = 64) {
        self.bytes = bytes
        self.values = values
        self.depth = depth
    }
}

extension JSON {
    /// Reads a text strictly as RFC 8259 has it. A mark of the byte order at its beginning is passed over, and half of
    /// a surrogate pair becomes the sign for what cannot be shown.
    ///
    /// - Parameters:
    ///   - bytes: the text, in UTF-8.
    ///   - limits: how much is taken.
    /// - Throws: ``JSONFault`` with what is wrong and where.
    public init(parsing bytes: [UInt8], limits: JSONLimits) throws(JSONFault) {
        self = try Self.parsed(bytes[...], limits: limits)
    }

    static func parsed(_ bytes: ArraySlice<UInt8>, limits: JSONLimits) throws(JSONFault) -> JSON {
        guard bytes.count <= limits.bytes else {
            throw JSONFault(offset: limits.bytes, reason: "has \(bytes.count) bytes, at most \(limits.bytes) are taken")
        }
        let result = bytes.withUnsafeBufferPointer { bytes -> Result<JSON, JSONFault> in
            var reader = JSONReader(bytes, limits: limits)
            do throws(JSONFault) { return .success(try reader.whole()) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

/// Reads one value after the other.
struct JSONReader {
    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var index = 0
    private var valuesLeft: Int
    private let depthMax: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        valuesLeft = limits.values
        depthMax = limits.depth
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }
    var isAtEnd: Bool { index == bytes.count }
    var isAtQuote: Bool { next == UInt8(ascii: "\"") }

    func fault(_ reason: String) -> JSONFault { JSONFault(offset: index, reason: reason) }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { index += 1 }
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(JSONFault) {
        skipSpace()
        if !take(character) { throw fault(isAtEnd ? "ends in the middle" : "expected '\(character)'") }
    }

    /// The only value there is.
    mutating func whole() throws(JSONFault) -> JSON {
        let result = try value(depth: 0)
        skipSpace()
        guard isAtEnd else { throw fault("something follows the end of the value") }
        return result
    }

    mutating func value(depth: Int) throws(JSONFault) -> JSON {
        guard depth <= depthMax else { throw fault("is nested more than \(depthMax) deep") }
        guard valuesLeft > 0 else { throw fault("has too many values") }
        valuesLeft -= 1
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .list(try list(depth: depth + 1))
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "t"): return try word("true", .flag(true))
        case UInt8(ascii: "f"): return try word("false", .flag(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw fault("ends in the middle")
        default: return .number(try number())
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(JSONFault) -> JSON {
        let end = index + word.utf8CodeUnitCount
        let expected = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[index..<end].elementsEqual(expected) else { throw fault("is no JSON value") }
        index = end
        return value
    }

    private mutating func object(depth: Int) throws(JSONFault) -> JSONObject {
        index += 1
        var fields = JSONObject()
        skipSpace()
        if take("}") { return fields }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fault("expected a name in quotes") }
            let name = try text()
            try expect(":")
            fields[name] = try value(depth: depth)
            skipSpace()
            if take("}") { return fields }
            try expect(",")
        }
    }

    private mutating func list(depth: Int) throws(JSONFault) -> [JSON] {
        index += 1
        var elements: [JSON] = []
        skipSpace()
        if take("]") { return elements }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            if take("]") { return elements }
            try expect(",")
        }
    }

    private mutating func digits() -> Bool {
        let start = index
        while let byte = next, (0x30...0x39).contains(byte) { index += 1 }
        return index > start
    }

    private mutating func number() throws(JSONFault) -> JSONNumber {
        let start = index
        _ = take("-")
        // No further digits after a zero at the front.
        if !take("0"), !digits() { throw fault("is no JSON value") }
        if take("."), !digits() { throw fault("expected a digit") }
        if take("e") || take("E") {
            let sign = index
            if !take("+") { _ = take("-") }
            if !digits() { throw fault("expected a digit") }
            let exponent = Int(String(decoding: bytes[sign..<index], as: UTF8.self)) ?? .max
            guard abs(exponent.clamped) <= JSONNumber.exponentMax else { throw fault("a number is too large") }
        }
        guard index - start <= JSONNumber.textMax else { throw fault("a number is too long") }
        return JSONNumber(unchecked: String(decoding: bytes[start..<index], as: UTF8.self))
    }

    mutating func text() throws(JSONFault) -> String {
        index += 1
        let start = index
        // Most texts have no escapes.
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { index += 1 }
        var escaped: [UInt8]?
        if next == UInt8(ascii: "\\") {
            var all = Array(bytes[start..<index])
            try escapes(into: &all)
            escaped = all
        }
        guard next == UInt8(ascii: "\"") else {
            throw fault(isAtEnd ? "ends in the middle" : "a text has a control character")
        }
        let result =
            escaped.map { String(validating: $0, as: UTF8.self) }
            ?? String(validating: bytes[start..<index], as: UTF8.self)
        guard let result else { throw JSONFault(offset: start, reason: "a text is not UTF-8") }
        index += 1
        return result
    }

    private mutating func escapes(into all: inout [UInt8]) throws(JSONFault) {
        while let byte = next, byte != UInt8(ascii: "\""), byte >= 0x20 {
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                all.append(byte)
                continue
            }
            guard let letter = next else { throw fault("ends in the middle") }
            index += 1
            switch letter {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): all.append(letter)
            case UInt8(ascii: "b"): all.append(0x08)
            case UInt8(ascii: "f"): all.append(0x0c)
            case UInt8(ascii: "n"): all.append(0x0a)
            case UInt8(ascii: "r"): all.append(0x0d)
            case UInt8(ascii: "t"): all.append(0x09)
            case UInt8(ascii: "u"): all += Array(String(try escapedScalar()).utf8)
            default: throw fault("a text has an escape that JSON does not know")
            }
        }
    }

    private mutating func escapedScalar() throws(JSONFault) -> Character {
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return Character(scalar) }
        let after = index
        if first < 0xdc00, take("\\"), take("u") {
            let second = try fourDigits()
            if (0xdc00...0xdfff).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
            {
                return Character(scalar)
            }
        }
        index = after
        return "\u{fffd}"
    }

    private mutating func fourDigits() throws(JSONFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fault("expected four hexadecimal digits")
            }
            value = value << 4 + UInt32(digit)
            index += 1
        }
        return value
    }

    /// Passes over one value without making anything of it; only brackets and quotes are looked at.
    mutating func skip() throws(JSONFault) {
        skipSpace()
        let start = index
        var depth = 0
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""): try skipText()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return try stopped(at: start) }
                depth -= 1
                index += 1
                if depth == 0 { return }
                continue
            case UInt8(ascii: ","), 0x20, 0x0a, 0x0d, 0x09:
                if depth == 0 { return try stopped(at: start) }
                index += 1
                continue
            default: index += 1
            }
        }
        throw fault("ends in the middle")
    }

    private func stopped(at start: Int) throws(JSONFault) {
        if index == start { throw fault("expected a value") }
    }

    private mutating func skipText() throws(JSONFault) {
        index += 1
        while let byte = next, byte != UInt8(ascii: "\"") { index += byte == UInt8(ascii: "\\") ? 2 : 1 }
        if index >= bytes.count {
            index = bytes.count
            throw fault("ends in the middle")
        }
        index += 1
    }
}

extension Int {
    /// Without the one number whose opposite does not fit.
    fileprivate var clamped: Int { self == .min ? .max : self }
}
