internal import Membership
internal import NIOCore
internal import Synchronization

/// One stream: somebody is greeted, says one message, gets at most one answer, and the stream ends; in an exchange of
/// protocol 2 both speak twice at most.
struct Conversation: Sendable {
    /// Who opened it, and for what.
    enum Purpose: Sendable {
        case inbound
        case outbound(Envelope.Kind, [UInt8])
    }

    var purpose: Purpose
    /// Where the other side is.
    var endpoint: MemberEndpoint?
    /// When it ends at the latest.
    var deadline: Duration
    var channel: (any Channel)?
    /// What the other side says.
    var message = StreamMessage()
    /// The counter of the first part of what this node asked, which the answer has to name.
    var asked: UInt64?
    /// The counter of the first part of what the other side said last, and its life.
    var heard: (counter: UInt64, life: UInt64)?

    /// Whether the other side may say that step now.
    func expects(_ step: ExchangeStep) -> Bool {
        let isFirst = heard == nil
        switch (purpose, step) {
        case (.inbound, .ask(_, let state)): return isFirst && state.entries.count == 1
        case (.inbound, .difference): return !isFirst
        case (.outbound, .same), (.outbound, .summary): return isFirst
        case (.outbound, .rest): return !isFirst
        default: return false
        }
    }
}

/// Numbers streams and counts those that others opened; used by all event loops.
final class StreamGate: Sendable {
    private let last = Atomic<UInt64>(0)
    private let open = Atomic<Int>(0)

    func number() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
    /// Streams of others that are open.
    var count: Int { open.load(ordering: .relaxed) }
    func enter() -> Int { open.add(1, ordering: .relaxed).newValue }
    func leave() -> Int { open.subtract(1, ordering: .relaxed).newValue }
}
