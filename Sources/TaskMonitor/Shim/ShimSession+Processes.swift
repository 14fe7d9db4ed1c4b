internal import CLinux
internal import Glibc
internal import LinuxSystem

/// What happens to processes: they are started, added, killed, and end.
extension ShimSession {
    func start(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let (container, process) = try process(message)
        process.exclusively { [self] done in
            guard process.status == .created, !process.hasEnded else {
                server.send(reply, .precondition("process \(name(process, container)) was started before"))
                return done()
            }
            process.isStarting = true
            let settle: (ShimFailure?) -> Void = { [self] failure in
                process.isStarting = false
                if let failure { server.send(reply, failure) } else { started(process, of: container, reply) }
                if let status = process.earlyEnd { processEnded(process, of: container, status) }
                settleStray(process, of: container)
                done()
            }
            if process === container.first {
                command(["start", container.id], for: container) { outcome in
                    settle(outcome.complaint.map { .unknown("OCI runtime start failed: \($0)") })
                }
            } else {
                launch(process, of: container, settle)
            }
        }
    }

    private func name(_ process: ShimProcess, _ container: ShimContainer) -> String {
        process.execID.isEmpty ? container.id : process.execID
    }

    private func started(_ process: ShimProcess, of container: ShimContainer, _ reply: TTRPCReply) {
        process.status = .running
        if process === container.first {
            container.memoryWatch = container.groups.flatMap { MemoryWatch($0) }
            publish("start", "TaskStart", of: container) { $0.put(2, process.pid) }
        } else {
            publish("exec-started", "TaskExecStarted", of: container) {
                $0.put(2, process.execID)
                $0.put(3, process.pid)
            }
        }
        answer(reply, pid: process.pid)
    }

    func addProcess(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let container = try container(message)
        let execID = try message.text(2)
        guard ShimContainer.isName(execID) else { throw .invalid("a process needs a plain name") }
        guard container.added[execID] == nil else { throw .exists("process \(execID) exists already") }
        guard [.created, .running].contains(container.first.status) else {
            throw .precondition("container \(container.id) is not running")
        }
        let isTerminal = try message.flag(3)
        let spec = SpecScanner.process(try message.message(7).bytes(2), terminal: isTerminal)
        guard let spec else { throw .invalid("the process is no JSON object") }
        let streams = ProcessStreams(
            input: try message.text(4), output: try message.text(5), errors: try message.text(6),
            isTerminal: isTerminal)
        container.added[execID] = ShimProcess(execID: execID, streams: streams, spec: spec)
        publish("exec-added", "TaskExecAdded", of: container) { $0.put(2, execID) }
        server.send(reply)
    }

    /// Starts an added process.
    private func launch(_ process: ShimProcess, of container: ShimContainer, _ then: @escaping (ShimFailure?) -> Void) {
        let stem = Self.stem(process)
        let path = "\(container.bundle)/\(stem).json"
        let finish: (ShimFailure?) -> Void = { [self] failure in
            unlink(path)
            guard failure != nil else { return then(nil) }
            forget(process.streams)
            if process.pid > 0 && !process.isReaped { Glibc.kill(process.pid, SIGKILL) }
            process.isReaped = true
            conclude(process, of: container, 255)
            then(failure)
        }
        do throws(SystemError) {
            try writeFileAtomically(path, process.spec, durable: false)
        } catch { return finish(.unknown("\(error)")) }
        streams.append(process.streams)
        let arguments = ["exec", "--detach", "--process", path]
        launch(process, of: container, arguments, pidFile: stem + ".pid", log: stem + ".log.json", then: finish)
    }

    /// What the names of its files in the bundle begin with: not its own name alone, which could be `config`.
    private static func stem(_ process: ShimProcess) -> String { "exec-" + process.execID }

    // MARK: Signals

    func kill(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let (container, process) = try process(message)
        let signal = try message.small(3)
        let isForAll = try message.flag(4)
        guard signal < 65 else { throw .invalid("there is no signal \(signal)") }
        process.exclusively { [self] done in
            guard process === container.first else {
                defer { done() }
                return server.send(reply, outcome: kill(process, signal))
            }
            guard isForAll || !process.isReaped else {
                server.send(reply, .notFound("process already finished"))
                return done()
            }
            let all = isForAll ? ["--all"] : []
            command(["kill"] + all + [container.id, "\(signal)"], for: container) { [self] outcome in
                server.send(reply, outcome: outcome.complaint.map(Self.killFailure))
                done()
            }
        }
    }

    /// An added process is no container of the runtime's: it is signalled directly, as it cannot be another's number
    /// before it has been reaped.
    private func kill(_ process: ShimProcess, _ signal: UInt32) -> ShimFailure? {
        guard process.pid > 0 else { return .precondition("process \(process.execID) is not started") }
        guard !process.isReaped, Glibc.kill(process.pid, Int32(signal)) == 0 else {
            return .notFound("process already finished")
        }
        return nil
    }

