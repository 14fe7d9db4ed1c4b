import Packages

/// What QEMU can be told.
public enum QMPCommand: Equatable, Sendable {
    /// Memory that is shared is not written into a state, and the end of a migration is told.
    case prepareMigration
    /// Gives it a descriptor under a name; goes out with the message.
    case giveDescriptor(Int32, name: String)
    /// The processors stop.
    case stop
    /// They go on.
    case cont
    /// Writes the machine's state to a descriptor that was given. Done when the state is whole.
    case migrate(name: String)
    /// Reads it from an inherited descriptor. Done when the machine is as it was.
    case migrateIncoming(descriptor: Int32)
    /// Asks whether the machine runs.
    case status
    /// How much memory the guest may keep, in bytes.
    case balloon(bytes: Int)
    /// QEMU ends.
    case quit

    /// QMP's word for it.
    public var word: String {
        switch self {
        case .prepareMigration: "migrate-set-capabilities"
        case .giveDescriptor: "getfd"
        case .stop: "stop"
        case .cont: "cont"
        case .migrate: "migrate"
        case .migrateIncoming: "migrate-incoming"
        case .status: "query-status"
        case .balloon: "balloon"
        case .quit: "quit"
        }
    }

    /// Whether it is done only when the migration is.
    var isMigration: Bool {
        switch self {
        case .migrate, .migrateIncoming: true
        default: false
        }
    }

    private var arguments: JSONObject? {
        func on(_ capability: String) -> JSON {
            .object(JSONObject(["capability": .text(capability), "state": .flag(true)]))
        }
        return switch self {
        case .prepareMigration: JSONObject(["capabilities": .list([on("x-ignore-shared"), on("events")])])
        case .giveDescriptor(_, let name): JSONObject(["fdname": .text(name)])
        case .migrate(let name): JSONObject(["uri": .text("fd:\(name)")])
        case .migrateIncoming(let descriptor): JSONObject(["uri": .text("fd:\(descriptor)")])
        case .balloon(let bytes): JSONObject(["value": .integer(bytes)])
        case .stop, .cont, .status, .quit: nil
        }
    }

    func line(id: Int) -> [UInt8] {
        var object = JSONObject(["execute": .text(word)])
        object["arguments"] = arguments.map { .object($0) }
        object["id"] = .integer(id)
        return JSON.object(object).bytes + [UInt8(ascii: "\n")]
    }

    /// What is said to make a template of a machine whose guest has let go of its disks: its state goes to `descriptor`.
    public static func templateSteps(state descriptor: Int32) -> [QMPCommand] {
        [.prepareMigration, .stop, .giveDescriptor(descriptor, name: "state"), .migrate(name: "state"), .quit]
    }

    /// What is said to a machine that was started as a clone and inherited the state's descriptor.
    public static func cloneSteps(state descriptor: Int32) -> [QMPCommand] {
        [.prepareMigration, .migrateIncoming(descriptor: descriptor), .cont]
    }
}

/// What QEMU tells by itself, as far as it matters here.
public enum QMPEvent: Equatable, Sendable {
    /// The machine ended; why, in QEMU's words: `guest-reset`, `guest-shutdown`, `host-qmp-quit`, `host-signal`, …
    case shutdown(reason: String)
    /// The processors stopped, or go on.
    case stopped, resumed
    /// A disk of the host failed, and the machine stands still because of it.
    case diskError(device: String, isStopped: Bool)
    /// The guest's kernel panicked, where a device tells that.
    case panicked
}

/// The conversation with one QEMU: a command at a time, in order. Does nothing itself.
public struct QMPSession: Sendable {
    /// What happened, or is wanted.
    public enum Event: Equatable, Sendable {
        /// The socket is there; QEMU speaks first.
        case opened
        /// Bytes came.
        case received([UInt8])
        /// The socket is closed.
        case closed
        /// Carry out these, each after the one before it; what is left is dropped when one fails.
        case run([QMPCommand])
        /// Time passed.
        case tick
    }

    /// What to do.
    public enum Effect: Equatable, Sendable {
        /// Write these bytes, with the descriptor if there is one.
        case send([UInt8], descriptor: Int32?)
        /// QEMU listens; its version.
        case ready(version: String)
        /// A command is done.
        case done(QMPCommand)
        /// The state that was asked for, in QEMU's word: `running`, `paused`, `io-error`, …
        case status(String)
        /// A command failed; those after it are dropped.
        case failed(QMPCommand, reason: String)
        /// QEMU tells something.
        case event(QMPEvent)
        /// There is nothing more to say; nil when the socket was closed.
        case over(QMPFault?)
    }

    private enum State: Equatable {
        case closed, greeting, negotiating, ready, over
    }

    /// Commands that may wait.
    private static let queueLength = 64

    private let patience: UInt64
    private let migrationPatience: UInt64
    private var state = State.closed
    private var lines = QMPLines()
    private var queue: [QMPCommand] = []
    /// What was said last and is not answered, or not done.
    private var current: QMPCommand?
    private var isAnswered = false
    private var isMigrated = false
    private var lastID = 0
    private var version = ""
    private var dueAt: UInt64?

