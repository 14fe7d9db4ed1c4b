internal import CLinux
import Glibc
import Synchronization

/// A thread that waits for what happens at descriptors and does short work in order.
///
/// Everything given to it is done on its thread: work from ``async(_:)``, and the handlers of watched descriptors, which
/// may watch and forget descriptors themselves. Nothing of it may block for long: all descriptors wait meanwhile.
public final class DescriptorLoop: @unchecked Sendable {
    /// What is waited for.
    public enum Interest: Sendable {
        /// Bytes to read, or the end of them.
        case reading
        /// Room to write, or nobody who reads.
        case writing
    }

    private struct Requests {
        var work: [@Sendable () -> Void] = []
        var isRunning = false
        var isClosed = false
    }

    private let requests = Mutex(Requests())
    private let epoll: FileDescriptor
    private let wakeup: FileDescriptor
    // Of the thread alone.
    private var handlers: [UInt64: () -> Void] = [:]
    private var nextToken: UInt64 = 1

    /// Makes a loop; its thread starts with the first work.
    ///
    /// - Throws: the call that failed.
    public init() throws(SystemError) {
        let epoll = clinux_epoll_create()
        guard epoll >= 0 else { throw .last("epoll_create1") }
        self.epoll = FileDescriptor(owning: epoll)
        let wakeup = clinux_event_descriptor()
        guard wakeup >= 0 else { throw .last("eventfd") }
        self.wakeup = FileDescriptor(owning: wakeup)
        guard clinux_epoll_set(epoll, CLINUX_ADD, wakeup, CLINUX_READABLE, 0) == 0 else { throw .last("epoll_ctl") }
    }

    /// Does something on the thread, after all that was asked for before. After ``close()`` nothing is done any more.
    public func async(_ work: @escaping @Sendable () -> Void) {
        let starts = requests.withLock { requests in
            if requests.isClosed { return false }
            requests.work.append(work)
            defer { requests.isRunning = true }
            return !requests.isRunning
        }
        if starts { start() } else { wake() }
    }

    /// Ends the thread when what was asked for before is done. Watched descriptors stay open.
    public func close() {
        requests.withLock { $0.isClosed = true }
        wake()
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(wakeup.raw, &one, 8)
    }

    // MARK: On the thread

    /// Calls a handler whenever something is there, until ``forget(_:at:)``. On the thread alone.
    ///
    /// - Returns: a token; nil when the kernel does not take the descriptor.
    public func watch(_ descriptor: Int32, for interest: Interest, _ handler: @escaping () -> Void) -> UInt64? {
        let token = nextToken
        nextToken += 1
        let bits = interest == .reading ? CLINUX_READABLE : CLINUX_WRITABLE
        guard clinux_epoll_set(epoll.raw, CLINUX_ADD, descriptor, bits, token) == 0 else { return nil }
        handlers[token] = handler
        return token
    }

    /// Ends a watch; must come before the descriptor is closed. On the thread alone.
    public func forget(_ token: UInt64, at descriptor: Int32) {
        guard handlers.removeValue(forKey: token) != nil else { return }
        _ = clinux_epoll_set(epoll.raw, CLINUX_REMOVE, descriptor, 0, token)
    }

    private func start() {
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
                Unmanaged<DescriptorLoop>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, held.toOpaque())
        // Without a thread nothing can be done; whoever waits sees that the loop is closed.
        guard failure == 0 else {
            held.release()
            return requests.withLock { $0.isClosed = true }
        }
    }

    private func run() {
        let capacity = 64
        var tokens = [UInt64](repeating: 0, count: capacity)
        var events = [UInt32](repeating: 0, count: capacity)
        while true {
            let (work, isClosed) = requests.withLock { requests in
                defer { requests.work = [] }
                return (requests.work, requests.isClosed)
            }
            for each in work { each() }
            if work.isEmpty, isClosed { return handlers.removeAll() }
            if !work.isEmpty { continue }
            let count = clinux_epoll_wait(epoll.raw, &tokens, &events, Int32(capacity), -1)
            guard count > 0 else { continue }
            for token in tokens.prefix(Int(count)) {
                if token == 0 {
                    var drained: UInt64 = 0
                    _ = read(wakeup.raw, &drained, 8)
                } else {
                    // One that a handler before has ended is not there any more.
                    handlers[token]?()
                }
            }
        }
    }
}
