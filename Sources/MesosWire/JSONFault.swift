import SwiftProtobuf

/// Finds out which field a JSON body was refused for. The decoder tells what is wrong but not where, so members are
/// tried one by one, inwards, until none of them fails alone.
///
/// That costs decodings, so it is done for small bodies and a bounded number of times only; beyond that the error has
/// no path. The text has passed `JSONScan`.
struct JSONFault {
    private static let maximumBytes = 16_384
    private static let maximumTries = 128

    private var tries = 0
    private let text: [UInt8]
    private let isRefused: ([UInt8]) -> Bool

    /// The path of the innermost value that is refused by itself, or an empty one.
    static func path(in text: [UInt8], isRefused: @escaping ([UInt8]) -> Bool) -> String {
        guard text.count <= maximumBytes else { return "" }
        var fault = JSONFault(text: text, isRefused: isRefused)
        return fault.descend(text.indices, before: [], after: [])
    }

    /// The error for the decoder's own, with the path where there is one.
    static func describe(_ error: any Error, path: String, limits: WireLimits) -> WireError {
        guard let error = error as? JSONDecodingError else {
            return .malformedJSON(offset: 0, problem: "it cannot be read")
        }
        let problem: String
        switch error {
        case .messageDepthLimit: return .tooDeep(limit: limits.depth)
        case .malformedNumber, .leadingZero: problem = "must be a number as JSON writes them"
        case .numberRange: problem = "is a number out of range or not a whole one"
        case .malformedBool: problem = "must be true or false"
        case .malformedString: problem = "must be a string"
        case .invalidUTF8: problem = "is not UTF-8"
        case .illegalNull: problem = "must not be null"
        case .conflictingOneOf: problem = "excludes another field that is set"
        case .malformedMap, .unquotedMapKey: problem = "must be an object with string keys"
        case .truncated: problem = "ends too early"
        case .trailingGarbage: return .malformedJSON(offset: 0, problem: "something follows the object")
        default: problem = "has a value of another type than it must have"
        }
        return path.isEmpty
            ? .malformedJSON(offset: 0, problem: "a value \(problem)") : .invalidField(path: path, problem: problem)
    }

    private init(text: [UInt8], isRefused: @escaping ([UInt8]) -> Bool) {
        self.text = text
        self.isRefused = isRefused
    }

    /// Tries the members of the object or array in a range; `before` and `after` are the brackets and keys around it.
    private mutating func descend(_ range: Range<Int>, before: [UInt8], after: [UInt8]) -> String {
        guard let open = firstByte(range), text[open] == UInt8(ascii: "{") || text[open] == UInt8(ascii: "[") else {
            return ""
        }
        let isObject = text[open] == UInt8(ascii: "{")
        let closing: [UInt8] = [isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")]
        for (index, member) in members(open + 1..<range.upperBound).enumerated() {
            tries += 1
            if tries > Self.maximumTries { return "" }
            guard isRefused(before + [text[open]] + Array(text[member]) + closing + after) else { continue }
            let name: String
            var value = member
            if isObject {
                guard let split = splitKey(member) else { return "" }
                name = String(decoding: text[split.key].prefix(80), as: UTF8.self)
                value = split.value
            } else {
                name = "[\(index)]"
            }
            let key = Array(text[member.lowerBound..<value.lowerBound])
            let inner = descend(value, before: before + [text[open]] + key, after: closing + after)
            if inner.isEmpty { return name }
            return inner.hasPrefix("[") ? name + inner : name + "." + inner
        }
        return ""
    }

    private func firstByte(_ range: Range<Int>) -> Int? { range.first { text[$0] > 0x20 } }

    /// The ranges between the commas of one level, from just behind its opening bracket to its closing one.
    private func members(_ range: Range<Int>) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var (start, index, depth) = (range.lowerBound, range.lowerBound, 0)
        while index < range.upperBound {
            switch text[index] {
            case UInt8(ascii: "\""): index = endOfString(index, limit: range.upperBound)
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 {
                    result.append(start..<index)
                    return result
                }
                depth -= 1
            case UInt8(ascii: ",") where depth == 0:
                result.append(start..<index)
                start = index + 1
            default: break
            }
            index += 1
        }
        return result
    }

    /// The text of a member's key without quotes, and what follows the colon.
    private func splitKey(_ member: Range<Int>) -> (key: Range<Int>, value: Range<Int>)? {
        guard let quote = firstByte(member), text[quote] == UInt8(ascii: "\"") else { return nil }
        let end = endOfString(quote, limit: member.upperBound)
        guard end < member.upperBound, let colon = firstByte(end + 1..<member.upperBound),
            text[colon] == UInt8(ascii: ":")
        else { return nil }
        return (quote + 1..<end, colon + 1..<member.upperBound)
    }

    /// The index of the closing quote, or the limit.
    private func endOfString(_ quote: Int, limit: Int) -> Int {
        var index = quote + 1
        while index < limit {
            if text[index] == UInt8(ascii: "\"") { return index }
            index += text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return limit
    }
}
