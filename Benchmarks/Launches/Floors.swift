import CSQLite
import Glibc
import NIOCore
import Transport

/// What the machine can do at most, per second.
struct Floors {
    /// Writes of 4 KiB, each flushed.
    var flushes: Double
    /// SQLite commits of one row with `synchronous=FULL`.
    var commits: Double
    /// POST round trips to a handler that does nothing, with 64 under way at a time.
    var calls: Double

    var line: String {
        """
        {"benchmark":"launches","what":"floor","flushes_per_s":\(Int(flushes)),"sqlite_commits_per_s":\(Int(commits)),\
        "http_calls_per_s":\(Int(calls))}
        """
    }

    static func measure(in directory: String) async throws -> Floors {
        let flushes = measureFlushes(directory + "/flush")
        let commits = try measureCommits(directory + "/floor.db")
        return Floors(flushes: flushes, commits: commits, calls: try await measureCalls())
    }

    private static let seconds = 1.0

    private static func measureFlushes(_ path: String) -> Double {
        let file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4_096)
        for place in 0..<256 { _ = pwrite(file, page, page.count, off_t(place * 4_096)) }
        fsync(file)
        return rate { count in
            _ = pwrite(file, page, page.count, off_t(count % 256 * 4_096))
            fdatasync(file)
        }
    }

    private static func measureCommits(_ path: String) throws -> Double {
        var database: OpaquePointer?
        var insert: OpaquePointer?
        let schema = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS t(v BLOB)"
        guard sqlite3_open(path, &database) == SQLITE_OK,
            sqlite3_exec(database, schema, nil, nil, nil) == SQLITE_OK,
            sqlite3_prepare_v2(database, "INSERT INTO t VALUES(zeroblob(200))", -1, &insert, nil) == SQLITE_OK
        else { throw Failure("SQLite does not work in \(path)") }
        defer {
            sqlite3_finalize(insert)
            sqlite3_close(database)
        }
        return rate { _ in
            sqlite3_step(insert)
            sqlite3_reset(insert)
        }
    }

    private static func rate(_ action: (Int) -> Void) -> Double {
        let start = now()
        var count = 0
        while now() - start < seconds {
            action(count)
            count += 1
        }
        return Double(count) / (now() - start)
    }

    private static func measureCalls() async throws -> Double {
        let server = try ServingProcess(["empty"])
        defer { server.stop() }
        let transport = Transport(threads: 1)
        let loop = transport.eventLoops.any()
        let form = RequestForm("/", [("Content-Type", "application/json")])
        let request = form.with(ByteBuffer(repeating: UInt8(ascii: " "), count: 300))
        let start = now()
        var connections: [NIOLoopBound<CallRepeater>] = []
        for _ in 0..<64 {
            let connection = try await LeanConnection.open(transport, to: server.endpoint)
            connections.append(
                try await loop.submit {
                    let repeater = CallRepeater(connection.value, request)
                    repeater.callAgain()
                    return NIOLoopBound(repeater, eventLoop: loop)
                }.get())
        }
        try await Task.sleep(for: .seconds(seconds))
        let count = try await loop.submit { [connections] in connections.reduce(0) { $0 + $1.value.stop() } }.get()
        return Double(count) / (now() - start)
    }

    /// One call after the other on one connection.
    private final class CallRepeater {
        private let connection: LeanConnection
        private let request: ByteBuffer
        private var count = 0
        private var isOver = false

        init(_ connection: LeanConnection, _ request: ByteBuffer) {
            self.connection = connection
            self.request = request
        }

        func callAgain() {
            connection.send(
                request,
                .status { [self] _ in
                    count += 1
                    if !isOver { callAgain() }
                })
        }

        func stop() -> Int {
            isOver = true
            connection.close()
            return count
        }
    }
}
