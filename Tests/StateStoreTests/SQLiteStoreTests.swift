import CSQLite
import Glibc
import Testing

@testable import StateStore

@Suite(.timeLimit(.minutes(5)))
struct SQLiteStoreTests {
    @Test func `everything is there after closing and opening again`() async throws {
        let directory = TemporaryDirectory()
        let first = try SQLiteStore(path: directory.database)
        try await first.grantLease(3, ttl: .seconds(5), now: .zero)
        _ = try await first.commit([
            put("a", "1"), put("b", "2", lease: 3), put("a", "3"), .init(operations: [.delete(key: "a")]),
        ])
        let status = first.status()
        let entries = try await first.everything()
        let events = try await first.events(from: 1, through: 4)
        await first.close()
        let second = try SQLiteStore(path: directory.database)
        #expect(second.status() == status)
        #expect(try await second.everything() == entries)
        #expect(try await second.events(from: 1, through: 4) == events)
        // The first call that brings a time starts the lease's full time.
        #expect(try await second.expireLeases(now: .seconds(1000)) == [])
        #expect(try await second.expireLeases(now: .seconds(1004)) == [])
        #expect(try await second.expireLeases(now: .seconds(1005)) == [3])
        #expect(try second.get("b") == nil)
        await second.close()
    }

    @Test func `the revision survives when compaction has removed every record`() async throws {
        let directory = TemporaryDirectory()
        let first = try SQLiteStore(path: directory.database)
        _ = try await first.commit([put("a", "1"), .init(operations: [.delete(key: "a")])])
        try await first.compact(upTo: 2)
        await first.close()
        let second = try SQLiteStore(path: directory.database)
        #expect(second.status() == StoreStatus(revision: 2, compacted: 2, keys: 0, leases: 0))
        #expect(try await second.transact(put("a", "2")) == .committed(3))
        await second.close()
    }

    @Test func `a second opener is refused and told who holds the store`() async throws {
        let directory = TemporaryDirectory()
        let store = try SQLiteStore(path: directory.database)
        let refusal = StoreError.locked(path: directory.database + ".lock", pid: getpid())
        #expect(throws: refusal) { try SQLiteStore(path: directory.database) }
        #expect(refusal.description.contains("process \(getpid())"))
        await store.close()
        let again = try SQLiteStore(path: directory.database)
        await again.close()
    }

    @Test func `the files are private to their owner`() async throws {
        let directory = TemporaryDirectory()
        let store = try SQLiteStore(path: directory.database)
        _ = try await store.transact(put("a", "1"))
        for suffix in ["", "-wal", "-shm", ".lock"] {
            var information = stat()
            #expect(stat(directory.database + suffix, &information) == 0)
            #expect(information.st_mode & 0o777 == 0o600, "\(suffix)")
        }
        await store.close()
    }

