internal import CLinux
import Glibc

/// Starts monitors.
public enum MonitorLauncher {
    /// Starts `executable monitor DIRECTORY` detached: its own session, no shared descriptors, not our child.
    ///
    /// Blocks for the few milliseconds that the monitor needs to read its spec and listen; call it off the event loop.
    /// When it returns, a connection to the socket succeeds. The monitor goes on when this process ends, and stays in
    /// this process's own cgroup.
    /// - Parameters:
    ///   - executable: the program, by default the running one, also when its file was replaced meanwhile.
    ///   - directory: prepared with ``MonitorDirectory/prepare(_:)``.
    ///   - secrets: what the command gets beside its spec, which is in a file.
    /// - Throws: ``MonitorError/alreadyRunning(directory:)``, ``MonitorError/refused(directory:waitStatus:log:)`` with
    ///   what the monitor wrote, or the call that failed. Nothing runs then.
    public static func spawn(
        executable: String = "/proc/self/exe", directory: MonitorDirectory,
        secrets: MonitorSecrets? = nil
    ) throws(MonitorError) {
        let pid: Int32
        do throws(SystemError) {
            guard let lock = try directory.lock() else { throw SystemError(call: "flock", errno: EWOULDBLOCK) }
            let log = try FileDescriptor.open(
                directory.logPath, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
            var arguments = ["rondo", "monitor", directory.path, "--lock", "3"]
            if let secrets {
                let memory = try secrets.memory()
                arguments += ["--secrets", "4"]
                pid = try start(executable, arguments, lock: lock.raw, log: log.raw, secrets: memory.raw)
            } else {
                pid = try start(executable, arguments, lock: lock.raw, log: log.raw, secrets: -1)
            }
        } catch {
            throw error.errno == EWOULDBLOCK ? .alreadyRunning(directory: directory.path) : .system(error)
        }
        // The started process detaches a child when all is ready, and ends.
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw .system(.last("waitpid")) }
        }
        guard status == 0 else {
            let log = (try? readText(directory.logPath, limit: 1 << 20)) ?? ""
            throw .refused(directory: directory.path, waitStatus: status, log: String(log.suffix(500)).trimmedLines)
        }
    }

    private static func start(
        _ executable: String, _ arguments: [String], lock: Int32, log: Int32, secrets: Int32
    ) throws(SystemError) -> Int32 {
        let vector = CStringVector(arguments)
        let pid = clinux_spawn_monitor(executable, vector.pointers, lock, log, secrets)
        guard pid > 0 else { throw SystemError(call: "spawn", path: executable, errno: -pid) }
        return pid
    }
}

extension String {
    /// One line out of several, for an error message.
    var trimmedLines: String { split(separator: "\n").joined(separator: "; ") }
}

/// A NULL-terminated array of C strings, freed with its owner.
public struct CStringVector: ~Copyable {
    /// Valid as long as this value lives.
    public let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    /// Copies the strings.
    public init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}
