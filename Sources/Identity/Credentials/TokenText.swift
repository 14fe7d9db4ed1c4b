internal import FoundationEssentials

/// Random bytes from the kernel.
enum RandomBytes {
    static func make(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}

/// Base64 as tokens have it, and comparison of secrets.
enum TokenText {
    static func encode(base64 bytes: [UInt8]) -> String {
        String(Data(bytes).base64EncodedString().prefix { $0 != "=" })
    }

    static func encode(base64URL bytes: [UInt8]) -> String {
        String(
            encode(base64: bytes).map { letter in
                switch letter {
                case "+": "-"
                case "/": "_"
                default: letter
                }
            })
    }

    /// Without padding, and with no other text for the same bytes.
    static func decode(base64 text: some StringProtocol) -> [UInt8]? {
        guard !text.utf8.contains(UInt8(ascii: "=")), text.utf8.count % 4 != 1 else { return nil }
        let padded = String(text) + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: padded) else { return nil }
        let bytes = Array(data)
        // The unused bits of the last letter must be zero, or one token would have many texts.
        return encode(base64: bytes) == text ? bytes : nil
    }

    static func decode(base64URL text: some StringProtocol) -> [UInt8]? {
        var plain = ""
        plain.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"): plain.append("+")
            case UInt8(ascii: "_"): plain.append("/")
            case UInt8(ascii: "+"), UInt8(ascii: "/"): return nil
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: plain.unicodeScalars.append(Unicode.Scalar(byte))
            default: return nil
            }
        }
        return decode(base64: plain)
    }

    /// Compares in a time that depends on the lengths only.
    static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (mine, other) in zip(left, right) { difference |= mine ^ other }
        return difference == 0
    }
}
