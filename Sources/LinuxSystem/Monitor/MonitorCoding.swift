extension MonitorSpec {
    private static let kind: UInt32 = 0x5053_4452  // "RDSP"

    /// The content of a `task.spec` file.
    ///
    /// - Throws: when a field is out of bounds, so that no file is written that no monitor would take.
    public func encoded() throws(FormatError) -> [UInt8] {
        var writer = BinaryWriter()
        writer.put(Self.kind)
        // A spec that needs nothing new stays one that older programs read.
        writer.put(UInt32(terminal != nil ? 4 : root != nil ? 3 : secretDirectory == nil ? 1 : 2))
        writer.put(containerID)
        writer.put(executable)
        writer.put(arguments) { $0.put($1) }
        writer.put(variables) {
            $0.put($1.name)
            $0.put($1.value)
        }
        writer.put(workingDirectory)
        writer.put(credentials) {
            $0.put($1.uid)
            $0.put($1.gid)
            $0.put($1.groups) { $0.put($1) }
        }
        for limit in [limits.cpuMilli, limits.cpuQuotaMilli, limits.memoryBytes, limits.pids] {
            writer.put(limit) { $0.put($1) }
        }
        writer.put(logs.stdoutPath)
        writer.put(logs.stderrPath)
        writer.put(logs.maximumBytes)
        writer.put(logs.maximumFiles)
        writer.put(killGraceMilliseconds)
        writer.put(resourceLimits) {
            $0.put($1.resource)
            $0.put($1.soft)
            $0.put($1.hard)
        }
        writer.put(isolation.rawValue)
        writer.put(bestEffort)
        if let terminal {
            writer.put(secretDirectory) { $0.put($1) }
            writer.put(root) { $1.encode(to: &$0) }
            writer.put(UInt32(terminal.rows))
            writer.put(UInt32(terminal.columns))
        } else if let root {
            writer.put(secretDirectory) { $0.put($1) }
            root.encode(to: &writer)
        } else if let secretDirectory {
            writer.put(secretDirectory)
        }
        _ = try MonitorSpec(decoding: writer.bytes)
        return writer.bytes
    }

    /// Reads a `task.spec` file.
    ///
    /// - Throws: for any deviation from the format or its bounds.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= Self.encodedLimit else { throw .tooLarge(field: "task.spec", limit: Self.encodedLimit) }
        let all = Self.encodedLimit
        var reader = BinaryReader(bytes)
        let version = try reader.header(kind: Self.kind, name: "task.spec", newest: 4)
        let containerID = try reader.text("container id", limit: 128)
        guard Self.isValidContainerID(containerID) else { throw .invalid(field: "container id") }
        let executable = try reader.text("executable", limit: 4096)
        guard !executable.isEmpty else { throw .invalid(field: "executable") }
        let arguments = try reader.list("arguments", limit: Self.listLimit) { reader throws(FormatError) in
            try reader.text("argument", limit: all)
        }
        guard !arguments.isEmpty else { throw .invalid(field: "arguments") }
        let variables = try reader.list("environment", limit: Self.listLimit) { reader throws(FormatError) in
            let name = try reader.text("variable name", limit: all)
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")) else { throw .invalid(field: "variable name") }
            return Variable(name: name, value: try reader.text("variable value", limit: all))
        }
        let directory = try Self.path(&reader, "working directory")
        let credentials = try reader.optional("credentials") { reader throws(FormatError) in
            Credentials(
                uid: try reader.integer("uid"), gid: try reader.integer("gid"),
                groups: try reader.list("groups", limit: Self.listLimit) { reader throws(FormatError) in
                    try reader.integer("group", as: UInt32.self)
                })
        }
        func limit(_ field: String) throws(FormatError) -> UInt64? {
            try reader.optional(field) { reader throws(FormatError) in try reader.integer(field, as: UInt64.self) }
        }
        let limits = CgroupLimits(
            cpuMilli: try limit("cpu share"), cpuQuotaMilli: try limit("cpu quota"),
            memoryBytes: try limit("memory limit"), pids: try limit("pids limit"))
        let logs = try Self.logs(&reader)
        let grace = try reader.integer("kill grace", as: UInt32.self)
        let resourceLimits = try reader.list("resource limits", limit: 64) { reader throws(FormatError) in
            ResourceLimit(
                resource: try reader.integer("resource limit"), soft: try reader.integer("soft limit"),
                hard: try reader.integer("hard limit"))
        }
        let isolation = Isolation(rawValue: try reader.integer("isolation"))
        guard isolation.isSubset(of: .known) else { throw .invalid(field: "isolation") }
        let bestEffort = try reader.flag("best effort")
        var secretDirectory = version == 2 ? try Self.path(&reader, "secret directory") : nil
        var root: ImageRoot?
        if version > 2 {
            secretDirectory = try reader.optional("secret directory") { reader throws(FormatError) in
                try Self.path(&reader, "secret directory")
            }
            if version == 3 {
                root = try ImageRoot(reading: &reader)
            } else {
                root = try reader.optional("root") { reader throws(FormatError) in try ImageRoot(reading: &reader) }
            }
        }
        let terminal = version > 3 ? try Self.size(&reader) : nil
        try reader.end()
        self.init(
            containerID: containerID, executable: executable, arguments: arguments, workingDirectory: directory,
            credentials: credentials, limits: limits, logs: logs, killGraceMilliseconds: grace,
            resourceLimits: resourceLimits, isolation: isolation, bestEffort: bestEffort)
        self.variables = variables
        self.secretDirectory = secretDirectory
        self.root = root
        self.terminal = terminal
    }

    private static func size(_ reader: inout BinaryReader) throws(FormatError) -> TerminalSize {
        let rows = try reader.integer("rows", as: UInt32.self)
        let columns = try reader.integer("columns", as: UInt32.self)
        guard let rows = UInt16(exactly: rows), let columns = UInt16(exactly: columns) else {
            throw .invalid(field: "terminal")
        }
        return TerminalSize(rows: rows, columns: columns)
    }

    static func path(_ reader: inout BinaryReader, _ field: String) throws(FormatError) -> String {
        let path = try reader.text(field, limit: 4095)
        guard path.hasPrefix("/") else { throw .invalid(field: field) }
        return path
    }

    private static func logs(_ reader: inout BinaryReader) throws(FormatError) -> Logs {
        let logs = Logs(
            stdoutPath: try path(&reader, "stdout path"), stderrPath: try path(&reader, "stderr path"),
            maximumBytes: try reader.integer("log size"), maximumFiles: try reader.integer("log files"))
        guard logs.maximumBytes >= 4096 else { throw .invalid(field: "log size") }
        guard (1...1000).contains(logs.maximumFiles) else { throw .invalid(field: "log files") }
        guard logs.stdoutPath != logs.stderrPath else { throw .invalid(field: "stderr path") }
        return logs
    }
}

