import Synchronization

/// What the store and its writer thread have in common; outlives whichever ends first.
final class StoreCore: Sendable {
    let state: Mutex<SharedState>
    let reader: SQLiteReader
    let signal: WatchSignal
    let queue = CommitQueue()

    init(state: SharedState, reader: SQLiteReader) {
        signal = WatchSignal(revision: state.revision)
        self.state = Mutex(state)
        self.reader = reader
    }

    /// Looks at the state unless the store is closed.
    func readable<Value: Sendable>(
        _ body: (inout sending SharedState) throws(StoreError) -> sending Value
    ) throws(StoreError) -> Value {
        try state.withLock { state throws(StoreError) in
            if case .closed = state.health { throw .closed }
            return try body(&state)
        }
    }
}

extension StoreCore: WatchSource {
    func nextBatch(prefix: String, from: Revision) async throws(StoreError) -> StoreBatch? {
        try StoreLimits.check(prefix: prefix)
        let wanted = KeyBytes(prefix)
        var cursor = max(from.number, 1)
        while !Task.isCancelled {
            switch await signal.wait(prefix: wanted, from: cursor) {
            case .cancelled: return nil
            case .closed: throw .closed
            case .ready(let from): cursor = from
            }
            let batch = try slice(prefix: wanted, from: cursor)
            if !batch.events.isEmpty { return batch }
            cursor = batch.through.number + 1
        }
        return nil
    }

    private func slice(prefix: KeyBytes, from: Int64) throws(StoreError) -> StoreBatch {
        let (recent, through) = try readable { state throws(StoreError) in
            try state.checkHistory(from: from)
            return (state.recent.slice(prefix: prefix, from: from), state.revision)
        }
        if let recent { return recent }
        let batch = try reader.history(prefix: prefix, from: from, through: through)
        // Compaction may have removed some of it meanwhile, and says so before it does.
        try readable { state throws(StoreError) in try state.checkHistory(from: from) }
        return batch
    }
}

extension SharedState {
    func checkHistory(from: Int64) throws(StoreError) {
        guard from > compacted else { throw .compacted(oldest: Revision(compacted + 1)) }
    }

    struct Listing: Sendable {
        var found: [(KeyBytes, IndexEntry)] = []
        var revision: Int64
        var more = false
    }

    func list(prefix: KeyBytes, limit: Int, after: KeyBytes?) -> Listing {
        var listing = Listing(revision: revision)
        var bytes = 0
        index.forEach(prefix: prefix, after: after) { key, entry in
            guard listing.found.count < limit, bytes < StoreLimits.pageBytes else {
                listing.more = true
                return false
            }
            listing.found.append((key, entry))
            bytes += entry.size
            return true
        }
        return listing
    }

    /// Rebuilds the state from the history.
    static func load(from connection: SQLiteConnection) throws -> (SharedState, SupersededRecords) {
        var state = SharedState()
        var superseded: [SupersededRecord] = []
        let leases = try connection.statement("SELECT id, ttl FROM lease")
        while try leases.step() {
            state.leases[leases.integer(0)] = Lease(ttl: .milliseconds(leases.integer(1)))
        }
        leases.reset()
        state.compacted = try connection.integer("SELECT value FROM meta WHERE name = 'compacted'")
        let records = try connection.statement(
            "SELECT id, key, coalesce(length(value), 0), created, version, lease FROM record ORDER BY id")
        while try records.step() {
            let key = KeyBytes(bytes: records.bytes(1))
            let entry = IndexEntry(
                record: records.integer(0), created: records.integer(3), version: records.integer(4),
                lease: records.integer(5), size: key.bytes.count + Int(records.integer(2)))
            state.revision = entry.modRevision
            if let old = state.index[key] {
                superseded.append(SupersededRecord(since: state.revision, record: old.record, size: old.size))
                state.leases[old.lease]?.keys.remove(key)
            }
            if entry.version > 0 {
                state.index.set(key, to: entry)
                if entry.lease != 0 { state.leases[entry.lease]?.keys.insert(key) }
            } else {
                state.index.set(key, to: nil)
                superseded.append(SupersededRecord(since: state.revision, record: entry.record, size: entry.size))
            }
        }
        records.reset()
        state.revision = max(state.revision, state.compacted)
        var collected = SupersededRecords()
        collected.append(superseded)
        return (state, collected)
    }
}

extension StoreTransaction {
    /// For bounding groups; a transaction above the limit is refused later, whatever this says.
    var roughBytes: Int {
        operations.reduce(256) { sum, operation in
            if case .put(let key, let value, _) = operation { sum + key.utf8.count + value.count } else { sum + 64 }
        }
    }
}

/// Carries a writer to its thread, the only one that touches it from then on.
final class WriterBox: @unchecked Sendable {
    private var writer: SQLiteWriter?

    init(_ writer: SQLiteWriter) { self.writer = writer }

    /// Works until the queue has ended. Whoever waits for that hears of it when the file is closed and the lock is
    /// free, so that the store can be opened again.
    func run() {
        writer?.run()
        let waiting = writer?.closing ?? []
        writer = nil
        for reply in waiting { reply.resume(returning: .success(())) }
    }
}
