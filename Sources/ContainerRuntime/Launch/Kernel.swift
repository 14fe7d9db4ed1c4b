internal import CLinux
internal import Glibc

/// The system calls a container is made of, with failures as values.
///
/// They go through one raw call: most have no wrapper in glibc that Swift could import, and none of them may bring in
/// anything that would need a thread.
enum Kernel {
    // mount(2)
    static let readOnly: UInt = 1
    static let noSuid: UInt = 2
    static let noDev: UInt = 4
    static let noExec: UInt = 8
    static let remount: UInt = 32
    static let bind: UInt = 4_096
    static let move: UInt = 8_192
    static let recursive: UInt = 16_384
    static let isPrivate: UInt = 1 << 18
    static let isSlave: UInt = 1 << 19
    static let isShared: UInt = 1 << 20
    static let isUnbindable: UInt = 1 << 17

    static let atEmptyPath = 0x1000
    static let atRecursive = 0x8000
    static let path: Int32 = 0o10000000
    static let closeOnExec: Int32 = 0o2000000
    static let noFollow: Int32 = 0o400000
    static let directory: Int32 = 0o200000

    /// Calls the kernel.
    ///
    /// Returns the result, negative for `-errno`.
    static func call(
        _ number: Int32, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0, _ e: Int = 0, _ f: Int = 0
    ) -> Int {
        clinux_syscall(Int(number), a, b, c, d, e, f)
    }

    /// Calls `body` with a C string; NUL inside of the text would cut it short, so it is refused.
    static func withPath(_ text: String, _ body: (Int) -> Int) -> Int {
        guard !text.utf8.contains(0) else { return -Int(EINVAL) }
        return text.withCString { body(Int(bitPattern: $0)) }
    }

    private static func withOptional(_ text: String?, _ body: (Int) -> Int) -> Int {
        guard let text else { return body(0) }
        return withPath(text, body)
    }

    static func mount(source: String?, target: String, type: String?, flags: UInt, data: String? = nil) -> Int {
        withOptional(source) { source in
            withPath(target) { target in
                withOptional(type) { type in
                    withOptional(data) { data in call(SYS_mount, source, target, type, Int(bitPattern: flags), data) }
                }
            }
        }
    }

    static func unmount(_ target: String, flags: Int) -> Int { withPath(target) { call(SYS_umount2, $0, flags) } }

    static func open(_ path: String, _ flags: Int32, mode: Int = 0) -> Int {
        openAt(AT_FDCWD, path, flags, mode: mode)
    }

    static func openAt(_ directory: Int32, _ path: String, _ flags: Int32, mode: Int = 0) -> Int {
        withPath(path) { call(SYS_openat, Int(directory), $0, Int(flags | closeOnExec), mode) }
    }

    /// openat2(2) below a directory that is taken for the root: no `..`, link or mount on the way leads out of it.
    static func openInRoot(_ root: Int32, _ path: String, _ flags: Int32, resolve: UInt64 = 0) -> Int {
        let inRoot: UInt64 = 0x10
        let noMagicLinks: UInt64 = 0x02
        var how: (UInt64, UInt64, UInt64) = (
            UInt64(UInt32(bitPattern: flags | closeOnExec)), 0, inRoot | noMagicLinks | resolve
        )
        return withUnsafeMutablePointer(to: &how) { how in
            withPath(path.isEmpty ? "." : path) { path in
                // A rename elsewhere at the wrong moment makes the kernel give up; it is then asked again.
                for _ in 0..<64 {
                    let result = call(SYS_openat2, Int(root), path, Int(bitPattern: how), 24)
                    if result != -Int(EAGAIN) { return result }
                }
                return -Int(EAGAIN)
            }
        }
    }

    /// openat2(2) below an open directory of procfs, through no link and into no other mount: a file of the same procfs
    /// that somebody has bound over the one that is meant would do (CVE-2025-52881).
    static func openInProc(_ proc: Int32, _ path: String, _ flags: Int32) -> Int {
        let noOtherMount: UInt64 = 0x01
        let noLinks: UInt64 = 0x04
        return openInRoot(proc, path, flags, resolve: noOtherMount | noLinks)
    }

    static func close(_ descriptor: Int32) { _ = call(SYS_close, Int(descriptor)) }

