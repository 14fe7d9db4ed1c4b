internal import CLinux
import Glibc
import LinuxSystem

/// `rondo monitor`: runs one task and outlives the agent.
///
/// One thread, no concurrency runtime, no JSON: there is one such process per task, so its private memory counts.
/// It decides nothing beyond the task's own end: what runs comes from `task.spec`, what to do meanwhile from
/// ``MonitorCommand``s, what happened goes to the `exit` file and to whoever is connected.
public enum TaskMonitor {
    /// Runs a monitor.
    ///
    /// The calling process returns when a detached child is ready for connections; the child returns when its task has
    /// ended and the agent was told. The caller must not have started a thread, and must end with the returned status.
    /// - Parameters:
    ///   - arguments: what follows `monitor`: the task's directory, then `--lock N` when the starter has locked the lock
    ///     file as descriptor N, `--secrets N` when descriptor N holds ``MonitorSecrets``, `--foreground` to stay in this
    ///     process.
    ///   - runtime: the container runtime's command line: arguments in, exit status out.
    /// - Returns: 0, 64 for wrong arguments, 1 when the task could not even be described; the reason is on stderr.
    public static func run(_ arguments: [String], runtime: @escaping ([String]) -> Int32) -> Int32 {
        guard let options = Options(arguments) else {
            complain("usage: rondo monitor DIRECTORY [--lock N] [--secrets N] [--foreground]")
            return 64
        }
        let session: MonitorSession
        do throws(MonitorError) {
            guard chdir(options.directory) == 0 else {
                throw .system(SystemError(call: "chdir", path: options.directory, errno: errno))
            }
            // From here all names are relative: a socket's address must be short.
            let directory = MonitorDirectory(path: ".")
            let lock = try takeLock(options, directory)
            let spec = try directory.readSpec()
            guard try directory.readExit() == nil else {
                throw .system(SystemError(call: "start a task that has ended", path: options.directory, errno: EEXIST))
            }
            unlink(MonitorDirectory.socketName)
            let listener = clinux_listen_unix(MonitorDirectory.socketName, 16)
            guard listener >= 0 else {
                throw .system(SystemError(call: "listen", path: MonitorDirectory.socketName, errno: errno))
            }
            if !options.foreground {
                let child = clinux_fork()
                guard child >= 0 else { throw .system(SystemError(call: "fork", errno: errno)) }
                if child > 0 { _exit(0) }
                setsid()
            }
            session = try MonitorSession(
                spec: spec, directory: directory, listener: listener, lock: lock, secrets: options.secrets,
                runtime: runtime)
        } catch {
            complain("\(error)")
            return 1
        }
        session.run()
        return 0
    }

    /// The lock lives as long as the process; its descriptor is never closed.
    private static func takeLock(_ options: Options, _ directory: MonitorDirectory) throws(MonitorError) -> Int32 {
        var descriptor = options.lock ?? -1
        if descriptor < 0 { descriptor = clinux_open(directory.lockPath, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600) }
        var given = stat()
        var named = stat()
        guard fstat(descriptor, &given) == 0, stat(directory.lockPath, &named) == 0,
            given.st_ino == named.st_ino, given.st_dev == named.st_dev
        else { throw .system(SystemError(call: "open", path: directory.lockPath, errno: errno)) }
        guard clinux_flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw .alreadyRunning(directory: options.directory)
        }
        return descriptor
    }

    /// Standard error is the monitor's log.
    static func complain(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}

private struct Options {
    let directory: String
    var lock: Int32?
    var secrets: Int32?
    var foreground = false

    init?(_ arguments: [String]) {
        guard let directory = arguments.first, !directory.isEmpty, !directory.hasPrefix("-") else { return nil }
        self.directory = directory
        var rest = arguments.dropFirst()
        while let option = rest.popFirst() {
            switch option {
            case "--foreground": foreground = true
            case "--lock", "--secrets":
                guard let text = rest.popFirst(), let number = Int32(text), number > 2 else { return nil }
                if option == "--lock" { lock = number } else { secrets = number }
            default: return nil
            }
        }
    }
}
