internal import ClusterModel
internal import FoundationEssentials
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// A command with a terminal that somebody started from a page: what it has written and is not shown yet, and what was
/// typed and is not read yet, both bounded. The command stops when nobody reads, as on any terminal.
final class ConsoleTerminal: Sendable {
    /// Output that waits for its reader, in bytes.
    static let outputLimit = 256 << 10
    /// Output that is kept after it was sent, for a reader whose connection breaks.
    static let replayLimit = 128 << 10
    /// Input that waits for the command, in bytes.
    static let inputLimit = 128 << 10
    /// How long the command lives without a reader.
    static let grace = Duration.seconds(10)
    /// How long it lives without a sign of its page, which sends one every 25 s, or every minute in the background.
    static let silence = Duration.seconds(180)

    /// How many characters fit on it.
    struct Size: Hashable, Sendable {
        var rows: Int
        var columns: Int
    }

    /// What became of input.
    enum Taken: Equatable {
        case taken
        /// It was here before.
        case known
        /// What comes before it is missing.
        case early
        /// The command does not read.
        case full
        case ended
    }

    private struct State {
        var output: [UInt8] = []
        /// Where the kept output begins, in bytes since the start.
        var start = 0
        /// How far the reader has read.
        var sent = 0
        var reader = 0
        var hasReader = false
        var input: [ByteBuffer] = []
        var inputBytes = 0
        var nextNumber = 0
        var seen: Duration
        var left: Duration
        /// How it ended; nil while it runs.
        var end: String?
        var work: Task<Void, Never>?
    }

    let id: String
    let task: TaskKey
    let role: RoleName
    /// Who started it; nobody else gets at it.
    let owner: String
    private let state: Mutex<State>
    private let written = Bell()
    private let room = Bell()
    private let typed = Bell()

    init(id: String, task: TaskKey, role: RoleName, owner: String, now: Duration) {
        self.id = id
        self.task = task
        self.role = role
        self.owner = owner
        state = Mutex(State(seen: now, left: now))
    }

    /// What is done for it, to be cancelled when it ends.
    func hold(_ work: Task<Void, Never>) {
        let isOver = state.withLock { state in
            state.work = work
            return state.end != nil
        }
        if isOver { work.cancel() }
    }

    // MARK: output

    /// Takes what the command writes; returns when there is room for more.
    ///
    /// - Throws: `CancellationError`.
    func wrote(_ bytes: [UInt8]) async throws {
        state.withLock { state in
            state.output += bytes
            let spare = state.sent - state.start - Self.replayLimit
            if spare > Self.replayLimit {
                state.output.removeFirst(spare)
                state.start += spare
            }
        }
        written.ring()
        while state.withLock({ $0.start + $0.output.count - $0.sent > Self.outputLimit && $0.end == nil }) {
            try Task.checkCancellation()
            await room.wait()
        }
        try Task.checkCancellation()
    }

    /// Begins to read, in place of who read before.
    ///
    /// - Parameters:
    ///   - place: how many bytes were seen.
    ///   - now: the time.
    /// - Returns: the reader's number and where it begins, which is later when what it missed is not kept any more.
    func attach(at place: Int, now: Duration) -> (reader: Int, place: Int) {
        let begun = state.withLock { state in
            state.reader += 1
            state.hasReader = true
            state.seen = now
            let end = state.start + state.output.count
            state.sent = max(state.start, min(place, end))
            return (state.reader, state.sent)
        }
        written.ring()
        return begun
    }

    /// What comes next; nil at the end, or when somebody else reads.
    func next(_ reader: Int) async throws -> [UInt8]? {
        while true {
            try Task.checkCancellation()
            let (bytes, isOver) = state.withLock { state -> ([UInt8], Bool) in
                guard state.reader == reader else { return ([], true) }
                let from = state.sent - state.start
                let piece = Array(state.output[from...].prefix(32 << 10))
                state.sent += piece.count
                return (piece, piece.isEmpty && state.end != nil)
            }
            if isOver { return nil }
            if !bytes.isEmpty {
                room.ring()
                return bytes
            }
            await written.wait()
        }
    }

