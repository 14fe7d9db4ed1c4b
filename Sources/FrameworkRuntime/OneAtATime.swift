internal import Synchronization

/// Lets one task in after the other, in the order in which they came.
public final class OneAtATime: Sendable {
    private struct State {
        var isBusy = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Nobody is in.
    public init() {}

    /// Waits for the turn, which ends with ``leave()``.
    ///
    /// - Parameter limit: how many may wait.
    /// - Returns: false when that many wait already; then it is not the turn.
    public func enter(limit: Int = .max) async -> Bool {
        if state.withLock({ $0.waiting.count >= limit }) { return false }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.isBusy {
                    state.waiting.append(continuation)
                    return false
                }
                state.isBusy = true
                return true
            }
            if isFree { continuation.resume() }
        }
        return true
    }

    /// Ends the turn; the next who waits has it.
    public func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.isBusy = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
