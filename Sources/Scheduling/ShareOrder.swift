/// What decides who is neediest: the smaller weighted dominant share, then fewer allocations so far, then the name.
/// This is the order of Mesos' DRF sorter.
struct ShareKey: Comparable, Sendable {
    var share: Double
    var allocations: UInt64
    var name: String

    static func < (left: Self, right: Self) -> Bool {
        if left.share != right.share { return left.share < right.share }
        if left.allocations != right.allocations { return left.allocations < right.allocations }
        return left.name < right.name
    }
}

/// Parties (roles, or frameworks of a role) from the neediest to the one that has most.
///
/// A sorted array: finding a place is a binary search, moving a party shifts at most a few kilobytes, and walking in
/// order, which every step does, is as cheap as it can be. Keys are unique because names are.
struct ShareOrder: Sendable {
    struct Entry: Sendable {
        var key: ShareKey
        /// Where the owner keeps the party.
        var slot: Int
    }

    private(set) var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }

    mutating func insert(_ key: ShareKey, slot: Int) {
        entries.insert(Entry(key: key, slot: slot), at: position(of: key))
    }

    mutating func remove(_ key: ShareKey) {
        let index = position(of: key)
        guard index < entries.count, entries[index].key == key else { return }
        entries.remove(at: index)
    }

    /// Puts a party where its new key belongs.
    mutating func move(_ slot: Int, from old: ShareKey, to new: ShareKey) {
        remove(old)
        insert(new, slot: slot)
    }

    /// Replaces all keys and sorts once: for changes that concern everybody, such as another cluster total.
    mutating func rebuild(_ key: (Int) -> ShareKey) {
        for index in entries.indices { entries[index].key = key(entries[index].slot) }
        entries.sort { $0.key < $1.key }
    }

    private func position(of key: ShareKey) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