    /// Makes a session.
    /// - Parameters:
    ///   - patience: milliseconds for an answer.
    ///   - migrationPatience: milliseconds for a state to be written or read.
    public init(patience: UInt64 = 5_000, migrationPatience: UInt64 = 30_000) {
        self.patience = patience
        self.migrationPatience = migrationPatience
    }

    /// When `tick` is wanted, in milliseconds; nil when nothing is due.
    public var deadline: UInt64? { dueAt }

    /// Decides.
    /// - Parameters:
    ///   - event: what happened.
    ///   - now: milliseconds of a clock that never goes back.
    /// - Returns: what to do, in this order.
    public mutating func handle(_ event: Event, now: UInt64) -> [Effect] {
        guard state != .over else { return [] }
        var effects: [Effect] = []
        switch event {
        case .opened:
            guard state == .closed else { break }
            state = .greeting
            dueAt = now &+ patience
        case .received(let bytes):
            do throws(QMPFault) {
                for line in try lines.append(bytes) where state != .over {
                    try take(try QMPMessage(line), now, &effects)
                }
            } catch { stop(error, &effects) }
        case .closed: stop(nil, &effects)
        case .run(let commands):
            guard queue.count + commands.count <= Self.queueLength else {
                for command in commands { effects.append(.failed(command, reason: "too many commands wait")) }
                break
            }
            queue += commands
            next(now, &effects)
        case .tick:
            guard let dueAt, now >= dueAt else { break }
            stop(.silent(current?.word ?? (state == .greeting ? "the connection" : "qmp_capabilities")), &effects)
        }
        return effects
    }

    private mutating func stop(_ fault: QMPFault?, _ effects: inout [Effect]) {
        state = .over
        dueAt = nil
        queue = []
        effects.append(.over(fault))
    }

    private mutating func next(_ now: UInt64, _ effects: inout [Effect]) {
        guard state == .ready, current == nil, !queue.isEmpty else { return }
        let command = queue.removeFirst()
        lastID += 1
        current = command
        isAnswered = false
        isMigrated = false
        dueAt = now &+ (command.isMigration ? migrationPatience : patience)
        var descriptor: Int32?
        if case .giveDescriptor(let number, _) = command { descriptor = number }
        effects.append(.send(command.line(id: lastID), descriptor: descriptor))
    }

    private mutating func take(_ message: QMPMessage, _ now: UInt64, _ effects: inout [Effect]) throws(QMPFault) {
        switch (message, state) {
        case (.greeting(let version), .greeting):
            state = .negotiating
            self.version = version
            dueAt = now &+ patience
            effects.append(.send(Array(#"{"execute":"qmp_capabilities","id":0}"#.utf8) + [10], descriptor: nil))
        case (.greeting, _): throw .unexpected("a greeting")
        case (.event(let name, let data), .negotiating), (.event(let name, let data), .ready):
            try take(event: name, data, now, &effects)
        case (.answer(id: 0, _), .negotiating):
            state = .ready
            dueAt = nil
            effects.append(.ready(version: version))
            next(now, &effects)
        case (.answer(let id, let value), .ready):
            guard let current, id == lastID, !isAnswered else { throw .unexpected("an answer") }
            isAnswered = true
            if current == .status {
                guard let status = value["status"]?.text else { throw .malformed("has no status") }
                effects.append(.status(QMPMessage.printable(status)))
            }
            finish(now, &effects)
        case (.refusal(let id, let reason), .ready):
            guard let current, id == lastID, !isAnswered else { throw .unexpected("a refusal") }
            fail(current, reason, &effects)
        case (.refusal(_, let reason), _): throw .unexpected("a refusal (\(reason))")
        default: throw .unexpected("a message")
        }
    }

    private mutating func finish(_ now: UInt64, _ effects: inout [Effect]) {
        guard let command = current, isAnswered, isMigrated || !command.isMigration else { return }
        current = nil
        dueAt = nil
        effects.append(.done(command))
        next(now, &effects)
    }

    private mutating func fail(_ command: QMPCommand, _ reason: String, _ effects: inout [Effect]) {
        current = nil
        dueAt = nil
        queue = []
        effects.append(.failed(command, reason: reason))
    }

    private mutating func take(
        event name: String, _ data: JSONObject, _ now: UInt64, _ effects: inout [Effect]
    ) throws(QMPFault) {
        switch name {
        case "SHUTDOWN":
            effects.append(.event(.shutdown(reason: QMPMessage.printable(data["reason"]?.text ?? "unknown"))))
        case "STOP": effects.append(.event(.stopped))
        case "RESUME": effects.append(.event(.resumed))
        case "GUEST_PANICKED": effects.append(.event(.panicked))
        case "BLOCK_IO_ERROR":
            let device = QMPMessage.printable(data["device"]?.text ?? "")
            effects.append(.event(.diskError(device: device, isStopped: data["action"]?.text == "stop")))
        case "MIGRATION":
            guard let command = current, command.isMigration else { return }
            switch data["status"]?.text {
            case "completed":
                isMigrated = true
                finish(now, &effects)
            case "failed", "cancelled": fail(command, "the machine's state could not be moved", &effects)
            default: break
            }
        // There are many more, and later versions add others.
        default: break
        }
    }
}
