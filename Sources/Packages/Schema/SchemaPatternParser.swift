/// Reads a regular expression into a tree.
struct SchemaPatternParser {
    typealias Tree = SchemaPattern.Tree
    typealias Scalars = SchemaPattern.Scalars

    private static let depthMax = 40
    private static let repetitionsMax = 1_000
    static let digit: [ClosedRange<UInt32>] = [0x30...0x39]
    static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]
    static let space: [ClosedRange<UInt32>] = [
        0x09...0x0d, 0x20...0x20, 0xa0...0xa0, 0x1680...0x1680, 0x2000...0x200a, 0x2028...0x2029, 0x202f...0x202f,
        0x205f...0x205f, 0x3000...0x3000, 0xfeff...0xfeff,
    ]
    static let lineEnds: [ClosedRange<UInt32>] = [0x0a...0x0a, 0x0d...0x0d, 0x2028...0x2029]

    private let text: [Unicode.Scalar]
    private var index = 0
    private var depth = 0

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    private var next: Unicode.Scalar? { index < text.count ? text[index] : nil }

    private mutating func take(_ word: String) -> Bool {
        let scalars = word.unicodeScalars
        guard text[index...].starts(with: scalars) else { return false }
        index += scalars.count
        return true
    }

    /// The whole expression; nil when it is none.
    mutating func parse() -> Tree? {
        guard let tree = choice(), index == text.count else { return nil }
        return tree
    }

    private mutating func choice() -> Tree? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax, let first = sequence() else { return nil }
        var parts = [first]
        while take("|") {
            guard let next = sequence() else { return nil }
            parts.append(next)
        }
        return parts.count == 1 ? first : .choice(parts)
    }

    private mutating func sequence() -> Tree? {
        var parts: [Tree] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            guard let atom = atom(), let part = repetition(of: atom) else { return nil }
            parts.append(part)
        }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func atom() -> Tree? {
        guard let scalar = next else { return nil }
        index += 1
        switch scalar {
        case ".": return .set(Scalars(ranges: Self.lineEnds, isInverted: true))
        case "^": return .edge(.start)
        case "$": return .edge(.end)
        case "[": return characterClass().map(Tree.set)
        case "*", "+", "?": return nil
        case "(": return group()
        case "\\":
            if take("b") { return .edge(.word) }
            if take("B") { return .edge(.noWord) }
            return escape().map(Tree.set)
        default: return .set(Self.only(scalar))
        }
    }

    private mutating func group() -> Tree? {
        let isAhead = take("?=")
        let isNot = !isAhead && take("?!")
        if !isAhead, !isNot, !take("?:"), next == "?" { return nil }
        guard let inner = choice(), take(")") else { return nil }
        return isAhead || isNot ? .ahead(inner, isNot: isNot) : inner
    }

    private mutating func repetition(of atom: Tree) -> Tree? {
        var part = atom
        if take("*") {
            part = .repeated(atom, 0, nil)
        } else if take("+") {
            part = .repeated(atom, 1, nil)
        } else if take("?") {
            part = .repeated(atom, 0, 1)
        } else if next == "{" {
            let start = index
            switch bounds() {
            case .some(let (least, most)):
                guard least <= Self.repetitionsMax, most ?? 0 <= Self.repetitionsMax, most ?? .max >= least else {
                    return nil
                }
                part = .repeated(atom, least, most)
            case nil:
                // A brace that begins no repetition stands for itself.
                index = start
                return atom
            }
        } else {
            return atom
        }
        // A lazy repetition is found in the same texts.
        _ = take("?")
        if let scalar = next, "*+?".unicodeScalars.contains(scalar) { return nil }
        let end = index
        if bounds() != nil { return nil }
        index = end
        return part
    }

    private mutating func bounds() -> (Int, Int?)? {
        guard take("{"), let least = number() else { return nil }
        if take("}") { return (least, least) }
        guard take(",") else { return nil }
        if take("}") { return (least, nil) }
        guard let most = number(), take("}") else { return nil }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let start = index
        while let scalar = next, ("0"..."9").contains(scalar), index - start < 9 { index += 1 }
        return Int(String(String.UnicodeScalarView(text[start..<index])))
    }

    private mutating func characterClass() -> Scalars? {
        var set = Scalars()
        if take("^") { set.isInverted = true }
        while let scalar = next {
            index += 1
            if scalar == "]" { return set }
            guard let low = member(scalar) else { return nil }
            var ranges = low.isInverted ? low.opposite : low.ranges
            if next == "-", index + 1 < text.count, text[index + 1] != "]", let begin = Self.single(low) {
                index += 2
                guard let high = member(text[index - 1]) else { return nil }
                if let end = Self.single(high) {
                    guard begin <= end else { return nil }
                    ranges = [begin...end]
                } else {
                    // A class at the end of a range: all three stand for themselves.
                    ranges += [0x2d...0x2d] + (high.isInverted ? high.opposite : high.ranges)
                }
            }
            set.ranges += ranges
        }
        return nil
    }

    private mutating func member(_ scalar: Unicode.Scalar) -> Scalars? {
        guard scalar == "\\" else { return Self.only(scalar) }
        if take("b") { return Self.only("\u{08}") }
        if take("-") { return Self.only("-") }
        return escape()
    }

    private mutating func escape() -> Scalars? {
        guard let scalar = next else { return nil }
        index += 1
        switch scalar {
        case "d", "D": return Scalars(ranges: Self.digit, isInverted: scalar == "D")
        case "w", "W": return Scalars(ranges: Self.word, isInverted: scalar == "W")
        case "s", "S": return Scalars(ranges: Self.space, isInverted: scalar == "S")
        case "n": return Self.only("\n")
        case "t": return Self.only("\t")
        case "r": return Self.only("\r")
        case "v": return Self.only("\u{0b}")
        case "f": return Self.only("\u{0c}")
        case "0": return Self.only("\0")
        case "x": return hexadecimal(2)
        case "u": return hexadecimal(4)
        case "a"..."z", "A"..."Z", "1"..."9": return nil
        default: return Self.only(scalar)
        }
    }

    private mutating func hexadecimal(_ count: Int) -> Scalars? {
        guard index + count <= text.count else { return nil }
        let digits = String(String.UnicodeScalarView(text[index..<index + count]))
        guard digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(digits, radix: 16)
        else { return nil }
        index += count
        return Scalars(ranges: [value...value])
    }

    private static func only(_ scalar: Unicode.Scalar) -> Scalars { Scalars(ranges: [scalar.value...scalar.value]) }

    private static func single(_ set: Scalars) -> UInt32? {
        guard !set.isInverted, set.ranges.count == 1, let range = set.ranges.first, range.count == 1 else { return nil }
        return range.lowerBound
    }
}
