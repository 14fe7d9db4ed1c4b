internal import NIOCore
internal import Synchronization

/// A bounded queue of bytes between one producer and one consumer.
///
/// The producer is either an event loop, which calls ``offer(_:)`` and stops reading its socket when told so, or a task,
/// which calls ``send(_:)`` and is suspended while the queue is full. Either way no more than `highWater` bytes plus one
/// buffer are held.
final class BytePipe: Sendable {
    private typealias Reader = CheckedContinuation<ByteBuffer?, any Error>
    private typealias Writer = CheckedContinuation<Void, any Error>

    private struct State {
        var chunks = CircularBuffer<ByteBuffer>(initialCapacity: 2)
        var bytes = 0
        var end: End?
        var reader: Reader?
        var writer: Writer?
    }

    private enum End {
        case finished
        case failed(any Error)
    }

    private let state = Mutex(State())
    private let highWater: Int
    /// Called without the lock whenever the consumer wants bytes that are not there yet.
    private let onDemand: (@Sendable () -> Void)?

    init(highWater: Int = 128 << 10, onDemand: (@Sendable () -> Void)? = nil) {
        self.highWater = highWater
        self.onDemand = onDemand
    }

    /// Whether the producer should go on: the queue has room and nobody ended it.
    var wantsMore: Bool { state.withLock { $0.end == nil && $0.bytes < highWater } }

    /// Whether the producer has ended it in order.
    var isFinished: Bool {
        state.withLock { state in
            if case .finished = state.end { true } else { false }
        }
    }

    /// Whether no bytes are waiting.
    var isEmpty: Bool { state.withLock { $0.chunks.isEmpty } }

    /// Adds bytes without waiting; bytes offered after the end are dropped.
    func offer(_ buffer: ByteBuffer) {
        guard buffer.readableBytes > 0 else { return }
        let reader = state.withLock { state -> CheckedContinuation<ByteBuffer?, any Error>? in
            guard state.end == nil else { return nil }
            if let reader = state.reader.take() { return reader }
            state.chunks.append(buffer)
            state.bytes += buffer.readableBytes
            return nil
        }
        reader?.resume(returning: buffer)
    }

    /// Adds bytes and waits until the queue has room again.
    ///
    /// - Throws: the error the pipe was ended with, or `CancellationError`.
    func send(_ buffer: ByteBuffer) async throws {
        if let error = endError() { throw error }
        offer(buffer)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if case .failed(let error) = state.end { return .failure(error) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.end != nil || state.bytes < highWater { return .success(()) }
                    state.writer = continuation
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            state.withLock { $0.writer.take() }?.resume(throwing: CancellationError())
        }
    }

    /// The next bytes, `nil` at the end.
    ///
    /// - Throws: the error the pipe was ended with once the queued bytes are read, or `CancellationError`.
    func next() async throws -> ByteBuffer? {
        var waited = false
        while true {
            if let ready = try takeReady() { return ready.buffer }
            if !waited, let onDemand {
                waited = true
                onDemand()
                continue
            }
            return try await wait()
        }
    }

    /// Ends the pipe; queued bytes are still delivered, then the end or the error.
    func finish(throwing error: (any Error)? = nil) {
        end(error.map { .failed($0) } ?? .finished, discarding: false)
    }

    /// The consumer gives up: queued bytes are dropped and the producer learns of it at its next send.
    func abandon(_ error: any Error) {
        end(.failed(error), discarding: true)
    }

    private struct Ready {
        var buffer: ByteBuffer?
    }

    private func endError() -> (any Error)? {
        state.withLock { state in
            if case .failed(let error) = state.end { error } else { nil }
        }
    }

    private func takeReady() throws -> Ready? {
        let (ready, writer) = try state.withLock { state -> (Ready?, CheckedContinuation<Void, any Error>?) in
            if let buffer = state.chunks.popFirst() {
                state.bytes -= buffer.readableBytes
                return (Ready(buffer: buffer), state.bytes < highWater ? state.writer.take() : nil)
            }
            switch state.end {
            case .finished: return (Ready(buffer: nil), nil)
            case .failed(let error): throw error
            case nil: return (nil, nil)
            }
        }
        writer?.resume()
        // An event loop that paused its socket is asked to go on as soon as there is room, not only when all is read.
        if ready?.buffer != nil { onDemand?() }
        return ready
    }

    private func wait() async throws -> ByteBuffer? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<ByteBuffer?, any Error>) in
                let result: Result<ByteBuffer?, any Error>? = state.withLock { state in
                    if let buffer = state.chunks.popFirst() {
                        state.bytes -= buffer.readableBytes
                        return .success(buffer)
                    }
                    switch state.end {
                    case .finished: return .success(nil)
                    case .failed(let error): return .failure(error)
                    case nil: break
                    }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    precondition(state.reader == nil, "a byte pipe has one consumer")
                    state.reader = continuation
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            state.withLock { $0.reader.take() }?.resume(throwing: CancellationError())
        }
    }

    private func end(_ end: End, discarding: Bool) {
        let (reader, writer) = state.withLock { state in
            if discarding {
                state.chunks.removeAll()
                state.bytes = 0
            }
            guard state.end == nil else {
                return (nil as Reader?, nil as Writer?)
            }
            state.end = end
            return (state.reader.take(), state.writer.take())
        }
        switch end {
        case .finished:
            reader?.resume(returning: nil)
            writer?.resume()
        case .failed(let error):
            reader?.resume(throwing: error)
            writer?.resume(throwing: error)
        }
    }
}
