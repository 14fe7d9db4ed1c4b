internal import AsyncHTTPClient
internal import NIOCore
internal import Synchronization
internal import Transport

/// The body of a response on its way from the client library to one reader.
///
/// A task of its own takes the bytes from the library and is held back by the reader's speed; it gives the reader time
/// limits that the library does not have, and ends when the reader lets go.
final class ArrivingBody: Sendable {
    /// How long the body may take.
    enum Limit {
        /// For all of it, from now on.
        case total(TimeAmount)
        /// Between two pieces.
        case idle(TimeAmount)
    }

    private struct State {
        var timer: Scheduled<Void>?
        var deadline: NIODeadline?
        var ended = false
    }

    private let pipe: BytePipe
    private let pump: Task<Void, Never>
    private let endpoint: Endpoint
    private let loop: any EventLoop
    private let shared: Shared

    /// Outlives the reader together with the pump, so that neither keeps ``ArrivingBody`` itself alive.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let idle = Mutex<TimeAmount?>(nil)

        func arrived() {
            guard let idle = idle.withLock({ $0 }) else { return }
            state.withLock { $0.deadline = .now() + idle }
        }

        func end() {
            let timer = state.withLock { state in
                state.ended = true
                return state.timer.take()
            }
            timer?.cancel()
        }
    }

    init(_ body: HTTPClientResponse.Body, endpoint: Endpoint, loop: any EventLoop) {
        let pipe = BytePipe(highWater: 64 << 10)
        let shared = Shared()
        self.pipe = pipe
        self.shared = shared
        self.endpoint = endpoint
        self.loop = loop
        pump = Task {
            do {
                for try await piece in body {
                    shared.arrived()
                    try await pipe.send(piece)
                    // Waiting for the reader is not the sender's idleness.
                    shared.arrived()
                }
                pipe.finish()
            } catch {
                pipe.finish(throwing: HTTPCallError(error, endpoint: endpoint, connected: true))
            }
            shared.end()
        }
    }

    deinit {
        pump.cancel()
        shared.end()
    }

    /// The next piece, `nil` at the end.
    func next() async throws -> ByteBuffer? { try await pipe.next() }

    /// Sets a time limit; at most one per body.
    func limit(_ limit: Limit) {
        switch limit {
        case .total(let time): schedule(.now() + time, error: .timedOut(endpoint))
        case .idle(let time):
            shared.idle.withLock { $0 = time }
            shared.state.withLock { $0.deadline = .now() + time }
            schedule(.now() + time, error: .idle(endpoint))
        }
    }

    private func schedule(_ deadline: NIODeadline, error: HTTPCallError) {
        Self.schedule(deadline, error: error, pipe: pipe, pump: pump, shared: shared, loop: loop)
    }

    private static func schedule(
        _ deadline: NIODeadline, error: HTTPCallError, pipe: BytePipe, pump: Task<Void, Never>, shared: Shared,
        loop: any EventLoop
    ) {
        let timer = loop.scheduleTask(deadline: deadline) {
            let later = shared.state.withLock { $0.deadline.flatMap { $0 > .now() ? $0 : nil } }
            if let later {
                schedule(later, error: error, pipe: pipe, pump: pump, shared: shared, loop: loop)
            } else if pipe.wantsMore {
                pipe.abandon(error)
                pump.cancel()
            } else {
                // The reader is the slow one; look again later.
                let again = shared.idle.withLock { $0 } ?? .seconds(1)
                schedule(.now() + again, error: error, pipe: pipe, pump: pump, shared: shared, loop: loop)
            }
        }
        let ended = shared.state.withLock { state in
            state.timer = timer
            return state.ended
        }
        if ended { timer.cancel() }
    }
}
