import Glibc
import NIOPosix
import Synchronization

/// Where a simulated agent keeps what it must not forget: lines in a file, many to a flush.
final class Journal: Sendable {
    private let file: Int32
    private let pool: NIOThreadPool
    private let count = Atomic<Int>(0)

    init(path: String, pool: NIOThreadPool) throws {
        file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure("cannot open \(path): \(String(cString: strerror(errno)))") }
        self.pool = pool
    }

    deinit { close(file) }

    /// Flushes so far.
    var flushes: Int { count.load(ordering: .relaxed) }

    /// Appends bytes; they are on disk when it returns.
    func append(_ bytes: [UInt8]) async throws {
        if bytes.isEmpty { return }
        let file = file
        try await pool.runIfActive {
            guard write(file, bytes, bytes.count) == bytes.count, fdatasync(file) == 0 else {
                throw Failure("an agent cannot write: \(String(cString: strerror(errno)))")
            }
        }
        count.add(1, ordering: .relaxed)
    }
}
