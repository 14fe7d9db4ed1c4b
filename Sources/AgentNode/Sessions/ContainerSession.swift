internal import Glibc
internal import LinuxSystem
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// A command that somebody runs in the container of a task, as the agent sees it.
///
/// It belongs to the agent's process: its keeper ends it when that ends. All that happens to it happens on one
/// thread, which all sessions of an agent share.
final class ContainerSession: Sendable {
    /// How far it is.
    enum Phase: Equatable, Sendable {
        case starting
        case running
        case failed(String)
        /// As wait(2) tells it.
        case ended(waitStatus: Int32)

        var isOver: Bool { self != .starting && self != .running }
    }

    /// How long the output of a command that has ended is waited for: something else may hold its streams.
    private static let drainTime = TimeAmount.seconds(2)

    let path: ContainerPath
    let hasTerminal: Bool
    let output: SessionOutput
    private let queue: DescriptorLoop
    private let timers: any EventLoop
    private let parts: PartsBox
    private let state = Mutex(State())

    private struct State {
        var phase = Phase.starting
        /// Whether all that was written has been read, too.
        var isDone = false
        var isDetached = false
        var waiters: [@Sendable (Phase) -> Void] = []
        var onDone: [@Sendable () -> Void] = []
    }

    /// What only the thread touches.
    private final class PartsBox: @unchecked Sendable {
        var pid: Int32 = -1
        var control: UInt64?
        var socket: Int32 = -1
        var readers: [SessionReader] = []
        var writer: SessionWriter?
        var terminal: Int32 = -1
        var size: ContainerCall.Size?
        var status: Int32?
    }

    init(
        path: ContainerPath, hasTerminal: Bool, size: ContainerCall.Size?, on queue: DescriptorLoop,
        timers: any EventLoop
    ) {
        self.path = path
        self.hasTerminal = hasTerminal
        let parts = PartsBox()
        parts.size = size
        self.queue = queue
        self.timers = timers
        self.parts = parts
        output = SessionOutput { queue.async { for reader in parts.readers { reader.resume() } } }
    }

    var phase: Phase { state.withLock { $0.phase } }
    var isDetached: Bool {
        get { state.withLock { $0.isDetached } }
        set { state.withLock { $0.isDetached = newValue } }
    }

    // MARK: Starting

    /// Starts the command and waits until it runs or cannot.
    ///
    /// - Throws: ``TaskError`` with why it does not run.
    func start(_ command: SessionCommand, directory: MonitorDirectory, executable: String) async throws(TaskError) {
        queue.async { [self] in
            do throws(SystemError) {
                begin(
                    try SessionLauncher.spawn(
                        command, containerID: path.root, directory: directory, executable: executable))
            } catch { settle(.failed("\(error)")) }
        }
        let phase = await withCheckedContinuation { waiting in
            let known = state.withLock { state -> Phase? in
                if state.phase != .starting { return state.phase }
                state.waiters.append { waiting.resume(returning: $0) }
                return nil
            }
            if let known { waiting.resume(returning: known) }
        }
        if case .failed(let reason) = phase { throw TaskError(reason) }
    }

    private func begin(_ session: SessionLauncher.Session) {
        parts.pid = session.pid
        parts.socket = session.socket
        parts.control = queue.watch(session.socket, for: .reading) { [self] in receive() }
        if parts.control == nil { keeperIsGone() }
        if let input = session.input { parts.writer = SessionWriter(input, on: queue) }
        if let descriptor = session.output { read(descriptor, isError: false) }
        if let descriptor = session.errors { read(descriptor, isError: true) }
    }

    private func read(_ descriptor: Int32, isError: Bool) {
        let output = output
        let reader = SessionReader(
            descriptor, on: queue,
            take: { output.add(SessionOutput.Piece(bytes: $0, isError: isError)) },
            whenOver: { [self] in queue.async { self.lookAround() } })
        parts.readers.append(reader)
        reader.resume()
    }

    /// What the keeper says.
    private func receive() {
        while parts.socket >= 0 {
            switch SessionSocket.receive(from: parts.socket) {
            case .nothing: return
            case .over: return keeperIsGone()
            case .message(.started, let descriptor):
                if let descriptor { attach(terminal: descriptor) }
                settle(.running)
            case .message(.failed(let reason), _): settle(.failed(reason))
            case .message(.ended(let status), _): parts.status = status
            case .message(.signal, let descriptor): if let descriptor { close(descriptor) }
            }
        }
    }