    /// A reader is gone.
    func leave(_ reader: Int, now: Duration) {
        state.withLock { state in
            guard state.reader == reader else { return }
            state.hasReader = false
            state.left = now
        }
    }

    // MARK: input

    /// Takes input in the order of its numbers; what was taken before is passed over, so that it can be sent again.
    func take(_ number: Int, _ records: [ByteBuffer], now: Duration) -> Taken {
        let taken = state.withLock { state -> Taken in
            guard state.end == nil else { return .ended }
            state.seen = now
            guard number == state.nextNumber else { return number < state.nextNumber ? .known : .early }
            let count = records.reduce(0) { $0 + $1.readableBytes }
            guard state.inputBytes + count <= Self.inputLimit else { return .full }
            state.nextNumber += 1
            state.input += records
            state.inputBytes += count
            return .taken
        }
        if taken == .taken { typed.ring() }
        return taken
    }

    /// The next record for the command; nil when it has ended.
    func nextInput() async throws -> ByteBuffer? {
        while true {
            try Task.checkCancellation()
            let (record, isOver) = state.withLock { state -> (ByteBuffer?, Bool) in
                if state.end != nil { return (nil, true) }
                guard !state.input.isEmpty else { return (nil, false) }
                let record = state.input.removeFirst()
                state.inputBytes -= record.readableBytes
                return (record, false)
            }
            if isOver { return nil }
            if let record { return record }
            await typed.wait()
        }
    }

    // MARK: the end

    /// How it ended; nil while it runs.
    var end: String? { state.withLock { $0.end } }

    /// Whether nobody has looked after it for too long.
    func isForsaken(now: Duration) -> Bool {
        state.withLock { !$0.hasReader && now - $0.left > Self.grace || now - $0.seen > Self.silence }
    }

    /// Ends it: the command is killed when it still runs. What is kept can still be read.
    func finish(_ message: String) {
        let work = state.withLock { state -> Task<Void, Never>? in
            guard state.end == nil else { return nil }
            state.end = message
            state.input = []
            return state.work
        }
        work?.cancel()
        written.ring()
        room.ring()
        typed.ring()
    }
}

/// Wakes one task that waits; a ring while nobody waits is kept.
final class Bell: Sendable {
    private struct State {
        var isRung = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func ring() {
        let waiting = state.withLock { state in
            if state.waiting == nil { state.isRung = true }
            return state.waiting.take()
        }
        waiting?.resume()
    }

    /// Returns at the next ring, or when the task is cancelled, or when another one waits instead.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let wakes = state.withLock { state -> [CheckedContinuation<Void, Never>] in
                    let other = state.waiting.take()
                    if state.isRung || Task.isCancelled {
                        state.isRung = false
                        return [continuation] + (other.map { [$0] } ?? [])
                    }
                    state.waiting = continuation
                    return other.map { [$0] } ?? []
                }
                for waiting in wakes { waiting.resume() }
            }
        } onCancel: {
            ring()
        }
    }
}

/// The commands with terminals that pages of one master have started.
final class ConsoleTerminals: Sendable {
    /// How many there are at once, and how many of one visitor.
    static let limit = 64
    static let limitEach = 16

    private let all = Mutex<[String: ConsoleTerminal]>([:])

    /// - Returns: whether there was room.
    func add(_ terminal: ConsoleTerminal) -> Bool {
        all.withLock { all in
            let running = all.values.filter { $0.end == nil }
            guard running.count < Self.limit, running.count(where: { $0.owner == terminal.owner }) < Self.limitEach
            else {
                return false
            }
            all[terminal.id] = terminal
            return true
        }
    }

