/// Reads a regular expression into a tree.
struct PatternParser {
    indirect enum Tree {
        case empty
        case any
        case set(Pattern.Scalars)
        case start
        case end
        case sequence([Tree])
        case choice([Tree])
        case repeated(Tree, Int, Int?)
    }

    private static let depthMax = 50
    private static let repetitionsMax = 1_000

    private var rest: Substring.UnicodeScalarView
    private var depth = 0

    init(_ text: String) { rest = Substring(text).unicodeScalars }

    /// The whole expression; nil when it is none.
    mutating func parse() -> Tree? {
        guard let tree = choice(), rest.isEmpty else { return nil }
        return tree
    }

    private mutating func choice() -> Tree? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax, let first = sequence() else { return nil }
        var parts = [first]
        while rest.first == "|" {
            rest.removeFirst()
            guard let next = sequence() else { return nil }
            parts.append(next)
        }
        return parts.count == 1 ? first : .choice(parts)
    }

    private mutating func sequence() -> Tree? {
        var parts: [Tree] = []
        while let scalar = rest.first, scalar != "|", scalar != ")" {
            guard let atom = atom(), let part = repetitions(of: atom) else { return nil }
            parts.append(part)
        }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func atom() -> Tree? {
        guard let scalar = rest.popFirst() else { return nil }
        switch scalar {
        case ".": return .any
        case "^": return .start
        case "$": return .end
        case "[": return characterClass().map(Tree.set)
        case "\\": return escape().map(Tree.set)
        case "*", "+", "?": return nil
        case "(":
            if rest.starts(with: "?:".unicodeScalars) {
                rest.removeFirst(2)
            } else if rest.first == "?" {
                return nil
            }
            guard let inner = choice(), rest.popFirst() == ")" else { return nil }
            return inner
        default: return .set(Self.only(scalar))
        }
    }

    private mutating func repetitions(of atom: Tree) -> Tree? {
        var part = atom
        while let scalar = rest.first {
            switch scalar {
            case "*": part = .repeated(part, 0, nil)
            case "+": part = .repeated(part, 1, nil)
            case "?": part = .repeated(part, 0, 1)
            case "{":
                rest.removeFirst()
                guard let (least, most) = bounds() else { return nil }
                part = .repeated(part, least, most)
                if rest.first == "?" { rest.removeFirst() }
                continue
            default: return part
            }
            rest.removeFirst()
            // A lazy repetition matches the same whole texts.
            if scalar != "?", rest.first == "?" { rest.removeFirst() }
        }
        return part
    }

    private mutating func bounds() -> (Int, Int?)? {
        guard let least = number() else { return nil }
        if rest.first == "}" {
            rest.removeFirst()
            return (least, least)
        }
        guard rest.popFirst() == "," else { return nil }
        if rest.first == "}" {
            rest.removeFirst()
            return (least, nil)
        }
        guard let most = number(), rest.popFirst() == "}", most >= least else { return nil }
        return (least, most)
    }

    private mutating func number() -> Int? {
        var digits = ""
        while let scalar = rest.first, ("0"..."9").contains(scalar), digits.count < 6 {
            digits.unicodeScalars.append(scalar)
            rest.removeFirst()
        }
        return Int(digits).flatMap { $0 <= Self.repetitionsMax ? $0 : nil }
    }

    private mutating func characterClass() -> Pattern.Scalars? {
        var set = Pattern.Scalars()
        if rest.first == "^" {
            set.isInverted = true
            rest.removeFirst()
        }
        var isFirst = true
        while let scalar = rest.popFirst() {
            if scalar == "]", !isFirst { return set }
            isFirst = false
            var low = Self.only(scalar)
            if scalar == "\\" {
                guard let escaped = escape() else { return nil }
                low = escaped
            }
            if rest.first == "-", rest.dropFirst().first != "]", !low.isInverted, low.ranges.count == 1,
                let begin = low.ranges.first, begin.count == 1
            {
                rest.removeFirst()
                guard var end = rest.popFirst() else { return nil }
                if end == "\\" {
                    guard let escaped = escape(), let only = escaped.ranges.first, only.count == 1,
                        let scalar = Unicode.Scalar(only.lowerBound)
                    else { return nil }
                    end = scalar
                }
                guard begin.lowerBound <= end.value else { return nil }
                low.ranges = [begin.lowerBound...end.value]
            }
            // The opposite of a class inside a class.
            set.ranges += low.isInverted ? Self.opposite(low.ranges) : low.ranges
        }
        return nil
    }

    private mutating func escape() -> Pattern.Scalars? {
        guard let scalar = rest.popFirst() else { return nil }
        switch scalar {
        case "d", "D": return Pattern.Scalars(ranges: [0x30...0x39], isInverted: scalar == "D")
        case "w", "W":
            return Pattern.Scalars(
                ranges: [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a], isInverted: scalar == "W")
        case "s", "S": return Pattern.Scalars(ranges: [0x09...0x0d, 0x20...0x20], isInverted: scalar == "S")
        case "n": return Self.only("\n")
        case "t": return Self.only("\t")
        case "r": return Self.only("\r")
        case "a"..."z", "A"..."Z", "0"..."9": return nil
        default: return Self.only(scalar)
        }
    }

    private static func only(_ scalar: Unicode.Scalar) -> Pattern.Scalars {
        Pattern.Scalars(ranges: [scalar.value...scalar.value])
    }

    private static func opposite(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
            next = max(next, range.upperBound + 1)
        }
        result.append(next...0x10ffff)
        return result
    }
}
