/// What will happen, in order of time; what was planned first goes first among equals.
struct EventQueue<Action> {
    private struct Entry {
        var at: Duration
        var sequence: UInt64
        var action: Action

        func isBefore(_ other: Entry) -> Bool { at != other.at ? at < other.at : sequence < other.sequence }
    }

    private var heap: [Entry] = []
    private var planned: UInt64 = 0

    var nextTime: Duration? { heap.first?.at }

    mutating func plan(_ action: Action, at: Duration) {
        heap.append(Entry(at: at, sequence: planned, action: action))
        planned += 1
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func takeNext() -> (at: Duration, action: Action)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.at, first.action) }
        heap[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[smallest]) { smallest = child }
            }
            if smallest == parent { break }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
        return (first.at, first.action)
    }
}
