import CLinux
import Glibc

/// What a session's keeper tells the agent, and the agent the keeper: one message of the socket between them each.
public enum SessionMessage: Equatable, Sendable {
    /// The command runs. With a terminal its controlling end comes along as a descriptor.
    case started
    /// The command cannot be started, and why.
    case failed(String)
    /// The command has ended, as wait(2) tells it.
    case ended(waitStatus: Int32)
    /// To the keeper: send the command a signal; SIGKILL is for all of its session.
    case signal(Int32)

    /// The longest message in bytes; a longer reason is cut.
    public static let lengthLimit = 4_096

    /// The message as bytes.
    public var encoded: [UInt8] {
        switch self {
        case .started: [UInt8(ascii: "S")]
        case .failed(let reason): [UInt8(ascii: "F")] + Array(reason.utf8.prefix(Self.lengthLimit - 1))
        case .ended(let status): [UInt8(ascii: "E")] + Self.bytes(status)
        case .signal(let number): [UInt8(ascii: "K")] + Self.bytes(number)
        }
    }

    /// Reads a message; nil when it is none.
    public init?(_ bytes: ArraySlice<UInt8>) {
        let content = bytes.dropFirst()
        switch bytes.first {
        case UInt8(ascii: "S") where content.isEmpty: self = .started
        case UInt8(ascii: "F"): self = .failed(String(decoding: content, as: UTF8.self))
        case UInt8(ascii: "E"):
            guard let status = Self.number(content) else { return nil }
            self = .ended(waitStatus: status)
        case UInt8(ascii: "K"):
            guard let number = Self.number(content) else { return nil }
            self = .signal(number)
        default: return nil
        }
    }

    private static func bytes(_ number: Int32) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int32? {
        guard bytes.count == 4 else { return nil }
        return Int32(bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) })
    }
}

/// One end of the socket between the agent and a session's keeper.
public enum SessionSocket {
    /// What was received.
    public enum Received: Equatable, Sendable {
        /// A message, and a descriptor that the receiver owns from now on.
        case message(SessionMessage, descriptor: Int32?)
        /// Nothing at present.
        case nothing
        /// The other side is gone, or talks nonsense.
        case over
    }

    /// Sends a message, with a descriptor or without.
    ///
    /// - Returns: false when the other side is gone.
    @discardableResult
    public static func send(_ message: SessionMessage, descriptor: Int32? = nil, to socket: Int32) -> Bool {
        let bytes = message.encoded
        return bytes.withUnsafeBytes { content in
            if let descriptor {
                return clinux_send_descriptor(socket, content.baseAddress, content.count, descriptor) == 0
            }
            return Glibc.send(socket, content.baseAddress, content.count, Int32(MSG_NOSIGNAL)) == content.count
        }
    }

    /// Takes the next message. A socket that does not block gives ``Received/nothing`` when there is none. A descriptor
    /// that comes along does not block.
    public static func receive(from socket: Int32) -> Received {
        var bytes = [UInt8](repeating: 0, count: SessionMessage.lengthLimit)
        var descriptor: Int32 = -1
        let count = clinux_receive_descriptor(socket, &bytes, bytes.count, &descriptor)
        if count == -Int(EAGAIN) || count == -Int(EINTR) { return .nothing }
        let owned = descriptor >= 0 ? descriptor : nil
        if let owned { _ = clinux_set_nonblocking(owned) }
        guard count > 0, let message = SessionMessage(bytes.prefix(count)) else {
            if let owned { close(owned) }
            return .over
        }
        return .message(message, descriptor: owned)
    }
}

/// What runs in a session.
public struct SessionCommand: Equatable, Sendable {
    /// The program and its arguments.
    public var words: [String]
    /// `NAME=VALUE`, beside the container's own.
    public var environment: [String]
    /// Where it starts; the container's own directory when absent.
    public var directory: String?
    /// Whether it has a terminal.
    public var hasTerminal: Bool

    /// A command.
    ///
    /// - Parameters:
    ///   - words: the program and its arguments.
    ///   - environment: `NAME=VALUE`.
    ///   - directory: where it starts.
    ///   - hasTerminal: whether it has a terminal.
    public init(words: [String], environment: [String] = [], directory: String? = nil, hasTerminal: Bool = false) {
        self.words = words
        self.environment = environment
        self.directory = directory
        self.hasTerminal = hasTerminal
    }
}

/// Starts sessions: commands in the container of a task that is running.
public enum SessionLauncher {
    /// A session's keeper and this process's ends of its streams, all of which do not block. The caller owns them.
    public struct Session: Sendable {
        /// The keeper, a child of this process that it must wait for.
        public let pid: Int32
        /// Says what happens; closing it ends the session.
        public let socket: Int32
        /// The command's input; none with a terminal.
        public let input: Int32?
        /// The command's output; none with a terminal.
        public let output: Int32?
        /// The command's errors; none with a terminal.
        public let errors: Int32?
    }

    /// Starts `executable session DIRECTORY CONTAINER …`.
    ///
    /// - Parameters:
    ///   - command: what runs.
    ///   - containerID: the container.
    ///   - directory: its monitor's.
    ///   - executable: the program, by default the running one.
    /// - Returns: the session; whether the command can be started is its first message.
    /// - Throws: the call that failed.
    public static func spawn(
        _ command: SessionCommand, containerID: String, directory: MonitorDirectory,
        executable: String = "/proc/self/exe"
    ) throws(SystemError) -> Session {
        var ours: Int32 = -1
        var theirs: Int32 = -1
        let result = clinux_socketpair(&ours, &theirs)
        guard result == 0 else { throw SystemError(call: "socketpair", errno: -result) }
        let own = FileDescriptor(owning: ours)
        let other = FileDescriptor(owning: theirs)
        _ = clinux_set_nonblocking(own.raw)
        var words = ["rondo", "session", directory.path, containerID]
        if command.hasTerminal { words.append("--tty") }
        if let place = command.directory { words += ["--cwd", place] }
        for variable in command.environment { words += ["--env", variable] }
        words += ["--"] + command.words
        if command.hasTerminal {
            let null = try FileDescriptor.open("/dev/null", flags: O_RDWR)
            let pid = try start(executable, words, [null.raw, null.raw, null.raw, other.raw])
            return Session(pid: pid, socket: own.release(), input: nil, output: nil, errors: nil)
        }
        let input = try FileDescriptor.pipe()
        let output = try FileDescriptor.pipe()
        let errors = try FileDescriptor.pipe()
        for end in [input.reading.raw, output.writing.raw, errors.writing.raw] {
            // A program that opens /dev/stderr opens this again, whoever it runs as.
            _ = fchmod(end, 0o666)
        }
        for end in [input.writing.raw, output.reading.raw, errors.reading.raw] { _ = clinux_set_nonblocking(end) }
        let pid = try start(
            executable, words, [input.reading.raw, output.writing.raw, errors.writing.raw, other.raw])
        return Session(
            pid: pid, socket: own.release(), input: input.takeWriting(), output: output.takeReading(),
            errors: errors.takeReading())
    }

    /// Starts a program with these descriptors from 0 on and no others, in a session of its own.
    private static func start(
        _ executable: String, _ words: [String], _ descriptors: [Int32]
    ) throws(SystemError) -> Int32 {
        let vector = CStringVector(words)
        let pid = clinux_spawn_with(executable, vector.pointers, descriptors, Int32(descriptors.count))
        guard pid > 0 else { throw SystemError(call: "spawn", path: executable, errno: -pid) }
        return pid
    }
}
