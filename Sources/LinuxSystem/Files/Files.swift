internal import CLinux
import Glibc

/// Reads a whole file.
///
/// - Parameters:
///   - path: file to read.
///   - limit: a longer file is an error (`EFBIG`), so that no file can take all memory.
/// - Returns: its content.
/// - Throws: the failed call.
public func readFile(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    // Non-blocking, so that a FIFO put in the file's place cannot hold us up.
    let file = try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
    var content: [UInt8] = []
    while true {
        let room = limit + 1 - content.count
        guard room > 0 else { throw SystemError(call: "read", path: path, errno: EFBIG) }
        let (count, failure) = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { chunk in
            let count = Glibc.read(file.raw, chunk.baseAddress, min(room, chunk.count))
            let failure = errno
            if count > 0 { content.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count])) }
            return (count, failure)
        }
        if count == 0 { return content }
        guard count > 0 || failure == EINTR else { throw SystemError(call: "read", path: path, errno: failure) }
    }
}

/// Reads a whole text file; invalid UTF-8 is replaced.
func readText(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> String {
    String(decoding: try readFile(path, limit: limit), as: UTF8.self)
}

/// Replaces a file so that after a crash either the old or the new content is there, whole.
///
/// Writes a temporary file beside it, syncs it, renames it over the old one and syncs the directory.
/// - Parameters:
///   - path: file to replace or make.
///   - content: its new content.
///   - mode: its permissions.
///   - durable: false leaves out both syncs, for files that only processes of this boot read.
/// - Throws: the failed call; the old file is then untouched and the temporary one removed.
public func writeFileAtomically(
    _ path: String, _ content: [UInt8], mode: UInt32 = 0o600, durable: Bool = true
) throws(SystemError) {
    let temporary = "\(path).\(getpid()).tmp"
    do throws(SystemError) {
        let file = try FileDescriptor.open(temporary, flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
        try file.writeAll(content, path: temporary)
        if durable { try file.sync(path: temporary) }
        guard rename(temporary, path) == 0 else { throw .last("rename", path) }
    } catch {
        unlink(temporary)
        throw error
    }
    if durable { try syncDirectory(parentDirectory(of: path)) }
}

/// Makes names in a directory durable.
public func syncDirectory(_ path: String) throws(SystemError) {
    let directory = try FileDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY)
    try directory.sync(path: path)
}

/// The directory part of a path; `.` when it has none.
public func parentDirectory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Makes a directory and those above it; one that is there already is fine.
///
/// - Parameters:
///   - path: directory to make.
///   - mode: permissions of those that are made.
/// - Throws: why one cannot be made.
public func makeDirectories(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
    if mkdir(path, mode) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, parentDirectory(of: path) != path else { throw .last("mkdir", path) }
    try makeDirectories(parentDirectory(of: path), mode: mode)
    guard mkdir(path, mode) == 0 || errno == EEXIST else { throw .last("mkdir", path) }
}

/// Names in a directory without `.` and `..`, sorted.
public func listDirectory(_ path: String) throws(SystemError) -> [String] {
    guard let stream = opendir(path) else { throw .last("opendir", path) }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// Removes a file or a directory with all that is in it, never following a symbolic link out of it, staying on its
/// file system; nothing there is fine.
public func removeTree(_ path: String) throws(SystemError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
        if errno == ENOENT { return }
        throw .last("lstat", path)
    }
    let parent = try FileDescriptor.open(parentDirectory(of: path), flags: O_RDONLY | O_DIRECTORY)
    let name = Array((path.split(separator: "/").last.map(String.init) ?? path).utf8CString)
    try TreeRemoval(path: path, device: status.st_dev).remove(name, in: parent)
}

/// Works on descriptors, because a task's user may swap directories for links while this runs, and on names as the
/// kernel has them, which need not be text.
private struct TreeRemoval {
    let path: String
    let device: dev_t
    /// Descriptors are few, and a task can nest directories as deep as it likes.
    private static let depthLimit = 64

    func remove(_ name: [CChar], in parent: borrowing FileDescriptor) throws(SystemError) {
        if unlinkat(parent.raw, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw .last("unlink", path) }
        let top = try open(name, in: parent)
        var moved = 0
        repeat {
            moved = 0
            try empty(top, top: top, depth: 1, &moved)
        } while moved > 0
        try removeDirectory(name, in: parent)
    }

    /// What is too deep is moved to the top, where the next turn finds it.
    private func empty(
        _ directory: borrowing FileDescriptor, top: borrowing FileDescriptor, depth: Int, _ moved: inout Int
    ) throws(SystemError) {
        for name in try names(in: directory) {
            if unlinkat(directory.raw, name, 0) == 0 || errno == ENOENT { continue }
            guard errno == EISDIR || errno == EPERM else { throw .last("unlink below", path) }
            if depth >= Self.depthLimit {
                moved += 1
                try move(name, from: directory, to: top, &moved)
                continue
            }
            let child = try open(name, in: directory)
            try empty(child, top: top, depth: depth + 1, &moved)
            try removeDirectory(name, in: directory)
        }
    }

    private func move(
        _ name: [CChar], from directory: borrowing FileDescriptor, to top: borrowing FileDescriptor,
        _ number: inout Int
    ) throws(SystemError) {
        // Names that are taken stay what they are; another is free.
        for _ in 0..<10_000 {
            if renameat(directory.raw, name, top.raw, ".removed-\(number)") == 0 || errno == ENOENT { return }
            guard errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR else { throw .last("rename below", path) }
            number += 1
        }
        throw SystemError(call: "rename below", path: path, errno: EEXIST)
    }

    private func open(
        _ name: [CChar], in parent: borrowing FileDescriptor
    ) throws(SystemError) -> FileDescriptor {
        let raw = clinux_openat(parent.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
        guard raw >= 0 else { throw .last("open below", path) }
        let directory = FileDescriptor(owning: raw)
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw .last("fstat", path) }
        guard status.st_dev == device else { throw SystemError(call: "remove", path: path, errno: EXDEV) }
        return directory
    }

    private func removeDirectory(_ name: [CChar], in parent: borrowing FileDescriptor) throws(SystemError) {
        guard unlinkat(parent.raw, name, AT_REMOVEDIR) == 0 || errno == ENOENT else { throw .last("rmdir", path) }
    }

    private func names(in directory: borrowing FileDescriptor) throws(SystemError) -> [[CChar]] {
        guard let stream = opendir("/proc/self/fd/\(directory.raw)") else { throw .last("opendir", path) }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
            }
            if name != [46, 0], name != [46, 46, 0] { names.append(name) }
        }
        return names
    }
}

func openPidDescriptor(_ pid: Int32) -> Int32 { clinux_pidfd_open(pid) }

func sendSignal(_ descriptor: Int32, _ signal: Int32) -> Bool { clinux_pidfd_send_signal(descriptor, signal) == 0 }

func tryLock(_ descriptor: Int32) -> Bool { clinux_flock(descriptor, LOCK_EX | LOCK_NB) == 0 }
