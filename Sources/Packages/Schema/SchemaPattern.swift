/// A regular expression of a schema, found anywhere in a text, as JSON Schema has it.
///
/// It comes from outside, and so does the text: all ways through the expression are followed side by side, so that time
/// grows with the product of both lengths and never faster, and there is a limit to that too. It knows what ECMA 262
/// had in its first editions: literals, classes, groups, `|`, all repetitions, `^ $ \b \B`, and looking ahead. What
/// cannot be followed in this way, references back and looking behind, it does not know.
struct SchemaPattern: Sendable {
    indirect enum Tree {
        case empty
        case set(Scalars)
        case edge(Edge)
        case sequence([Tree])
        case choice([Tree])
        case repeated(Tree, Int, Int?)
        case ahead(Tree, isNot: Bool)
    }

    /// What takes no character.
    enum Edge: Sendable { case start, end, word, noWord }

    /// A set of characters.
    struct Scalars: Sendable {
        var ranges: [ClosedRange<UInt32>] = []
        var isInverted = false

        func contains(_ value: UInt32) -> Bool { ranges.contains { $0.contains(value) } != isInverted }

        /// Everything but these.
        var opposite: [ClosedRange<UInt32>] {
            var result: [ClosedRange<UInt32>] = []
            var next: UInt32 = 0
            for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
                next = max(next, range.upperBound + 1)
            }
            if next <= 0x10ffff { result.append(next...0x10ffff) }
            return result
        }
    }

    private enum Instruction: Sendable {
        case one(Scalars)
        case jump(Int)
        case either(Int, Int)
        case edge(Edge)
        /// What must or must not follow begins after it and ends with `matched`; it goes on at the number.
        case ahead(isNot: Bool, then: Int)
        case matched
    }

    /// The longest expression, the most instructions it may come to, and the most steps of one search.
    static let bytesMax = 2_048
    static let instructionsMax = 4_096
    static let stepsMax = 4_000_000

    private var program: [Instruction] = []

    /// Reads an expression; nil when it is none, too large, or beyond what is known here.
    init?(_ text: String) {
        guard text.utf8.count <= Self.bytesMax else { return nil }
        var parser = SchemaPatternParser(text)
        guard let tree = parser.parse(), emit(tree) else { return nil }
        program.append(.matched)
    }

    /// Whether it is found in a text; nil when that takes too long to tell.
    func isFound(in text: String) -> Bool? { search(text, stepsMax: Self.stepsMax).isFound }

    /// Whether it is found in a text, nil when that takes more steps than these; and how many it took.
    func search(_ text: String, stepsMax: Int) -> (isFound: Bool?, steps: Int) {
        let limit = min(stepsMax, Self.stepsMax)
        guard limit > 0, text.utf8.count <= limit else { return (nil, 0) }
        let scalars = text.unicodeScalars.map(\.value)
        var steps = limit
        let isFound = search(from: 0, at: 0, of: scalars, anywhere: true, steps: &steps)
        return (steps > 0 ? isFound : nil, limit - max(steps, 0))
    }

    private func search(
        from first: Int, at begin: Int, of text: [UInt32], anywhere: Bool, steps: inout Int
    ) -> Bool {
        var states: [Int] = []
        var seen = [Int](repeating: -1, count: program.count)
        var index = begin
        while true {
            if index == begin || anywhere { states.append(first) }
            var next: [Int] = []
            var open = Array(states.reversed())
            while let state = open.popLast() {
                steps -= 1
                guard steps > 0 else { return false }
                if seen[state] == index { continue }
                seen[state] = index
                switch program[state] {
                case .matched: return true
                case .one(let set): if index < text.count, set.contains(text[index]) { next.append(state + 1) }
                case .jump(let target): open.append(target)
                case .either(let one, let other): open += [other, one]
                case .edge(let edge): if Self.holds(edge, at: index, of: text) { open.append(state + 1) }
                case .ahead(let isNot, let then):
                    let found = search(from: state + 1, at: index, of: text, anywhere: false, steps: &steps)
                    if found != isNot { open.append(then) }
                }
            }
            if index == text.count || (next.isEmpty && !anywhere) { return false }
            states = next
            index += 1
        }
    }

    private static func holds(_ edge: Edge, at index: Int, of text: [UInt32]) -> Bool {
        func isWord(_ place: Int) -> Bool {
            text.indices.contains(place) && SchemaPatternParser.word.contains { $0.contains(text[place]) }
        }
        return switch edge {
        case .start: index == 0
        case .end: index == text.count
        case .word: isWord(index - 1) != isWord(index)
        case .noWord: isWord(index - 1) == isWord(index)
        }
    }

    private mutating func emit(_ tree: Tree) -> Bool {
        guard program.count < Self.instructionsMax else { return false }
        switch tree {
        case .empty: return true
        case .set(let set): program.append(.one(set))
        case .edge(let edge): program.append(.edge(edge))
        case .sequence(let parts): return parts.allSatisfy { emit($0) }
        case .choice(let parts): return emitChoice(parts)
        case .repeated(let part, let least, let most): return emitRepeated(part, least, most)
        case .ahead(let part, let isNot):
            let place = program.count
            program.append(.matched)
            guard emit(part) else { return false }
            program.append(.matched)
            program[place] = .ahead(isNot: isNot, then: program.count)
        }
        return true
    }

    private mutating func emitChoice(_ parts: [Tree]) -> Bool {
        var ends: [Int] = []
        for (index, part) in parts.enumerated() {
            let split = program.count
            if index < parts.count - 1 { program.append(.matched) }
            guard emit(part) else { return false }
            guard index < parts.count - 1 else { break }
            ends.append(program.count)
            program.append(.matched)
            program[split] = .either(split + 1, program.count)
        }
        for end in ends { program[end] = .jump(program.count) }
        return true
    }

    private mutating func emitRepeated(_ part: Tree, _ least: Int, _ most: Int?) -> Bool {
        let start = program.count
        for round in 0..<least {
            guard emit(part) else { return false }
            // Nothing, repeated, is nothing.
            if round == 0, program.count == start { return true }
        }
        guard let most else {
            let split = program.count
            program.append(.matched)
            guard emit(part) else { return false }
            program.append(.jump(split))
            program[split] = .either(split + 1, program.count)
            return true
        }
        var splits: [Int] = []
        for _ in least..<most {
            splits.append(program.count)
            program.append(.matched)
            guard emit(part) else { return false }
            if program.count == start + splits.count { break }
        }
        for split in splits { program[split] = .either(split + 1, program.count) }
        return true
    }
}
