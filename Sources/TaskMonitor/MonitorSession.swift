internal import CLinux
import Glibc
import LinuxSystem

/// The life of one task, from its spec to its exit file: one loop around `poll`.
final class MonitorSession {
    let spec: MonitorSpec
    let directory: MonitorDirectory
    private let listener: Int32
    private let signals: Int32
    private var clients = MonitorClients()
    private(set) var state: MonitorState

    private let container: TaskContainer
    private var cgroup: Cgroup?
    private var stage = Stage.creating
    private var call: RuntimeCall?
    /// Held until it is handed to the container.
    private var secrets: Int32?
    private var initPid: Int32?
    private var logs: [LogFile] = []
    private var report: Int32 = -1
    /// Standard output and errors, and behind them a terminal that the container runtime has made.
    private var outputs: [Int32] = []
    private var console: ConsoleSocket?
    private var buffer = [UInt8](repeating: 0, count: 16384)

    private var command: ProcessIdentity?
    private var failure: (message: String, errno: Int32)?
    private var waitStatus: Int32?
    private var startedAt: Int64?
    private var killRequested = false
    private var killAt: Int64?
    private var mayLeave = false
    private var leaveAt: Int64?
    /// Asked for before there was a command that could get them.
    private var earlySignals: [Int32] = []

    /// How far the container is.
    private enum Stage {
        /// `create` is at work.
        case creating
        /// Init waits for `start`, which is at work.
        case starting
        /// Init is on its own.
        case started
    }

    /// How long an ended monitor waits for a connected agent to say `quit`. The exit file is the truth, so this only
    /// saves the agent a reconnection.
    private static let lingerMilliseconds: Int64 = 120_000

    init(
        spec: MonitorSpec, directory: MonitorDirectory, listener: Int32, lock: Int32, secrets: Int32? = nil,
        runtime: @escaping RuntimeCall.Entry
    ) throws(MonitorError) {
        self.spec = spec
        self.directory = directory
        self.listener = listener
        container = TaskContainer(id: spec.containerID, directory: directory, runtime: runtime)
        _ = fcntl(lock, F_SETFD, FD_CLOEXEC)
        self.secrets = secrets
        clinux_ignore_hangups()
        _ = clinux_become_subreaper()
        let watched = [SIGCHLD, SIGTERM, SIGINT]
        signals = clinux_signal_descriptor(watched, watched.count)
        guard signals >= 0 else { throw .system(SystemError(call: "signalfd", errno: errno)) }
        let own = ProcessIdentity.current(pid: getpid()) ?? ProcessIdentity(pid: getpid(), startTicks: 0)
        state = MonitorState(
            containerID: spec.containerID, phase: .starting, applied: [], monitor: own, initProcess: nil)
        do throws(SystemError) {
            let boot = try HostFacts.bootID()
            try writeFileAtomically(
                directory.pidPath, Array("\(own.pid) \(own.startTicks) \(boot)\n".utf8), durable: false)
        } catch { throw .system(error) }
    }

    func run() {
        do throws(SystemError) {
            try start()
        } catch {
            finish(.couldNotStart(errno: error.errno), message: "could not start: \(error)")
        }
        while !isOver { waitOnce() }
        unlink(MonitorDirectory.socketName)
    }

    private var isOver: Bool {
        guard case .ended = state.phase else { return false }
        return mayLeave || clients.isEmpty || (leaveAt.map { HostFacts.monotonicMilliseconds() >= $0 } ?? false)
    }

    // MARK: Starting

