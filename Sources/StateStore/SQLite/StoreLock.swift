import Glibc

/// Keeps a second process off a store: a lock file beside it that names its holder. The kernel ends the lock with the
/// process, however it dies; the file stays.
final class StoreLock: Sendable {
    private let descriptor: Int32

    init(path: String) throws(StoreError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw .cannotOpen(path: path, reason: "open: \(Self.reason(errno))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = errno
            let holder = Self.holder(descriptor)
            Glibc.close(descriptor)
            guard error == EWOULDBLOCK else { throw .cannotOpen(path: path, reason: "flock: \(Self.reason(error))") }
            throw .locked(path: path, pid: holder)
        }
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = pwrite(descriptor, text, text.count, 0)
    }

    /// Unlocks by itself, not only by closing: a child that is just being spawned still has a copy of the descriptor.
    deinit {
        _ = flock(descriptor, LOCK_UN)
        Glibc.close(descriptor)
    }

    private static func holder(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        let text = String(decoding: bytes.prefix(count), as: UTF8.self)
        return text.split(separator: "\n").first.flatMap { Int32($0) }
    }

    static func reason(_ error: Int32) -> String { String(cString: strerror(error)) }

    /// Creates a file that only its owner reads, and makes its name durable, before SQLite would create it otherwise.
    static func createPrivateFile(at path: String) throws(StoreError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .cannotOpen(path: path, reason: "open: \(reason(errno))") }
        defer { Glibc.close(file) }
        guard fsync(file) == 0 else { throw .cannotOpen(path: path, reason: "fsync: \(reason(errno))") }
        try syncDirectory(of: path)
    }

    /// Makes the names of new files beside `path` durable.
    static func syncDirectory(of path: String) throws(StoreError) {
        var parent = "."
        if let slash = path.lastIndex(of: "/") { parent = slash == path.startIndex ? "/" : String(path[..<slash]) }
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw .cannotOpen(path: parent, reason: "open: \(reason(errno))") }
        defer { Glibc.close(directory) }
        guard fsync(directory) == 0 else { throw .cannotOpen(path: parent, reason: "fsync: \(reason(errno))") }
    }
}
