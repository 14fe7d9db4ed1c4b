internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The life of one shim: one loop around `poll`, from its start until containerd says that it is no longer needed.
///
/// Whatever a container needs is done by the runtime in children of this process; here are only their numbers, their
/// ends and their streams.
final class ShimSession {
    /// What a command of the runtime came to.
    struct Outcome {
        let status: Int32
        let complaint: String?
    }

    /// What this shim was started with.
    struct Settings {
        let namespace: String
        /// Of its first container; that of a group outlives it.
        let bundle: String
        let socketPath: String
        let eventAddress: String?
        let publishProgram: (path: String, address: String)?
    }

    let settings: Settings
    let server: TTRPCServer
    private let runtime: RuntimeCall.Entry
    private var signals: Int32 = -1
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
    private(set) var publisher: EventPublisher?

    var containers: [String: ShimContainer] = [:]
    /// Names of containers that are being made.
    var reserved: Set<String> = []
    /// Streams of all processes, also of those that are being made.
    var streams: [ProcessStreams] = []
    private var commands: [Int32: (Int32) -> Void] = [:]
    /// Ends of processes whose number the runtime has not told yet.
    private var strays: [Int32: Int32] = [:]
    private var timers: [(due: Int64, action: () -> Void)] = []
    private(set) var isEnding = false
    /// Memory was given back since something last happened.
    private var isResting = false
    private static let restMilliseconds: Int32 = 500
    var sockets = 0

    init(_ settings: Settings, listener: Int32, runtime: @escaping RuntimeCall.Entry) {
        self.settings = settings
        self.runtime = runtime
        server = TTRPCServer(listener: listener)
        let command: EventPublisher.Command? = settings.publishProgram.map { program in
            { [unowned self] topic, content, done in publish(with: program, topic, content, done) }
        }
        publisher = EventPublisher(
            namespace: settings.namespace, address: settings.eventAddress, command: command)
    }

    deinit { buffer.deallocate() }

    func run() throws(SystemError) {
        clinux_ignore_hangups()
        guard clinux_become_subreaper() == 0 else { throw SystemError(call: "become a subreaper", errno: errno) }
        let watched = [SIGCHLD, SIGTERM, SIGINT]
        signals = clinux_signal_descriptor(watched, watched.count)
        guard signals >= 0 else { throw SystemError(call: "signalfd", errno: errno) }
        while !isEnding { waitOnce() }
        // Who comes now must find nobody, so that he starts a shim of his own.
        unlink(settings.socketPath)
        server.end()
        let deadline = HostFacts.monotonicMilliseconds() + 5000
        after(5000) {}
        while publisher?.isEmpty == false, HostFacts.monotonicMilliseconds() < deadline { waitOnce() }
    }

    /// Ends the loop after the present turn.
    func end() { isEnding = true }

    /// Says something to containerd's log.
    func complain(_ text: String) { ShimLog.write(text, bundle: settings.bundle) }

    // MARK: The loop

    private enum Source {
        case signals
        case listener
        case connection(UInt64)
        case copier(StreamCopier)
        case publisher
        case memory(ShimContainer)
    }

    private func waitOnce() {
        var waiting = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
        var sources = [Source.signals]
        func add(_ descriptor: Int32, _ events: Int16, _ source: Source) {
            waiting.append(pollfd(fd: descriptor, events: events, revents: 0))
            sources.append(source)
        }
        if !isEnding {
            server.interests { socket, writes, serial in
                let events = Int16(writes ? POLLIN | POLLOUT : POLLIN)
                add(socket, events, serial.map { .connection($0) } ?? .listener)
            }
        }
        for each in streams {
            for copier in each.copiers {
                if let interest = copier.interest { add(interest.descriptor, interest.events, .copier(copier)) }
            }
        }
        if let publisher { add(publisher.interest.descriptor, publisher.interest.events, .publisher) }
        for container in containers.values {
            if let watch = container.memoryWatch { add(watch.descriptor, Int16(POLLIN), .memory(container)) }
        }
        let count = poll(&waiting, nfds_t(waiting.count), timeout())
        guard count >= 0 else { return }
        if count == 0 && !isResting && timers.isEmpty {
            clinux_release_memory()
            isResting = true
        } else {
            isResting = isResting && count == 0
        }
        for (index, entry) in waiting.enumerated().dropFirst() where entry.revents != 0 { serve(sources[index], entry) }
        if waiting[0].revents != 0 { takeSignals() }
        passTime()
    }

    private func serve(_ source: Source, _ entry: pollfd) {
        switch source {
        case .signals: break
        case .listener: server.accept()
        case .connection(let serial):
            if entry.revents & Int16(POLLOUT) != 0 { server.flush(serial) }
            if entry.revents & ~Int16(POLLOUT) != 0 {
                for request in server.receive(serial, into: buffer) { answer(request) }
            }
            for lost in server.takeLost() { forget(lost) }
        case .copier(let copier): copier.step(buffer)
        case .publisher: publisher?.step(buffer)
        case .memory(let container):
            switch container.memoryWatch?.take() {
            case true?: publish("oom", "TaskOOM", of: container) { _ in }
            case nil: container.memoryWatch = nil
            default: break
            }
        }
    }

    private func forget(_ connection: UInt64) {
        for container in containers.values {
            for process in [container.first] + container.added.values {
                process.waiters.removeAll { $0.connection == connection }
            }
        }
    }

    // MARK: Time

