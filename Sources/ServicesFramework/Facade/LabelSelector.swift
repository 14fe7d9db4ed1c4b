/// One condition on labels, in Marathon's words: `a`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b, c)`.
struct LabelSelector: Hashable, Sendable {
    private enum Condition: Hashable, Sendable {
        case exists
        case isOne(of: Set<String>)
        case isNone(of: Set<String>)
    }

    private let key: String
    private let condition: Condition

    func matches(_ labels: [String: String]) -> Bool {
        switch condition {
        case .exists: labels[key] != nil
        case .isOne(let values): labels[key].map(values.contains) ?? false
        case .isNone(let values): labels[key].map { !values.contains($0) } ?? false
        }
    }

    /// Reads conditions with commas between them.
    ///
    /// - Returns: nil when they cannot be read.
    static func parse(_ text: String) -> [LabelSelector]? {
        var conditions: [LabelSelector] = []
        for part in split(text) {
            guard let condition = one(part) else { return nil }
            conditions.append(condition)
        }
        return conditions.isEmpty ? nil : conditions
    }

    /// Commas in parentheses do not count.
    private static func split(_ text: String) -> [String] {
        var parts = [""]
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
        }
        return parts.map(trimmed)
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    private static func one(_ text: String) -> LabelSelector? {
        for (mark, isNegative) in [("==", false), ("!=", true)] {
            let bytes = Array(text.utf8)
            let sign = Array(mark.utf8)
            guard
                let index = bytes.indices.dropLast().first(where: { bytes[$0] == sign[0] && bytes[$0 + 1] == sign[1] })
            else { continue }
            let key = trimmed(String(decoding: bytes[..<index], as: UTF8.self))
            let value = trimmed(String(decoding: bytes[(index + 2)...], as: UTF8.self))
            if key.isEmpty { return nil }
            return LabelSelector(key: key, condition: isNegative ? .isNone(of: [value]) : .isOne(of: [value]))
        }
        let words = text.split(separator: " ", maxSplits: 2).map(trimmed)
        switch words.count {
        case 1: return LabelSelector(key: words[0], condition: .exists)
        case 3 where words[2].hasPrefix("(") && words[2].hasSuffix(")"):
            let values = Set(words[2].dropFirst().dropLast().split(separator: ",").map(trimmed))
            if words[1] == "in" { return LabelSelector(key: words[0], condition: .isOne(of: values)) }
            return words[1] == "notin" ? LabelSelector(key: words[0], condition: .isNone(of: values)) : nil
        default: return nil
        }
    }
}
