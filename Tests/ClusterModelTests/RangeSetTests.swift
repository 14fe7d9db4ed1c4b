// swift-format-ignore-file: NeverForceUnwrap

import ClusterModel
import Foundation
import Testing

/// Numbers that the tests' ranges can hold: the first 64 and the last 64.
private let domain = Array(0...63 as ClosedRange<UInt64>) + Array((UInt64.max - 63)...UInt64.max)

extension RangeSet {
    fileprivate var model: Set<UInt64> {
        var result: Set<UInt64> = []
        for range in ranges {
            for number in domain where range.begin <= number && number <= range.end { result.insert(number) }
        }
        return result
    }

    fileprivate var isCanonical: Bool {
        ranges.allSatisfy { $0.begin <= $0.end }
            && zip(ranges, ranges.dropFirst()).allSatisfy { $0.end < $1.begin && $1.begin - $0.end > 1 }
    }
}

struct RangeSetTests {
    @Test func `ports that nobody names are those from 31000 on first, and those that need privilege last`() {
        let ranges: [(UInt64, UInt64)] = [(80, 80), (1_000, 31_002), (40_000, 40_000)]
        let set = RangeSet(ranges.compactMap { RangeSet.Range(begin: $0.0, end: $0.1) })
        #expect(
            set.portsByPreference.map(\.description)
                == ["[31000-31002, 40000-40000]", "[1024-30999]", "[80-80, 1000-1023]"])
        #expect(set.portsByPreference.reduce(RangeSet()) { $0.union($1) } == set)
        #expect(RangeSet().portsByPreference.isEmpty)
    }

    @Test func `every operation agrees with a set of numbers`() {
        for seed in 0..<5_000 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let (a, b) = (random.ranges(), random.ranges())
            let (one, two) = (a.model, b.model)
            let note: Comment = "seed \(seed): \(a) and \(b)"
            #expect(a.union(b).model == one.union(two), note)
            #expect(a.subtracting(b).model == one.subtracting(two), note)
            #expect(a.contains(b) == one.isSuperset(of: two), note)
            #expect(a.intersects(b) == !one.isDisjoint(with: two), note)
            #expect(a.count == UInt64(one.count), note)
            #expect(a.isEmpty == one.isEmpty, note)
            #expect(a.union(b).isCanonical && a.subtracting(b).isCanonical, note)
            #expect(a.subtracting(b).union(b) == a.union(b), note)
            let number = domain[random.draw(0...127)]
            #expect(a.contains(number) == one.contains(number), note)
            let length = UInt64(random.draw(0...20))
            #expect(a.prefix(length).model == Set(one.sorted().prefix(Int(length))), note)
            #expect(a.prefix(length).isCanonical, note)
        }
    }

    @Test func `the ends of the domain are no special case`() {
        let all = RangeSet([RangeSet.Range(begin: 0, end: .max)!])
        let first = RangeSet([RangeSet.Range(begin: 0, end: 0)!])
        let last = RangeSet([RangeSet.Range(begin: .max, end: .max)!])
        #expect(all.count == .max)
        #expect(all.contains(0) && all.contains(.max))
        #expect(all.subtracting(first).ranges == [RangeSet.Range(begin: 1, end: .max)!])
        #expect(all.subtracting(last).ranges == [RangeSet.Range(begin: 0, end: .max - 1)!])
        #expect(all.subtracting(first).subtracting(last).union(first).union(last) == all)
        #expect(all.subtracting(all).isEmpty)
        #expect(all.union(last) == all)
        #expect(all.prefix(.max).ranges == [RangeSet.Range(begin: 0, end: .max - 1)!])
        #expect(all.prefix(0).isEmpty)
        #expect(last.prefix(1) == last)
        #expect(first.union(last).count == 2)
        #expect(!first.contains(.max))
    }

    @Test func `neighbours melt into one range`() {
        let set = RangeSet([(5, 6), (1, 2), (3, 4), (8, 9), (9, 9)].map { RangeSet.Range(begin: $0.0, end: $0.1)! })
        #expect(set.description == "[1-6, 8-9]")
        #expect(RangeSet.Range(begin: 2, end: 1) == nil)
    }

    @Test func `range sets survive JSON and text, and bad ones are refused`() throws {
        for seed in 0..<500 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let set = random.ranges()
            let data = try JSONEncoder().encode(set)
            #expect(try JSONDecoder().decode(RangeSet.self, from: data) == set, "seed \(seed)")
            #expect(RangeSet(text: set.description) == set, "seed \(seed)")
        }
        let reversed = Data(#"[{"begin":5,"end":4}]"#.utf8)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(RangeSet.self, from: reversed) }
        let unordered = Data(#"[{"begin":5,"end":6},{"begin":1,"end":5}]"#.utf8)
        #expect(try JSONDecoder().decode(RangeSet.self, from: unordered).description == "[1-6]")
    }

    @Test(arguments: [
        "", "[", "]", "1-2", "[1]", "[a-b]", "[2-1]", "[-1-2]", "[1-2-3]", "[1-99999999999999999999]", "[1--2]",
        "[1-2,]", "[,]", "[1 0-20]", "1-2]",
    ])
    func `text that is no range set is refused`(text: String) {
        #expect(RangeSet(text: text) == nil)
    }
}
