/// A number with the text it was written in. Numbers are compared by what they are worth, however they are written and
/// however large they are.
public struct JSONNumber: Sendable {
    /// As it was written.
    public let text: String

    /// The longest text of a number, and the largest exponent in it: what a number is worth can be written out.
    static let textMax = 400
    static let exponentMax = 400

    /// A whole number.
    public init(_ value: Int) { text = String(value) }

    /// A text that the reader has found to be a number.
    init(unchecked text: String) { self.text = text }

    /// What it is worth.
    var decimal: Decimal { Decimal(text.utf8) }
    /// Whether it has no fraction; `1.0` and `1e3` have none.
    public var isInteger: Bool { decimal.exponent >= 0 }
    /// Its value, if it is a whole number that fits.
    public var integer: Int? {
        if let plain = Int(text) { return plain }
        guard let whole = decimal.wholeText else { return nil }
        return Int(whole)
    }
    /// The nearest floating-point number.
    public var double: Double { Double(text) ?? 0 }

    /// As Cosmos puts it into a template: whole numbers in plain digits, others as Java writes them.
    var rendered: String { decimal.wholeText ?? JavaText.of(double) }
}

extension JSONNumber: Equatable {
    /// Compares by value.
    public static func == (left: JSONNumber, right: JSONNumber) -> Bool {
        left.text == right.text || left.decimal == right.decimal
    }
}

/// A decimal number of any length: its digits without zeros at either end, and the power of ten that they are of.
struct Decimal: Equatable {
    var isNegative = false
    var digits: [UInt8] = []
    var exponent = 0

    /// Reads the text of a JSON number.
    init(_ text: some Sequence<UInt8>) {
        var rest = text.makeIterator()
        var afterPoint = false
        var stated = 0
        var statedSign = 1
        loop: while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "-"): isNegative = true
            case UInt8(ascii: "."): afterPoint = true
            case 0x30...0x39:
                if afterPoint { exponent -= 1 }
                if !digits.isEmpty || byte != 0x30 { digits.append(byte - 0x30) }
            default: break loop
            }
        }
        while let byte = rest.next() {
            if byte == UInt8(ascii: "-") { statedSign = -1 }
            if (0x30...0x39).contains(byte), stated < 100_000 { stated = stated * 10 + Int(byte - 0x30) }
        }
        exponent += statedSign * stated
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        if digits.isEmpty { (isNegative, exponent) = (false, 0) }
    }

    /// All digits of a whole number; nil when there is a fraction.
    var wholeText: String? {
        if digits.isEmpty { return "0" }
        guard exponent >= 0 else { return nil }
        let all = digits.map { $0 + 0x30 } + Array(repeating: 0x30, count: exponent)
        return (isNegative ? "-" : "") + String(decoding: all, as: UTF8.self)
    }

    /// Whether it is the smaller one.
    func isLess(than other: Decimal) -> Bool {
        if isNegative != other.isNegative { return isNegative }
        return isNegative ? other.isSmaller(than: self) : isSmaller(than: other)
    }

    private func isSmaller(than other: Decimal) -> Bool {
        if digits.isEmpty || other.digits.isEmpty { return digits.isEmpty && !other.digits.isEmpty }
        let (size, otherSize) = (digits.count + exponent, other.digits.count + other.exponent)
        return size == otherSize ? digits.lexicographicallyPrecedes(other.digits) : size < otherSize
    }

    /// Whether it is a whole number of times the other one; nil when that has too many digits to tell.
    func isMultiple(of other: Decimal) -> Bool? {
        if digits.isEmpty { return true }
        guard !other.digits.isEmpty, other.digits.count <= 17 else { return nil }
        let divisor = other.digits.reduce(UInt64(0)) { $0 * 10 + UInt64($1) }
        let scale = exponent - other.exponent
        var rest: UInt64 = 0
        for digit in digits { rest = (rest * 10 + UInt64(digit)) % divisor }
        if scale >= 0 {
            for _ in 0..<scale { rest = rest * 10 % divisor }
            return rest == 0
        }
        // The divisor is of a higher power of ten and has no zero at its end; the number has none either.
        return false
    }
}

/// Numbers and collections in the text that Java gives them, which is what a template shows of them.
enum JavaText {
    /// As `Double.toString` writes it.
    static func of(_ value: Double) -> String {
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity" }
        let number = Decimal("\(value)".utf8)
        let digits = number.digits.map { $0 + 0x30 }
        // The power of ten of the first digit.
        let power = digits.count + number.exponent - 1
        func text(_ bytes: some Collection<UInt8>) -> String {
            bytes.isEmpty ? "0" : String(decoding: bytes, as: UTF8.self)
        }
        let sign = number.isNegative ? "-" : ""
        switch power {
        case 0..<7:
            let padded = digits + Array(repeating: 0x30, count: max(0, power + 1 - digits.count))
            return sign + text(padded.prefix(power + 1)) + "." + text(padded.dropFirst(power + 1))
        case -3..<0:
            return sign + "0." + String(repeating: "0", count: -power - 1) + text(digits)
        default:
            return sign + text(digits.prefix(1)) + "." + text(digits.dropFirst()) + "E\(power)"
        }
    }
}
