internal import ClusterModel
internal import FoundationEssentials
internal import NIOCore
internal import Synchronization

/// The calls of one session that wait to be sent: many producers, one sender.
///
/// The sender takes all that waits at once, so that an agent with many tasks says much with few requests, and an agent
/// with one task says it at once.
final class OutgoingCalls: Sendable {
    /// Calls in one body; the master takes as many.
    private static let callLimit = 1_000
    /// Bytes after which no further call is put into a body; the master takes 5 MiB.
    private static let bodyLimit = 1 << 20

    private struct State {
        var calls: [AgentCall] = []
        var isFinished = false
        var sender: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func add(_ call: AgentCall) {
        let sender = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.isFinished { return nil }
            state.calls.append(call)
            return state.sender.take()
        }
        sender?.resume()
    }

    /// What waits is still sent, nothing else is taken.
    func finish() {
        let sender = state.withLock { state in
            state.isFinished = true
            return state.sender.take()
        }
        sender?.resume()
    }

    /// Waits for calls; nil at the end, or when the task is cancelled.
    func next() async -> ByteBuffer? {
        while true {
            let (calls, isFinished) = state.withLock { ($0.calls, $0.isFinished) }
            if !calls.isEmpty {
                let (body, count) = Self.body(calls)
                state.withLock { $0.calls.removeFirst(count) }
                return body
            }
            if isFinished || Task.isCancelled { return nil }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        if !state.calls.isEmpty || state.isFinished || Task.isCancelled { return true }
                        state.sender = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.sender.take() }?.resume()
            }
        }
    }

    /// The first calls as a body, and how many they are. A call that cannot be written is left out; there is none.
    private static func body(_ calls: [AgentCall]) -> (ByteBuffer, Int) {
        let encoder = JSONEncoder()
        var body = ByteBuffer(string: "{\"type\":\"CALLS\",\"calls\":[")
        var count = 0
        var isFirst = true
        for call in calls.prefix(callLimit) {
            if body.readableBytes >= bodyLimit { break }
            count += 1
            guard let data = try? encoder.encode(call) else { continue }
            if !isFirst { body.writeStaticString(",") }
            isFirst = false
            body.writeBytes(data)
        }
        body.writeStaticString("]}")
        return (body, count)
    }
}
