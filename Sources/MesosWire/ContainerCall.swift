internal import FoundationEssentials

/// A container as the agent interface names it: a task's container, and what was started inside of it.
public struct ContainerPath: Hashable, Sendable {
    /// The task's container. For a task of a group it names its group's container, too, which so can be left out.
    public let root: String
    /// What was started in it, outermost first; empty for the task's container itself.
    public let nested: [String]

    /// A path.
    public init(root: String, nested: [String] = []) {
        self.root = root
        self.nested = nested
    }

    /// The innermost name.
    public var last: String { nested.last ?? root }
}

/// What somebody asks an agent to do with containers: the calls of Mesos' agent interface that `task exec` and
/// `task attach` make. The master reads them to see whose task they are about, the agent to carry them out; both with
/// this one type, so that they cannot understand a call differently.
public enum ContainerCall: Hashable, Sendable {
    /// Run a command in a task's container and send what it writes.
    case launchSession(ContainerPath, Command)
    /// What follows in this request is input of a container; the first record of such a request.
    case attachInput(ContainerPath)
    /// Input; any record but the first of such a request.
    case input(Input)
    /// Send what a container writes.
    case attachOutput(ContainerPath)
    /// Wait for the end.
    case wait(ContainerPath)
    /// Send a signal.
    case kill(ContainerPath, signal: Int32)
    /// Forget a container that has ended.
    case remove(ContainerPath)
    /// Let a session go on when the one who launched it leaves; ours, Mesos does not have it.
    case detach(ContainerPath)

    /// The command of a session.
    public struct Command: Hashable, Sendable {
        /// The program and its arguments.
        public var words: [String]
        /// `NAME=VALUE`.
        public var environment: [String]
        /// The account; that of the task when absent.
        public var user: String?
        /// The terminal; none when absent.
        public var terminal: Terminal?
    }

    /// A terminal.
    public struct Terminal: Hashable, Sendable {
        /// Its size; absent when it is not told yet.
        public var size: Size?
    }

    /// How many characters fit on a terminal.
    public struct Size: Hashable, Sendable {
        /// Lines.
        public var rows: UInt16
        /// Characters of a line.
        public var columns: UInt16
    }

    /// What comes to a container.
    public enum Input: Hashable, Sendable {
        /// Bytes.
        case bytes([UInt8])
        /// No more bytes will come.
        case end
        /// The terminal has another size.
        case resize(Size)
        /// A sign of life.
        case heartbeat
    }

    /// The longest call in bytes, and the longest record of a stream of calls.
    public static let lengthLimit = 1 << 20
    /// The longest name of a container in bytes.
    static let nameLimit = 255

    /// Reads a call.
    ///
    /// - Parameter json: one JSON object.
    /// - Throws: ``WireError``.
    public init(json: some Sequence<UInt8>) throws(WireError) {
        let wire: WireCall
        do {
            wire = try JSONDecoder().decode(WireCall.self, from: Data(json))
        } catch let DecodingError.keyNotFound(key, context) {
            throw .missingField(path: Self.path(context.codingPath + [key]))
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context) {
            throw .invalidField(path: Self.path(context.codingPath), problem: "has the wrong type")
        } catch {
            throw .malformedJSON(offset: 0, problem: "it cannot be parsed")
        }
        self = try wire.call()
    }

