/// Why a text is no pattern.
public struct TextPatternError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    public var description: String
}

/// A regular expression that must fit a whole text, in time that grows with the text's length only.
///
/// It comes from people, and it is tried on every offer: an engine that goes back and tries again could be made to hang
/// by a short pattern. This one keeps all the places it could be in at once. It has what constraints use: characters,
/// `.`, classes, groups, `|`, `* + ? {m,n}`, `\d \w \s`, `^` and `$`; no back references and no looking around.
public struct TextPattern: Sendable {
    private indirect enum Node {
        case empty
        case one(Characters)
        case begin
        case end
        case sequence([Node])
        case choice([Node])
        case many(Node, Int, Int?)
    }

    private struct Characters: Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isNegated = false

        func contains(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } != isNegated }
    }

    private enum Step: Sendable {
        case one(Characters)
        case split(Int, Int)
        case jump(Int)
        case begin
        case end
        case match
    }

    private var steps: [Step] = []

    /// The longest pattern, in characters.
    public static let lengthLimit = 256
    /// The most steps that repetitions may unfold to.
    private static let stepLimit = 4_096

    /// Reads a pattern.
    ///
    /// - Throws: ``TextPatternError`` with what is wrong.
    public init(_ text: String) throws(TextPatternError) {
        let scalars = text.unicodeScalars.map(\.value)
        guard scalars.count <= Self.lengthLimit else {
            throw TextPatternError(description: "the pattern is longer than \(Self.lengthLimit) characters")
        }
        var parser = Parser(scalars: scalars)
        let node = try parser.choice(depth: 0)
        guard parser.isAtEnd else { throw TextPatternError(description: "the pattern has a ')' too many") }
        try emit(node)
        steps.append(.match)
    }

    /// Whether the pattern fits the whole text.
    public func matches(_ text: String) -> Bool {
        let scalars = text.unicodeScalars.map(\.value)
        var current = Places(count: steps.count)
        add(0, to: &current, at: 0, of: scalars.count)
        for (index, scalar) in scalars.enumerated() {
            if current.list.isEmpty { return false }
            var next = Places(count: steps.count)
            for place in current.list {
                if case .one(let characters) = steps[place], characters.contains(scalar) {
                    add(place + 1, to: &next, at: index + 1, of: scalars.count)
                }
            }
            current = next
        }
        return current.list.contains { if case .match = steps[$0] { true } else { false } }
    }

    private struct Places {
        var list: [Int] = []
        var seen: [Bool]

        init(count: Int) { seen = [Bool](repeating: false, count: count) }
    }

    private func add(_ place: Int, to places: inout Places, at index: Int, of count: Int) {
        var open = [place]
        while let place = open.popLast() {
            if places.seen[place] { continue }
            places.seen[place] = true
            switch steps[place] {
            case .one, .match: places.list.append(place)
            case .jump(let target): open.append(target)
            case .split(let first, let second): open += [second, first]
            case .begin: if index == 0 { open.append(place + 1) }
            case .end: if index == count { open.append(place + 1) }
            }
        }
    }

    private mutating func emit(_ node: Node) throws(TextPatternError) {
        guard steps.count < Self.stepLimit else {
            throw TextPatternError(description: "the pattern repeats too much")
        }
        switch node {
        case .empty: break
        case .one(let characters): steps.append(.one(characters))
        case .begin: steps.append(.begin)
        case .end: steps.append(.end)
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .choice(let nodes):
            var jumps: [Int] = []
            for (index, node) in nodes.enumerated() {
                let split = steps.count
                let isLast = index == nodes.count - 1
                if !isLast { steps.append(.split(split + 1, 0)) }
                try emit(node)
                if !isLast {
                    jumps.append(steps.count)
                    steps.append(.jump(0))
                    steps[split] = .split(split + 1, steps.count)
                }
            }
            for jump in jumps { steps[jump] = .jump(steps.count) }
        case .many(let node, let least, let most):
            for _ in 0..<least { try emit(node) }
            guard let most else {
                let split = steps.count
                steps.append(.split(0, 0))
                try emit(node)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
                return
            }
            var splits: [Int] = []
            for _ in least..<max(least, most) {
                splits.append(steps.count)
                steps.append(.split(0, 0))
                try emit(node)
            }
            for split in splits { steps[split] = .split(split + 1, steps.count) }
        }
    }

    private struct Parser {
        let scalars: [UInt32]
        var index = 0

        var isAtEnd: Bool { index == scalars.count }

        private func peek() -> Unicode.Scalar? { index < scalars.count ? Unicode.Scalar(scalars[index]) : nil }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard peek() == scalar else { return false }
            index += 1
            return true
        }

        private func failure(_ text: String) -> TextPatternError {
            TextPatternError(description: "the pattern " + text)
        }

        mutating func choice(depth: Int) throws(TextPatternError) -> Node {
            guard depth < 32 else { throw failure("has groups in more than 32 groups") }
            var nodes = [try sequence(depth)]
            while take("|") { nodes.append(try sequence(depth)) }
            return nodes.count == 1 ? nodes[0] : .choice(nodes)
        }

        private mutating func sequence(_ depth: Int) throws(TextPatternError) -> Node {
            var nodes: [Node] = []
            while let next = peek(), next != "|", next != ")" {
                let node = try atom(depth)
                nodes.append(try repeated(node))
            }
            return nodes.isEmpty ? .empty : .sequence(nodes)
        }

        private mutating func repeated(_ node: Node) throws(TextPatternError) -> Node {
            var least = 0
            var most: Int?
            if take("*") {
            } else if take("+") {
                least = 1
            } else if take("?") {
                most = 1
            } else if take("{") {
                least = try number()
                most = least
                if take(",") { most = peek() == "}" ? nil : try number() }
                guard take("}"), most ?? least >= least else { throw failure("has a repetition that is not {m,n}") }
            } else {
                return node
            }
            // The shortest and the longest fit are the same where the whole text must fit.
            _ = take("?")
            if let next = peek(), "*+{".unicodeScalars.contains(next) { throw failure("repeats a repetition") }
            return .many(node, least, most)
        }

        private mutating func number() throws(TextPatternError) -> Int {
            var value = 0
            let begin = index
            while let next = peek(), ("0"..."9").contains(next), value <= 1_000 {
                value = value * 10 + Int(next.value - 0x30)
                index += 1
            }
            guard index > begin, value <= 1_000 else { throw failure("has a repetition that is not {m,n} up to 1000") }
            return value
        }

        private mutating func atom(_ depth: Int) throws(TextPatternError) -> Node {
            guard let next = peek() else { return .empty }
            index += 1
            switch next {
            case ".": return .one(Characters(ranges: [0x0a...0x0a, 0x0d...0x0d], isNegated: true))
            case "^": return .begin
            case "$": return .end
            case "[": return .one(try characterClass())
            case "\\": return .one(try escaped())
            case "(":
                if take("?"), !take(":") { throw failure("has a group with '?' that is not (?:…)") }
                let node = try choice(depth: depth + 1)
                guard take(")") else { throw failure("has a '(' without ')'") }
                return node
            case "*", "+", "?", "{": throw failure("repeats nothing")
            default: return .one(Characters(ranges: [next.value...next.value]))
            }
        }

        private mutating func escaped() throws(TextPatternError) -> Characters {
            guard let next = peek() else { throw failure("ends with '\\'") }
            index += 1
            let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]
            let space: [ClosedRange<UInt32>] = [0x09...0x0d, 0x20...0x20]
            switch next {
            case "d": return Characters(ranges: [0x30...0x39])
            case "D": return Characters(ranges: [0x30...0x39], isNegated: true)
            case "w": return Characters(ranges: word)
            case "W": return Characters(ranges: word, isNegated: true)
            case "s": return Characters(ranges: space)
            case "S": return Characters(ranges: space, isNegated: true)
            case "t": return Characters(ranges: [0x09...0x09])
            case "n": return Characters(ranges: [0x0a...0x0a])
            case let other
            where (0x30...0x39).contains(other.value) || (0x41...0x5a).contains(other.value)
                || (0x61...0x7a).contains(other.value):
                throw failure("has '\\\(other)', which is not known here")
            default: return Characters(ranges: [next.value...next.value])
            }
        }

        private mutating func characterClass() throws(TextPatternError) -> Characters {
            var found = Characters(ranges: [])
            found.isNegated = take("^")
            var isFirst = true
            while let next = peek() {
                index += 1
                if next == "]", !isFirst { return found }
                isFirst = false
                if next == "\\" {
                    let escaped = try escaped()
                    if escaped.isNegated { throw failure("has a negated class in a class") }
                    found.ranges += escaped.ranges
                    continue
                }
                var last = next
                if peek() == "-", index + 1 < scalars.count, scalars[index + 1] != 0x5d {
                    index += 1
                    last = peek() ?? next
                    index += 1
                    guard last != "\\", last >= next else { throw failure("has a range that ends before it begins") }
                }
                found.ranges.append(next.value...last.value)
            }
            throw failure("has a '[' without ']'")
        }
    }
}
