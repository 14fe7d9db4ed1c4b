import Glibc

/// Names of the files that an agent and a monitor share in one task's directory.
public struct MonitorDirectory: Hashable, Sendable {
    /// The directory.
    public let path: String

    /// Names a directory; nothing is read or made.
    public init(path: String) { self.path = path }

    /// Names the directory of a container below an agent's run directory.
    public init(runDirectory: String, containerID: String) { path = "\(runDirectory)/\(containerID)" }

    /// What to run; written by the agent, once.
    public var specPath: String { "\(path)/task.spec" }
    /// Last reported state; written by the monitor at every change, not synced.
    public var statePath: String { "\(path)/state" }
    /// How it ended; written by the monitor, synced, before anyone is told.
    public var exitPath: String { "\(path)/exit" }
    /// Locked from before the monitor is started until it is gone, which makes "is it alive" a question without races.
    public var lockPath: String { "\(path)/monitor.lock" }
    /// Number and start time of the monitor in text, for people and for ending a monitor that hangs.
    public var pidPath: String { "\(path)/monitor.pid" }
    /// What the monitor had to complain about.
    public var logPath: String { "\(path)/monitor.log" }
    /// The OCI bundle of the task's container; made by the monitor.
    public var bundlePath: String { "\(path)/bundle" }
    /// Where the container runtime keeps the state of the task's container (`rondo oci --root`).
    public var runtimePath: String { "\(path)/runtime" }
    /// What the container runtime had to say, as lines of JSON.
    public var runtimeLogPath: String { "\(path)/runtime.log" }
    /// Pid of the container's first process, as text.
    public var initPidPath: String { "\(path)/init.pid" }
    /// Socket's name within the directory.
    public static let socketName = "monitor.sock"
    /// The socket. Longer than a socket address may be; connect by way of the directory's descriptor.
    public var socketPath: String { "\(path)/\(Self.socketName)" }

    /// Makes the directory and writes `task.spec` durably; the directory may be there already, a spec may not.
    ///
    /// - Throws: ``MonitorError`` when the spec is out of bounds or a file cannot be written.
    public func prepare(_ spec: MonitorSpec) throws(MonitorError) {
        let content: [UInt8]
        do { content = try spec.encoded() } catch { throw .malformed(path: specPath, error) }
        do throws(SystemError) {
            try makeDirectories(path, mode: 0o700)
            try writeFileAtomically(specPath, content)
            try syncDirectory(parentDirectory(of: path))
        } catch { throw .system(error) }
    }

    /// Reads `task.spec`.
    public func readSpec() throws(MonitorError) -> MonitorSpec {
        let content: [UInt8]
        do { content = try readFile(specPath, limit: MonitorSpec.encodedLimit) } catch { throw .system(error) }
        do { return try MonitorSpec(decoding: content) } catch { throw .malformed(path: specPath, error) }
    }

    /// Reads the `exit` file.
    ///
    /// - Returns: nil when there is none.
    public func readExit() throws(MonitorError) -> MonitorExit? {
        guard let content = try contentIfThere(exitPath, limit: MonitorExit.encodedLimit) else { return nil }
        do { return try MonitorExit(decoding: content) } catch { throw .malformed(path: exitPath, error) }
    }

    /// Reads the last written `state` file.
    ///
    /// - Returns: nil when there is none.
    public func readState() throws(MonitorError) -> MonitorState? {
        guard let content = try contentIfThere(statePath, limit: MonitorState.encodedLimit) else { return nil }
        do { return try MonitorState(decoding: content) } catch { throw .malformed(path: statePath, error) }
    }

    private func contentIfThere(_ path: String, limit: Int) throws(MonitorError) -> [UInt8]? {
        do {
            return try readFile(path, limit: limit)
        } catch {
            if error.errno == ENOENT { return nil }
            throw .system(error)
        }
    }

    /// Who the monitor is or was, out of `monitor.pid`.
    ///
    /// - Returns: nil when none was started since the machine booted; a number of an earlier boot names a stranger now.
    public func readMonitor() -> ProcessIdentity? {
        guard let text = try? readText(pidPath, limit: 256), let boot = try? HostFacts.bootID() else { return nil }
        let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count == 3, fields[2] == boot, let pid = Int32(fields[0]), pid > 1, let start = UInt64(fields[1])
        else { return nil }
        return ProcessIdentity(pid: pid, startTicks: start)
    }

    /// Whether a monitor holds this directory, from before it is started until it is gone.
    public var hasMonitor: Bool {
        guard let lock = try? FileDescriptor.open(lockPath, flags: O_RDWR) else { return false }
        return !tryLock(lock.raw)
    }

    /// Makes and locks the lock file.
    ///
    /// - Returns: nil when another process holds it.
    func lock() throws(SystemError) -> FileDescriptor? {
        let lock = try FileDescriptor.open(lockPath, flags: O_RDWR | O_CREAT | O_NOFOLLOW)
        if tryLock(lock.raw) { return lock }
        guard errno == EWOULDBLOCK else { throw .last("flock", lockPath) }
        return nil
    }
}

/// Why something about a monitor cannot be done.
public enum MonitorError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A call failed.
    case system(SystemError)
    /// A file is not what it should be.
    case malformed(path: String, FormatError)
    /// Another monitor holds the directory.
    case alreadyRunning(directory: String)
    /// The monitor gave up before it was ready; `log` is the end of what it wrote.
    case refused(directory: String, waitStatus: Int32, log: String)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .system(let error): error.description
        case .malformed(let path, let error): "\(path): \(error)"
        case .alreadyRunning(let directory): "a monitor runs in \(directory) already; connect to it instead"
        case .refused(let directory, let status, let log):
            "the monitor for \(directory) ended at once (wait status \(status)): \(log.isEmpty ? "it wrote nothing" : log)"
        }
    }
}
