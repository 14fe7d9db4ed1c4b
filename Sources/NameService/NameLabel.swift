/// Names of tasks and frameworks as labels of the DNS, by the rules of Mesos-DNS (its `labels` package, RFC 1123).
enum NameLabel {
    /// In lower case; `.` and `_` become `-`, what no label may have is dropped, as is `-` at the ends; at most 63
    /// characters. Empty when nothing is left.
    static func of(_ name: some StringProtocol) -> String {
        let mapped = name.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case 65...90: byte + 32
            case 97...122, 48...57: byte
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): UInt8(ascii: "-")
            default: nil
            }
        }
        let dash = UInt8(ascii: "-")
        let trimmed = mapped.drop { $0 == dash }
        var head = Array(trimmed.prefix(63))
        while head.last == dash { head.removeLast() }
        let lost = min(63, trimmed.count) - head.count
        // What was cut off fills the place of what the cut had left hanging.
        if lost > 0 {
            head += trimmed.dropFirst(63).drop { $0 == dash }.prefix(lost)
            while head.last == dash { head.removeLast() }
        }
        return String(decoding: head, as: UTF8.self)
    }

    /// A framework's name: its dots separate labels.
    static func domain(_ name: String) -> String {
        name.split(separator: ".").map { of($0) }.filter { !$0.isEmpty }.joined(separator: ".")
    }

    /// A service's name, as a path (`/shop/web`) or plain: the last part comes first (`web.shop`).
    static func service(_ name: String) -> String {
        name.split(separator: "/").reversed().map { of($0) }.filter { !$0.isEmpty }.joined(separator: ".")
    }

    /// A short label that is another for another text.
    static func digest(_ text: String) -> String {
        let hash = text.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = Array("0123456789abcdefghijklmnopqrstuv".utf8)
        // The upper bits are the better mixed ones.
        return String(decoding: (0..<8).map { digits[Int(hash >> (24 + 5 * UInt64($0)) & 31)] }, as: UTF8.self)
    }
}
