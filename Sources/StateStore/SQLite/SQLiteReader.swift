import Synchronization

/// The connection that reads, beside the one that writes: in WAL mode neither waits for the other.
final class SQLiteReader: @unchecked Sendable {
    /// Guarded by `lock`, which is why the class may call itself Sendable.
    private var connection: SQLiteConnection?
    private let lock = Mutex(())

    init(path: String, layer: String?) throws(SQLiteFailure) {
        let connection = try SQLiteConnection(path: path, layer: layer)
        try connection.run("PRAGMA query_only = 1")
        // Enough for the hot pages; the rest is the kernel's to cache.
        try connection.run("PRAGMA cache_size = -1024")
        self.connection = connection
    }

    func close() { lock.withLock { _ in connection = nil } }

    /// The values of records, or `nil` when one of them was compacted away meanwhile.
    func values(of records: [Int64]) throws(StoreError) -> [[UInt8]]? {
        try withConnection { connection throws(SQLiteFailure) in
            let statement = try connection.statement("SELECT value FROM record WHERE id = ?")
            defer { statement.reset() }
            var values: [[UInt8]] = []
            values.reserveCapacity(records.count)
            for record in records {
                statement.reset()
                statement.bind(1, record)
                guard try statement.step() else { return nil }
                values.append(statement.bytes(0))
            }
            return values
        }
    }

    /// The changes with a prefix, from a revision up to another that is known to be there.
    func history(prefix: KeyBytes, from: Int64, through: Int64) throws(StoreError) -> StoreBatch {
        try withConnection { connection throws(SQLiteFailure) in
            let statement = try connection.statement(
                "SELECT id, key, value, created, version, lease FROM record WHERE id >= ? AND id < ? ORDER BY id")
            defer { statement.reset() }
            statement.bind(1, RecordID.first(of: from))
            statement.bind(2, RecordID.first(of: through + 1))
            var builder = BatchBuilder(prefix: prefix)
            var changes = RevisionChanges(revision: from)
            var scanned = 0
            while try statement.step() {
                let revision = RecordID.revision(of: statement.integer(0))
                if revision != changes.revision {
                    builder.append(changes)
                    // The bound on what is scanned lets a watcher of rare keys give the connection to others.
                    if builder.isFull || scanned >= Self.mostScanned {
                        builder.skip(to: revision - 1)
                        return builder.batch
                    }
                    changes = RevisionChanges(revision: revision)
                }
                scanned += 1
                let key = KeyBytes(bytes: statement.bytes(1))
                if key.hasPrefix(prefix) { changes.append(key, Self.event(statement, key: key, revision: revision)) }
            }
            builder.append(changes)
            builder.skip(to: through)
            return builder.batch
        }
    }

    private static let mostScanned = 10_000

    private static func event(_ row: SQLiteStatement, key: KeyBytes, revision: Int64) -> StoreEvent {
        let version = row.integer(4)
        guard version > 0 else { return .deleted(key: key.string, Revision(revision)) }
        let lease = row.integer(5)
        return .put(
            StoreEntry(
                key: key.string, value: row.bytes(2), createRevision: Revision(row.integer(3)),
                modRevision: Revision(revision), version: version, lease: lease == 0 ? nil : LeaseID(lease)))
    }

    private func withConnection<Value: Sendable>(
        _ body: (SQLiteConnection) throws(SQLiteFailure) -> Value
    ) throws(StoreError) -> Value {
        try lock.withLock { _ throws(StoreError) in
            guard let connection else { throw .closed }
            do throws(SQLiteFailure) { return try body(connection) } catch { throw error.storeError }
        }
    }
}
