internal import CLinux
import Glibc
import Synchronization

/// News of a task, from ``MonitorHub/events``.
public enum MonitorEvent: Equatable, Sendable {
    /// The monitor is connected and reports the task's present state, or reports a change.
    case state(containerID: String, MonitorState)
    /// The task ended; comes once, and is the last news. The exit file is on disk.
    case ended(containerID: String, MonitorExit)
    /// The monitor is gone without an exit file, or does not answer; comes instead of `ended`, and is the last news.
    /// What is left of the task must be destroyed (``MonitorRecovery/destroyTask(containerID:directory:layout:)``).
    case lost(containerID: String, reason: String)
}

/// The agent's side of all monitors: one thread that waits for whatever any of them says.
///
/// Every attached container yields a bounded number of events (at most one per phase and an end), so the stream's
/// buffer is bounded by the containers attached.
public final class MonitorHub: Sendable {
    /// All news, in order per container. For one consumer.
    public let events: AsyncStream<MonitorEvent>
    private let loop: HubLoop

    /// Starts the thread.
    ///
    /// - Throws: when the kernel gives no descriptor or thread.
    public init() throws(SystemError) {
        let (stream, continuation) = AsyncStream.makeStream(of: MonitorEvent.self)
        events = stream
        loop = try HubLoop {
            continuation.yield($0)
        } atEnd: {
            continuation.finish()
        }
        try loop.start()
    }

    /// Connects to the monitor of a container and reports what it says.
    ///
    /// Also right when the monitor is gone already: the exit file then gives the `ended`, or its absence the `lost`.
    /// A second call for the same container does nothing.
    public func attach(containerID: String, directory: MonitorDirectory) {
        loop.submit(.attach(containerID, directory))
    }

    /// Asks something of a container's monitor; kept until it is connected, dropped when it is gone.
    public func send(_ command: MonitorCommand, to containerID: String) {
        loop.submit(.send(command, containerID))
    }

    /// Forgets a container; its monitor and task go on.
    public func detach(containerID: String) { loop.submit(.detach(containerID)) }

    /// Disconnects from all monitors, which go on, and ends the stream and the thread. Returns at once.
    public func close() { loop.submit(.close) }

    deinit { loop.submit(.close) }
}

/// What other threads ask of the hub's thread.
enum HubRequest: Sendable {
    case attach(String, MonitorDirectory)
    case send(MonitorCommand, String)
    case detach(String)
    case close
}

/// The queue in front of the hub's thread, and the thread.
final class HubLoop: Sendable {
    private let requests = Mutex<[HubRequest]>([])
    private let epoll: FileDescriptor
    private let wakeup: FileDescriptor
    private let report: @Sendable (MonitorEvent) -> Void
    private let atEnd: @Sendable () -> Void

    init(
        report: @escaping @Sendable (MonitorEvent) -> Void, atEnd: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let epoll = clinux_epoll_create()
        guard epoll >= 0 else { throw .last("epoll_create1") }
        self.epoll = FileDescriptor(owning: epoll)
        let wakeup = clinux_event_descriptor()
        guard wakeup >= 0 else { throw .last("eventfd") }
        self.wakeup = FileDescriptor(owning: wakeup)
        self.report = report
        self.atEnd = atEnd
        guard clinux_epoll_set(epoll, CLINUX_ADD, wakeup, CLINUX_READABLE, 0) == 0 else {
            throw .last("epoll_ctl")
        }
    }

    func submit(_ request: HubRequest) {
        requests.withLock { $0.append(request) }
        var one: UInt64 = 1
        _ = write(wakeup.raw, &one, 8)
    }

    /// The thread holds the loop until `close`, so the hub's `deinit` can still end it.
    func start() throws(SystemError) {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        let held = Unmanaged.passRetained(self)
        let failure = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<HubLoop>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, held.toOpaque())
        guard failure == 0 else {
            held.release()
            throw SystemError(call: "pthread_create", errno: failure)
        }
    }

    private func run() {
        var connections = HubConnections(epoll: epoll.raw, report: report)
        var tokens = [UInt64](repeating: 0, count: 32)
        var flags = [UInt32](repeating: 0, count: 32)
        loop: while true {
            let timeout = connections.millisecondsToNextRetry(now: HostFacts.monotonicMilliseconds())
            let count = clinux_epoll_wait(epoll.raw, &tokens, &flags, 32, timeout)
            for index in 0..<Int(max(count, 0)) {
                if tokens[index] == 0 {
                    var ignored: UInt64 = 0
                    _ = read(wakeup.raw, &ignored, 8)
                } else {
                    connections.ready(token: tokens[index], flags: flags[index])
                }
            }
            let taken = requests.withLock { queue in
                defer { queue.removeAll() }
                return queue
            }
            for request in taken {
                if case .close = request { break loop }
                connections.handle(request)
            }
            connections.retry(now: HostFacts.monotonicMilliseconds())
        }
        connections.closeAll()
        atEnd()
    }
}