    /// The container that it is about; none for ``input(_:)``.
    public var container: ContainerPath? {
        switch self {
        case .launchSession(let path, _), .attachInput(let path), .attachOutput(let path), .wait(let path),
            .kill(let path, _), .remove(let path), .detach(let path):
            path
        case .input: nil
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String { keys.map(\.stringValue).joined(separator: ".") }
}

extension ContainerCall {
    /// A record of output: `PROCESS_IO` of Mesos' agent interface.
    ///
    /// - Parameters:
    ///   - bytes: what was written; not empty, or clients of DC/OS break off.
    ///   - isError: whether to standard error.
    /// - Returns: the record with its frame.
    public static func output(_ bytes: [UInt8], isError: Bool) -> [UInt8] {
        let content = Data(bytes).base64EncodedString()
        let kind = isError ? "STDERR" : "STDOUT"
        return RecordIO.encode(
            Array("{\"type\":\"DATA\",\"data\":{\"type\":\"\(kind)\",\"data\":\"\(content)\"}}".utf8))
    }
}

// The names are the wire's.
private struct WireCall: Decodable {
    var type: String
    var launch_nested_container_session: Launch?
    var attach_container_input: Attach?
    var attach_container_output: Target?
    var wait_container: Target?
    var wait_nested_container: Target?
    var kill_container: Target?
    var kill_nested_container: Target?
    var remove_container: Target?
    var remove_nested_container: Target?
    var detach_nested_container_session: Target?

    struct Target: Decodable {
        var container_id: WireContainer
        var signal: Int32?
    }

    struct Launch: Decodable {
        var container_id: WireContainer
        var command: Command?
        var container: Container?
    }

    struct Command: Decodable {
        var value: String?
        var arguments: [String]?
        var shell: Bool?
        var user: String?
        var environment: Environment?
    }

    struct Environment: Decodable {
        var variables: [Variable]?
        struct Variable: Decodable {
            var name: String
            var value: String?
        }
    }

    struct Container: Decodable {
        var tty_info: Terminal?
    }

    struct Terminal: Decodable {
        var window_size: Size?
        struct Size: Decodable {
            var rows: UInt32
            var columns: UInt32
        }
    }

    struct Attach: Decodable {
        var type: String
        var container_id: WireContainer?
        var process_io: Process?
    }

    struct Process: Decodable {
        var type: String
        var data: Content?
        var control: Control?
        struct Content: Decodable {
            var type: String
            var data: String?
        }
        struct Control: Decodable {
            var type: String
            var tty_info: Terminal?
        }
    }

    func call() throws(WireError) -> ContainerCall {
        switch type {
        case "LAUNCH_NESTED_CONTAINER_SESSION": try launch()
        case "ATTACH_CONTAINER_INPUT": try input()
        case "ATTACH_CONTAINER_OUTPUT": .attachOutput(try target(attach_container_output).path())
        case "WAIT_CONTAINER": .wait(try target(wait_container).path())
        case "WAIT_NESTED_CONTAINER": .wait(try target(wait_nested_container).path())
        case "KILL_CONTAINER": try kill(kill_container)
        case "KILL_NESTED_CONTAINER": try kill(kill_nested_container)
        case "REMOVE_CONTAINER": .remove(try target(remove_container).path())
        case "REMOVE_NESTED_CONTAINER": .remove(try target(remove_nested_container).path())
        case "DETACH_NESTED_CONTAINER_SESSION": .detach(try target(detach_nested_container_session).path())
        default:
            throw .invalidField(
                path: "type",
                problem: "is no call that this agent answers; it answers LAUNCH_NESTED_CONTAINER_SESSION, "
                    + "ATTACH_CONTAINER_INPUT and _OUTPUT, and WAIT_, KILL_ and REMOVE_NESTED_CONTAINER")
        }
    }

    private func target(_ target: Target?) throws(WireError) -> WireContainer {
        guard let target else { throw .missingField(path: type.lowercased()) }
        return target.container_id
    }

    private func kill(_ target: Target?) throws(WireError) -> ContainerCall {
        guard let target else { throw .missingField(path: type.lowercased()) }
        let signal = target.signal ?? 9
        guard (1...64).contains(signal) else {
            throw .invalidField(path: type.lowercased() + ".signal", problem: "must be from 1 to 64")
        }
        return .kill(try target.container_id.path(), signal: signal)
    }

    private func launch() throws(WireError) -> ContainerCall {
        let field = "launch_nested_container_session"
        guard let launch = launch_nested_container_session else { throw .missingField(path: field) }
        let path = try launch.container_id.path()
        guard path.nested.count == 1 else {
            throw .invalidField(path: field + ".container_id", problem: "must name the task's container as its parent")
        }
        guard let command = launch.command, let value = command.value, !value.isEmpty else {
            throw .missingField(path: field + ".command.value")
        }
        // As everywhere in Mesos: a shell unless it is refused; the first argument is the program's name for itself.
        let isShell = command.shell ?? true
        let words = isShell ? ["/bin/sh", "-c", value] : [value] + (command.arguments ?? []).dropFirst()
        let variables = (command.environment?.variables ?? []).map { "\($0.name)=\($0.value ?? "")" }
        let all = words + variables
        guard all.count <= 4_096, !all.contains(where: { $0.utf8.contains(0) }) else {
            throw .invalidField(path: field + ".command", problem: "has too many words, or one with a zero byte")
        }
        let terminal = try launch.container?.tty_info.map { info throws(WireError) in
            ContainerCall.Terminal(size: try info.size(field + ".container"))
        }
        return .launchSession(
            path,
            ContainerCall.Command(words: words, environment: variables, user: command.user, terminal: terminal))
    }

    private func input() throws(WireError) -> ContainerCall {
        let field = "attach_container_input"
        guard let attach = attach_container_input else { throw .missingField(path: field) }
        switch attach.type {
        case "CONTAINER_ID":
            guard let id = attach.container_id else { throw .missingField(path: field + ".container_id") }
            return .attachInput(try id.path())
        case "PROCESS_IO":
            guard let process = attach.process_io else { throw .missingField(path: field + ".process_io") }
            return .input(try process.input(field + ".process_io"))
        default: throw .invalidField(path: field + ".type", problem: "must be CONTAINER_ID or PROCESS_IO")
        }
    }
}

extension WireCall.Process {
    fileprivate func input(_ field: String) throws(WireError) -> ContainerCall.Input {
        switch type {
        case "DATA":
            guard let data, data.type == "STDIN" else {
                throw .invalidField(path: field + ".data.type", problem: "must be STDIN")
            }
            guard let bytes = Data(base64Encoded: data.data ?? "") else {
                throw .invalidField(path: field + ".data.data", problem: "must be base64")
            }
            return bytes.isEmpty ? .end : .bytes(Array(bytes))
        case "CONTROL":
            guard let control, control.type == "TTY_INFO" else { return .heartbeat }
            guard let size = try control.tty_info?.size(field + ".control") else { return .heartbeat }
            return .resize(size)
        default: throw .invalidField(path: field + ".type", problem: "must be DATA or CONTROL")
        }
    }
}

extension WireCall.Terminal {
    fileprivate func size(_ field: String) throws(WireError) -> ContainerCall.Size? {
        guard let size = window_size else { return nil }
        guard let rows = UInt16(exactly: size.rows), let columns = UInt16(exactly: size.columns) else {
            throw .invalidField(path: field + ".tty_info.window_size", problem: "must be less than 65536 each way")
        }
        return ContainerCall.Size(rows: rows, columns: columns)
    }
}

/// `{"value": …, "parent": {…}}`, the innermost outside.
private final class WireContainer: Decodable {
    let value: String
    let parent: WireContainer?

    func path() throws(WireError) -> ContainerPath {
        var names: [String] = []
        var next: WireContainer? = self
        while let each = next {
            guard !each.value.isEmpty, each.value.utf8.count <= ContainerCall.nameLimit, names.count < 8 else {
                throw .invalidField(path: "container_id", problem: "must be 1 to 255 bytes, at most 8 deep")
            }
            names.append(each.value)
            next = each.parent
        }
        let root = names.removeLast()
        // The container of a task of a group is named together with its group's, as statuses show it.
        if let task = names.last, task.hasPrefix(root + ".") {
            return ContainerPath(root: task, nested: names.dropLast().reversed())
        }
        return ContainerPath(root: root, nested: names.reversed())
    }
}
