internal import ClusterModel

/// Resources of one agent that a framework does not want to see again in one role for a while.
struct OfferFilter: Sendable {
    /// How many filters one framework may have on one agent in one role; beyond, the one that ends first is dropped.
    static let perAgentMax = 16

    /// Unique, so that an entry of the queue finds exactly its filter.
    var id: UInt64
    var refused: Resources
    /// The scalars of `refused`, for a quick no.
    var vector: ScalarVector
    /// The first moment at which it no longer holds.
    var end: Duration
    /// The client's epoch when it was set; a client in a later epoch has dropped its filters.
    var epoch: UInt64

    /// Whether an offer is to be withheld: it has nothing that was not refused, as Mesos' `RefusedOfferFilter` has it.
    func covers(_ offer: Resources, vector offered: ScalarVector) -> Bool {
        if offered.exceeds(vector) { return false }
        // Equal bags usually share storage, which makes this comparison one of addresses.
        return refused == offer || refused.contains(offer)
    }
}

/// Ends of filters, the earliest on top: a binary heap. Filters that were dropped before their end leave entries behind;
/// the owner skips them and compacts when they pile up.
struct FilterQueue: Sendable {
    struct Entry: Sendable {
        var end: Duration
        var filter: UInt64
        var agent: Int
        var client: Int

        fileprivate func isBefore(_ other: Self) -> Bool {
            end != other.end ? end < other.end : filter < other.filter
        }
    }

    private var heap: [Entry] = []
    private var compactAbove = 1_024

    /// All entries, in no particular order.
    var entries: [Entry] { heap }

    var first: Entry? { heap.first }

    /// Whether it has grown so much since the last time that looking for dead entries pays.
    var wantsCompaction: Bool { heap.count > compactAbove }

    mutating func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        guard let last = heap.popLast(), !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }

    /// Drops the entries of these filters; compaction is not wanted again before as many as now were added.
    mutating func remove(_ filters: Set<UInt64>) {
        // A sorted array is a heap.
        heap = heap.filter { !filters.contains($0.filter) }.sorted { $0.isBefore($1) }
        compactAbove = 2 * heap.count + 1_024
    }
}
