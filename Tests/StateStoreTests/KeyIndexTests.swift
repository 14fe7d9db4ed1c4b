import Testing

@testable import StateStore

struct KeyIndexTests {
    @Test(arguments: 0..<UInt64(4))
    func `the index holds and lists what a plain dictionary does`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var index = KeyIndex()
        var plain: [KeyBytes: IndexEntry] = [:]
        for step in 0..<20_000 {
            let key = KeyBytes("\(Int.random(in: 0..<3000, using: &random))")
            let entry = IndexEntry(record: Int64(step), created: 1, version: 1, lease: 0, size: 1)
            let new = Int.random(in: 0..<3, using: &random) == 0 ? nil : entry
            index.set(key, to: new)
            plain[key] = new
            if step % 500 == 0 { expectSame(index, plain, using: &random) }
        }
        for key in plain.keys { index.set(key, to: nil) }
        expectSame(index, [:], using: &random)
    }

    private func expectSame(
        _ index: KeyIndex, _ plain: [KeyBytes: IndexEntry], using random: inout SeededGenerator
    ) {
        #expect(index.count == plain.count)
        let prefix = KeyBytes(["", "1", "29", "x"].randomElement(using: &random)!)
        let after = KeyBytes("\(Int.random(in: 0..<3000, using: &random))")
        var listed: [KeyBytes] = []
        index.forEach(prefix: prefix, after: after) { key, entry in
            #expect(plain[key] == entry)
            listed.append(key)
            return true
        }
        #expect(listed == plain.keys.filter { $0.hasPrefix(prefix) && after < $0 }.sorted())
    }
}
