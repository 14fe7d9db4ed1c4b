internal import Glibc
internal import LinuxSystem
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// Where input goes that somebody sends to a container.
protocol ContainerInput: Sendable {
    /// Gives the command bytes, as fast as it reads them; false when it reads no more.
    func write(_ bytes: [UInt8]) async -> Bool
    /// Ends the command's input; a terminal gets the character that means this.
    func endInput() async
    /// Gives the terminal another size.
    func resize(_ size: ContainerCall.Size)
    /// Calls back when the command has ended.
    func whenOver(_ action: @escaping @Sendable () -> Void)
    /// The sender has no more input.
    func release()
}

extension ContainerSession: ContainerInput {
    func release() {}
}

/// The terminal of a task's own command, for one who types there. The monitor has it; others may type as well.
final class TaskTerminal: ContainerInput {
    private let thread: DescriptorLoop
    private let parts = PartsBox()
    private let closed = Once()

    /// What only the thread touches.
    private final class PartsBox: @unchecked Sendable {
        var socket: Int32 = -1
        var watch: UInt64?
        var waiting: CheckedContinuation<Bool, Never>?
        var terminal: Int32 = -1
        var writer: SessionWriter?
        var isOver = false
        var onOver: [@Sendable () -> Void] = []
    }

    init(on thread: DescriptorLoop) { self.thread = thread }

    /// Gets the terminal.
    ///
    /// - Parameters:
    ///   - directory: of the task's monitor.
    ///   - loop: keeps the time.
    ///   - limit: after so long there is none.
    /// - Returns: false when the monitor gives none.
    func open(_ directory: MonitorDirectory, _ loop: any EventLoop, atMost limit: TimeAmount) async -> Bool {
        let timer = loop.scheduleTask(in: limit) { [self] in thread.async { self.answered(nil) } }
        defer { timer.cancel() }
        return await withCheckedContinuation { waiting in
            thread.async { [self, parts] in
                parts.waiting = waiting
                guard let socket = try? MonitorTerminal.ask(directory) else { return answered(nil) }
                parts.socket = socket
                parts.watch = thread.watch(socket, for: .reading) { [self] in receive() }
                if parts.watch == nil { answered(nil) }
            }
        }
    }

    private func receive() {
        switch MonitorTerminal.take(from: parts.socket) {
        case .nothing: break
        case .over: answered(nil)
        case .terminal(let descriptor): answered(descriptor)
        }
    }

    private func answered(_ terminal: Int32?) {
        if let watch = parts.watch { thread.forget(watch, at: parts.socket) }
        parts.watch = nil
        if parts.socket >= 0 { Glibc.close(parts.socket) }
        parts.socket = -1
        if let terminal {
            parts.terminal = terminal
            parts.writer = SessionWriter(fcntl(terminal, F_DUPFD_CLOEXEC, 3), on: thread)
        }
        parts.waiting.take()?.resume(returning: terminal != nil)
    }

    var isClosed: Bool { closed.isPassed }

    /// Lets go of the terminal, which the command keeps; what waits to be written is lost.
    func release() {
        guard closed.pass() else { return }
        thread.async { [parts] in
            guard !parts.isOver else { return }
            parts.isOver = true
            parts.writer?.end()
            if parts.terminal >= 0 { Glibc.close(parts.terminal) }
            parts.terminal = -1
            for each in parts.onOver { each() }
            parts.onOver = []
        }
    }

    func write(_ bytes: [UInt8]) async -> Bool {
        await withCheckedContinuation { waiting in
            thread.async { [parts] in
                guard let writer = parts.writer else { return waiting.resume(returning: false) }
                writer.write(bytes) { waiting.resume(returning: $0) }
            }
        }
    }

    func endInput() async { _ = await write([4]) }

    func resize(_ size: ContainerCall.Size) {
        thread.async { [parts] in
            guard parts.terminal >= 0 else { return }
            TerminalSize(rows: size.rows, columns: size.columns).apply(to: parts.terminal)
        }
    }

    func whenOver(_ action: @escaping @Sendable () -> Void) {
        thread.async { [parts] in if parts.isOver { action() } else { parts.onOver.append(action) } }
    }
}
