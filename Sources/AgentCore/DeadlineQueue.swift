/// Times at which things are due, as a binary heap. Entries are not taken back: one that has become wrong is looked at
/// when its time comes and found to be early.
struct DeadlineQueue<Item: Hashable & Sendable>: Sendable {
    private var heap: [(at: Duration, item: Item)] = []

    /// The earliest time in the queue.
    var earliest: Duration? { heap.first?.at }

    mutating func insert(_ item: Item, at time: Duration) {
        heap.append((time, item))
        var child = heap.count - 1
        while child > 0, heap[child].at < heap[(child - 1) / 2].at {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Takes out the earliest entry that is due.
    mutating func popDue(now: Duration) -> (at: Duration, item: Item)? {
        guard let first = heap.first, first.at <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return first }
            if child + 1 < heap.count, heap[child + 1].at < heap[child].at { child += 1 }
            guard heap[child].at < heap[parent].at else { return first }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