    private func start() throws(SystemError) {
        // Without privilege there are neither namespaces nor groups to be had.
        let isolation = spec.bestEffort && geteuid() != 0 ? [] : spec.isolation
        var limitsSwap = false
        if isolation.contains(.cgroup) {
            guard let layout = try CgroupLayout.detect(), let group = Cgroup(layout: layout, name: spec.containerID)
            else { throw SystemError(call: "find cgroups", path: "/proc/self/mountinfo", errno: ENOENT) }
            cgroup = group
            limitsSwap = layout.limitsSwap
        }
        state.applied = isolation
        logs = [
            try LogFile(path: spec.logs.stdoutPath, logs: spec.logs, credentials: spec.credentials),
            try LogFile(path: spec.logs.stderrPath, logs: spec.logs, credentials: spec.credentials),
        ]
        let channels = try TaskChannels.open()
        if let size = spec.terminal, spec.root == nil {
            let terminal = try MonitorTerminal.open(size, owner: spec.credentials?.uid)
            call = try container.create(
                spec, isolation: isolation, limitsSwap: limitsSwap, channels: channels, terminal: terminal.command.raw,
                secrets: secrets)
            outputs = [terminal.takeControl()]
            _ = clinux_set_nonblocking(outputs[0])
        } else {
            console = spec.terminal == nil ? nil : try ConsoleSocket(in: directory)
            call = try container.create(
                spec, isolation: isolation, limitsSwap: limitsSwap, channels: channels, console: console,
                secrets: secrets)
        }
        if let secrets { close(secrets) }
        secrets = nil
        report = channels.report.release()
        if outputs.isEmpty { outputs = [channels.output.takeReading(), channels.errors.takeReading()] }
    }

    /// The controlling end of the command's terminal, if it has one.
    private var terminal: Int32? {
        guard spec.terminal != nil else { return nil }
        return outputs.last.flatMap { (spec.root == nil || outputs.count > 2) && $0 >= 0 ? $0 : nil }
    }

    /// Takes the terminal that the runtime has made, once `create` is over.
    private func takeConsole() throws(SystemError) {
        guard let console else { return }
        self.console = nil
        do throws(ShimFailure) {
            let terminal = try console.take()
            _ = clinux_set_nonblocking(terminal)
            outputs.append(terminal)
        } catch { throw SystemError(call: "take the terminal", errno: EPROTO) }
    }

    /// A command of the runtime has ended.
    private func callEnded(_ call: RuntimeCall, _ status: Int32) {
        self.call = nil
        guard case .creating = stage else {
            stage = .started
            // Init ends now too, or has: its end is what is told.
            if status != 0 { startFailed(call) }
            return
        }
        guard status == 0 else { return couldNotCreate(call) }
        do throws(SystemError) {
            let pid = try container.initPid()
            initPid = pid
            try takeConsole()
            stage = .starting
            state.initProcess = ProcessIdentity.current(pid: pid)
            // On disk before the command exists: whoever finds this monitor dead knows what to end.
            announce()
            self.call = try container.start()
        } catch {
            if let initPid { kill(initPid, SIGKILL) }
            initPid = nil
            finish(.couldNotStart(errno: error.errno), message: "could not start: \(error)")
        }
    }

    private func couldNotCreate(_ call: RuntimeCall) {
        console?.close()
        console = nil
        if killRequested {
            return finish(.signaled(SIGKILL), status: SIGKILL, message: "ended before it could start")
        }
        let reason = call.complaint ?? "the container runtime failed without a reason"
        finish(.couldNotStart(errno: 0), message: "could not start: \(reason)")
    }

    private func startFailed(_ call: RuntimeCall) {
        readReports()
        // What init said itself says more, and when the command has run it did start.
        if failure == nil && command == nil && !killRequested {
            failure = (call.complaint ?? "the container runtime failed without a reason", 0)
        }
        if let initPid { kill(initPid, SIGKILL) }
    }

    // MARK: The loop

    private func waitOnce() {
        var waiting = ([signals, listener, report] + outputs + clients.sockets).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        guard poll(&waiting, nfds_t(waiting.count), timeout()) >= 0 else { return }
        for entry in waiting where entry.revents != 0 && entry.fd >= 0 {
            switch entry.fd {
            case signals: break  // last, so that reports sent before an end are read before it
            case listener: clients.accept(from: listener, greeting: state.encoded())
            case report: readReports()
            default:
                if let index = outputs.firstIndex(of: entry.fd) {
                    copyOutput(index)
                } else {
                    for command in clients.receive(from: entry.fd) {
                        if command == .terminal { clients.give(terminal, to: entry.fd) } else { obey(command) }
                    }
                }
            }
        }
        if waiting[0].revents != 0 { handleSignals() }
        if let killAt, HostFacts.monotonicMilliseconds() >= killAt { killEverything() }
    }

    private func timeout() -> Int32 {
        guard let next = [killAt, leaveAt].compactMap({ $0 }).min() else { return -1 }
        return Int32(min(max(next - HostFacts.monotonicMilliseconds(), 0), 60_000))
    }

