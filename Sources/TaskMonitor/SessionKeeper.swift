internal import CLinux
import Glibc
import LinuxSystem

/// `rondo session`: keeps one command that somebody runs in the container of a task.
///
/// It starts the command through the container runtime, hands its terminal to the agent, and tells how it ended. The
/// agent holds the other end of the socket at descriptor 3; when that is closed the command is killed, so that it never
/// outlives whoever watches it. No byte of the command's goes through here: it has the agent's pipes, or a terminal whose
/// other end the agent has. Like the monitor, one thread without a concurrency runtime.
public enum SessionKeeper {
    /// Keeps a session until its command has ended.
    ///
    /// - Parameters:
    ///   - arguments: what follows `session`: the container's directory and id, `--tty`, `--cwd DIRECTORY`,
    ///     `--env NAME=VALUE`, then after `--` the command.
    ///   - runtime: the container runtime's command line: arguments in, exit status out.
    /// - Returns: 0, or 64 for wrong arguments, as when a person calls it.
    public static func run(_ arguments: [String], runtime: @escaping ([String]) -> Int32) -> Int32 {
        guard let order = SessionOrder(arguments), fcntl(KeptSession.socket, F_GETFD) >= 0 else {
            TaskMonitor.complain("rondo session is started by the agent; use `rondo task exec`")
            return 64
        }
        var session = KeptSession(order, runtime: runtime)
        session.run()
        return 0
    }
}

/// What is to run, as the command line has it.
struct SessionOrder: Equatable {
    var directory: String
    var containerID: String
    var hasTerminal = false
    var workingDirectory: String?
    var environment: [String] = []
    var words: [String] = []

    init?(_ arguments: [String]) {
        guard arguments.count > 3 else { return nil }
        directory = arguments[0]
        containerID = arguments[1]
        var rest = arguments.dropFirst(2)
        while let option = rest.popFirst() {
            switch option {
            case "--tty": hasTerminal = true
            case "--cwd":
                guard let value = rest.popFirst() else { return nil }
                workingDirectory = value
            case "--env":
                guard let value = rest.popFirst() else { return nil }
                environment.append(value)
            case "--":
                words = Array(rest)
                rest = []
            default: return nil
            }
        }
        guard !directory.isEmpty, !containerID.isEmpty, !words.isEmpty else { return nil }
    }

    /// The runtime's command.
    func arguments(pidFile: String, consoleSocket: String?) -> [String] {
        var all = ["exec", "--detach", "--pid-file", pidFile]
        if let consoleSocket { all += ["--tty", "--console-socket", consoleSocket] }
        if let workingDirectory { all += ["--cwd", workingDirectory] }
        for variable in environment { all += ["--env", variable] }
        return all + [containerID] + words
    }
}

/// A session from its start to the end of its command: one loop around `poll`.
struct KeptSession {
    static let socket: Int32 = 3

    private let order: SessionOrder
    private let runtime: RuntimeCall.Entry
    /// What the names of its files in the container's directory begin with.
    private let stem = "session-\(getpid())"
    private var signals: Int32 = -1
    private var console: ConsoleSocket?
    private var call: RuntimeCall?
    private var command: Int32?
    /// Children that ended before anybody knew what they are.
    private var strays: [Int32: Int32] = [:]
    private var isAbandoned = false
    private var isOver = false

    init(_ order: SessionOrder, runtime: @escaping RuntimeCall.Entry) {
        self.order = order
        self.runtime = runtime
    }

    mutating func run() {
        clinux_ignore_hangups()
        // The runtime's command ends at once; what it started is a child of this process then.
        _ = clinux_become_subreaper()
        let watched = [SIGCHLD, SIGTERM, SIGINT]
        signals = clinux_signal_descriptor(watched, watched.count)
        _ = clinux_set_nonblocking(Self.socket)
        start()
        while !isOver { waitOnce() }
    }