    private static func killFailure(_ complaint: String) -> ShimFailure {
        let text = complaint.lowercased()
        if ["process already finished", "not running", "no such process"].contains(where: { text.contains($0) }) {
            return .notFound("process already finished")
        }
        return text.contains("does not exist") ? .notFound("no such container") : .unknown(complaint)
    }

    // MARK: Ends

    /// A process was reaped.
    func processEnded(_ process: ShimProcess, of container: ShimContainer, _ status: Int32) {
        process.isReaped = true
        process.earlyEnd = process.isStarting ? status : nil
        guard !process.isStarting else { return }
        guard process === container.first, container.sharesProcesses else {
            return conclude(process, of: container, status)
        }
        command(["kill", "--all", container.id, "KILL"], for: container, log: "end.json") { [self] _ in
            conclude(process, of: container, status)
        }
    }

    private func conclude(_ process: ShimProcess, of container: ShimContainer, _ status: Int32) {
        guard !process.hasEnded else { return }
        let wasPaused = process.status == .paused
        let wasStarted = process.pid > 0
        process.status = .stopped
        process.exitStatus = status
        process.exitedAt = ShimTime.now()
        process.streams.endInput()
        for waiter in process.waiters { server.send(waiter, exit(of: process)) }
        process.waiters = []
        if wasStarted {
            publish("exit", "TaskExit", of: container) { event in
                event.put(2, name(process, container))
                event.put(3, process.pid)
                event.put(4, process.exitStatus)
                event.put(5, process.exitedAt)
            }
        }
        // Frozen processes could not be removed later.
        if wasPaused { command(["resume", container.id], for: container, log: "end.json") { _ in } }
    }

    // MARK: Removal

    func delete(_ message: ProtobufMessage, _ reply: TTRPCReply) throws(ShimFailure) {
        let (container, process) = try process(message)
        process.exclusively { [self] done in
            guard process.hasEnded || process.status == .created else {
                server.send(reply, .precondition("process \(name(process, container)) is still running"))
                return done()
            }
            drain(process) { [self] in
                if process === container.first { return remove(container, reply, done) }
                forget(process.streams)
                unlink("\(container.bundle)/\(Self.stem(process)).pid")
                container.added[process.execID] = nil
                server.send(reply, exitAndNumber(of: process))
                done()
            }
        }
    }

    /// Waits until a process's output is carried over, but not for long: something else may hold the other end.
    private func drain(_ process: ShimProcess, _ then: @escaping () -> Void) {
        guard process.hasEnded, !process.streams.isDrained else { return then() }
        var isDone = false
        let once: () -> Void = {
            guard !isDone else { return }
            isDone = true
            then()
        }
        // Not from within the copying itself.
        process.streams.whenDrained = { [self] in after(0, once) }
        after(2000, once)
    }

    private func remove(_ container: ShimContainer, _ reply: TTRPCReply, _ done: @escaping () -> Void) {
        command(["delete", container.id], for: container) { [self] outcome in
            if let complaint = outcome.complaint, !complaint.contains("does not exist") {
                server.send(reply, .unknown("failed to delete task: \(complaint)"))
                return done()
            }
            // One that was never started was killed just now.
            let status = reapNow(container.first)
            if !container.first.hasEnded { conclude(container.first, of: container, status ?? 128 + SIGKILL) }
            unmount(container, tries: 40) { [self] error in
                if error != 0 { complain("\(SystemError(call: "unmount", path: container.rootfs, errno: error))") }
                for process in [container.first] + container.added.values {
                    for waiter in process.waiters { server.send(waiter, exit(of: process)) }
                    forget(process.streams)
                }
                containers[container.id] = nil
                publish("delete", "TaskDelete", of: container) { event in
                    event.put(2, container.first.pid)
                    event.put(3, container.first.exitStatus)
                    event.put(4, container.first.exitedAt)
                }
                server.send(reply, exitAndNumber(of: container.first))
                done()
            }
        }
    }

    private func unmount(_ container: ShimContainer, tries: Int, _ then: @escaping (Int32) -> Void) {
        guard container.hasMounts else { return then(0) }
        let error = RootMount.unmountAll(container.rootfs)
        guard error == EBUSY, tries > 0 else { return then(error) }
        after(50) { [self] in unmount(container, tries: tries - 1, then) }
    }

    /// `DeleteResponse`.
    private func exitAndNumber(of process: ShimProcess) -> ProtobufWriter {
        var answer = ProtobufWriter()
        answer.put(1, process.pid)
        answer.put(2, process.exitStatus)
        answer.put(3, process.exitedAt)
        return answer
    }
}
