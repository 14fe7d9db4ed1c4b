internal import ClusterModel
internal import Synchronization

/// The queue in front of a framework's driver: bounded for those who can wait, and woken by a clock.
final class FrameworkInbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isWoken = false
        var isClosed = false
        var reader: CheckedContinuation<Void, Never>?
        var writers: [CheckedContinuation<Void, Never>] = []
        /// The time at which somebody wakes the reader, and who.
        var alarm: (at: Duration, task: Task<Void, Never>, number: Int)?
        var alarms = 0
    }

    private let state = Mutex(State())
    private let limit: Int
    private let clock: FrameworkClock

    init(limit: Int, clock: FrameworkClock) {
        self.limit = limit
        self.clock = clock
    }

    /// Puts an element, when there is room.
    ///
    /// - Returns: false when nobody will read it.
    func put(_ element: Element) async -> Bool {
        while true {
            let (isTaken, isOver, reader) = state.withLock {
                state -> (Bool, Bool, CheckedContinuation<Void, Never>?) in
                if state.isClosed { return (false, true, nil) }
                guard state.elements.count < limit else { return (false, false, nil) }
                state.elements.append(element)
                return (true, false, state.reader.take())
            }
            reader?.resume()
            if isTaken || isOver { return isTaken }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isClosed || state.elements.count < limit { return true }
                    state.writers.append(continuation)
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// Puts an element that cannot wait; there are few of them.
    func notify(_ element: Element) {
        state.withLock { state -> CheckedContinuation<Void, Never>? in
            if !state.isClosed { state.elements.append(element) }
            return state.reader.take()
        }?.resume()
    }

    /// Waits for elements or for a time, and takes all that are there, up to a number.
    ///
    /// - Returns: nil once the inbox is closed; nothing when the time has come.
    func take(upTo count: Int, until deadline: Duration?) async -> [Element]? {
        arm(deadline)
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if !state.elements.isEmpty || state.isWoken || state.isClosed { return true }
                state.reader = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        let (taken, writers) = state.withLock { state -> ([Element]?, [CheckedContinuation<Void, Never>]) in
            state.isWoken = false
            if state.isClosed { return (nil, []) }
            let taken = Array(state.elements.prefix(count))
            state.elements.removeFirst(taken.count)
            defer { state.writers = [] }
            return (taken, state.writers)
        }
        for writer in writers { writer.resume() }
        return taken
    }

    func close() {
        let (waiting, alarm) = state.withLock { state in
            state.isClosed = true
            let waiting = state.writers + [state.reader.take()].compactMap { $0 }
            state.writers = []
            defer { state.alarm = nil }
            return (waiting, state.alarm?.task)
        }
        alarm?.cancel()
        for continuation in waiting { continuation.resume() }
    }

    /// What nobody will read any more; after the end.
    func drain() -> [Element] {
        state.withLock { state in
            defer { state.elements = [] }
            return state.elements
        }
    }

    /// An alarm is replaced by an earlier one only; a later one finds that the first has rung for nothing.
    private func arm(_ deadline: Duration?) {
        guard let deadline else { return }
        let old = state.withLock { state -> Task<Void, Never>? in
            if let alarm = state.alarm, alarm.at <= deadline { return nil }
            state.alarms += 1
            let number = state.alarms
            let old = state.alarm?.task
            let task = Task { [self] in
                do { try await clock.sleep(deadline) } catch { return }
                ring(number)
            }
            state.alarm = (deadline, task, number)
            return old
        }
        old?.cancel()
    }

    private func ring(_ number: Int) {
        state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.alarm?.number == number else { return nil }
            state.alarm = nil
            state.isWoken = true
            return state.reader.take()
        }?.resume()
    }
}