    private func announce() {
        let message = state.encoded()
        do {
            try writeFileAtomically(directory.statePath, message, durable: false)
        } catch {
            TaskMonitor.complain("\(error)")
        }
        clients.broadcast(message)
    }

    private func handleSignals() {
        let seen = clinux_drain_signals(signals)
        if seen & (1 << UInt64(SIGTERM) | 1 << UInt64(SIGINT)) != 0 {
            obey(.kill(graceMilliseconds: spec.killGraceMilliseconds))
        }
        guard seen & 1 << UInt64(SIGCHLD) != 0 else { return }
        var status: Int32 = 0
        while true {
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { return }
            if let call, pid == call.pid {
                callEnded(call, RuntimeCall.exitStatus(status))
            } else if pid == initPid {
                return initEnded(status)
            }
        }
    }

    private func readReports() {
        guard report >= 0 else { return }
        var message = clinux_report()
        var sender: Int32 = 0
        while true {
            let result = clinux_receive_report(report, &message, &sender)
            guard result > 0 else {
                if result < 0 {
                    close(report)
                    report = -1
                }
                return
            }
            switch clinux_report_kind(rawValue: message.kind) {
            case CLINUX_REPORT_READY: command = sender > 0 ? ProcessIdentity.current(pid: sender) : nil
            case CLINUX_REPORT_FAILED:
                failure =
                    failure ?? (Self.describe(step: message.step, errno: message.value, spec: spec), message.value)
            case CLINUX_REPORT_STARTED: commandStarted()
            case CLINUX_REPORT_EXITED: waitStatus = message.value
            default: break
            }
        }
    }

    private func commandStarted() {
        guard failure == nil else { return }
        if let initPid { for signal in earlySignals { _ = clinux_forward_signal(initPid, signal) } }
        earlySignals = []
        // From here on this process waits.
        clinux_release_memory()
        startedAt = HostFacts.wallClockMilliseconds()
        // A command that has ended already leaves no identity; its end is about to be told.
        guard let command else { return }
        state.phase = killRequested ? .killing(command) : .running(command)
        announce()
    }