    /// The path that leads to an open file, whatever has become of its name.
    static func link(_ descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

    // MARK: detached mounts

    /// A copy of the mount at a path, attached nowhere (open_tree(2)).
    static func cloneTree(_ directory: Int32, _ path: String, recursive: Bool) -> Int {
        let clone = 1
        let flags = clone | Int(closeOnExec) | (recursive ? atRecursive : 0) | (path.isEmpty ? atEmptyPath : 0)
        return withPath(path) { call(SYS_open_tree, Int(directory), $0, flags) }
    }

    /// Changes attributes of a mount (mount_setattr(2)).
    static func setAttributes(
        _ descriptor: Int32, set: UInt64, clear: UInt64 = 0, propagation: UInt64 = 0, userNamespace: Int32? = nil,
        recursive: Bool
    ) -> Int {
        let isMapped: UInt64 = 0x0010_0000
        var attributes: (UInt64, UInt64, UInt64, UInt64) = (
            set | (userNamespace == nil ? 0 : isMapped), clear, propagation,
            UInt64(UInt32(bitPattern: userNamespace ?? 0))
        )
        return withUnsafeMutablePointer(to: &attributes) { attributes in
            withPath("") {
                call(
                    SYS_mount_setattr, Int(descriptor), $0, atEmptyPath | (recursive ? atRecursive : 0),
                    Int(bitPattern: attributes), 32)
            }
        }
    }

    /// Attaches a detached mount on an open file (move_mount(2)).
    static func attach(_ tree: Int32, to target: Int32) -> Int {
        withPath("") { call(SYS_move_mount, Int(tree), $0, Int(target), $0, 0x4 | 0x40) }
    }

    // MARK: files

    static func makeDirectory(_ directory: Int32, _ name: String, mode: Int) -> Int {
        withPath(name) { call(SYS_mkdirat, Int(directory), $0, mode) }
    }

    static func makeNode(_ directory: Int32, _ name: String, mode: Int, device: Int = 0) -> Int {
        withPath(name) { call(SYS_mknodat, Int(directory), $0, mode, device) }
    }

    static func makeLink(_ target: String, _ directory: Int32, _ name: String) -> Int {
        withPath(target) { target in withPath(name) { call(SYS_symlinkat, target, Int(directory), $0) } }
    }

    static func readLink(_ directory: Int32, _ name: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            withPath(name) {
                call(SYS_readlinkat, Int(directory), $0, Int(bitPattern: bytes.baseAddress), bytes.count)
            }
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    static func changeOwner(_ directory: Int32, _ name: String, uid: Int, gid: Int) -> Int {
        withPath(name) { call(SYS_fchownat, Int(directory), $0, uid, gid, name.isEmpty ? atEmptyPath : 0x100) }
    }

    /// Writes a whole text with one call, as files of procfs and cgroupfs want it.
    static func write(_ text: String, to descriptor: Int32) -> Int {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { call(SYS_write, Int(descriptor), Int(bitPattern: $0.baseAddress), $0.count) }
    }

    static func write(_ text: String, toFile path: String) -> Int {
        let descriptor = open(path, O_WRONLY)
        guard descriptor >= 0 else { return descriptor }
        defer { close(Int32(descriptor)) }
        return write(text, to: Int32(descriptor))
    }

    /// The whole content of a small file.
    static func read(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(Int32(descriptor)) }
        return readAll(Int32(descriptor), limit: limit)
    }

    static func readAll(_ descriptor: Int32, limit: Int) -> [UInt8]? {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while content.count <= limit {
            let count = chunk.withUnsafeMutableBytes {
                call(SYS_read, Int(descriptor), Int(bitPattern: $0.baseAddress), $0.count)
            }
            if count == -Int(EINTR) { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return content }
            content += chunk[..<count]
        }
        return nil
    }

    /// Whether an open file is on procfs: nobody may have put something else in its place.
    static func isProc(_ descriptor: Int32) -> Bool {
        filesystem(descriptor) == 0x9fa0
    }

    /// The magic number of the filesystem that an open file is on (statfs(2)).
    static func filesystem(_ descriptor: Int32) -> Int? {
        var words = [Int](repeating: 0, count: 32)
        let code = words.withUnsafeMutableBytes {
            call(SYS_fstatfs, Int(descriptor), Int(bitPattern: $0.baseAddress))
        }
        return code < 0 ? nil : words[0]
    }

    /// The `MS_…` flags of the mount that an open file is on, as far as a user namespace locks them.
    static func mountFlags(_ descriptor: Int32) -> UInt {
        var words = [Int](repeating: 0, count: 32)
        let code = words.withUnsafeMutableBytes {
            call(SYS_fstatfs, Int(descriptor), Int(bitPattern: $0.baseAddress))
        }
        guard code >= 0 else { return 0 }
        // f_flags, whose bits are those of mount(2) but for the ways of keeping access times.
        let bits = UInt(bitPattern: words[10])
        typealias Flag = MountOptions.Flag
        var flags =
            bits & (readOnly | noSuid | noDev | noExec | Flag.noAccessTime | Flag.noDirectoryAccessTime)
        let isRelative: UInt = 4_096
        if bits & isRelative != 0 {
            flags |= Flag.relativeAccessTime
        } else if bits & Flag.noAccessTime == 0 {
            flags |= Flag.strictAccessTime
        }
        return flags
    }

    static func control(_ option: Int32, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0) -> Int {
        call(SYS_prctl, Int(option), a, b, c, d)
    }
}

/// Turns a negative result into a failure that says what was being done.
@discardableResult
func check(_ result: Int, _ doing: @autoclosure () -> String) throws(RuntimeFailure) -> Int {
    guard result < 0 else { return result }
    throw RuntimeFailure(doing(), errno: Int32(truncatingIfNeeded: -result))
}

/// A descriptor that closes itself.
final class OpenFile {
    let raw: Int32

    init(_ raw: Int32) { self.raw = raw }

    init(_ result: Int, _ doing: @autoclosure () -> String) throws(RuntimeFailure) {
        raw = Int32(truncatingIfNeeded: try check(result, doing()))
    }

    deinit { Kernel.close(raw) }
}