    private mutating func start() {
        // From here on all names are relative: a socket's address must be short.
        guard signals >= 0, chdir(order.directory) == 0 else {
            return fail("cannot enter the container's directory: \(SystemError.text(of: errno))")
        }
        let directory = MonitorDirectory(path: ".")
        do throws(ShimFailure) {
            if order.hasTerminal { console = try ConsoleSocket(path: stem + ".sock") }
        } catch { return fail("\(error.message)") }
        do throws(SystemError) {
            call = try RuntimeCall.start(
                order.arguments(pidFile: stem + ".pid", consoleSocket: console?.path), root: directory.runtimePath,
                logPath: stem + ".log", streams: RuntimeCall.Streams(input: 0, output: 1, errors: 2), entry: runtime)
            // The command alone holds the pipes, or their other ends would never see an end.
            let null = try FileDescriptor.open("/dev/null", flags: O_RDWR)
            for number in Int32(0)...2 { _ = dup2(null.raw, number) }
        } catch { fail("\(error)") }
    }

    private mutating func fail(_ reason: String) {
        SessionSocket.send(.failed(reason), to: Self.socket)
        isOver = true
    }

    private mutating func waitOnce() {
        var waiting = [signals, isAbandoned ? -1 : Self.socket].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        guard poll(&waiting, nfds_t(waiting.count), -1) >= 0 else { return }
        if waiting[0].revents != 0 { takeSignals() }
        if waiting[1].revents != 0 { obey() }
    }

    private mutating func obey() {
        switch SessionSocket.receive(from: Self.socket) {
        case .nothing: break
        case .message(.signal(let number), _):
            if number == SIGKILL { killSession() } else if let command { kill(command, number) }
        case .message(_, let descriptor): if let descriptor { close(descriptor) }
        case .over: abandon()
        }
    }

    /// Nobody is there any more who could see the command.
    private mutating func abandon() {
        isAbandoned = true
        killSession()
    }

    private mutating func takeSignals() {
        let seen = clinux_drain_signals(signals)
        if seen & (1 << UInt64(SIGTERM) | 1 << UInt64(SIGINT)) != 0 { abandon() }
        var status: Int32 = 0
        while !isOver {
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { return }
            if let call, call.pid == pid {
                callEnded(call, RuntimeCall.exitStatus(status))
            } else if pid == command {
                commandEnded(status)
            } else if command == nil {
                strays[pid] = status
            }
        }
    }

    private mutating func callEnded(_ call: RuntimeCall, _ status: Int32) {
        self.call = nil
        defer { for suffix in [".pid", ".log", ".sock"] { unlink(stem + suffix) } }
        guard status == 0 else {
            console?.close()
            return fail(call.complaint ?? "the container runtime failed without a reason")
        }
        do throws(ShimFailure) {
            let text = (try? readFile(stem + ".pid", limit: 64)).map { String(decoding: $0, as: UTF8.self) } ?? ""
            guard let pid = Int32(text), pid > 1 else { throw .unknown("the container runtime told no process") }
            command = pid
            let terminal = try console?.take()
            SessionSocket.send(.started, descriptor: terminal, to: Self.socket)
            if let terminal { close(terminal) }
        } catch {
            killSession()
            return fail(error.message)
        }
        if isAbandoned { killSession() }
        if let command, let status = strays[command] { commandEnded(status) }
        strays = [:]
    }

    private mutating func commandEnded(_ status: Int32) {
        // What the command left behind holds the streams, and nobody could end it later.
        killSession()
        SessionSocket.send(.ended(waitStatus: status), to: Self.socket)
        isOver = true
    }

    /// Kills all processes of the command's session (setsid(2)), which the runtime makes it the leader of: jobs that a
    /// shell has put into groups of their own belong to it as well.
    private func killSession() {
        guard let command else { return }
        // More than once, since processes may be born meanwhile.
        for _ in 0..<16 {
            let names = (try? listDirectory("/proc")) ?? []
            let found = names.compactMap { Int32($0) }.filter { Self.session(of: $0) == command }
            if found.isEmpty { return }
            for pid in found { kill(pid, SIGKILL) }
        }
    }

    /// The session of a process that has not ended (proc_pid_stat(5), fields 3 and 6).
    private static func session(of pid: Int32) -> Int32? {
        guard let bytes = try? readFile("/proc/\(pid)/stat", limit: 4_096),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 3, fields[0] != [UInt8(ascii: "Z")] else { return nil }
        return Int32(String(decoding: fields[3], as: UTF8.self))
    }
}
