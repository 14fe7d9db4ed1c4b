import Glibc

/// A key as its bytes. Swift compares strings by canonical equivalence, a store must not: two spellings of one
/// accent are two keys, in every engine alike.
struct KeyBytes: Hashable, Comparable, Sendable {
    let bytes: [UInt8]

    init(_ string: String) { bytes = Array(string.utf8) }

    init(bytes: [UInt8]) { self.bytes = bytes }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    func hasPrefix(_ prefix: KeyBytes) -> Bool {
        prefix.bytes.count <= bytes.count && compare(prefix, count: prefix.bytes.count) == 0
    }

    func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    static func == (left: KeyBytes, right: KeyBytes) -> Bool {
        left.bytes.count == right.bytes.count && left.compare(right, count: left.bytes.count) == 0
    }

    static func < (left: KeyBytes, right: KeyBytes) -> Bool {
        let order = left.compare(right, count: min(left.bytes.count, right.bytes.count))
        return order != 0 ? order < 0 : left.bytes.count < right.bytes.count
    }

    /// The order of the first `count` bytes, which both must have.
    private func compare(_ other: KeyBytes, count: Int) -> Int32 {
        guard count > 0 else { return 0 }
        return bytes.withUnsafeBytes { own in
            other.bytes.withUnsafeBytes { others in
                guard let left = own.baseAddress, let right = others.baseAddress else { return 0 }
                return memcmp(left, right, count)
            }
        }
    }
}
