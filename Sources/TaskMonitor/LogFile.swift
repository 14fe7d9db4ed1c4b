internal import CLinux
import Glibc
import LinuxSystem

/// One output stream of a task on disk: a live file and a bounded number of older ones.
///
/// The directory belongs to the task's user, who may put links there, while this process is root: the directory is
/// opened once, before the task starts, no link is followed, and a new file is always one that was not there before.
final class LogFile {
    private let directory: FileDescriptor
    private let name: String
    private let maximumBytes: Int
    private let maximumFiles: UInt32
    private let owner: (uid: UInt32, gid: UInt32)?
    private var file: Int32
    private var size: Int
    private var hasComplained = false

    /// Opens the live file, going on where an earlier one ended.
    init(path: String, logs: MonitorSpec.Logs, credentials: MonitorSpec.Credentials?) throws(SystemError) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        name = String(path[slash...].dropFirst())
        guard !name.isEmpty else { throw SystemError(call: "open", path: path, errno: EISDIR) }
        maximumBytes = Int(min(logs.maximumBytes, 1 << 50))
        maximumFiles = logs.maximumFiles
        owner = credentials.map { ($0.uid, $0.gid) }
        let parent = path[..<slash]
        directory = try FileDescriptor.open(parent.isEmpty ? "/" : String(parent), flags: O_RDONLY | O_DIRECTORY)
        let opened = clinux_openat(
            directory.raw, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o644)
        guard opened >= 0 else { throw SystemError(call: "open", path: path, errno: errno) }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else {
            close(opened)
            throw SystemError(call: "open as a plain file", path: path, errno: EINVAL)
        }
        file = opened
        size = Int(status.st_size)
        giveToOwner()
    }

    deinit { if file >= 0 { close(file) } }

    private func giveToOwner() {
        if let owner, file >= 0 { _ = fchown(file, owner.uid, owner.gid) }
    }

    /// Appends output. What cannot be written is dropped: a full disk must not stop the task.
    func append(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let room = maximumBytes - size
            if rest.count <= room { return write(rest) }
            // Rotate at the end of a line when there is one.
            let fitting = rest.prefix(max(room, 0))
            let cut =
                fitting.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
                ?? (size <= 0 ? fitting.endIndex : rest.startIndex)
            write(rest[rest.startIndex..<cut])
            rest = rest[cut...]
            rotate()
        }
    }

    private func write(_ part: Slice<UnsafeRawBufferPointer>) {
        var done = 0
        let buffer = UnsafeRawBufferPointer(rebasing: part)
        while done < buffer.count {
            let count = Glibc.write(file, buffer.baseAddress.map { $0 + done }, buffer.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                if !hasComplained {
                    TaskMonitor.complain("\(SystemError(call: "write", path: name, errno: errno)); output is dropped")
                }
                hasComplained = true
                break
            }
            done += count
        }
        size += done
        // Dropped bytes count as written would, else a loop over a full disk never ends.
        if done < buffer.count { size += buffer.count - done }
    }

    private func rotate() {
        size = 0
        if maximumFiles < 2 {
            _ = ftruncate(file, 0)
            return
        }
        for number in (1..<maximumFiles - 1).reversed() {
            renameat(directory.raw, "\(name).\(number)", directory.raw, "\(name).\(number + 1)")
        }
        renameat(directory.raw, name, directory.raw, "\(name).1")
        // Whatever the task put in its place.
        unlinkat(directory.raw, name, 0)
        let opened = clinux_openat(directory.raw, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o644)
        if file >= 0 { close(file) }
        file = opened
        giveToOwner()
    }
}
