internal import ClusterModel
internal import Membership
internal import Synchronization

/// The keys as they are now, and who knows them already.
final class KeyBoard: Sendable {
    private struct State {
        var keys: ClusterKeys
        /// The newest revision that a node has said to know.
        var known: [NodeID: Int] = [:]
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var next = 0
    }

    private let state: Mutex<State>

    init(_ keys: ClusterKeys) { state = Mutex(State(keys: keys)) }

    var keys: ClusterKeys { state.withLock { $0.keys } }

    func set(_ keys: ClusterKeys) {
        let waiting = state.withLock { state in
            state.keys = keys
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for each in waiting { each.resume() }
    }

    /// Notes what a node knows.
    func note(_ node: NodeID, knows revision: Int) {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.known[node] = max(state.known[node] ?? 0, revision)
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for each in waiting { each.resume() }
    }

    func forget(_ node: NodeID) { state.withLock { _ = $0.known.removeValue(forKey: node) } }

    /// Which of these nodes do not know a revision yet.
    func late(_ nodes: some Sequence<NodeID>, for revision: Int) -> [NodeID] {
        state.withLock { state in nodes.filter { state.known[$0] ?? 0 < revision } }
    }

    /// Waits until something changes, or the time is over; the caller looks again what it was.
    func change(within time: Duration, _ clock: any NodeClock, unless isDone: @Sendable () -> Bool) async {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        let timer = Task {
            try? await clock.sleep(until: clock.now().elapsed + time)
            self.wake(number)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.waiting[number] = continuation }
                if isDone() || Task.isCancelled { wake(number) }
            }
        } onCancel: {
            wake(number)
        }
        timer.cancel()
    }

    private func wake(_ number: Int) {
        state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
    }
}
