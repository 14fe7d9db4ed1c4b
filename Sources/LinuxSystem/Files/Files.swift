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
func parentDirectory(of path: String) -> String {
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
    let name = path.split(separator: "/").last.map(String.init) ?? path
    try removeEntry(in: parent, name, path: path, device: status.st_dev, depth: 0)
}

/// Works on descriptors, because a task's user may swap directories for links while this runs.
private func removeEntry(
    in parent: borrowing FileDescriptor, _ name: String, path: String, device: dev_t, depth: Int
) throws(SystemError) {
    if unlinkat(parent.raw, name, 0) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw .last("unlink", path) }
    guard depth < 256 else { throw SystemError(call: "remove", path: path, errno: ELOOP) }
    let directory = try parent.open(at: name, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    var status = stat()
    guard fstat(directory.raw, &status) == 0 else { throw .last("fstat", path) }
    guard status.st_dev == device else { throw SystemError(call: "remove", path: path, errno: EXDEV) }
    for child in try listDirectory("/proc/self/fd/\(directory.raw)") {
        try removeEntry(in: directory, child, path: "\(path)/\(child)", device: device, depth: depth + 1)
    }
    guard unlinkat(parent.raw, name, AT_REMOVEDIR) == 0 || errno == ENOENT else { throw .last("rmdir", path) }
}

func openPidDescriptor(_ pid: Int32) -> Int32 { clinux_pidfd_open(pid) }

func sendSignal(_ descriptor: Int32, _ signal: Int32) -> Bool { clinux_pidfd_send_signal(descriptor, signal) == 0 }

func tryLock(_ descriptor: Int32) -> Bool { clinux_flock(descriptor, LOCK_EX | LOCK_NB) == 0 }
