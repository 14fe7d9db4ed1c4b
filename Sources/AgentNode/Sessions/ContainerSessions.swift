internal import Glibc
internal import LinuxSystem
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// All sessions of an agent: those that run, and for a while those that have ended, for whoever asks how.
final class ContainerSessions: Sendable {
    /// Sessions at a time.
    private static let limit = 128
    /// Sessions of one container at a time.
    private static let limitPerContainer = 32
    /// How long and how many ended ones are remembered.
    private static let memory = TimeAmount.minutes(10)
    private static let memoryLimit = 512

    private struct State {
        var sessions: [ContainerPath: ContainerSession] = [:]
        var ended: [ContainerPath] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    let thread: DescriptorLoop
    let loop: any EventLoop

    init(loop: any EventLoop) throws(SystemError) {
        self.loop = loop
        thread = try DescriptorLoop()
    }

    func session(_ path: ContainerPath) -> ContainerSession? { state.withLock { $0.sessions[path] } }

    /// Makes room for a session.
    ///
    /// - Throws: ``TaskError`` when its name is taken or there are too many.
    func add(_ session: ContainerSession) throws(TaskError) {
        try state.withLock { state throws(TaskError) in
            guard !state.isClosed else { throw TaskError("the agent is ending") }
            guard state.sessions[session.path] == nil else {
                throw TaskError("there is a container '\(session.path.last)' already; choose another id")
            }
            let running = state.sessions.values.filter { !$0.phase.isOver }
            guard running.count < Self.limit,
                running.count(where: { $0.path.root == session.path.root }) < Self.limitPerContainer
            else {
                throw TaskError(
                    "\(Self.limit) sessions run on this agent, or \(Self.limitPerContainer) in this container; end some "
                        + "first")
            }
            state.sessions[session.path] = session
        }
    }

    /// Remembers for a while how a session has ended.
    func ended(_ path: ContainerPath) {
        state.withLock { state in
            state.ended.append(path)
            if state.ended.count > Self.memoryLimit { state.sessions[state.ended.removeFirst()] = nil }
        }
        loop.scheduleTask(in: Self.memory) { [weak self] () -> Void in self?.forget(path) }
    }

    func forget(_ path: ContainerPath) {
        state.withLock { state in
            state.sessions[path] = nil
            state.ended.removeAll { $0 == path }
        }
    }

    /// Ends all sessions; there will be no others. Returns when their keepers are gone.
    func close() async {
        let running = state.withLock { state in
            state.isClosed = true
            return state.sessions.values.filter { !$0.phase.isOver }
        }
        for session in running { session.signal(SIGKILL) }
        for session in running {
            await withCheckedContinuation { waiting in session.whenOver { waiting.resume() } }
        }
        thread.close()
    }
}
