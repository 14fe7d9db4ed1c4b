/// A regular expression as people write them in constraints, matched against a whole text.
///
/// It knows literals, `.`, classes, groups, `|`, `* + ? {m,n}` (lazy ones too, which matter not for a whole match), `^`,
/// `$`, and the escapes `\d \w \s` with their opposites. All possible ways are followed side by side, so that matching
/// takes time in proportion to both lengths, whatever the expression: it comes from outside.
public struct Pattern: Sendable {
    private enum Instruction: Sendable {
        case any
        case one(Scalars)
        case jump(Int)
        case either(Int, Int)
        case atStart
        case atEnd
        case matched
    }

    /// A set of characters.
    struct Scalars: Hashable, Sendable {
        var ranges: [ClosedRange<UInt32>] = []
        var isInverted = false

        func contains(_ value: UInt32) -> Bool { ranges.contains { $0.contains(value) } != isInverted }
    }

    /// The longest expression, and the most instructions it may come to when its repetitions are written out.
    static let bytesMax = 1_024
    static let instructionsMax = 4_096

    private var program: [Instruction] = []

    /// Reads an expression; nil when it is none, or too large.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.bytesMax else { return nil }
        var parser = PatternParser(text)
        guard let tree = parser.parse(), emit(tree) else { return nil }
        program.append(.matched)
    }

    /// Whether the expression matches the whole text.
    public func matches(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        var states: [Int] = []
        var seen = [Bool](repeating: false, count: program.count)
        add(0, at: 0, of: scalars.count, to: &states, &seen)
        for (index, scalar) in scalars.enumerated() {
            if states.isEmpty { return false }
            var next: [Int] = []
            seen = [Bool](repeating: false, count: program.count)
            for state in states {
                let isHit =
                    switch program[state] {
                    case .any: scalar != "\n"
                    case .one(let set): set.contains(scalar.value)
                    default: false
                    }
                if isHit { add(state + 1, at: index + 1, of: scalars.count, to: &next, &seen) }
            }
            states = next
        }
        return states.contains { if case .matched = program[$0] { true } else { false } }
    }

    /// Follows what takes no character.
    private func add(_ start: Int, at index: Int, of count: Int, to states: inout [Int], _ seen: inout [Bool]) {
        var open = [start]
        while let state = open.popLast() {
            if seen[state] { continue }
            seen[state] = true
            switch program[state] {
            case .jump(let target): open.append(target)
            case .either(let first, let second):
                open.append(second)
                open.append(first)
            case .atStart: if index == 0 { open.append(state + 1) }
            case .atEnd: if index == count { open.append(state + 1) }
            case .any, .one, .matched: states.append(state)
            }
        }
    }

    private mutating func emit(_ tree: PatternParser.Tree) -> Bool {
        guard program.count < Self.instructionsMax else { return false }
        switch tree {
        case .empty: return true
        case .any: program.append(.any)
        case .set(let set): program.append(.one(set))
        case .start: program.append(.atStart)
        case .end: program.append(.atEnd)
        case .sequence(let parts): return parts.allSatisfy { emit($0) }
        case .choice(let parts): return emitChoice(parts)
        case .repeated(let part, let least, let most): return emitRepeated(part, least, most)
        }
        return true
    }

    private mutating func emitChoice(_ parts: [PatternParser.Tree]) -> Bool {
        var ends: [Int] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1 {
                if !emit(part) { return false }
                continue
            }
            let split = program.count
            program.append(.matched)
            guard emit(part) else { return false }
            ends.append(program.count)
            program.append(.matched)
            program[split] = .either(split + 1, program.count)
        }
        for end in ends { program[end] = .jump(program.count) }
        return true
    }

    private mutating func emitRepeated(_ part: PatternParser.Tree, _ least: Int, _ most: Int?) -> Bool {
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
            guard program.count < Self.instructionsMax, emit(part) else { return false }
        }
        for split in splits { program[split] = .either(split + 1, program.count) }
        return true
    }
}