    private func attach(terminal: Int32) {
        parts.terminal = fcntl(terminal, F_DUPFD_CLOEXEC, 3)
        parts.writer = SessionWriter(fcntl(terminal, F_DUPFD_CLOEXEC, 3), on: queue)
        if let size = parts.size { setSize(size) }
        read(terminal, isError: false)
    }

    /// The keeper's last act is to close its socket.
    private func keeperIsGone() {
        if let control = parts.control { queue.forget(control, at: parts.socket) }
        parts.control = nil
        close(parts.socket)
        parts.socket = -1
        var status: Int32 = 0
        while waitpid(parts.pid, &status, 0) < 0, errno == EINTR {}
        parts.writer?.end()
        closeTerminal()
        if parts.status == nil {
            // It was killed, and the command with it or not: nobody can tell.
            if phase == .starting { settle(.failed("the session's keeper has ended unexpectedly")) }
            parts.status = SIGKILL
        }
        lookAround()
        if !phase.isOver { endLater() }
    }

    /// Gives up on streams that something else holds, but never on what their readers are too slow for.
    private func endLater() {
        timers.scheduleTask(in: Self.drainTime) { [self] in
            queue.async { [self] in
                for reader in parts.readers where !reader.isHeld { reader.finish() }
                lookAround()
                if !phase.isOver { endLater() }
            }
        }
    }

    private func closeTerminal() {
        if parts.terminal >= 0 { close(parts.terminal) }
        parts.terminal = -1
    }

    /// It is over when the command has ended and its last words were taken.
    private func lookAround() {
        guard parts.socket < 0, let status = parts.status, parts.readers.allSatisfy(\.isOver) else { return }
        output.end()
        settle(.ended(waitStatus: status))
        let done = state.withLock { state in
            state.isDone = true
            let done = state.onDone
            state.onDone = []
            return done
        }
        for each in done { each() }
    }

    private func settle(_ phase: Phase) {
        let waiters = state.withLock { state -> [@Sendable (Phase) -> Void] in
            guard !state.phase.isOver else { return [] }
            state.phase = phase
            let waiters = state.waiters
            state.waiters = []
            return waiters
        }
        for each in waiters { each(phase) }
    }

    // MARK: Using

    /// Gives the command bytes, as fast as it reads them.
    ///
    /// - Returns: false when it reads no more.
    func write(_ bytes: [UInt8]) async -> Bool {
        await withCheckedContinuation { waiting in
            queue.async { [self] in
                guard let writer = parts.writer else { return waiting.resume(returning: false) }
                writer.write(bytes) { waiting.resume(returning: $0) }
            }
        }
    }

    /// Ends the command's input; a terminal gets the character that means this.
    func endInput() async {
        if hasTerminal {
            _ = await write([4])
        } else {
            queue.async { [self] in parts.writer?.finish() }
        }
    }

    /// Gives the terminal another size; its programs are told by the kernel.
    func resize(_ size: ContainerCall.Size) { queue.async { [self] in setSize(size) } }

    private func setSize(_ size: ContainerCall.Size) {
        guard parts.terminal >= 0 else { return }
        TerminalSize(rows: size.rows, columns: size.columns).apply(to: parts.terminal)
    }

    /// Sends the command a signal; SIGKILL is for all of its session.
    func signal(_ number: Int32) {
        queue.async { [self] in
            if parts.socket >= 0 { SessionSocket.send(.signal(number), to: parts.socket) }
        }
    }

    /// Waits for the end, and calls back with how it was. Calls at once when it has ended.
    func whenOver(_ action: @escaping @Sendable () -> Void) {
        let isDone = state.withLock { state in
            if !state.isDone, !Self.hasFailed(state.phase) { state.onDone.append(action) }
            return state.isDone || Self.hasFailed(state.phase)
        }
        if isDone { action() }
    }

    private static func hasFailed(_ phase: Phase) -> Bool { if case .failed = phase { true } else { false } }
}
