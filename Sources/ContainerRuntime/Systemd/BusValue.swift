/// A value of D-Bus (D-Bus Specification, "Type System"), as far as systemd's manager talks of any: no dictionaries and
/// no descriptors.
indirect enum BusValue: Equatable, Sendable {
    /// Everything of fixed size: the letter of its type, and its bits.
    case fixed(UInt8, UInt64)
    /// `s`, `o` or `g`.
    case text(UInt8, String)
    /// The signature of an element, and the elements.
    case array(String, [BusValue])
    case structure([BusValue])
    case variant(BusValue)

    static func bool(_ value: Bool) -> BusValue { .fixed(UInt8(ascii: "b"), value ? 1 : 0) }
    static func uint32(_ value: UInt32) -> BusValue { .fixed(UInt8(ascii: "u"), UInt64(value)) }
    static func uint64(_ value: UInt64) -> BusValue { .fixed(UInt8(ascii: "t"), value) }
    static func string(_ value: String) -> BusValue { .text(UInt8(ascii: "s"), value) }
    static func strings(_ values: [String]) -> BusValue { .array("s", values.map { .string($0) }) }
    static func bytes(_ values: [UInt8]) -> BusValue {
        .array("y", values.map { .fixed(UInt8(ascii: "y"), UInt64($0)) })
    }

    /// The text of `s`, `o` and `g`.
    var text: String? {
        if case .text(_, let text) = self { text } else { nil }
    }

    var signature: String {
        switch self {
        case .fixed(let type, _), .text(let type, _): String(UnicodeScalar(type))
        case .array(let element, _): "a" + element
        case .structure(let members): "(" + members.map(\.signature).joined() + ")"
        case .variant: "v"
        }
    }
}

/// What the letters of a signature stand for.
enum BusType {
    /// How many bytes a value of fixed size takes, which is also how it is aligned; nil for the others.
    static func size(_ type: UInt8) -> Int? {
        switch type {
        case UInt8(ascii: "y"): 1
        case UInt8(ascii: "n"), UInt8(ascii: "q"): 2
        case UInt8(ascii: "b"), UInt8(ascii: "i"), UInt8(ascii: "u"), UInt8(ascii: "h"): 4
        case UInt8(ascii: "x"), UInt8(ascii: "t"), UInt8(ascii: "d"): 8
        default: nil
        }
    }

    static func alignment(_ type: UInt8) -> Int {
        switch type {
        case UInt8(ascii: "g"), UInt8(ascii: "v"): 1
        case UInt8(ascii: "("): 8
        default: size(type) ?? 4
        }
    }

    /// The end of the complete type that begins at an index; nil when there is none.
    static func end(_ signature: [UInt8], _ start: Int, depth: Int = 0) -> Int? {
        guard start < signature.count, depth < BusDecoder.depth else { return nil }
        switch signature[start] {
        case UInt8(ascii: "a"): return end(signature, start + 1, depth: depth + 1)
        case UInt8(ascii: "("):
            var index = start + 1
            while index < signature.count, signature[index] != UInt8(ascii: ")") {
                guard let next = end(signature, index, depth: depth + 1) else { return nil }
                index = next
            }
            return index < signature.count && index > start + 1 ? index + 1 : nil
        case UInt8(ascii: "s"), UInt8(ascii: "o"), UInt8(ascii: "g"), UInt8(ascii: "v"): return start + 1
        case let type: return size(type) == nil ? nil : start + 1
        }
    }
}
