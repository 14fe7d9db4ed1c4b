/// `struct sock_filter` of linux/filter.h.
struct BPFInstruction: Equatable, Sendable {
    static let size = 8

    var code: UInt16
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var operand: UInt32

    /// Loads a word of `struct seccomp_data`: the number at 0, the architecture at 4.
    static func load(_ offset: UInt32) -> Self { Self(code: 0x20, operand: offset) }
    static func jump(_ count: Int) -> Self { Self(code: 0x05, operand: UInt32(truncatingIfNeeded: count)) }
    static func give(_ action: UInt32) -> Self { Self(code: 0x06, operand: action) }

    /// Runs `then` when the word is equal.
    static func ifEqual(_ value: UInt32, then: [Self]) -> [Self] {
        guard let far = UInt8(exactly: then.count) else {
            return [Self(code: 0x15, ifFalse: 1, operand: value), jump(1), jump(then.count)] + then
        }
        return [Self(code: 0x15, ifFalse: far, operand: value)] + then
    }

    /// Runs `then` when the word is as large or larger, and else `other`, which must not run through its end.
    static func ifAtLeast(_ value: UInt32, then: [Self], other: [Self]) -> [Self] {
        guard let far = UInt8(exactly: other.count) else {
            return [Self(code: 0x35, ifFalse: 1, operand: value), jump(other.count)] + other + then
        }
        return [Self(code: 0x35, ifTrue: far, operand: value)] + other + then
    }

    func append(to bytes: inout [UInt8]) {
        withUnsafeBytes(of: code) { bytes += $0 }
        bytes += [ifTrue, ifFalse]
        withUnsafeBytes(of: operand) { bytes += $0 }
    }
}
