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

    private var cgroup: Cgroup?
    private var task: TaskProcess?
    private var logs: [LogFile] = []
    private var report: Int32 = -1
    private var outputs: [Int32] = []
    private var buffer = [UInt8](repeating: 0, count: 16384)

    private var command: ProcessIdentity?
    private var failure: (step: UInt32, errno: Int32)?
    private var waitStatus: Int32?
    private var startedAt: Int64?
    private var killRequested = false
    private var killAt: Int64?
    private var mayLeave = false
    private var leaveAt: Int64?

    /// How long an ended monitor waits for a connected agent to say `quit`. The exit file is the truth, so this only
    /// saves the agent a reconnection.
    private static let lingerMilliseconds: Int64 = 120_000

    init(
        spec: MonitorSpec, directory: MonitorDirectory, listener: Int32, lock: Int32
    ) throws(MonitorError) {
        self.spec = spec
        self.directory = directory
        self.listener = listener
        _ = fcntl(lock, F_SETFD, FD_CLOEXEC)
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
            abandon("could not start: \(error)", errno: error.errno)
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
        var applied = spec.isolation
        if applied.contains(.cgroup) {
            do throws(SystemError) {
                try makeCgroup()
            } catch {
                guard spec.bestEffort else { throw error }
                applied.remove(.cgroup)
            }
        }
        logs = [
            try LogFile(path: spec.logs.stdoutPath, logs: spec.logs, credentials: spec.credentials),
            try LogFile(path: spec.logs.stderrPath, logs: spec.logs, credentials: spec.credentials),
        ]
        let started: TaskProcess
        do throws(SystemError) {
            started = try TaskProcess.start(spec, isolation: applied)
        } catch {
            guard spec.bestEffort, error.errno == EPERM, !applied.namespaces.isEmpty else { throw error }
            applied.subtract(applied.namespaces)
            started = try TaskProcess.start(spec, isolation: applied)
        }
        task = started
        report = started.report
        outputs = started.outputs
        if let cgroup { try cgroup.add(pid: started.initPid) }
        state.applied = applied
        state.initProcess = ProcessIdentity.current(pid: started.initPid)
        // On disk before the command exists: whoever finds this monitor dead knows what to end.
        announce()
        var go: UInt8 = 1
        guard write(started.gate.raw, &go, 1) == 1 else { throw SystemError(call: "write", errno: errno) }
        started.gate.closeNow()
    }

    private func makeCgroup() throws(SystemError) {
        guard let layout = try CgroupLayout.detect(), let group = Cgroup(layout: layout, name: spec.containerID)
        else { throw SystemError(call: "find cgroups", path: "/proc/self/mountinfo", errno: ENOENT) }
        var limits = spec.limits
        // The init process counts too, but is not the task's.
        limits.pids = limits.pids.map { $0 < .max ? $0 + 1 : $0 }
        do throws(SystemError) {
            try group.create(limits: limits)
        } catch {
            try? group.destroy()
            throw error
        }
        cgroup = group
    }

    /// Undoes a start that failed half-way.
    private func abandon(_ message: String, errno: Int32) {
        if let task {
            task.gate.closeNow()
            kill(task.initPid, SIGKILL)
            while waitpid(task.initPid, nil, 0) < 0 && Glibc.errno == EINTR {}
        }
        finish(.couldNotStart(errno: errno), message: message)
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
                    for command in clients.receive(from: entry.fd) { obey(command) }
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
            if pid == task?.initPid { return initEnded(status) }
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
            case CLINUX_REPORT_FAILED: failure = failure ?? (message.step, message.value)
            case CLINUX_REPORT_STARTED: commandStarted()
            case CLINUX_REPORT_EXITED: waitStatus = message.value
            default: break
            }
        }
    }

    private func commandStarted() {
        guard failure == nil else { return }
        startedAt = HostFacts.wallClockMilliseconds()
        // A command that has ended already leaves no identity; its end is about to be told.
        guard let command else { return }
        state.phase = killRequested ? .killing(command) : .running(command)
        announce()
    }

    private func copyOutput(_ index: Int) {
        let count = read(outputs[index], &buffer, buffer.count)
        if count > 0 {
            buffer.withUnsafeBytes { logs[index].append(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
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
        case .signal(let number):
            if !hasEnded, let task { _ = clinux_forward_signal(task.initPid, number) }
        case .kill(let grace):
            guard !hasEnded, let task else { return }
            let deadline = HostFacts.monotonicMilliseconds() + Int64(grace)
            killAt = min(killAt ?? deadline, deadline)
            if grace == 0 {
                killRequested = true
                killEverything()
            } else if !killRequested {
                killRequested = true
                _ = clinux_forward_signal(task.initPid, SIGTERM)
            }
            if case .running(let process) = state.phase {
                state.phase = .killing(process)
                announce()
            }
        }
    }

    private func killEverything() {
        killAt = nil
        // The init process first: with it the kernel ends its whole pid namespace at once.
        if let task { kill(task.initPid, SIGKILL) }
        try? cgroup?.killAll()
    }

    private func initEnded(_ initStatus: Int32) {
        readReports()
        // Nothing to do in a pid namespace, where the kernel has killed everything by now.
        if let cgroup { try? cgroup.killAll() }
        killOrphans()
        drainOutput()
        killAt = nil
        if let failure {
            let message = TaskProcess.describe(step: failure.step, errno: failure.errno, spec: spec)
            return finish(.couldNotStart(errno: failure.errno), message: message)
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
        do {
            try cgroup?.destroy()
        } catch {
            TaskMonitor.complain("\(error)")
        }
        task = nil
        state.initProcess = nil
        state.phase = .ended(exit)
        leaveAt = HostFacts.monotonicMilliseconds() + Self.lingerMilliseconds
        // A client that connected meanwhile must not be missed: "nobody listens" ends this process.
        clients.accept(from: listener, greeting: state.encoded())
        announce()
    }
}
