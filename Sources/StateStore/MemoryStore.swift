import Synchronization

/// The store's rules in their plainest form: the model that every engine is compared with, and a store for tests of
/// what stands on one. Keeps everything in memory, history included, until it is compacted.
public final class MemoryStore: StateStore {
    private struct Lease {
        var ttl: Duration
        var deadline: Duration
    }

    private struct State {
        var revision: Int64 = 0
        var compacted: Int64 = 0
        var entries: [KeyBytes: StoreEntry] = [:]
        var history: [(revision: Int64, events: [StoreEvent])] = []
        var leases: [LeaseID: Lease] = [:]
        var failure: StoreError?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let signal = WatchSignal(revision: 0)

    /// An empty store.
    public init() {}

    /// Makes every write fail with an error, as a broken disk does; `nil` repairs the disk, after which
    /// ``probe()`` makes writes work again.
    public func breakDisk(with error: StoreError?) {
        state.withLock { state in
            disk.withLock { $0 = error }
            if let error { state.failure = error }
        }
    }

    private let disk = Mutex<StoreError?>(nil)

    /// See ``StateStore/status()``.
    public func status() -> StoreStatus {
        state.withLock { state in
            StoreStatus(
                revision: Revision(state.revision), compacted: Revision(state.compacted), keys: state.entries.count,
                leases: state.leases.count, readOnlyReason: state.failure?.description)
        }
    }

    /// See ``StateStore/get(_:)``.
    public func get(_ key: String) throws(StoreError) -> StoreEntry? {
        try StoreLimits.check(key: key)
        return try read { state throws(StoreError) in state.entries[KeyBytes(key)] }
    }

    /// See ``StateStore/range(prefix:limit:startAfter:)``.
    public func range(prefix: String, limit: Int, startAfter: String?) throws(StoreError) -> StorePage {
        try StoreLimits.check(prefix: prefix)
        if let startAfter { try StoreLimits.check(prefix: startAfter) }
        try StoreLimits.check(pageLimit: limit)
        let wanted = KeyBytes(prefix)
        let after = startAfter.map(KeyBytes.init)
        return try read { state throws(StoreError) in
            let keys = state.entries.keys
                .filter { key in key.hasPrefix(wanted) && after.map { $0 < key } ?? true }
                .sorted()
            var page = StorePage(entries: [], revision: Revision(state.revision), more: false)
            var bytes = 0
            for key in keys {
                guard page.entries.count < limit, bytes < StoreLimits.pageBytes else {
                    page.more = true
                    break
                }
                guard let entry = state.entries[key] else { continue }
                page.entries.append(entry)
                bytes += entry.key.utf8.count + entry.value.count
            }
            return page
        }
    }

    /// See ``StateStore/commit(_:)``.
    public func commit(_ transactions: [StoreTransaction]) throws(StoreError) -> [StoreOutcome] {
        try write { state throws(StoreError) in transactions.map { Self.apply($0, to: &state) } }
    }

    /// See ``StateStore/watch(prefix:from:)``.
    public func watch(prefix: String, from: Revision?) -> StoreWatch {
        StoreWatch(source: self, prefix: prefix, from: from ?? status().revision.next)
    }

    /// See ``StateStore/grantLease(_:ttl:now:)``.
    public func grantLease(_ id: LeaseID, ttl: Duration, now: Duration) throws(StoreError) {
        try StoreLimits.check(lease: id, ttl: ttl)
        try write { state throws(StoreError) in
            guard state.leases[id] == nil else { throw .leaseExists(id) }
            state.leases[id] = Lease(ttl: ttl, deadline: now + ttl)
        }
    }

    /// See ``StateStore/keepLeaseAlive(_:now:)``.
    public func keepLeaseAlive(_ id: LeaseID, now: Duration) throws(StoreError) {
        try read { state throws(StoreError) in
            guard let lease = state.leases[id] else { throw .leaseNotFound(id) }
            state.leases[id]?.deadline = max(lease.deadline, now + lease.ttl)
        }
    }

    /// See ``StateStore/revokeLease(_:)``.
    public func revokeLease(_ id: LeaseID) throws(StoreError) -> Revision {
        try write { state throws(StoreError) in
            guard state.leases[id] != nil else { throw .leaseNotFound(id) }
            Self.revoke(id, in: &state)
            return Revision(state.revision)
        }
    }

    /// See ``StateStore/expireLeases(now:)``.
    public func expireLeases(now: Duration) throws(StoreError) -> [LeaseID] {
        let isDue = try read { state throws(StoreError) in state.leases.values.contains { $0.deadline <= now } }
        guard isDue else { return [] }
        return try write { state throws(StoreError) in
            let due = state.leases.filter { $0.value.deadline <= now }.keys.sorted()
            for id in due { Self.revoke(id, in: &state) }
            return due
        }
    }

    /// See ``StateStore/compact(upTo:)``.
    public func compact(upTo revision: Revision) throws(StoreError) {
        try write { state throws(StoreError) in
            guard revision.number <= state.revision else {
                throw .futureRevision(requested: revision, current: Revision(state.revision))
            }
            state.compacted = max(state.compacted, revision.number)
            let compacted = state.compacted
            state.history.removeAll { $0.revision <= compacted }
        }
    }

