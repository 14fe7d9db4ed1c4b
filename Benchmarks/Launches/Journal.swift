import Glibc
import NIOCore
import NIOPosix

/// Where a simulated agent keeps what it must not forget: lines in a file, many to a flush.
final class Journal {
    private let file: Int32
    private let pool: NIOThreadPool
    private let loop: any EventLoop
    private var waiting: [(bytes: ByteBuffer, then: () -> Void)] = []
    private var isBusy = false
    /// Flushes so far.
    private(set) var flushes = 0

    init(path: String, pool: NIOThreadPool, loop: any EventLoop) throws {
        file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure("cannot open \(path): \(String(cString: strerror(errno)))") }
        self.pool = pool
        self.loop = loop
    }

    deinit { close(file) }

    /// Appends bytes and goes on when they are on disk.
    func append(_ bytes: ByteBuffer, then: @escaping () -> Void) {
        waiting.append((bytes, then))
        if !isBusy { flush() }
    }

    private func flush() {
        let group = waiting
        waiting = []
        if group.isEmpty { return }
        isBusy = true
        var bytes = ByteBuffer()
        for each in group { bytes.writeImmutableBuffer(each.bytes) }
        let file = file
        let whole = bytes
        pool.runIfActive(eventLoop: loop) {
            let written = whole.withUnsafeReadableBytes { write(file, $0.baseAddress, $0.count) }
            guard written == whole.readableBytes, fdatasync(file) == 0 else {
                throw Failure("an agent cannot write: \(String(cString: strerror(errno)))")
            }
        }.assumeIsolated().whenComplete { [self] result in
            if case .failure(let error) = result { fail("\(error)") }
            isBusy = false
            flushes += 1
            for each in group { each.then() }
            if !isBusy { flush() }
        }
    }
}
