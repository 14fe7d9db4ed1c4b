import Glibc
import Synchronization

/// The store in a file of this machine, on SQLite (WAL, synchronous=FULL).
///
/// The file is a history: one table, ordered by revision, to which a commit appends. An index of the current keys is
/// in memory, rebuilt when the file is opened, with their values left on disk. One thread writes and makes one SQLite
/// commit of all that waits; readers use a connection of their own.
///
/// | what fails | what happens |
/// |---|---|
/// | a write, disk full or broken | ``StoreError/full(_:)`` or ``StoreError/io(_:)``; nothing of the commit happened; reads go on; writes answer ``StoreError/readOnly(_:)`` until ``probe()`` succeeds |
/// | the flush of a commit or checkpoint | ``StoreError/outcomeUnknown(_:)``, from then on for every write: end the process |
/// | the process | what was answered is there again, the rest of an unanswered commit all or not at all |
public final class SQLiteStore: StateStore {
    /// How to open a store.
    public struct Configuration: Sendable {
        /// The database file; created when it is not there. `-wal`, `-shm` and `.lock` files appear beside it.
        public var path: String
        /// How much history is kept.
        public var compaction: CompactionPolicy
        /// The name of a registered SQLite file layer, for tests that break the disk; `nil` for the real one.
        public var fileLayer: String?

        /// A configuration of these parts.
        public init(path: String, compaction: CompactionPolicy = CompactionPolicy(), fileLayer: String? = nil) {
            self.path = path
            self.compaction = compaction
            self.fileLayer = fileLayer
        }
    }

    private let core: StoreCore

    /// Opens or creates a store and takes it for this process alone. Reads all keys once, so it takes time in
    /// proportion to the file; call it before serving.
    ///
    /// - Throws: ``StoreError/locked(path:pid:)``, ``StoreError/newerFormat(found:supported:)``,
    ///   ``StoreError/notAStore(path:)``, ``StoreError/cannotOpen(path:reason:)``, ``StoreError/corrupt(_:)``,
    ///   ``StoreError/full(_:)``, ``StoreError/io(_:)``.
    public convenience init(path: String) throws(StoreError) {
        try self.init(Configuration(path: path))
    }

    /// Opens or creates a store and takes it for this process alone, see ``init(path:)``.
    public init(_ configuration: Configuration) throws(StoreError) {
        let path = configuration.path
        let lock = try StoreLock(path: path + ".lock")
        try StoreLock.createPrivateFile(at: path)
        do {
            let connection = try SQLiteConnection(path: path, layer: configuration.fileLayer)
            try StoreFormat.prepare(connection, path: path)
            let (state, superseded) = try SharedState.load(from: connection)
            let reader = try SQLiteReader(path: path, layer: configuration.fileLayer)
            try StoreLock.syncDirectory(of: path)
            core = StoreCore(state: state, reader: reader)
            let writer = SQLiteWriter(
                core: core, connection: connection, policy: configuration.compaction, superseded: superseded,
                lock: lock)
            try Self.start(writer)
        } catch let error as StoreError {
            throw error
        } catch let failure as SQLiteFailure {
            throw failure.storeError
        } catch {
            throw .cannotOpen(path: path, reason: "\(error)")
        }
    }

    deinit { core.queue.end() }

    /// See ``StateStore/executor``.
    public var executor: (any TaskExecutor)? { core.queue }

    /// See ``StateStore/status()``.
    public func status() -> StoreStatus {
        core.state.withLock { state in
            let reason: String? =
                switch state.health {
                case .writable: nil
                case .readOnly(let error), .unknown(let error): error.description
                case .closed: StoreError.closed.description
                }
            return StoreStatus(
                revision: Revision(state.revision), compacted: Revision(state.compacted), keys: state.index.count,
                leases: state.leases.count, readOnlyReason: reason)
        }
    }

    /// See ``StateStore/get(_:)``.
    public func get(_ key: String) throws(StoreError) -> StoreEntry? {
        try StoreLimits.check(key: key)
        let bytes = KeyBytes(key)
        for _ in 0..<Self.mostAttempts {
            guard let entry = try core.readable({ $0.index[bytes] }) else { return nil }
            if let value = try core.reader.values(of: [entry.record])?.first {
                return StoreEntry(key: bytes, entry, value: value)
            }
        }
        throw .corrupt("the record of \(key) is missing")
    }

