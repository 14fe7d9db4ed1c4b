public import NIOCore
internal import Synchronization

/// A long-lived response whose records are sent by others, as SUBSCRIBE answers are.
///
/// Anyone may send from any thread, without waiting: a record is put into a bounded outbox, and the connection's own task
/// writes it when the client takes it. A client that reads too slowly costs at most ``Limits/bytes``: when its outbox is
/// full, the backlog is dropped in favour of one last record, and the connection is closed after it.
///
/// Life: made by a handler, returned inside ``GatewayResponse/events(_:status:headers:)``, closed exactly once, for one of the
/// reasons in ``CloseReason``. Records sent before the response has begun are kept.
public final class EventStream: Sendable {
    /// What one stream may hold.
    public struct Limits: Sendable {
        /// Bytes waiting, those being written included. A single larger record is taken when nothing else waits.
        public var bytes: Int
        /// Records waiting.
        public var records: Int

        /// Limits for one stream.
        ///
        /// - Parameters:
        ///   - bytes: 4 MiB unless told otherwise; a higher number forgives longer pauses of the client.
        ///   - records: 10,000 unless told otherwise.
        public init(bytes: Int = 4 << 20, records: Int = 10_000) {
            self.bytes = bytes
            self.records = records
        }
    }

    /// What became of a record.
    public enum SendResult: Sendable, Equatable {
        /// It will be sent unless the client goes away.
        case queued
        /// The outbox was full: this record and the backlog are dropped, and the stream ends.
        case overflow
        /// The stream was closed before; nothing happened.
        case closed
    }

    /// Why a stream ended.
    public enum CloseReason: Sendable, Equatable {
        /// ``EventStream/finish(after:)`` was called and everything was sent.
        case finished
        /// The client read too slowly.
        case overflow
        /// The client closed the connection, or the connection broke.
        case clientGone
    }

    private struct State {
        var records = CircularBuffer<ByteBuffer>(initialCapacity: 4)
        var bytes = 0
        var bytesInFlight = 0
        /// Set once no more records are taken; the reason that follows when the outbox is empty.
        var ending: CloseReason?
        var closed: CloseReason?
        var onClose: (@Sendable (CloseReason) -> Void)?
        var onOverflow: (@Sendable () -> Void)?
        var writer: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    private let limits: Limits
    private let overflowRecord: ByteBuffer

    /// Records written at once are gathered up to about this many bytes.
    private static let batchSize = 64 << 10

    /// An open stream.
    ///
    /// - Parameters:
    ///   - limits: what the outbox holds at most.
    ///   - overflowRecord: the last record of a client that was too slow, framed as all others; may be empty.
    ///   - onClose: called once, on any thread, when the stream has ended; must not block.
    public init(
        limits: Limits = Limits(), overflowRecord: ByteBuffer = ByteBuffer(),
        onClose: @escaping @Sendable (CloseReason) -> Void = { _ in }
    ) {
        self.limits = limits
        self.overflowRecord = overflowRecord
        state = Mutex(State(onClose: onClose))
    }

    /// Puts a record into the outbox. May be called from any thread; records leave in the order of the calls.
    ///
    /// - Parameter record: the bytes as the client shall see them, framing included.
    /// - Returns: what became of the record.
    @discardableResult
    public func send(_ record: ByteBuffer) -> SendResult {
        let (result, writer, onOverflow) = state.withLock { state in
            guard state.ending == nil, state.closed == nil else {
                return (SendResult.closed, nil as CheckedContinuation<Void, Never>?, nil as (@Sendable () -> Void)?)
            }
            let held = state.bytes + state.bytesInFlight
            let fits =
                state.records.count < limits.records
                && (held == 0 || record.readableBytes <= limits.bytes - min(held, limits.bytes))
            guard fits else {
                state.records.removeAll()
                state.records.append(overflowRecord)
                state.bytes = overflowRecord.readableBytes
                state.ending = .overflow
                return (.overflow, state.writer.take(), state.onOverflow)
            }
            state.records.append(record)
            state.bytes += record.readableBytes
            return (.queued, state.writer.take(), nil)
        }
        writer?.resume()
        onOverflow?()
        return result
    }

    /// Puts a record into the outbox; see ``send(_:)-(ByteBuffer)``.
    ///
    /// - Parameter record: the bytes as the client shall see them.
    /// - Returns: what became of the record.
    @discardableResult
    public func send(_ record: [UInt8]) -> SendResult { send(ByteBuffer(bytes: record)) }

    /// Ends the stream when everything queued is sent; later records are refused.
    ///
    /// - Parameter last: one more record to send before the end; it ignores the limits.
    public func finish(after last: ByteBuffer? = nil) {
        let writer = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.ending == nil, state.closed == nil else { return nil }
            if let last {
                state.records.append(last)
                state.bytes += last.readableBytes
            }
            state.ending = .finished
            return state.writer.take()
        }
        writer?.resume()
    }

    /// Why the stream ended, `nil` while it is open.
    public var closeReason: CloseReason? { state.withLock { $0.closed } }

    /// Bytes that wait to be sent.
    public var backlog: Int { state.withLock { $0.bytes + $0.bytesInFlight } }

    /// The connection asks to be told when the outbox overflows, to bound the time a stuck client is waited for.
    func onOverflow(_ action: @escaping @Sendable () -> Void) {
        let already = state.withLock { state in
            state.onOverflow = action
            return state.ending == .overflow
        }
        if already { action() }
    }

    /// The next bytes to write, several records at once; `nil` when nothing will follow. Calling it again says that the
    /// previous bytes have been written.
    func nextBatch() async -> ByteBuffer? {
        while true {
            let (batch, ended) = state.withLock { state in
                state.bytesInFlight = 0
                return (Self.takeBatch(from: &state), state.closed != nil || state.ending != nil)
            }
            if let batch { return batch }
            if ended { return nil }
            await withCheckedContinuation { continuation in
                let resumeNow = state.withLock { state in
                    if !state.records.isEmpty || state.ending != nil || state.closed != nil { return true }
                    state.writer = continuation
                    return false
                }
                if resumeNow { continuation.resume() }
            }
        }
    }

    private static func takeBatch(from state: inout State) -> ByteBuffer? {
        guard state.closed == nil, var batch = state.records.popFirst() else { return nil }
        while let next = state.records.first, batch.readableBytes + next.readableBytes <= batchSize {
            batch.writeImmutableBuffer(next)
            state.records.removeFirst()
        }
        state.bytes -= batch.readableBytes
        state.bytesInFlight = batch.readableBytes
        return batch
    }

    /// Everything is written, or cannot be any more.
    ///
    /// - Parameter gone: whether the client went away first.
    func close(gone: Bool) {
        let (report, writer) = state.withLock { state in
            guard state.closed == nil else {
                return (nil as (@Sendable () -> Void)?, nil as CheckedContinuation<Void, Never>?)
            }
            let ended = state.ending ?? .clientGone
            let reason = gone && ended != .overflow ? .clientGone : ended
            state.closed = reason
            state.records.removeAll()
            state.bytes = 0
            state.bytesInFlight = 0
            state.onOverflow = nil
            let onClose = state.onClose.take()
            return ({ onClose?(reason) }, state.writer.take())
        }
        writer?.resume()
        report?()
    }
}
