import CSQLite

/// What the file holds, and how older files become what it holds now.
///
/// - `record`: the history, one row per changed key and revision, see ``RecordID``. A deletion has version 0 and no
///   value. Compaction removes rows that are superseded; the newest row of a key is its current value.
/// - `lease`: the leases and their times in milliseconds.
/// - `meta`: `compacted`, the newest revision whose history is gone, and `probe`, a counter.
enum StoreFormat {
    /// "Rond", in the file's header.
    static let applicationID: Int64 = 0x526f_6e64

    /// Step n makes format n + 1 out of format n; a new file takes them all. Steps are never changed, only added, and
    /// a test opens a file of each older format.
    static let steps = [
        """
        CREATE TABLE record(id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, created INTEGER NOT NULL,
            version INTEGER NOT NULL);
        CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO meta VALUES('compacted', 0), ('probe', 0);
        """,
        """
        ALTER TABLE record ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE lease(id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL);
        """,
    ]

    static var newest: Int { steps.count }

    /// Makes the file one of the newest format.
    static func prepare(_ connection: SQLiteConnection, path: String) throws(StoreError) {
        do {
            let found = try version(of: connection, path: path)
            guard found <= newest else { throw StoreError.newerFormat(found: found, supported: newest) }
            // Only an empty file takes this; it must come before the first page is written.
            try connection.run("PRAGMA auto_vacuum = INCREMENTAL")
            try connection.run("PRAGMA journal_mode = WAL")
            try connection.run("PRAGMA synchronous = FULL")
            try connection.run("PRAGMA wal_autocheckpoint = 0")
            try connection.run("PRAGMA journal_size_limit = 8388608")
            try migrate(connection, from: found)
        } catch let error as StoreError {
            throw error
        } catch let failure as SQLiteFailure {
            if failure.primaryCode == SQLITE_NOTADB { throw .notAStore(path: path) }
            throw failure.storeError
        } catch {
            throw .cannotOpen(path: path, reason: "\(error)")
        }
    }

    private static func version(of connection: SQLiteConnection, path: String) throws -> Int {
        let application = try connection.integer("PRAGMA application_id")
        let version = try connection.integer("PRAGMA user_version")
        if application == applicationID, version > 0 { return Int(version) }
        let tables = try connection.integer("SELECT count(*) FROM sqlite_master")
        guard application == 0, version == 0, tables == 0 else { throw StoreError.notAStore(path: path) }
        return 0
    }

    /// Each step is one transaction with its version, so an interrupted migration goes on where it was.
    private static func migrate(_ connection: SQLiteConnection, from found: Int) throws {
        for (version, step) in steps.enumerated().dropFirst(found) {
            try connection.run(
                """
                BEGIN IMMEDIATE;
                \(step)
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(version + 1);
                COMMIT
                """)
        }
    }
}
