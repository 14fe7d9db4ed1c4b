import Glibc

/// Says that files were written to, or got other names (inotify(7)).
public struct FileWatch: ~Copyable, Sendable {
    private let queue: FileDescriptor

    /// A watch over nothing yet.
    ///
    /// - Throws: why there is none, such as too many of them.
    public init() throws(SystemError) {
        let opened = inotify_init1(0x8_0000 | 0x800)  // IN_CLOEXEC, IN_NONBLOCK
        guard opened >= 0 else { throw .last("inotify_init1") }
        queue = FileDescriptor(owning: opened)
    }

    /// Is readable when something has happened.
    public var descriptor: Int32 { queue.raw }

    /// Watches an open file, whatever its name is or will be.
    ///
    /// - Returns: false when it cannot be watched.
    public func add(_ file: borrowing FileDescriptor) -> Bool {
        let changes: UInt32 = 0x2 | 0x800 | 0x400  // IN_MODIFY, IN_MOVE_SELF, IN_DELETE_SELF
        return inotify_add_watch(queue.raw, "/proc/self/fd/\(file.raw)", changes) >= 0
    }

    /// Forgets what has happened so far.
    public func drain() {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while read(queue.raw, &bytes, bytes.count) > 0 {}
    }
}
