import CSQLite

struct RawFailure: Error {
    let message: String
}

/// SQLite used as directly as it can be: one connection, prepared statements, one table.
final class RawDatabase {
    private var handle: OpaquePointer?
    private var upsert: OpaquePointer?
    private var begin: OpaquePointer?
    private var commit: OpaquePointer?
    private var revision: Int64 = 0

    init(path: String) throws {
        try check(sqlite3_open(path, &handle))
        try check(sqlite3_exec(handle, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", nil, nil, nil))
        try check(
            sqlite3_exec(
                handle, "CREATE TABLE kv(k TEXT PRIMARY KEY, rev INTEGER, v BLOB) WITHOUT ROWID", nil, nil, nil))
        upsert = try prepare(
            "INSERT INTO kv VALUES(?, ?, ?) ON CONFLICT(k) DO UPDATE SET rev = excluded.rev, v = excluded.v")
        begin = try prepare("BEGIN IMMEDIATE")
        commit = try prepare("COMMIT")
    }

    func round(rows: Int, seconds: Double) throws -> Round {
        var keys = Keys()
        let value = [UInt8](repeating: 0x78, count: 200)
        var latencies: [Double] = []
        let start = now()
        var last = start
        while last - start < seconds {
            try step(begin)
            for _ in 0..<rows {
                let key = Array(keys.next().utf8)
                revision += 1
                csqlite_bind_text(upsert, 1, key, Int32(key.count))
                sqlite3_bind_int64(upsert, 2, revision)
                csqlite_bind_blob(upsert, 3, value, Int32(value.count))
                try step(upsert)
            }
            try step(commit)
            let time = now()
            latencies.append(time - last)
            last = time
        }
        return Round(rowsPerSecond: Double(latencies.count * rows) / (last - start), latencies: latencies.sorted())
    }

    private func prepare(_ sql: String) throws -> OpaquePointer? {
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v2(handle, sql, -1, &statement, nil))
        return statement
    }

    private func step(_ statement: OpaquePointer?) throws {
        let code = sqlite3_step(statement)
        sqlite3_reset(statement)
        if code != SQLITE_DONE { try check(code) }
    }

    private func check(_ code: Int32) throws {
        guard code == SQLITE_OK else { throw RawFailure(message: String(cString: sqlite3_errmsg(handle))) }
    }
}
