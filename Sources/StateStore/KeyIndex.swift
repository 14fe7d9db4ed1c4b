/// Where the current value of a key is: the newest record of the key, without the value.
struct IndexEntry: Equatable, Sendable {
    /// The record's number, see ``RecordID``.
    var record: Int64
    var created: Int64
    var version: Int64
    /// 0 for none.
    var lease: Int64
    /// Bytes of key and value.
    var size: Int

    var modRevision: Int64 { RecordID.revision(of: record) }
}

/// All current keys in order, in memory: sorted runs of bounded length, so that neither a lookup nor an insertion
/// touches much. The values stay on disk.
struct KeyIndex: Sendable {
    private struct Run: Sendable {
        var keys: [KeyBytes]
        var entries: [IndexEntry]
    }

    private static let longestRun = 256

    /// No run is empty, except the only one of an empty index.
    private var runs: [Run] = [Run(keys: [], entries: [])]
    private(set) var count = 0

    subscript(key: KeyBytes) -> IndexEntry? {
        let run = runIndex(for: key)
        let place = Self.lowerBound(runs[run].keys, key)
        guard place < runs[run].keys.count, runs[run].keys[place] == key else { return nil }
        return runs[run].entries[place]
    }

    mutating func set(_ key: KeyBytes, to entry: IndexEntry?) {
        let run = runIndex(for: key)
        let place = Self.lowerBound(runs[run].keys, key)
        let isThere = place < runs[run].keys.count && runs[run].keys[place] == key
        switch (isThere, entry) {
        case (true, let entry?):
            runs[run].entries[place] = entry
        case (true, nil):
            runs[run].keys.remove(at: place)
            runs[run].entries.remove(at: place)
            count -= 1
            if runs[run].keys.isEmpty, runs.count > 1 { runs.remove(at: run) }
        case (false, let entry?):
            runs[run].keys.insert(key, at: place)
            runs[run].entries.insert(entry, at: place)
            count += 1
            if runs[run].keys.count > Self.longestRun { split(run) }
        case (false, nil):
            break
        }
    }

    /// Calls `body` for the keys with a prefix, in order, until it returns false; skips keys up to `after`.
    func forEach(prefix: KeyBytes, after: KeyBytes? = nil, _ body: (KeyBytes, IndexEntry) -> Bool) {
        let start = max(prefix, after ?? prefix)
        var run = runIndex(for: start)
        var place = Self.lowerBound(runs[run].keys, start)
        while run < runs.count {
            while place < runs[run].keys.count {
                let key = runs[run].keys[place]
                guard key.hasPrefix(prefix) else { return }
                if key != after, !body(key, runs[run].entries[place]) { return }
                place += 1
            }
            run += 1
            place = 0
        }
    }

    private mutating func split(_ run: Int) {
        let half = runs[run].keys.count / 2
        let upper = Run(keys: Array(runs[run].keys[half...]), entries: Array(runs[run].entries[half...]))
        runs[run].keys.removeSubrange(half...)
        runs[run].entries.removeSubrange(half...)
        runs.insert(upper, at: run + 1)
    }

    /// The last run that begins at or before the key, or the first.
    private func runIndex(for key: KeyBytes) -> Int {
        var low = 0
        var high = runs.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if let first = runs[middle].keys.first, first <= key { low = middle } else { high = middle }
        }
        return low
    }

    private static func lowerBound(_ keys: [KeyBytes], _ key: KeyBytes) -> Int {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
