/// A set of whole numbers as sorted, disjoint, non-adjacent closed ranges: ports, mostly.
public struct RangeSet: Hashable, Sendable {
    /// One closed range.
    public struct Range: Hashable, Sendable, Codable {
        /// The first number.
        public var begin: UInt64
        /// The last number, never smaller than the first.
        public var end: UInt64

        /// Makes a range, or nil when it would be empty.
        public init?(begin: UInt64, end: UInt64) {
            guard begin <= end else { return nil }
            self.begin = begin
            self.end = end
        }

        fileprivate init(unchecked begin: UInt64, _ end: UInt64) {
            self.begin = begin
            self.end = end
        }
    }

    /// The ranges in rising order; between two of them at least one number is missing.
    public private(set) var ranges: [Range]

    /// The empty set.
    public init() { ranges = [] }

    /// The union of any ranges, in any order, overlapping or not.
    public init(_ unordered: some Sequence<Range>) {
        var merged: [Range] = []
        for range in unordered.sorted(by: { $0.begin < $1.begin }) {
            if let last = merged.last, last.end == .max || range.begin <= last.end + 1 {
                merged[merged.count - 1].end = Swift.max(last.end, range.end)
            } else {
                merged.append(range)
            }
        }
        ranges = merged
    }

    /// Whether no number is in the set.
    public var isEmpty: Bool { ranges.isEmpty }

    /// How many numbers are in the set, held at `UInt64.max`.
    public var count: UInt64 {
        var total: UInt64 = 0
        for range in ranges {
            let (size, overflow) = (range.end - range.begin).addingReportingOverflow(1)
            let (sum, overflow2) = total.addingReportingOverflow(size)
            if overflow || overflow2 { return .max }
            total = sum
        }
        return total
    }

    /// Whether a number is in the set.
    public func contains(_ number: UInt64) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].end < number { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].begin <= number
    }

    /// Whether every number of the other set is in this one.
    public func contains(_ other: RangeSet) -> Bool {
        var index = 0
        for range in other.ranges {
            while index < ranges.count, ranges[index].end < range.begin { index += 1 }
            guard index < ranges.count, ranges[index].begin <= range.begin, ranges[index].end >= range.end else {
                return false
            }
        }
        return true
    }

    /// Whether the sets share a number.
    public func intersects(_ other: RangeSet) -> Bool {
        var (i, j) = (0, 0)
        while i < ranges.count, j < other.ranges.count {
            if ranges[i].end < other.ranges[j].begin {
                i += 1
            } else if other.ranges[j].end < ranges[i].begin {
                j += 1
            } else {
                return true
            }
        }
        return false
    }

    /// All numbers of either set.
    public func union(_ other: RangeSet) -> RangeSet { RangeSet(ranges + other.ranges) }

    /// The numbers of this set that are not in the other.
    public func subtracting(_ other: RangeSet) -> RangeSet {
        var result: [Range] = []
        var index = 0
        for range in ranges {
            var begin = range.begin
            var done = false
            while index < other.ranges.count, other.ranges[index].end < begin { index += 1 }
            var cursor = index
            while !done, cursor < other.ranges.count, other.ranges[cursor].begin <= range.end {
                let hole = other.ranges[cursor]
                if hole.begin > begin { result.append(Range(unchecked: begin, hole.begin - 1)) }
                if hole.end >= range.end { done = true } else { begin = hole.end + 1 }
                cursor += 1
            }
            if !done { result.append(Range(unchecked: begin, range.end)) }
        }
        var set = RangeSet()
        set.ranges = result
        return set
    }

    /// The lowest numbers of the set, at most that many.
    public func prefix(_ maxCount: UInt64) -> RangeSet {
        var left = maxCount
        var result: [Range] = []
        for range in ranges where left > 0 {
            let size = range.end - range.begin
            if size >= left {
                result.append(Range(unchecked: range.begin, range.begin + (left - 1)))
                left = 0
            } else {
                result.append(range)
                left -= size + 1
            }
        }
        var set = RangeSet()
        set.ranges = result
        return set
    }
}

extension RangeSet {
    /// Ports in the order in which tasks are given those that they do not name: from 31000 on, as Mesos' agents have
    /// them, then others that need no privilege, then the rest. Parts without a port are left out.
    public var portsByPreference: [RangeSet] {
        let low = RangeSet([Range(unchecked: 0, 1_023)])
        let named = RangeSet([Range(unchecked: 0, 30_999)])
        let high = subtracting(named)
        return [high, subtracting(high).subtracting(low), subtracting(subtracting(low))].filter { !$0.isEmpty }
    }
}

extension RangeSet: Codable {
    /// Reads a list of ranges; refuses those that end before they begin.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let read = try container.decode([Range].self)
        guard read.allSatisfy({ $0.begin <= $0.end }) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a range ends before it begins")
        }
        self.init(read)
    }

    /// Writes a list of ranges.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(ranges)
    }
}

extension RangeSet: CustomStringConvertible {
    /// As Mesos writes ranges: `[31000-32000, 33000-33000]`.
    public var description: String { "[" + ranges.map { "\($0.begin)-\($0.end)" }.joined(separator: ", ") + "]" }
}
