internal import CLinux
internal import Glibc

/// Small whole-file operations with failures that name the path. Everything opened here is close-on-exec.
enum RuntimeFiles {
    /// The most a file of the runtime or a `config.json` may hold: far above real ones, far below what hurts.
    static let sizeLimit = 16 << 20

    /// Opens like open(2), again after EINTR.
    static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(RuntimeFailure) -> Int32 {
        while true {
            let descriptor = clinux_open(path, flags | O_CLOEXEC, mode)
            if descriptor >= 0 { return descriptor }
            let code = errno
            if code != EINTR { throw RuntimeFailure("open \(path)", errno: code) }
        }
    }

    /// The whole content of a file, or nil when there is none.
    static func contents(_ path: String, limit: Int = sizeLimit) throws(RuntimeFailure) -> [UInt8]? {
        let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
        if descriptor < 0 {
            let code = errno
            if code == ENOENT { return nil }
            throw RuntimeFailure("open \(path)", errno: code)
        }
        defer { close(descriptor) }
        return try read(descriptor, named: path, limit: limit)
    }

    /// Reads a descriptor to its end.
    static func read(_ descriptor: Int32, named path: String, limit: Int = sizeLimit) throws(RuntimeFailure) -> [UInt8]
    {
        var bytes: [UInt8] = []
        // Not initialised by us on purpose: most files here are shorter than the first read.
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 8)
        defer { chunk.deallocate() }
        while true {
            let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                let code = errno
                if code == EINTR { continue }
                throw RuntimeFailure("read \(path)", errno: code)
            }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(chunk)[..<count]))
            if bytes.count > limit { throw RuntimeFailure("read \(path): more than \(limit) bytes") }
        }
    }

    /// Writes all bytes; false with errno set when that failed.
    static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { (buffer: UnsafeRawBufferPointer) -> Bool in
            var rest = buffer
            while !rest.isEmpty {
                let count = write(descriptor, rest.baseAddress, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
            return true
        }
    }

    /// Replaces a file so that a reader, or a crash, sees the old or the new content and nothing between.
    static func replace(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(RuntimeFailure) {
        let temporary = path + ".new"
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        var descriptor = clinux_open(temporary, flags | O_CLOEXEC, mode)
        if descriptor < 0 {
            // Left by a command that was killed.
            unlink(temporary)
            descriptor = try open(temporary, flags, mode: mode)
        }
        let written = writeAll(descriptor, bytes)
        var code = errno
        close(descriptor)
        if written {
            if rename(temporary, path) == 0 { return }
            code = errno
        }
        unlink(temporary)
        throw RuntimeFailure("write \(path)", errno: code)
    }

    /// Makes a directory and what is missing above it.
    static func makeDirectories(_ path: String, mode: mode_t) throws(RuntimeFailure) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        let code = errno
        guard code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw RuntimeFailure("mkdir \(path)", errno: code)
        }
        try makeDirectories(String(path[..<slash]), mode: mode)
        if mkdir(path, mode) != 0 && errno != EEXIST { throw RuntimeFailure("mkdir \(path)", errno: errno) }
    }

    /// The names in a directory, unsorted; nil when there is no such directory.
    static func names(in path: String) throws(RuntimeFailure) -> [String]? {
        guard let stream = opendir(path) else {
            let code = errno
            if code == ENOENT { return nil }
            throw RuntimeFailure("open \(path)", errno: code)
        }
        defer { closedir(stream) }
        return names(stream)
    }

    private static func names(_ stream: OpaquePointer) -> [String] {
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a file or a directory with all below it, following no link. Missing is fine.
    static func removeTree(_ path: String) throws(RuntimeFailure) {
        let code = removeTree(at: AT_FDCWD, path, depth: 0)
        if code != 0 && code != ENOENT { throw RuntimeFailure("remove \(path)", errno: code) }
    }

    private static func removeTree(at parent: Int32, _ name: String, depth: Int) -> Int32 {
        if unlinkat(parent, name, 0) == 0 { return 0 }
        let code = errno
        // What unlink(2) says of a directory; nothing of ours is nested deeply.
        guard code == EISDIR || code == EPERM, depth < 32 else { return code }
        let descriptor = clinux_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return errno == ENOTDIR ? code : errno }
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return ENOMEM
        }
        defer { closedir(stream) }
        for name in names(stream) {
            let code = removeTree(at: descriptor, name, depth: depth + 1)
            if code != 0 && code != ENOENT { return code }
        }
        return unlinkat(parent, name, AT_REMOVEDIR) == 0 ? 0 : errno
    }
}
