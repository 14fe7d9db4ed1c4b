import NIOCore
import Synchronization
import Transport

/// What all simulated parties use. They live on one event loop.
struct Shared: Sendable {
    let transport: Transport
    let endpoint: Endpoint
    let progress: Progress

    init(transport: Transport, endpoint: Endpoint, tasks: Int) {
        self.transport = transport
        self.endpoint = endpoint
        progress = Progress(tasks: tasks)
    }

    func connect(_ security: TransportSecurity?) async throws -> NIOLoopBound<LeanConnection> {
        try await LeanConnection.open(transport, to: endpoint, security)
    }
}

/// A request whose head is written once.
struct RequestForm {
    private let head: String

    init(_ path: String, _ fields: [(String, String)]) {
        head =
            "POST \(path) HTTP/1.1\r\nHost: localhost\r\n" + fields.map { "\($0): \($1)\r\n" }.joined()
            + "Content-Length: "
    }

    func with(_ body: ByteBuffer) -> ByteBuffer {
        var request = ByteBuffer()
        request.reserveCapacity(head.utf8.count + body.readableBytes + 16)
        request.writeString(head)
        request.writeString(String(body.readableBytes))
        request.writeStaticString("\r\n\r\n")
        request.writeImmutableBuffer(body)
        return request
    }
}

/// When the first offer was accepted, and when the last end was acknowledged.
final class Progress: Sendable {
    private struct State {
        var started: Double?
        var left: Int
        var ended: Double?
        var waiting: CheckedContinuation<(Double, Double), Never>?
    }

    private let state: Mutex<State>

    init(tasks: Int) { state = Mutex(State(left: tasks)) }

    func accepting() {
        state.withLock { if $0.started == nil { $0.started = now() } }
    }

    func acknowledgedEnd() {
        let done = state.withLock { state -> (CheckedContinuation<(Double, Double), Never>, (Double, Double))? in
            state.left -= 1
            guard state.left == 0, let started = state.started else { return nil }
            let ended = now()
            state.ended = ended
            return state.waiting.take().map { ($0, (started, ended)) }
        }
        if let (waiting, span) = done { waiting.resume(returning: span) }
    }

    /// Waits for the end; once.
    func span() async -> (Double, Double) {
        await withCheckedContinuation { continuation in
            let span = state.withLock { state -> (Double, Double)? in
                if let started = state.started, let ended = state.ended { return (started, ended) }
                state.waiting = continuation
                return nil
            }
            if let span { continuation.resume(returning: span) }
        }
    }
}