    @Test func `a file of format 1 opens and becomes one of the newest format`() async throws {
        let directory = TemporaryDirectory()
        try execute(directory.database, formatOneFixture)
        let store = try SQLiteStore(path: directory.database)
        #expect(store.status() == StoreStatus(revision: 4, compacted: 1, keys: 2, leases: 0))
        #expect(
            try store.get("/agent/1")
                == StoreEntry(key: "/agent/1", value: bytes("up"), createRevision: 1, modRevision: 3, version: 2))
        #expect(try store.get("/gone") == nil)
        #expect(
            try await store.events(from: 3, through: 4).map(\.key) == ["/agent/1", "/gone"])
        try await store.grantLease(1, ttl: .seconds(1), now: .zero)
        #expect(try await store.transact(put("/new", "x", lease: 1)) == .committed(5))
        await store.close()
        let connection = try SQLiteConnection(path: directory.database)
        #expect(try connection.integer("PRAGMA user_version") == Int64(StoreFormat.newest))
    }

    @Test func `a newer format, a foreign database and a text file are refused untouched`() async throws {
        let newer = TemporaryDirectory()
        await (try SQLiteStore(path: newer.database)).close()
        try execute(newer.database, "PRAGMA user_version = 99")
        #expect(throws: StoreError.newerFormat(found: 99, supported: StoreFormat.newest)) {
            try SQLiteStore(path: newer.database)
        }
        let foreign = TemporaryDirectory()
        try execute(foreign.database, "CREATE TABLE t(x)")
        #expect(throws: StoreError.notAStore(path: foreign.database)) { try SQLiteStore(path: foreign.database) }
        let text = TemporaryDirectory()
        let file = open(text.database, O_CREAT | O_WRONLY, 0o600)
        let content = Array(String(repeating: "this is a letter\n", count: 400).utf8)
        #expect(write(file, content, content.count) == content.count)
        Glibc.close(file)
        #expect(throws: StoreError.notAStore(path: text.database)) { try SQLiteStore(path: text.database) }
        #expect(throws: StoreError.self) { try SQLiteStore(path: "/nowhere/state.db") }
    }

    /// 200,000 puts of 200 bytes on 50 keys are 50 MB of history if nothing is forgotten.
    @Test func `the file stays small under many writes to few keys`() async throws {
        let directory = TemporaryDirectory()
        let policy = CompactionPolicy(keepRevisions: 5000, historyBytes: 1 << 20)
        let store = try SQLiteStore(.init(path: directory.database, compaction: policy))
        var largest = 0
        for round in 0..<200 {
            let transactions = (0..<1000).map { step in
                let value = [UInt8](repeating: UInt8(round), count: 200)
                return StoreTransaction(operations: [.put(key: "key\(step % 50)", value: value)])
            }
            _ = try await store.commit(transactions)
            largest = max(largest, directory.size() + directory.size("-wal"))
        }
        #expect(store.status().revision == 200_000)
        #expect(store.status().keys == 50)
        #expect(largest < 20 << 20, "\(largest) bytes")
        await store.close()
        #expect(directory.size() < 4 << 20, "\(directory.size()) bytes")
        let again = try SQLiteStore(path: directory.database)
        #expect(again.status().revision == 200_000)
        await again.close()
    }

    @Test func `deleting much gives the space back`() async throws {
        let directory = TemporaryDirectory()
        let store = try SQLiteStore(path: directory.database)
        for key in 0..<200 {
            let value = [UInt8](repeating: 1, count: 100_000)
            _ = try await store.transact(.init(operations: [.put(key: "\(key)", value: value)]))
        }
        #expect(directory.size() + directory.size("-wal") > 18 << 20)
        _ = try await store.transact(.init(operations: [.deletePrefix("")]))
        try await store.compact(upTo: 201)
        await store.close()
        #expect(directory.size() < 6 << 20, "\(directory.size()) bytes")
    }
}

func execute(_ path: String, _ sql: String) throws {
    let connection = try SQLiteConnection(path: path)
    try connection.run(sql)
}

/// What format 1 looked like: no leases. Revision 2 was compacted away partly: a key written at 1 and 3 stays.
private let formatOneFixture = """
    PRAGMA auto_vacuum = INCREMENTAL;
    CREATE TABLE record(id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, created INTEGER NOT NULL,
        version INTEGER NOT NULL);
    CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO meta VALUES('compacted', 1), ('probe', 0);
    INSERT INTO record VALUES(1 << 20, '/agent/1', x'646f776e', 1, 1);
    INSERT INTO record VALUES(2 << 20, '/agent/2', x'7570', 2, 1);
    INSERT INTO record VALUES((2 << 20) + 1, '/gone', x'', 2, 1);
    INSERT INTO record VALUES(3 << 20, '/agent/1', x'7570', 1, 2);
    INSERT INTO record VALUES(4 << 20, '/gone', NULL, 0, 0);
    PRAGMA application_id = 1383034468;
    PRAGMA user_version = 1;
    """