    /// See ``StateStore/range(prefix:limit:startAfter:)``.
    public func range(prefix: String, limit: Int, startAfter: String?) throws(StoreError) -> StorePage {
        try StoreLimits.check(prefix: prefix)
        if let startAfter { try StoreLimits.check(prefix: startAfter) }
        try StoreLimits.check(pageLimit: limit)
        let wanted = KeyBytes(prefix)
        let after = startAfter.map(KeyBytes.init)
        for _ in 0..<Self.mostAttempts {
            let listing = try core.readable { $0.list(prefix: wanted, limit: limit, after: after) }
            guard let values = try core.reader.values(of: listing.found.map(\.1.record)) else { continue }
            let entries = zip(listing.found, values).map { StoreEntry(key: $0.0, $0.1, value: $1) }
            return StorePage(entries: entries, revision: Revision(listing.revision), more: listing.more)
        }
        throw .corrupt("records below \(prefix) are missing")
    }

    /// A read looks up records in memory and then reads them; in between, compaction may remove those that a commit
    /// has superseded meanwhile. Then it looks again. Compaction is rare, so a few times are plenty.
    private static let mostAttempts = 64

    /// See ``StateStore/commit(_:)``.
    public func commit(_ transactions: [StoreTransaction]) async throws(StoreError) -> [StoreOutcome] {
        let bytes = transactions.reduce(0) { $0 + $1.roughBytes }
        return try await ask { .commit(transactions, bytes: bytes, $0) }
    }

    /// See ``StateStore/watch(prefix:from:)``.
    public func watch(prefix: String, from: Revision?) -> StoreWatch {
        StoreWatch(source: core, prefix: prefix, from: from ?? status().revision.next)
    }

    /// See ``StateStore/grantLease(_:ttl:now:)``.
    public func grantLease(_ id: LeaseID, ttl: Duration, now: Duration) async throws(StoreError) {
        try StoreLimits.check(lease: id, ttl: ttl)
        try await ask { .grantLease(id.number, ttl: ttl, now: now, $0) }
    }

    /// See ``StateStore/keepLeaseAlive(_:now:)``.
    public func keepLeaseAlive(_ id: LeaseID, now: Duration) throws(StoreError) {
        try core.readable { state throws(StoreError) in
            guard let lease = state.leases[id.number] else { throw .leaseNotFound(id) }
            let deadline = now + lease.ttl
            state.leases[id.number]?.deadline = lease.deadline.map { max($0, deadline) } ?? deadline
        }
    }

    /// See ``StateStore/revokeLease(_:)``.
    public func revokeLease(_ id: LeaseID) async throws(StoreError) -> Revision {
        try await ask { .revokeLease(id.number, $0) }
    }

    /// See ``StateStore/expireLeases(now:)``.
    public func expireLeases(now: Duration) async throws(StoreError) -> [LeaseID] {
        // Nearly every call finds nothing, and then neither the writer nor the disk is troubled.
        let due = try core.readable { $0.startLeases(now: now) }
        return due.isEmpty ? [] : try await ask { .expireLeases(now: now, $0) }
    }

    /// See ``StateStore/compact(upTo:)``.
    public func compact(upTo revision: Revision) async throws(StoreError) {
        try await ask { .compact(upTo: revision.number, $0) }
    }

    /// See ``StateStore/probe()``.
    public func probe() async throws(StoreError) {
        try await ask { .probe($0) }
    }

    /// See ``StateStore/close()``.
    public func close() async {
        _ = try? await ask { .close($0) }
    }

    private func ask<Value: Sendable>(
        _ job: (WriteJob.Reply<Value>) -> WriteJob
    ) async throws(StoreError) -> Value {
        try await withCheckedContinuation { core.queue.push(job($0)) }.get()
    }

    private static func start(_ writer: SQLiteWriter) throws {
        let box = Unmanaged.passRetained(WriterBox(writer))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let box = Unmanaged<WriterBox>.fromOpaque(context).takeRetainedValue()
                box.run()
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            box.release()
            throw StoreError.cannotOpen(path: "thread", reason: StoreLock.reason(code))
        }
        pthread_detach(thread)
    }
}
