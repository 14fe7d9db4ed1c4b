internal import Synchronization

/// What a session's command has written and not everybody has read.
///
/// Every reader gets all that comes while it is attached, and the slowest holds the command back. While nobody is
/// attached, as after somebody has detached, the command is not held back: the last pieces are kept for the next reader,
/// older ones are lost.
final class SessionOutput: Sendable {
    /// A piece of one of the two streams.
    struct Piece: Equatable, Sendable {
        var bytes: [UInt8]
        var isError: Bool
    }

    private static let readerLimit = 256 << 10
    private static let keptLimit = 64 << 10

    private struct Reader {
        var pieces: [Piece] = []
        var bytes = 0
        var waiter: CheckedContinuation<Piece?, Never>?
    }

    private struct State {
        var readers: [Int: Reader] = [:]
        var next = 0
        var kept: [Piece] = []
        var keptBytes = 0
        var hasEnded = false
        /// The command's streams are not read until there is room.
        var isHeld = false

        var isFull: Bool { readers.values.contains { $0.bytes >= SessionOutput.readerLimit } }
    }

    private let state = Mutex(State())
    /// Called without the lock when there is room again.
    private let onRoom: @Sendable () -> Void

    init(onRoom: @escaping @Sendable () -> Void) { self.onRoom = onRoom }

    var readerCount: Int { state.withLock { $0.readers.count } }

    /// Adds a piece.
    ///
    /// - Returns: whether more may come now; if not, the closure of the initialiser says when.
    func add(_ piece: Piece) -> Bool {
        let (waiters, goesOn) = state.withLock { state -> ([CheckedContinuation<Piece?, Never>], Bool) in
            if state.readers.isEmpty {
                state.kept.append(piece)
                state.keptBytes += piece.bytes.count
                while state.keptBytes > Self.keptLimit, state.kept.count > 1 {
                    state.keptBytes -= state.kept.removeFirst().bytes.count
                }
                return ([], true)
            }
            var waiters: [CheckedContinuation<Piece?, Never>] = []
            for number in state.readers.keys {
                if let waiter = state.readers[number]?.waiter.take() {
                    waiters.append(waiter)
                } else {
                    state.readers[number]?.pieces.append(piece)
                    state.readers[number]?.bytes += piece.bytes.count
                }
            }
            state.isHeld = state.isFull
            return (waiters, !state.isHeld)
        }
        for waiter in waiters { waiter.resume(returning: piece) }
        return goesOn
    }

    /// Nothing more will come.
    func end() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            return state.readers.keys.compactMap { state.readers[$0]?.waiter.take() }
        }
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    /// Makes a reader, who begins with what was kept for it.
    func attach() -> Int {
        state.withLock { state in
            let number = state.next
            state.next += 1
            state.readers[number] = Reader(pieces: state.kept, bytes: state.keptBytes)
            (state.kept, state.keptBytes) = ([], 0)
            return number
        }
    }

    /// Forgets a reader; nobody is held back by it any more.
    func detach(_ number: Int) {
        let (waiter, hasRoom) = state.withLock { state in
            let reader = state.readers.removeValue(forKey: number)
            return (reader?.waiter, Self.release(&state))
        }
        waiter?.resume(returning: nil)
        if hasRoom { onRoom() }
    }

    /// The next piece for a reader; nil at the end, when it was detached, and when the calling task is cancelled.
    func next(_ number: Int) async -> Piece? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiting in
                let (answer, hasRoom) = state.withLock { state -> (Piece??, Bool) in
                    guard var reader = state.readers[number], !Task.isCancelled else { return (.some(nil), false) }
                    guard !reader.pieces.isEmpty else {
                        if state.hasEnded { return (.some(nil), false) }
                        state.readers[number]?.waiter = waiting
                        return (nil, false)
                    }
                    let piece = reader.pieces.removeFirst()
                    reader.bytes -= piece.bytes.count
                    state.readers[number] = reader
                    return (.some(piece), Self.release(&state))
                }
                if let answer { waiting.resume(returning: answer) }
                if hasRoom { onRoom() }
            }
        } onCancel: {
            state.withLock { $0.readers[number]?.waiter.take() }?.resume(returning: nil)
        }
    }

    private static func release(_ state: inout State) -> Bool {
        guard state.isHeld, !state.isFull else { return false }
        state.isHeld = false
        return true
    }
}
