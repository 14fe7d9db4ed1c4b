import HTTPGateway
import HTTPTypes
import MesosWire
import NIOCore
import Synchronization
import Transport

/// What all simulated parties use.
struct Shared: Sendable {
    let caller: HTTPCaller
    let endpoint: Endpoint
    let progress: Progress

    init(caller: HTTPCaller, endpoint: Endpoint, tasks: Int) {
        self.caller = caller
        self.endpoint = endpoint
        progress = Progress(tasks: tasks)
    }

    /// Makes a call that must be answered with 202.
    func call(_ path: String, _ headers: HTTPFields, _ body: [UInt8]) async throws {
        let response = try await caller.call(
            .post, endpoint, path, headers: headers, body: ByteBuffer(bytes: body), timeout: .seconds(60))
        guard response.status == .accepted else {
            throw Failure("\(path) answered \(response.status.code): \(String(buffer: response.bytes))")
        }
    }

    /// Opens an event stream.
    func stream(_ path: String, _ headers: HTTPFields, _ body: [UInt8]) async throws -> HTTPCaller.StreamedResponse {
        let response = try await caller.stream(
            .post, endpoint, path, headers: headers, body: ByteBuffer(bytes: body))
        guard response.status == .ok else { throw Failure("\(path) answered \(response.status.code)") }
        return response
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

/// Calls under way from one party: a bounded number at a time, the others in order.
struct CallQueue: Sendable {
    typealias Call = @Sendable () async throws -> Void
    private let calls: AsyncStream<Call>
    private let outgoing: AsyncStream<Call>.Continuation

    init() { (calls, outgoing) = AsyncStream.makeStream() }

    func add(_ call: @escaping Call) { outgoing.yield(call) }

    func run(atOnce limit: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var underWay = 0
            for await call in calls {
                if underWay >= limit {
                    try await group.next()
                    underWay -= 1
                }
                group.addTask { try await call() }
                underWay += 1
            }
        }
    }
}
