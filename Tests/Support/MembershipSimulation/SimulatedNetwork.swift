/// SplitMix64: the same everywhere for the same seed.
public struct SimulatedChance: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 0x1234_5678_9abc_def1 }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    public mutating func chance(_ perMille: Int) -> Bool { Int(next() % 1_000) < perMille }
    public mutating func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// What the network does to packets.
public struct SimulatedNetwork: Sendable {
    public var lossPerMille = 0
    public var duplicatesPerMille = 0
    /// Microseconds; differing delays reorder packets.
    public var delay: ClosedRange<Int> = 200...2_000
    /// Members of different groups do not hear each other; who has no entry is in group 0.
    public var groups: [Int] = []
    private var cuts: Set<Int> = []

    public init() {}

    /// From now on nothing gets from one to the other; the other direction works.
    public mutating func cut(from: Int, to: Int) { cuts.insert(from << 32 | to) }

    /// All is connected again.
    public mutating func heal() {
        cuts = []
        groups = []
    }

    func carries(_ from: Int, _ to: Int) -> Bool {
        if groups.isEmpty, cuts.isEmpty { return true }
        return group(from) == group(to) && !cuts.contains(from << 32 | to)
    }

    private func group(_ index: Int) -> Int { index < groups.count ? groups[index] : 0 }
}

/// What will happen, in order of time; what was planned first goes first among equals.
///
/// The heap holds numbers only, and the actions stay where they are: they are large to move.
struct SimulatedQueue<Action> {
    private struct Entry {
        var at: Int
        var number: Int
        var slot: Int
        func isBefore(_ other: Entry) -> Bool { at != other.at ? at < other.at : number < other.number }
    }

    private var heap: [Entry] = []
    private var actions: [Action?] = []
    private var free: [Int] = []
    private var planned = 0

    var nextTime: Int? { heap.first?.at }

    mutating func plan(_ action: consuming Action, at: Int) {
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            actions[slot] = action
        } else {
            slot = actions.count
            actions.append(action)
        }
        heap.append(Entry(at: at, number: planned, slot: slot))
        planned += 1
        var child = heap.count - 1
        let entry = heap[child]
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.isBefore(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    mutating func takeNext() -> Action? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            var parent = 0
            while true {
                var child = 2 * parent + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
                guard heap[child].isBefore(last) else { break }
                heap[parent] = heap[child]
                parent = child
            }
            heap[parent] = last
        }
        free.append(first.slot)
        defer { actions[first.slot] = nil }
        return actions[first.slot]
    }
}