    /// See ``StateStore/probe()``.
    public func probe() throws(StoreError) {
        try state.withLock { state throws(StoreError) in
            guard !state.isClosed else { throw .closed }
            if let error = disk.withLock({ $0 }) { throw error }
            state.failure = nil
        }
    }

    /// See ``StateStore/close()``.
    public func close() {
        state.withLock { $0.isClosed = true }
        signal.close()
    }
}

extension MemoryStore: WatchSource {
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
            let batch = try read { state throws(StoreError) in try Self.slice(state, prefix: wanted, from: cursor) }
            if !batch.events.isEmpty { return batch }
            cursor = batch.through.number + 1
        }
        return nil
    }

    private static func slice(_ state: State, prefix: KeyBytes, from: Int64) throws(StoreError) -> StoreBatch {
        guard from > state.compacted else { throw .compacted(oldest: Revision(state.compacted + 1)) }
        var batch = StoreBatch(through: Revision(state.revision), events: [])
        var bytes = 0
        for (revision, events) in state.history where revision >= from {
            for event in events where KeyBytes(event.key).hasPrefix(prefix) {
                batch.events.append(event)
                bytes += event.bytes
            }
            if batch.events.count >= StoreLimits.batchEvents || bytes >= StoreLimits.batchBytes {
                batch.through = Revision(revision)
                break
            }
        }
        return batch
    }
}

// What happens under the lock.
extension MemoryStore {
    private func read<Value: Sendable>(
        _ body: (inout sending State) throws(StoreError) -> sending Value
    ) throws(StoreError) -> Value {
        try state.withLock { state throws(StoreError) in
            guard !state.isClosed else { throw .closed }
            return try body(&state)
        }
    }

    private func write<Value: Sendable>(
        _ body: (inout sending State) throws(StoreError) -> sending Value
    ) throws(StoreError) -> Value {
        let (value, revision, keys) = try state.withLock { state throws(StoreError) in
            guard !state.isClosed else { throw .closed }
            if let failure = state.failure {
                if disk.withLock({ $0 }) != nil { throw failure }
                throw .readOnly(failure.description)
            }
            let before = state.revision
            let value = try body(&state)
            let changed = state.history.reversed().prefix { $0.revision > before }
            return (value, state.revision, changed.flatMap { $0.events.map { KeyBytes($0.key) } })
        }
        signal.publish(revision: revision, keys: keys)
        return value
    }

    private static func apply(_ transaction: StoreTransaction, to state: inout State) -> StoreOutcome {
        do { try StoreLimits.check(transaction) } catch { return .rejected(error) }
        for (position, compare) in transaction.compares.enumerated() {
            let entry = state.entries[KeyBytes(compare.key)]
            guard holds(compare, entry) else {
                return .conflict(
                    StoreConflict(failed: position, actual: entry, revision: Revision(state.revision)))
            }
        }
        var after = state
        after.revision += 1
        var events: [StoreEvent] = []
        for operation in transaction.operations {
            switch operation {
            case .put(let key, let value, let lease):
                if let lease, after.leases[lease] == nil { return .rejected(.leaseNotFound(lease)) }
                events.append(put(key, value, lease, in: &after))
            case .delete(let key):
                events += delete([KeyBytes(key)], in: &after)
            case .deletePrefix(let prefix):
                let wanted = KeyBytes(prefix)
                events += delete(after.entries.keys.filter { $0.hasPrefix(wanted) }.sorted(), in: &after)
            }
        }
        guard events.count <= StoreLimits.changes else { return .rejected(.tooManyChanges(events.count)) }
        guard !events.isEmpty else { return .committed(Revision(state.revision)) }
        after.history.append((after.revision, events))
        state = after
        return .committed(Revision(state.revision))
    }

    private static func holds(_ compare: StoreTransaction.Compare, _ entry: StoreEntry?) -> Bool {
        switch compare {
        case .exists: entry != nil
        case .absent: entry == nil
        case .modRevision(_, let revision): entry?.modRevision == revision
        case .createRevision(_, let revision): entry?.createRevision == revision
        case .version(_, let version): entry?.version == version
        case .value(_, let value): entry?.value == value
        }
    }

    private static func put(_ key: String, _ value: [UInt8], _ lease: LeaseID?, in state: inout State) -> StoreEvent {
        let old = state.entries[KeyBytes(key)]
        let entry = StoreEntry(
            key: key, value: value, createRevision: old?.createRevision ?? Revision(state.revision),
            modRevision: Revision(state.revision), version: (old?.version ?? 0) + 1, lease: lease)
        state.entries[KeyBytes(key)] = entry
        return .put(entry)
    }

    private static func delete(_ keys: [KeyBytes], in state: inout State) -> [StoreEvent] {
        keys.compactMap { key in
            state.entries.removeValue(forKey: key).map { .deleted(key: $0.key, Revision(state.revision)) }
        }
    }

    private static func revoke(_ id: LeaseID, in state: inout State) {
        state.leases[id] = nil
        let keys = state.entries.filter { $0.value.lease == id }.keys.sorted()
        guard !keys.isEmpty else { return }
        state.revision += 1
        let events = delete(keys, in: &state)
        state.history.append((state.revision, events))
    }
}
