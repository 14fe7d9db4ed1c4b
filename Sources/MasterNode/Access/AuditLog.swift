internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import Logging
internal import Synchronization

/// A log of lines in segments, `NAME-<number>.jsonl` in one directory, of which the oldest goes when there are too many.
///
/// Lines are only ever appended. Those given to ``write(_:)`` are on disk (fdatasync) when it returns; many that come
/// at once share one sync. Those given to ``append(_:)`` are handed to the kernel a moment later and synced with the
/// next ones that must be, and when their segment ends; a power cut may cost the last of them, a crash of the process
/// those of the last milliseconds. A line that a crash cut off is ended when the log is opened again.
final class AuditLog: Sendable {
    /// What may wait to be written, in bytes; ``append(_:)`` drops lines beyond that, and says later how many.
    private static let backlogLimit = 1 << 20

    /// A place in the log.
    struct Position: Hashable, Sendable {
        var segment: UInt64
        var offset: Int
    }

    private struct State {
        var pending: [UInt8] = []
        var waiters: [CheckedContinuation<Bool, Never>] = []
        var dropped = 0
        var isFlushing = false
        var isFailing = false
        /// Up to where readers may read.
        var end: Position
        var readers: [UInt64: AsyncStream<Void>.Continuation] = [:]
        var nextReader: UInt64 = 0
        var isClosed = false
    }

    private let segments: AuditSegments
    private let state: Mutex<State>
    private let logger: Logger

    /// Opens the log, and makes it when there is none.
    init(
        directory: String, name: String, segmentBytes: Int, segmentLimit: Int, logger: Logger
    ) throws(AuditLogError) {
        segments = try AuditSegments(directory: directory, name: name, bytes: segmentBytes, limit: segmentLimit)
        state = Mutex(State(end: segments.end))
        self.logger = logger
    }

    // MARK: writing

    /// Appends a line and returns when it is on disk.
    ///
    /// - Returns: false when it could not be written.
    func write(_ line: String) async -> Bool {
        await withCheckedContinuation { continuation in
            let (isOpen, starts) = state.withLock { state -> (Bool, Bool) in
                if state.isClosed { return (false, false) }
                state.pending += line.utf8
                state.waiters.append(continuation)
                defer { state.isFlushing = true }
                return (true, !state.isFlushing)
            }
            if !isOpen { continuation.resume(returning: false) }
            if starts { flushSoon() }
        }
    }

    /// Appends a line without waiting.
    func append(_ line: String) {
        let starts = state.withLock { state in
            if state.isClosed { return false }
            if state.pending.count > Self.backlogLimit {
                state.dropped += 1
                return false
            }
            state.pending += line.utf8
            defer { state.isFlushing = true }
            return !state.isFlushing
        }
        if starts { flushSoon() }
    }

    /// Whether the last lines could be written.
    var isFailing: Bool { state.withLock { $0.isFailing } }

    private func flushSoon() {
        Task.detached(executorPreference: globalConcurrentExecutor) { self.flush() }
    }

    /// Writes until nothing is left; one task at a time does this.
    private func flush() {
        while true {
            let (bytes, waiters) = state.withLock { state in
                if state.pending.isEmpty, state.waiters.isEmpty { state.isFlushing = false }
                defer {
                    state.pending = []
                    state.waiters = []
                }
                return (state.pending, state.waiters)
            }
            if bytes.isEmpty, waiters.isEmpty { return }
            let problem = segments.append(bytes, synced: !waiters.isEmpty)
            let end = segments.end
            let (readers, wasFailing, dropped) = state.withLock { state in
                let wasFailing = state.isFailing
                state.isFailing = problem != nil
                state.end = end
                defer { state.dropped = 0 }
                return (Array(state.readers.values), wasFailing, state.dropped)
            }
            if let problem, !wasFailing {
                logger.error("the audit log cannot be written", metadata: ["error": "\(problem)"])
            }
            if dropped > 0 { logger.warning("the audit log lost lines", metadata: ["lines": "\(dropped)"]) }
            for waiter in waiters { waiter.resume(returning: problem == nil) }
            for reader in readers { reader.yield() }
        }
    }

    /// Ends all readers; later lines are refused.
    func close() {
        let readers = state.withLock { state in
            state.isClosed = true
            defer { state.readers = [:] }
            return Array(state.readers.values)
        }
        for reader in readers { reader.finish() }
    }

    // MARK: reading

    /// Where the log ends.
    var end: Position { state.withLock { $0.end } }

    /// Where the last lines begin: so many of them, as far as the two newest segments have them.
    func start(ofLast lines: Int) -> Position {
        let end = state.withLock { $0.end }
        return segments.start(ofLast: lines, before: end)
    }

    /// The bytes at a place and the place after them; nil when there are no more yet.
    func read(at position: Position) -> (bytes: [UInt8], next: Position)? {
        segments.read(at: position, end: state.withLock { $0.end })
    }

    /// Lines before a place, oldest first, each with the place where it begins: a bounded part of one segment.
    ///
    /// - Parameter place: where they end; nil for the end of the log.
    /// - Returns: the lines; none when there is nothing before it.
    func lines(before place: Position?) -> [(place: Position, bytes: ArraySlice<UInt8>)] {
        let end = state.withLock { $0.end }
        return segments.lines(
            before: place.map { ($0.segment, $0.offset) < (end.segment, end.offset) ? $0 : end } ?? end)
    }

    /// Tells when there may be more to read; ends when the log is closed.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state -> UInt64? in
            if state.isClosed { return nil }
            state.nextReader += 1
            state.readers[state.nextReader] = continuation
            return state.nextReader
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in state.readers[id] = nil }
        }
        return stream
    }
}

/// Why an audit log cannot be opened.
struct AuditLogError: Error, CustomStringConvertible {
    let description: String

    init(_ what: String, _ path: String) {
        description = "the audit log cannot be used: \(what) \(path): \(String(cString: strerror(errno)))"
    }
}