extension MonitorExit {
    private static let kind: UInt32 = 0x5845_4452  // "RDEX"
    /// At most so many bytes once encoded.
    public static let encodedLimit = 8192

    /// The content of an `exit` file.
    public func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.put(Self.kind)
        writer.put(UInt32(1))
        writer.put(containerID)
        switch outcome {
        case .exited(let status):
            writer.put(UInt8(1))
            writer.put(Int32(status))
        case .signaled(let signal):
            writer.put(UInt8(2))
            writer.put(signal)
        case .couldNotStart(let errno):
            writer.put(UInt8(3))
            writer.put(errno)
        }
        writer.put(rawWaitStatus)
        writer.put(oomKilled)
        writer.put(killRequested)
        writer.put(String(decoding: message.utf8.prefix(1024), as: UTF8.self))
        writer.put(startedAtMilliseconds) { $0.put($1) }
        writer.put(endedAtMilliseconds)
        writer.put(cpuNanoseconds) { $0.put($1) }
        writer.put(peakMemoryBytes) { $0.put($1) }
        return writer.bytes
    }

    /// Reads an `exit` file.
    ///
    /// - Throws: for any deviation from the format or its bounds.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= Self.encodedLimit else { throw .tooLarge(field: "exit", limit: Self.encodedLimit) }
        var reader = BinaryReader(bytes)
        try self.init(reading: &reader)
        try reader.end()
    }

    init(reading reader: inout BinaryReader) throws(FormatError) {
        try reader.header(kind: Self.kind, name: "exit file", newest: 1)
        containerID = try reader.text("container id", limit: 128)
        guard MonitorSpec.isValidContainerID(containerID) else { throw .invalid(field: "container id") }
        let kind = try reader.integer("outcome", as: UInt8.self)
        let value = try reader.integer("outcome", as: Int32.self)
        switch kind {
        case 1:
            guard let status = UInt8(exactly: value) else { throw .invalid(field: "exit status") }
            outcome = .exited(status)
        case 2:
            guard (1...64).contains(value) else { throw .invalid(field: "signal") }
            outcome = .signaled(value)
        case 3: outcome = .couldNotStart(errno: value)
        default: throw .invalid(field: "outcome")
        }
        rawWaitStatus = try reader.integer("wait status")
        oomKilled = try reader.flag("oom killed")
        killRequested = try reader.flag("kill requested")
        message = try reader.text("message", limit: 4096)
        startedAtMilliseconds = try reader.optional("start time") { reader throws(FormatError) in
            try reader.integer("start time", as: Int64.self)
        }
        endedAtMilliseconds = try reader.integer("end time")
        cpuNanoseconds = try reader.optional("cpu time") { reader throws(FormatError) in
            try reader.integer("cpu time", as: UInt64.self)
        }
        peakMemoryBytes = try reader.optional("peak memory") { reader throws(FormatError) in
            try reader.integer("peak memory", as: UInt64.self)
        }
    }
}

