import Testing

@testable import Packages

/// What must hold whatever the input, tried with inputs drawn from seeds and, where there is a slow and simple way to
/// the same answer, held against that.
@Suite("Packages: what always holds")
struct PropertyTests {
    private static func value(_ random: inout SeededRandom, depth: Int) -> JSON {
        let texts = ["", "a", "\"\\\n", "é😀", "\u{0}\u{7f}", "a/b~c", "{{x}}"]
        let numbers = ["0", "-1", "1.0", "2.50", "1e3", "-3E-7", "18446744073709551616", "0.1"]
        switch random.draw(0...(depth == 0 ? 3 : 6)) {
        case 0: return .null
        case 1: return .flag(random.draw(0...1) == 0)
        case 2: return .number(JSONNumber(unchecked: numbers[random.draw(0...numbers.count - 1)]))
        case 3: return .text(texts[random.draw(0...texts.count - 1)])
        case 4: return .list((0..<random.draw(0...4)).map { _ in value(&random, depth: depth - 1) })
        default: return .object(object(&random, depth: depth - 1))
        }
    }

    private static func object(_ random: inout SeededRandom, depth: Int) -> JSONObject {
        var object = JSONObject()
        for _ in 0..<random.draw(0...(random.draw(0...9) == 0 ? 30 : 4)) {
            object["k\(random.draw(0...20))"] = value(&random, depth: depth)
        }
        return object
    }