    /// Does something later.
    func after(_ milliseconds: Int64, _ action: @escaping () -> Void) {
        timers.append((HostFacts.monotonicMilliseconds() + milliseconds, action))
    }

    private func timeout() -> Int32 {
        guard let next = (timers.map(\.due) + [publisher?.deadline].compactMap { $0 }).min() else {
            return isResting ? -1 : Self.restMilliseconds
        }
        return Int32(min(max(next - HostFacts.monotonicMilliseconds(), 0), 60_000))
    }

    private func passTime() {
        guard !timers.isEmpty || publisher?.deadline != nil else { return }
        let now = HostFacts.monotonicMilliseconds()
        if let deadline = publisher?.deadline, deadline <= now { publisher?.passDeadline() }
        let due = timers.filter { $0.due <= now }
        timers.removeAll { $0.due <= now }
        for timer in due { timer.action() }
    }

    // MARK: Children

    /// Runs a command of the runtime for a container; `then` is called when it has ended, at once if there can be no
    /// child.
    ///
    /// - Parameters:
    ///   - arguments: the command.
    ///   - container: whose bundle has the log and whose options count.
    ///   - log: name of the log; commands at the same time need different ones.
    ///   - streams: what the child, and what it starts, has as standard streams; closed here afterwards.
    ///   - then: what to do with the outcome.
    func command(
        _ arguments: [String], for container: ShimContainer, log: String = "log.json",
        streams: RuntimeCall.Streams? = nil, then: @escaping (Outcome) -> Void
    ) {
        let path = container.bundle + "/" + log
        // What an earlier command has complained of is not this one's.
        unlink(path)
        do throws(SystemError) {
            let null = try FileDescriptor.open("/dev/null", flags: O_RDWR)
            defer { if let streams { Self.closeAll(streams) } }
            let call = try RuntimeCall.start(
                arguments, root: Self.root(container.options, namespace: settings.namespace), logPath: path,
                global: container.options.systemdCgroup ? ["--systemd-cgroup"] : [],
                streams: streams ?? RuntimeCall.Streams(input: null.raw, output: null.raw, errors: null.raw),
                entry: runtime)
            commands[call.pid] = { status in
                let complaint = status == 0 ? nil : call.complaint ?? "it ended with status \(status)"
                if log != "log.json" { unlink(path) }
                then(Outcome(status: status, complaint: complaint))
            }
        } catch {
            then(Outcome(status: -1, complaint: error.description))
        }
    }

    static func closeAll(_ streams: RuntimeCall.Streams) {
        for descriptor in Set([streams.input, streams.output, streams.errors]) { close(descriptor) }
    }

    /// Where the runtime keeps containers of a namespace.
    static func root(_ options: ShimOptions, namespace: String) -> String {
        (options.root.isEmpty ? ShimOptions.standardRoot : options.root) + "/" + namespace
    }

    private func publish(
        with program: (path: String, address: String), _ topic: String, _ content: [UInt8],
        _ done: @escaping (Bool) -> Void
    ) {
        // An event is smaller than a pipe is deep.
        guard let pipe = try? FileDescriptor.pipe(), (try? pipe.writing.writeAll(content)) != nil else {
            return after(0) { done(false) }
        }
        let words = [program.path, "--address", program.address, "publish", "--topic", topic]
        let child = clinux_fork()
        if child == 0 {
            let null = clinux_open("/dev/null", O_RDWR, 0)
            let all = words + ["--namespace", settings.namespace]
            ChildProgram.execute(all, descriptors: [pipe.reading.raw, null, null])
        }
        guard child > 0 else { return after(0) { done(false) } }
        commands[child] = { done($0 == 0) }
    }

    private func takeSignals() {
        let seen = clinux_drain_signals(signals)
        if seen & (1 << UInt64(SIGTERM) | 1 << UInt64(SIGINT)) != 0 { end() }
        guard seen & 1 << UInt64(SIGCHLD) != 0 else { return }
        var status: Int32 = 0
        while true {
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { break }
            ended(pid, RuntimeCall.exitStatus(status))
        }
        if commands.isEmpty { strays = [:] }
    }

    private func ended(_ pid: Int32, _ status: Int32) {
        if let then = commands.removeValue(forKey: pid) { return then(status) }
        for container in containers.values {
            for process in [container.first] + container.added.values where process.pid == pid && !process.isReaped {
                return processEnded(process, of: container, status)
            }
        }
        if !commands.isEmpty { strays[pid] = status }
    }

    /// Tells the end of a process that came before its number.
    func settleStray(_ process: ShimProcess, of container: ShimContainer) {
        guard let status = strays.removeValue(forKey: process.pid) else { return }
        processEnded(process, of: container, status)
    }

    /// The end of a process that is certain, though its signal may not have been handled; nil if it is known.
    func reapNow(_ process: ShimProcess) -> Int32? {
        var status: Int32 = 0
        guard !process.isReaped, process.pid > 0, waitpid(process.pid, &status, WNOHANG) == process.pid else {
            return nil
        }
        process.isReaped = true
        return RuntimeCall.exitStatus(status)
    }
}

/// The `log` fifo in a bundle, which containerd copies to its own log while it runs.
enum ShimLog {
    static func write(_ text: String, bundle: String) {
        let fifo = clinux_open(bundle + "/log", O_WRONLY | O_NONBLOCK, 0)
        guard fifo >= 0 else { return }
        defer { close(fifo) }
        let line = Array("rondo shim: \(text)\n".utf8)
        _ = line.withUnsafeBytes { Glibc.write(fifo, $0.baseAddress, $0.count) }
    }
}
