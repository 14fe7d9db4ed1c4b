internal import Synchronization

/// Wakes a driver when its next deadline has come.
///
/// One sleeping task at a time. It is replaced only by an earlier deadline: when a deadline moves further away, as it
/// does in almost every turn, the task wakes the driver once for nothing and is armed again.
final class Alarm: Sendable {
    private struct State {
        var at: Duration?
        var generation = 0
        var task: Task<Void, Never>?
    }

    private let state = Mutex(State())
    private let clock: any NodeClock
    private let ring: @Sendable () -> Void

    init(clock: any NodeClock, ring: @escaping @Sendable () -> Void) {
        self.clock = clock
        self.ring = ring
    }

    func set(_ deadline: Duration?) {
        guard let deadline else { return }
        let old = state.withLock { state -> Task<Void, Never>? in
            if let at = state.at, at <= deadline { return nil }
            state.at = deadline
            state.generation += 1
            let generation = state.generation
            let old = state.task
            state.task = Task { [self] in
                do { try await clock.sleep(until: deadline) } catch { return }
                let isCurrent = self.state.withLock { state in
                    guard state.generation == generation else { return false }
                    state.at = nil
                    state.task = nil
                    return true
                }
                if isCurrent { ring() }
            }
            return old
        }
        old?.cancel()
    }

    func cancel() {
        let task = state.withLock { state in
            state.generation += 1
            state.at = nil
            return state.task.take()
        }
        task?.cancel()
    }
}