    func terminal(_ id: String) -> ConsoleTerminal? { all.withLock { $0[id] } }
    func remove(_ id: String) { all.withLock { $0[id] = nil } }
    var count: Int { all.withLock { $0.count } }
}

/// The records that the agent's interface has for terminals.
enum TerminalRecords {
    /// What starts a command with a terminal.
    static func launch(
        _ words: [String], container: String, session: String, size: ConsoleTerminal.Size
    ) -> ByteBuffer {
        var json = JSONWriter()
        json.object { json in
            json.field("type", "LAUNCH_NESTED_CONTAINER_SESSION" as StaticString)
            json.objectField("launch_nested_container_session") { json in
                json.objectField("container_id") { write(session, in: container, &$0) }
                json.objectField("command") { json in
                    json.field("shell", false)
                    json.field("value", words[0])
                    json.listField("arguments") { json in for word in words { json.string(word) } }
                    json.objectField("environment") { json in
                        json.listField("variables") { json in
                            json.object { json in
                                json.field("name", "TERM" as StaticString)
                                json.field("value", "xterm-256color" as StaticString)
                            }
                        }
                    }
                }
                json.objectField("container") { json in
                    json.field("type", "MESOS" as StaticString)
                    json.objectField("tty_info") { write(size, &$0) }
                }
            }
        }
        return json.buffer
    }

    /// What asks how a command ended.
    static func wait(container: String, session: String) -> ByteBuffer {
        var json = JSONWriter()
        json.object { json in
            json.field("type", "WAIT_CONTAINER" as StaticString)
            json.objectField("wait_container") { json in
                json.objectField("container_id") { write(session, in: container, &$0) }
            }
        }
        return json.buffer
    }

    /// The record that says whose input follows.
    static func head(container: String, session: String) -> ByteBuffer {
        input { json in
            json.field("type", "CONTAINER_ID" as StaticString)
            json.objectField("container_id") { write(session, in: container, &$0) }
        }
    }

    /// Bytes that were typed.
    static func typed(_ text: String) -> ByteBuffer {
        input { json in
            json.field("type", "PROCESS_IO" as StaticString)
            json.objectField("process_io") { json in
                json.field("type", "DATA" as StaticString)
                json.objectField("data") { json in
                    json.field("type", "STDIN" as StaticString)
                    json.field("data", Data(text.utf8).base64EncodedString())
                }
            }
        }
    }

    /// Another size.
    static func resized(_ size: ConsoleTerminal.Size) -> ByteBuffer {
        input { json in
            json.field("type", "PROCESS_IO" as StaticString)
            json.objectField("process_io") { json in
                json.field("type", "CONTROL" as StaticString)
                json.objectField("control") { json in
                    json.field("type", "TTY_INFO" as StaticString)
                    json.objectField("tty_info") { write(size, &$0) }
                }
            }
        }
    }

    /// What a record of output holds.
    static func output(_ record: [UInt8]) -> [UInt8] {
        struct Record: Decodable {
            struct Content: Decodable { var data: String? }
            var data: Content?
        }
        guard let text = try? JSONDecoder().decode(Record.self, from: Data(record)).data?.data,
            let bytes = Data(base64Encoded: text)
        else { return [] }
        return Array(bytes)
    }

    private static func input(_ content: (inout JSONWriter) -> Void) -> ByteBuffer {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("type", "ATTACH_CONTAINER_INPUT" as StaticString)
            json.objectField("attach_container_input") { content(&$0) }
        }
        return ByteBuffer(bytes: RecordIO.encode(Array(json.buffer.readableBytesView)))
    }

    private static func write(_ session: String, in container: String, _ json: inout JSONWriter) {
        json.field("value", session)
        json.objectField("parent") { $0.field("value", container) }
    }

    private static func write(_ size: ConsoleTerminal.Size, _ json: inout JSONWriter) {
        json.objectField("window_size") { json in
            json.field("rows", size.rows)
            json.field("columns", size.columns)
        }
    }
}
