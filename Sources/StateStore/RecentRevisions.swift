/// The changes of one revision.
struct RevisionChanges: Sendable {
    var revision: Int64
    /// The keys of `events`, in the same order.
    var keys: [KeyBytes] = []
    var events: [StoreEvent] = []
    var bytes = 0

    mutating func append(_ key: KeyBytes, _ event: StoreEvent) {
        keys.append(key)
        events.append(event)
        bytes += event.bytes
    }
}

/// The newest revisions, kept in memory for all watchers together, so that those who keep up never read the disk and
/// those who do not cost nothing. Without gaps; bounded in revisions and bytes.
struct RecentRevisions: Sendable {
    private static let mostRevisions = 1024
    private static let mostBytes = 2 * 1024 * 1024
    /// Counted for each event beside its bytes.
    private static let eventOverhead = 128

    private var changes: [RevisionChanges] = []
    /// Those before it are dropped; removing them one by one would move the rest each time.
    private var first = 0
    private var bytes = 0

    mutating func append(_ new: [RevisionChanges]) {
        for revision in new {
            changes.append(revision)
            bytes += Self.cost(revision)
        }
        while first < changes.count, changes.count - first > Self.mostRevisions || bytes > Self.mostBytes {
            bytes -= Self.cost(changes[first])
            changes[first] = RevisionChanges(revision: changes[first].revision)
            first += 1
        }
        if first > Self.mostRevisions {
            changes.removeSubrange(..<first)
            first = 0
        }
    }

    /// The matching changes from a revision on, or `nil` when that revision is not kept.
    func slice(prefix: KeyBytes, from: Int64) -> StoreBatch? {
        guard first < changes.count, changes[first].revision <= from else { return nil }
        var builder = BatchBuilder(prefix: prefix)
        for place in first + Int(from - changes[first].revision)..<changes.count {
            if builder.isFull { break }
            builder.append(changes[place])
        }
        return builder.batch
    }

    private static func cost(_ changes: RevisionChanges) -> Int {
        changes.bytes + changes.events.count * eventOverhead
    }
}

/// Collects the events of a watch batch, whole revisions at a time.
struct BatchBuilder {
    let prefix: KeyBytes
    private(set) var batch = StoreBatch(through: .init(0), events: [])
    private var bytes = 0

    init(prefix: KeyBytes) { self.prefix = prefix }

    var isFull: Bool { batch.events.count >= StoreLimits.batchEvents || bytes >= StoreLimits.batchBytes }

    mutating func append(_ changes: RevisionChanges) {
        for (key, event) in zip(changes.keys, changes.events) where key.hasPrefix(prefix) {
            batch.events.append(event)
            bytes += event.bytes
        }
        skip(to: changes.revision)
    }

    /// Notes that there is nothing more to see up to a revision.
    mutating func skip(to revision: Int64) { batch.through = Revision(revision) }
}
