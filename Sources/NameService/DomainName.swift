/// A domain name as it is in a message: labels of any bytes, at most 255 in all.
struct DomainName: Equatable {
    /// As they came, so that an answer repeats a question's upper and lower case.
    let labels: [[UInt8]]

    static let mostBytes = 255
    static let longestLabel = 63

    init(labels: [[UInt8]]) { self.labels = labels }

    /// From text with dots, with one at its end or without; nil where a label is empty or too long.
    init?(_ text: some StringProtocol) {
        var parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Array($0) }
        if parts.last?.isEmpty == true { parts.removeLast() }
        guard parts.allSatisfy({ (1...Self.longestLabel).contains($0.count) }),
            parts.reduce(1, { $0 + 1 + $1.count }) <= Self.mostBytes
        else { return nil }
        labels = parts
    }

    /// What names are compared by: lower case, with dots. Nil for labels with bytes that no name here has, which a dot
    /// within a label is too.
    var key: String? {
        var bytes: [UInt8] = []
        for (place, label) in labels.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ".")) }
            for byte in label {
                switch byte {
                case 65...90: bytes.append(byte + 32)
                case 97...122, 48...57, UInt8(ascii: "-"), UInt8(ascii: "_"): bytes.append(byte)
                default: return nil
                }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads a name of a message, following pointers.
    ///
    /// A pointer must lead to before where the last one led, so that no message can send this round in circles.
    static func read(_ message: [UInt8], at position: inout Int) throws(DNSError) -> DomainName {
        var labels: [[UInt8]] = []
        var size = 1
        var at = position
        var end: Int?
        var limit = position
        while true {
            guard at < message.count else { throw .truncated }
            let length = Int(message[at])
            switch length >> 6 {
            case 0 where length == 0:
                position = end ?? at + 1
                return DomainName(labels: labels)
            case 0:
                size += 1 + length
                guard size <= mostBytes else { throw .invalid }
                guard at + 1 + length <= message.count else { throw .truncated }
                labels.append(Array(message[(at + 1)..<(at + 1 + length)]))
                at += 1 + length
            case 3:
                guard at + 1 < message.count else { throw .truncated }
                let target = (length & 0x3f) << 8 | Int(message[at + 1])
                guard target < limit, target >= DNSHeader.size else { throw .invalid }
                if end == nil { end = at + 2 }
                limit = target
                at = target
            default: throw .invalid
            }
        }
    }
}

/// Why a message cannot be understood.
enum DNSError: Error, Equatable {
    case truncated
    case invalid
}
