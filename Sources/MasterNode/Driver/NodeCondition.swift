internal import HTTPGateway
internal import Synchronization

/// Whether a master takes part, as the facades need to know before they open a stream.
final class NodeCondition: Sendable {
    private let refusal = Mutex<GatewayError?>(nil)

    /// Why everything that changes something is refused now; nil while it is not.
    var readOnly: GatewayError? { refusal.withLock { $0 } }

    func set(readOnly error: GatewayError?) { refusal.withLock { $0 = error } }
}