extension ProcessIdentity {
    func write(_ writer: inout BinaryWriter) {
        writer.put(pid)
        writer.put(startTicks)
    }

    init(reading reader: inout BinaryReader) throws(FormatError) {
        let pid = try reader.integer("pid", as: Int32.self)
        guard pid > 0 else { throw .invalid(field: "pid") }
        self.init(pid: pid, startTicks: try reader.integer("start time"))
    }
}

extension MonitorState {
    private static let kind: UInt32 = 0x5453_4452  // "RDST"
    /// At most so many bytes once encoded.
    public static let encodedLimit = 16384

    /// The content of a `state` file and of the message that reports a state.
    public func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        writer.put(Self.kind)
        writer.put(UInt32(1))
        writer.put(containerID)
        writer.put(applied.rawValue)
        monitor.write(&writer)
        writer.put(initProcess) { $1.write(&$0) }
        switch phase {
        case .starting: writer.put(UInt8(1))
        case .running(let process):
            writer.put(UInt8(2))
            process.write(&writer)
        case .killing(let process):
            writer.put(UInt8(3))
            process.write(&writer)
        case .ended(let exit):
            writer.put(UInt8(4))
            return writer.bytes + exit.encoded()
        }
        return writer.bytes
    }

    /// Reads a reported state.
    ///
    /// - Throws: for any deviation from the format or its bounds.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        guard bytes.count <= Self.encodedLimit else { throw .tooLarge(field: "state", limit: Self.encodedLimit) }
        var reader = BinaryReader(bytes)
        try reader.header(kind: Self.kind, name: "monitor state", newest: 1)
        containerID = try reader.text("container id", limit: 128)
        guard MonitorSpec.isValidContainerID(containerID) else { throw .invalid(field: "container id") }
        applied = MonitorSpec.Isolation(rawValue: try reader.integer("isolation"))
        guard applied.isSubset(of: .known) else { throw .invalid(field: "isolation") }
        monitor = try ProcessIdentity(reading: &reader)
        initProcess = try reader.optional("init") { reader throws(FormatError) in
            try ProcessIdentity(reading: &reader)
        }
        switch try reader.integer("phase", as: UInt8.self) {
        case 1: phase = .starting
        case 2: phase = .running(try ProcessIdentity(reading: &reader))
        case 3: phase = .killing(try ProcessIdentity(reading: &reader))
        case 4: phase = .ended(try MonitorExit(reading: &reader))
        default: throw .invalid(field: "phase")
        }
        try reader.end()
    }
}

extension MonitorCommand {
    /// The content of the message that carries a command.
    public func encoded() -> [UInt8] {
        var writer = BinaryWriter()
        switch self {
        case .kill(let grace):
            writer.put(UInt8(1))
            writer.put(grace)
        case .signal(let number):
            writer.put(UInt8(2))
            writer.put(number)
        case .quit: writer.put(UInt8(3))
        case .terminal: writer.put(UInt8(4))
        }
        return writer.bytes
    }

    /// Reads a command.
    ///
    /// - Throws: for any deviation from the format or its bounds.
    public init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = BinaryReader(bytes)
        switch try reader.integer("command", as: UInt8.self) {
        case 1: self = .kill(graceMilliseconds: try reader.integer("grace"))
        case 2:
            let number = try reader.integer("signal", as: Int32.self)
            guard (1...64).contains(number) else { throw .invalid(field: "signal") }
            self = .signal(number)
        case 3: self = .quit
        case 4: self = .terminal
        default: throw .invalid(field: "command")
        }
        try reader.end()
    }
}

/// Cuts a byte stream into messages: a little-endian `UInt32` length, then so many bytes.
public struct MonitorFrames: Sendable {
    private var buffer: [UInt8] = []
    private let limit: Int

    /// - Parameter limit: longer messages are refused.
    public init(limit: Int) { self.limit = limit }

    /// A message as it is sent.
    public static func frame(_ message: [UInt8]) -> [UInt8] {
        var writer = BinaryWriter()
        writer.put(UInt32(clamping: message.count))
        return writer.bytes + message
    }

    /// Takes bytes as they arrive.
    public mutating func append(_ bytes: some Sequence<UInt8>) { buffer.append(contentsOf: bytes) }

    /// The next complete message.
    ///
    /// - Returns: nil until more bytes arrive.
    /// - Throws: when a message is longer than the limit; the stream cannot be used any more.
    public mutating func next() throws(FormatError) -> [UInt8]? {
        guard buffer.count >= 4 else { return nil }
        var reader = BinaryReader(buffer.prefix(4))
        let length = Int(try reader.integer("length", as: UInt32.self))
        guard length <= limit else { throw .tooLarge(field: "message", limit: limit) }
        guard buffer.count >= 4 + length else { return nil }
        let message = Array(buffer[4..<4 + length])
        buffer.removeFirst(4 + length)
        return message
    }
}