    private func copyOutput(_ index: Int) {
        let count = read(outputs[index], &buffer, buffer.count)
        if count > 0 {
            // A terminal has one stream.
            let log = logs[index == 1 ? 1 : 0]
            buffer.withUnsafeBytes { log.append(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            close(outputs[index])
            outputs[index] = -1
        }
    }

    // MARK: Ending

    private func obey(_ order: MonitorCommand) {
        let hasEnded = if case .ended = state.phase { true } else { false }
        switch order {
        case .quit: mayLeave = hasEnded || mayLeave
        case .terminal: break
        case .signal(let number):
            if !hasEnded { forward(number) }
        case .kill(let grace):
            guard !hasEnded else { return }
            let deadline = HostFacts.monotonicMilliseconds() + Int64(grace)
            killAt = min(killAt ?? deadline, deadline)
            if grace == 0 {
                killRequested = true
                killEverything()
            } else if !killRequested {
                killRequested = true
                forward(spec.root.map { Int32($0.stopSignal) } ?? SIGTERM)
            }
            if case .running(let process) = state.phase {
                state.phase = .killing(process)
                announce()
            }
        }
    }

    /// To the command's process group; kept until there is a command.
    private func forward(_ signal: Int32) {
        if let initPid, startedAt != nil {
            _ = clinux_forward_signal(initPid, signal)
        } else if earlySignals.count < 64 {
            earlySignals.append(signal)
        }
    }

    private func killEverything() {
        killAt = nil
        if case .creating = stage, let call { kill(call.pid, SIGKILL) }
        // The init process first: with it the kernel ends its whole pid namespace at once.
        if let initPid { kill(initPid, SIGKILL) }
        try? cgroup?.killAll()
    }

    private func initEnded(_ initStatus: Int32) {
        initPid = nil
        // `start` sees the end of init as well, and ends.
        if let call {
            let status = call.wait()
            callEnded(call, status)
        }
        readReports()
        // In a pid namespace the kernel has killed everything by now.
        if let cgroup, !state.applied.contains(.pids) { try? cgroup.killAll() }
        killOrphans()
        drainOutput()
        killAt = nil
        if let failure {
            return finish(.couldNotStart(errno: failure.errno), message: "could not start: \(failure.message)")
        }
        let status = waitStatus ?? initStatus
        let signal = status & 0x7F
        if signal != 0 {
            return finish(.signaled(signal), status: status, message: "ended by signal \(signal)")
        }
        guard waitStatus != nil else {
            let code = (status >> 8) & 0xFF
            return finish(
                .couldNotStart(errno: 0), message: "could not start: the task's init process ended with status \(code)")
        }
        let code = UInt8(truncatingIfNeeded: status >> 8)
        finish(.exited(code), status: status, message: "exited with status \(code)")
    }

    /// Without a pid namespace, orphans of the task become children of this process.
    private func killOrphans() {
        for _ in 0..<1000 {
            guard let text = try? readFile("/proc/self/task/\(getpid())/children", limit: 1 << 20) else { return }
            let pids = text.split(separator: UInt8(ascii: " ")).compactMap {
                Int32(String(decoding: $0, as: UTF8.self))
            }
            if pids.isEmpty { return }
            for pid in pids { kill(pid, SIGKILL) }
            for pid in pids { waitpid(pid, nil, 0) }
        }
    }

    /// Reads what is left in the pipes; bounded, because a descriptor may have been handed out of the task.
    private func drainOutput() {
        for index in outputs.indices {
            for _ in 0..<64 where outputs[index] >= 0 {
                let before = errno
                errno = 0
                copyOutput(index)
                if errno == EAGAIN { break }
                errno = before
            }
            if outputs[index] >= 0 { close(outputs[index]) }
            outputs[index] = -1
        }
        logs = []
        outputs = []
    }

    private func finish(_ outcome: MonitorExit.Outcome, status: Int32 = 0, message: String) {
        let usage = cgroup?.usage()
        let endedWell = outcome == .exited(0)
        let oomKilled = !endedWell && (cgroup?.oomKills() ?? 0) > 0
        let memory = spec.limits.memoryBytes.map { " of \($0) bytes" } ?? ""
        let exit = MonitorExit(
            containerID: spec.containerID, outcome: outcome, rawWaitStatus: status, oomKilled: oomKilled,
            killRequested: killRequested,
            message: oomKilled ? "\(message) after the kernel enforced the memory limit\(memory)" : message,
            startedAtMilliseconds: startedAt, endedAtMilliseconds: HostFacts.wallClockMilliseconds(),
            cpuNanoseconds: usage?.cpuNanoseconds, peakMemoryBytes: usage?.peakMemoryBytes)
        // Everything that is said afterwards rests on this file, so it is tried for as long as it takes a person to
        // make room on a full disk.
        for attempt in 0..<600 {
            do throws(SystemError) {
                try writeFileAtomically(directory.exitPath, exit.encoded())
                break
            } catch {
                if attempt == 0 { TaskMonitor.complain("\(error)") }
                sleep(1)
            }
        }
        removeContainer()
        initPid = nil
        state.initProcess = nil
        state.phase = .ended(exit)
        leaveAt = HostFacts.monotonicMilliseconds() + Self.lingerMilliseconds
        // A client that connected meanwhile must not be missed: "nobody listens" ends this process.
        clients.accept(from: listener, greeting: state.encoded())
        announce()
    }

    private func removeContainer() {
        drainOutput()
        if report >= 0 { close(report) }
        report = -1
        do throws(SystemError) {
            try container.delete()
            // What a runtime that was killed half-way has left.
            try cgroup?.destroy()
        } catch {
            TaskMonitor.complain("\(error)")
        }
    }

    /// What a failed step of init was about, for a person.
    private static func describe(step: UInt32, errno: Int32, spec: MonitorSpec) -> String {
        let what =
            switch clinux_step(rawValue: step) {
            case CLINUX_STEP_FORK: "fork the command (is the pids limit or memory limit too low?)"
            case CLINUX_STEP_SESSION: "make a session"
            case CLINUX_STEP_DIRECTORY: "enter the working directory \(spec.workingDirectory)"
            case CLINUX_STEP_DESCRIPTORS: "arrange descriptors"
            case CLINUX_STEP_SECRETS: "put the task's secrets in place"
            case CLINUX_STEP_EXEC: "execute \(spec.executable)"
            default: "prepare the task"
            }
        return "\(what): \(SystemError.text(of: errno))"
    }
}
