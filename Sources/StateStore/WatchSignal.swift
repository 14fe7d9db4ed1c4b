import Synchronization

/// Wakes watchers when a revision they look for is there. Watchers of other keys stay asleep and just move on.
final class WatchSignal: Sendable {
    enum Wake: Equatable {
        /// There is something to read from this revision on.
        case ready(from: Int64)
        case cancelled
        case closed
    }

    private struct Waiter {
        let prefix: KeyBytes
        var from: Int64
        let continuation: CheckedContinuation<Wake, Never>
    }

    private struct State {
        var revision: Int64
        var isClosed = false
        var lastTicket: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
        /// Tickets cancelled before they waited.
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>

    init(revision: Int64) { state = Mutex(State(revision: revision)) }

    /// Returns at once when the revision is there already, whatever keys it changed.
    func wait(prefix: KeyBytes, from: Int64) async -> Wake {
        let ticket = state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        let wake = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if let wake = enter(Waiter(prefix: prefix, from: from, continuation: continuation), ticket: ticket) {
                    continuation.resume(returning: wake)
                }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                let waiter = state.waiters.removeValue(forKey: ticket)
                if waiter == nil { state.cancelled.insert(ticket) }
                return waiter
            }
            waiter?.continuation.resume(returning: .cancelled)
        }
        state.withLock { _ = $0.cancelled.remove(ticket) }
        return wake
    }

    private func enter(_ waiter: Waiter, ticket: UInt64) -> Wake? {
        state.withLock { state in
            if state.isClosed { return .closed }
            if state.cancelled.contains(ticket) { return .cancelled }
            if waiter.from <= state.revision { return .ready(from: waiter.from) }
            state.waiters[ticket] = waiter
            return nil
        }
    }

    /// Tells that everything up to a revision can be read now; `keys` are all that changed since the last call.
    func publish(revision: Int64, keys: [KeyBytes]) {
        let ready = state.withLock { state in
            state.revision = revision
            var ready: [Waiter] = []
            for (ticket, waiter) in state.waiters where waiter.from <= revision {
                if keys.contains(where: { $0.hasPrefix(waiter.prefix) }) {
                    state.waiters[ticket] = nil
                    ready.append(waiter)
                } else {
                    state.waiters[ticket]?.from = revision + 1
                }
            }
            return ready
        }
        for waiter in ready { waiter.continuation.resume(returning: .ready(from: waiter.from)) }
    }

    /// Wakes everyone for good.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.continuation.resume(returning: .closed) }
    }
}
