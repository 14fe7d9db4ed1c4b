import CSQLite

/// What SQLite answered to a call that failed (https://sqlite.org/rescode.html).
struct SQLiteFailure: Error {
    /// The extended result code.
    let code: Int32
    let message: String
    /// What was attempted.
    let operation: String

    var primaryCode: Int32 { code & 0xff }

    /// Whether a flush failed. What the kernel could not write it may forget, so a second flush that succeeds proves
    /// nothing: nobody knows what is on the disk until it is read again after a restart.
    var isFlush: Bool {
        code == SQLITE_IOERR | (4 << 8) || code == SQLITE_IOERR | (5 << 8)  // SQLITE_IOERR_FSYNC, _DIR_FSYNC
    }

    /// Whether pages could not be written, as opposed to flushed.
    var isLogWrite: Bool { primaryCode == SQLITE_FULL || code == SQLITE_IOERR | (3 << 8) }  // SQLITE_IOERR_WRITE

    var isBusy: Bool { primaryCode == SQLITE_BUSY || primaryCode == SQLITE_LOCKED }

    /// The error of a call that changed nothing.
    var storeError: StoreError {
        let reason = "\(operation): \(message), SQLite code \(code)"
        if isFlush { return .outcomeUnknown(reason) }
        switch primaryCode {
        case SQLITE_FULL: return .full(reason)
        case SQLITE_BUSY, SQLITE_LOCKED: return .busy(reason)
        case SQLITE_CORRUPT, SQLITE_NOTADB: return .corrupt(reason)
        default: return .io(reason)
        }
    }
}

/// One connection, used by one thread at a time; closed when nobody refers to it.
final class SQLiteConnection {
    fileprivate let handle: OpaquePointer
    private var statements: [String: SQLiteStatement] = [:]

    /// Opens or creates a database; `layer` names a registered file layer, `nil` the default one.
    init(path: String, readOnly: Bool = false, layer: String? = nil) throws(SQLiteFailure) {
        var opened: OpaquePointer?
        let flags = (readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, layer)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw SQLiteFailure(code: code, message: message, operation: "open \(path)")
        }
        handle = opened
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, 5000)
    }

    deinit {
        statements = [:]
        sqlite3_close_v2(handle)
    }

    /// Runs statements that answer nothing of interest.
    func run(_ sql: String) throws(SQLiteFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, sql) }
    }

    /// The statement of a text, prepared once.
    func statement(_ sql: String) throws(SQLiteFailure) -> SQLiteStatement {
        if let statement = statements[sql] { return statement }
        let statement = try SQLiteStatement(connection: self, sql: sql)
        statements[sql] = statement
        return statement
    }

    /// The first column of the first row.
    func integer(_ sql: String) throws(SQLiteFailure) -> Int64 {
        let statement = try statement(sql)
        defer { statement.reset() }
        return try statement.step() ? statement.integer(0) : 0
    }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    fileprivate func failure(_ code: Int32, _ operation: String) -> SQLiteFailure {
        SQLiteFailure(code: code, message: String(cString: sqlite3_errmsg(handle)), operation: operation)
    }

    /// Moves pages from the log into the file as far as readers allow; with `emptyLog`, waits for them and cuts the log
    /// to nothing.
    func checkpoint(emptyLog: Bool) throws(SQLiteFailure) {
        let mode = emptyLog ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
        let code = sqlite3_wal_checkpoint_v2(handle, nil, mode, nil, nil)
        guard code == SQLITE_OK else { throw failure(code, "checkpoint") }
    }

    /// Has the number of pages in the log written to `pages` at each commit, in place of SQLite's own checkpoints.
    func reportLogPages(to pages: UnsafeMutablePointer<Int32>) {
        _ = sqlite3_wal_hook(
            handle,
            { context, _, _, count in
                context?.assumingMemoryBound(to: Int32.self).pointee = count
                return SQLITE_OK
            }, pages)
    }
}

/// A prepared statement, kept by its connection.
final class SQLiteStatement {
    private let handle: OpaquePointer
    private unowned let connection: SQLiteConnection
    private let sql: String

    fileprivate init(connection: SQLiteConnection, sql: String) throws(SQLiteFailure) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(
            connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw connection.failure(code, sql) }
        handle = prepared
        self.connection = connection
        self.sql = sql
    }

    deinit { sqlite3_finalize(handle) }

    func bind(_ position: Int32, _ value: Int64) { sqlite3_bind_int64(handle, position, value) }

    func bind(_ position: Int32, text: [UInt8]) throws(SQLiteFailure) {
        let code = text.withUnsafeBytes { csqlite_bind_text(handle, position, $0.baseAddress, Int32($0.count)) }
        guard code == SQLITE_OK else { throw connection.failure(code, sql) }
    }

    /// Binds bytes, or NULL for `nil`.
    func bind(_ position: Int32, blob: [UInt8]?) throws(SQLiteFailure) {
        guard let blob else {
            sqlite3_bind_null(handle, position)
            return
        }
        let code = blob.withUnsafeBytes { csqlite_bind_blob(handle, position, $0.baseAddress, Int32($0.count)) }
        guard code == SQLITE_OK else { throw connection.failure(code, sql) }
    }

    /// - Returns: whether there is a row to read.
    func step() throws(SQLiteFailure) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw connection.failure(code, sql)
        }
    }

    /// Runs to the end and makes ready for the next time.
    func run() throws(SQLiteFailure) {
        defer { reset() }
        while try step() {}
    }

    func reset() { sqlite3_reset(handle) }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// The bytes of a text or blob, empty for NULL.
    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }
}
