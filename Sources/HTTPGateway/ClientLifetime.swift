internal import Synchronization

/// Tells those who asked that the client of one exchange has gone.
final class ClientLifetime: Sendable {
    private enum State {
        case present([@Sendable () -> Void])
        case gone
        case served
    }

    private let state = Mutex(State.present([]))

    func onDisconnect(_ action: @escaping @Sendable () -> Void) {
        let now = state.withLock { state in
            switch state {
            case .present(let actions):
                state = .present(actions + [action])
                return false
            case .gone: return true
            case .served: return false
            }
        }
        if now { action() }
    }

    func clientHasGone() {
        let actions = state.withLock { state -> [@Sendable () -> Void] in
            guard case .present(let actions) = state else { return [] }
            state = .gone
            return actions
        }
        for action in actions { action() }
    }

    func responseIsComplete() {
        state.withLock { state in
            if case .present = state { state = .served }
        }
    }
}
