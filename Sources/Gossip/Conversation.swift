internal import NIOCore
internal import Synchronization

/// One stream: somebody is greeted, says one message, gets at most one answer, and the stream ends.
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
