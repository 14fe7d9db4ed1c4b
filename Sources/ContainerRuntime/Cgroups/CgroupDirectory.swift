import Glibc
internal import LinuxSystem

/// One group in one tree: its control files.
struct CgroupDirectory: Equatable, Sendable {
    let path: String

    /// Writes a control file.
    ///
    /// - Returns: 0, or why not as an errno. The file is never made, so one that the kernel lacks is `ENOENT`.
    func attempt(_ value: String, to file: String) -> Int32 {
        do throws(SystemError) {
            let open = try FileDescriptor.open("\(path)/\(file)", flags: O_WRONLY | O_TRUNC)
            try open.writeAll(Array(value.utf8), path: file)
            return 0
        } catch {
            return error.errno
        }
    }

    /// Writes a control file that must take the value.
    func set(_ file: String, _ value: String) throws(RuntimeFailure) {
        let code = attempt(value, to: file)
        guard code == 0 else { throw failure(file, value, code) }
    }

    /// Says which file refused which value, and what that means.
    func failure(_ file: String, _ value: String, _ code: Int32) -> RuntimeFailure {
        let meaning =
            switch code {
            case ENOENT: "; this kernel has no such file here"
            case EINVAL, ERANGE: "; the kernel does not take this value, alone or beside the group's other limits"
            case EBUSY: "; the group uses more than that, or has processes where it may not"
            case EACCES, EPERM, EROFS: "; the group, or one above it, does not allow this to us"
            case ENODEV, ENXIO: "; there is no such device"
            default: ""
            }
        var failure = RuntimeFailure("cannot set \(file) to \"\(value)\" in \(path)", errno: code)
        failure.message += meaning
        return failure
    }

    func has(_ file: String) -> Bool { access("\(path)/\(file)", F_OK) == 0 }

    /// Whether the group is there.
    var exists: Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// A control file's text without the last line break; nil when it cannot be opened.
    func read(_ file: String) -> String? {
        guard let open = try? FileDescriptor.open("\(path)/\(file)", flags: O_RDONLY | O_NONBLOCK) else { return nil }
        var bytes: [UInt8] = []
        while bytes.count < 16 << 20 {
            // A page is what the kernel hands out at a time here.
            let part = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                count = max(0, Glibc.read(open.raw, buffer.baseAddress, buffer.count))
            }
            if part.isEmpty { break }
            bytes += part
        }
        if bytes.last == 10 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A file of one number; `max` is the highest there is.
    func number(_ file: String) -> UInt64? {
        guard let text = read(file) else { return nil }
        return text == "max" ? .max : UInt64(text)
    }

    /// A file of lines "key value".
    func table(_ file: String) -> [(key: String, value: UInt64)] {
        (read(file) ?? "").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count == 2, let value = UInt64(fields[1]) else { return nil }
            return (String(fields[0]), value)
        }
    }

    /// The value of one key of such a file.
    func value(of key: String, in file: String) -> UInt64? { table(file).first { $0.key == key }?.value }

    /// Names of what is in the directory; empty when it is not there.
    var files: [String] { (try? listDirectory(path)) ?? [] }

    /// Groups below this one.
    var children: [CgroupDirectory] {
        files.map { CgroupDirectory(path: "\(path)/\($0)") }.filter(\.exists)
    }

    /// Processes in this group and those below it, as far as this process's pid namespace shows them.
    func processes(depth: Int = 0) -> [Int32] {
        guard depth < 64 else { return [] }
        // Those of other pid namespaces are shown as 0, which kill(2) would take for our own process group.
        let own = (read("cgroup.procs") ?? "").split(separator: "\n").compactMap { Int32($0) }.filter { $0 > 0 }
        return children.reduce(into: own) { $0 += $1.processes(depth: depth + 1) }
    }
}

/// Waits a moment; for retries against the kernel where it offers nothing to wait on.
func cgroupPause(microseconds: Int) {
    var time = timespec(tv_sec: microseconds / 1_000_000, tv_nsec: microseconds % 1_000_000 * 1000)
    nanosleep(&time, nil)
}
