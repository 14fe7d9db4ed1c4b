internal import CLinux
internal import Glibc
internal import LinuxSystem

/// A network namespace that a file names: of a process, or mounted somewhere so that it outlives processes.
struct NetworkNamespace: ~Copyable {
    let descriptor: FileDescriptor

    private static let namespaceOfNetworks: Int = 0x4000_0000

    init(_ path: String) throws(NetworkError) {
        do {
            descriptor = try FileDescriptor.open(path, flags: O_RDONLY)
        } catch {
            throw NetworkError(.system(errno: error.errno), "cannot enter the container's network: \(error)")
        }
    }

    /// Does something in there, on a thread made for it: a thread that fails to come back would serve others in the
    /// wrong namespace.
    func run<Result>(_ body: @escaping () throws(NetworkError) -> Result) throws(NetworkError) -> Result {
        let raw = descriptor.raw
        return try onOwnThread { () throws(NetworkError) -> Result in
            try Self.check(
                clinux_syscall(Int(SYS_setns), Int(raw), Self.namespaceOfNetworks, 0, 0, 0, 0),
                "enter the container's network namespace")
            return try body()
        }
    }

    /// Makes a namespace with nothing but loopback, which is up, and mounts it at a path.
    static func make(at path: String) throws(NetworkError) {
        try place(path)
        try onOwnThread { () throws(NetworkError) in
            try check(
                clinux_syscall(Int(SYS_unshare), namespaceOfNetworks, 0, 0, 0, 0, 0), "make a network namespace")
            try LinkSocket().bringLoopbackUp()
            try mount("task/\(clinux_syscall(Int(SYS_gettid), 0, 0, 0, 0, 0, 0))", of: "self", at: path)
        }
    }

    /// Mounts the namespace of a process at a path.
    static func name(of process: Int32, at path: String) throws(NetworkError) {
        try place(path)
        try mount(".", of: "\(process)", at: path)
    }

    private static func mount(_ thread: String, of process: String, at path: String) throws(NetworkError) {
        let bind: UInt = 4096
        guard Glibc.mount("/proc/\(process)/\(thread)/ns/net", path, nil, bind, nil) == 0 else {
            throw .last("mount a network namespace at \(path)")
        }
    }

    /// A file to mount on.
    private static func place(_ path: String) throws(NetworkError) {
        do {
            // Not `open` with O_EXCL: an empty file that a crash has left is as good.
            _ = try FileDescriptor.open(path, flags: O_RDONLY | O_CREAT | O_NOFOLLOW, mode: 0o444)
        } catch {
            throw NetworkError(.system(errno: error.errno), "cannot make a network for a container: \(error)")
        }
    }

    /// Whether a namespace is mounted there: a file of another file system than its directory's.
    static func isMounted(at path: String) -> Bool {
        var own = stat()
        var above = stat()
        let directory = path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex)
        return lstat(path, &own) == 0 && lstat(String(directory), &above) == 0 && own.st_dev != above.st_dev
    }

    /// Takes the name away; the namespace ends with its last process. Nothing there is fine.
    static func remove(at path: String) throws(NetworkError) {
        let detach: Int32 = 2
        while umount2(path, detach) == 0 {}
        guard errno == EINVAL || errno == ENOENT else { throw .last("unmount \(path)") }
        guard unlink(path) == 0 || errno == ENOENT else { throw .last("remove \(path)") }
    }

    private static func check(_ result: Int, _ doing: String) throws(NetworkError) {
        if result < 0 { throw .system(doing, Int32(truncatingIfNeeded: -result)) }
    }
}

extension LinkSocket {
    func bringLoopbackUp() throws(NetworkError) {
        guard let loopback = try link("lo"), !loopback.isUp else { return }
        try change(LinkMessages.setUp(loopback.index), "bring loopback up")
    }
}

/// Runs something on a thread of its own and waits for it.
private func onOwnThread<Value>(
    _ body: @escaping () throws(NetworkError) -> Value
) throws(NetworkError) -> Value {
    let errand = Errand(body)
    var thread = pthread_t()
    let failure = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<AnyErrand>.fromOpaque(context).takeUnretainedValue().perform()
            return nil
        }, Unmanaged<AnyErrand>.passUnretained(errand).toOpaque())
    guard failure == 0 else { throw .system("start a thread", failure) }
    pthread_join(thread, nil)
    guard let outcome = errand.outcome else { throw .system("run a thread", ECANCELED) }
    return try outcome.get()
}

/// What a thread does, and what came of it.
private class AnyErrand {
    func perform() {}
}

private final class Errand<Value>: AnyErrand {
    private let body: () throws(NetworkError) -> Value
    private(set) var outcome: Result<Value, NetworkError>?

    init(_ body: @escaping () throws(NetworkError) -> Value) { self.body = body }

    override func perform() {
        do throws(NetworkError) {
            outcome = .success(try body())
        } catch {
            outcome = .failure(error)
        }
    }
}