    @Test(arguments: 0..<UInt64(200))
    func `what is written is read again, with the text of its numbers`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let value = Self.value(&random, depth: 5)
        let again = try JSON(parsing: value.bytes, limits: JSONLimits(bytes: 1 << 24))
        #expect(again == value)
        #expect(again.bytes == value.bytes)
    }

    /// All ways to values that are not objects.
    private func leaves(_ object: JSONObject, _ path: [String] = []) -> [[String]: JSON] {
        object.fields.reduce(into: [:]) { all, field in
            if let below = field.value.object, !below.isEmpty {
                all.merge(leaves(below, path + [field.name])) { first, _ in first }
            } else {
                all[path + [field.name]] = field.value
            }
        }
    }

    @Test(arguments: 0..<UInt64(100))
    func `a merged object has all of the upper one, and of the lower one what that leaves`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let (below, above) = (Self.object(&random, depth: 3), Self.object(&random, depth: 3))
        let merged = below.merging(above)
        #expect(merged.merging(above) == merged)
        #expect(below.merging(JSONObject()) == below)
        #expect(JSONObject().merging(above) == above)
        let (all, upper) = (leaves(merged), leaves(above))
        for (path, value) in upper where value != .object(JSONObject()) { #expect(all[path] == value) }
        for (path, value) in leaves(below)
        where !(1...path.count).contains(where: { upper[Array(path.prefix($0))] != nil }) {
            let isReplaced = upper.keys.contains { $0.starts(with: path) }
            if !isReplaced { #expect(all[path] == value) }
        }
    }

    @Test(arguments: 0..<UInt64(100))
    func `numbers compare as whole numbers of thousandths do`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        func number() -> (JSONNumber, Int) {
            let thousandths = random.draw(-50_000...50_000)
            let size = String(abs(thousandths))
            let padded = String(repeating: "0", count: max(0, 4 - size.count)) + size
            let sign = thousandths < 0 ? "-" : ""
            let text =
                random.draw(0...1) == 0 ? "\(sign)\(padded.dropLast(3)).\(padded.suffix(3))" : "\(sign)\(size)e-3"
            return (JSONNumber(unchecked: text), thousandths)
        }
        let (left, right) = (number(), number())
        #expect(left.0.decimal.isLess(than: right.0.decimal) == (left.1 < right.1))
        #expect((left.0 == right.0) == (left.1 == right.1))
        #expect(left.0.isInteger == (left.1 % 1_000 == 0))
        if right.1 != 0 {
            #expect(left.0.decimal.isMultiple(of: right.0.decimal) == (left.1 % right.1 == 0))
        }
    }

    // MARK: patterns

    private static func pattern(_ random: inout SeededRandom, depth: Int) -> String {
        let atoms = ["a", "b", ".", "[ab]", "[^a]", "(?:)", "^", "$", "\\b", "\\w", "\\W", "c"]
        switch random.draw(0...(depth == 0 ? 1 : 8)) {
        case 0...2: return atoms[random.draw(0...atoms.count - 1)]
        case 3, 4: return pattern(&random, depth: depth - 1) + pattern(&random, depth: depth - 1)
        case 5: return "(\(pattern(&random, depth: depth - 1))|\(pattern(&random, depth: depth - 1)))"
        case 6: return "(?\(["=", "!"][random.draw(0...1)])\(pattern(&random, depth: depth - 1)))"
        default:
            let times = ["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"][random.draw(0...6)]
            return "(\(pattern(&random, depth: depth - 1)))\(times)"
        }
    }

    /// Where a match from a place may end: the meaning of a pattern, straight from its tree.
    private func ends(_ tree: SchemaPattern.Tree, from place: Int, in text: [UInt32]) -> Set<Int> {
        func isWord(_ place: Int) -> Bool {
            text.indices.contains(place) && "abc_0".unicodeScalars.contains { $0.value == text[place] }
        }
        switch tree {
        case .empty: return [place]
        case .set(let set): return place < text.count && set.contains(text[place]) ? [place + 1] : []
        case .edge(.start): return place == 0 ? [place] : []
        case .edge(.end): return place == text.count ? [place] : []
        case .edge(.word): return isWord(place - 1) != isWord(place) ? [place] : []
        case .edge(.noWord): return isWord(place - 1) == isWord(place) ? [place] : []
        case .sequence(let parts):
            return parts.reduce([place]) { places, part in
                places.reduce(into: []) { $0.formUnion(ends(part, from: $1, in: text)) }
            }
        case .choice(let parts): return parts.reduce(into: []) { $0.formUnion(ends($1, from: place, in: text)) }
        case .ahead(let part, let isNot): return ends(part, from: place, in: text).isEmpty == isNot ? [place] : []
        case .repeated(let part, let least, let most):
            var (all, current): (Set<Int>, Set<Int>) = (least == 0 ? [place] : [], [place])
            // More rounds than the text is long change nothing.
            for round in 1...max(1, min(most ?? .max, least + text.count + 1)) where most != 0 {
                current = current.reduce(into: []) { $0.formUnion(ends(part, from: $1, in: text)) }
                if round >= least { all.formUnion(current) }
            }
            return all
        }
    }

    @Test(arguments: 0..<UInt64(400))
    func `patterns are found where their meaning says`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let source = Self.pattern(&random, depth: 4)
        var parser = SchemaPatternParser(source)
        guard let tree = parser.parse(), let pattern = SchemaPattern(source) else { return }
        for _ in 0..<8 {
            let text = (0..<random.draw(0...6)).map { _ in ["a", "b", "c", "-"][random.draw(0...3)] }.joined()
            let scalars = text.unicodeScalars.map(\.value)
            let expected = (0...scalars.count).contains { !ends(tree, from: $0, in: scalars).isEmpty }
            #expect(pattern.isFound(in: text) == expected, "\(source) in \(text)")
        }
    }

    // MARK: searching

    private func fits(_ text: Substring, _ query: Substring) -> Bool {
        guard let first = query.first else { return text.isEmpty }
        if first == "*" { return fits(text, query.dropFirst()) || (!text.isEmpty && fits(text.dropFirst(), query)) }
        return text.first == first && fits(text.dropFirst(), query.dropFirst())
    }

    @Test func `a query with stars finds what fits it as a whole`() throws {
        var random = SeededRandom(seed: 7)
        let names = Set(
            (0..<300).map { _ in "a" + (0..<random.draw(0...6)).map { _ in ["a", "b"][random.draw(0...1)] }.joined() })
        let catalog = PackageCatalog([try repository(names.map { "{\"name\":\"\($0)\"}" })])
        for _ in 0..<200 {
            let query = (0..<random.draw(0...6)).map { _ in ["a", "b", "*", "*"][random.draw(0...3)] }.joined() + "*"
            let expected = names.filter { fits($0[...], query[...]) || fits("", query[...]) }
            #expect(Set(catalog.search(query).map(\.name)) == expected, "\(query)")
        }
    }
}
