/// The size of a terminal, in characters.
public struct GuestTerminal: Equatable, Sendable {
    /// Lines.
    public var rows: UInt16
    /// Characters in a line.
    public var columns: UInt16

    /// Makes a size.
    public init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }

    /// RESIZE.
    public func frame(stream: UInt32) -> Frame {
        var writer = ByteWriter(capacity: 4)
        writer.u16(rows)
        writer.u16(columns)
        return Frame(.resize, stream: stream, writer.bytes)
    }

    /// Reads RESIZE.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        self.init(rows: try reader.u16(), columns: try reader.u16())
        try reader.end()
    }
}

/// START: a process of the guest, run as root in its root: what it runs is `rondo oci`, which makes the container.
public struct GuestProcess: Equatable, Sendable {
    /// The program's path, then its arguments; the first is absolute.
    public var arguments: [[UInt8]]
    /// Variables, each NAME=VALUE.
    public var environment: [[UInt8]]
    /// Where it begins, absolute.
    public var directory: [UInt8]
    /// Its terminal; nil for pipes.
    public var terminal: GuestTerminal?

    /// Describes a process.
    public init(
        arguments: [[UInt8]], environment: [[UInt8]] = [], directory: [UInt8] = [UInt8(ascii: "/")],
        terminal: GuestTerminal? = nil
    ) {
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.terminal = terminal
    }

    /// The frame.
    /// - Parameter stream: the stream that it opens.
    /// - Returns: nil when no guest would take it.
    public func frame(stream: UInt32) -> Frame? {
        guard arguments.count <= ChannelLimits.words, environment.count <= ChannelLimits.words,
            directory.count <= ChannelLimits.pathBytes
        else { return nil }
        var writer = ByteWriter(capacity: 512)
        for words in [arguments, environment] {
            writer.u16(UInt16(words.count))
            for word in words {
                guard word.count <= ChannelLimits.payloadBytes else { return nil }
                writer.long(word)
            }
        }
        writer.text(directory)
        if let terminal {
            writer.u8(1)
            writer.u16(terminal.rows)
            writer.u16(terminal.columns)
        } else {
            writer.u8(0)
        }
        guard writer.bytes.count <= ChannelLimits.payloadBytes else { return nil }
        let frame = Frame(.start, stream: stream, writer.bytes)
        return (try? GuestProcess(frame)) == nil ? nil : frame
    }

    /// Reads a frame.
    /// - Throws: when it cannot be read, or says what no process can be.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        arguments = try Self.words(&reader)
        environment = try Self.words(&reader)
        directory = try reader.path()
        terminal =
            try reader.flag() ? GuestTerminal(rows: try reader.u16(), columns: try reader.u16()) : nil
        try reader.end()
        guard let program = arguments.first, program.first == UInt8(ascii: "/") else { throw reader.malformed }
        for variable in environment {
            guard let mark = variable.firstIndex(of: UInt8(ascii: "=")), mark > 0 else { throw reader.malformed }
        }
    }

    private static func words(_ reader: inout ByteReader) throws(ChannelFault) -> [[UInt8]] {
        let count = Int(try reader.u16())
        // Each has at least its length, so a count cannot make more than the frame holds.
        guard count <= ChannelLimits.words, count * 4 <= reader.remaining else { throw reader.malformed }
        var words: [[UInt8]] = []
        words.reserveCapacity(count)
        for _ in 0..<count { words.append(try reader.long()) }
        return words
    }
}

/// EXIT: how a process ended.
public enum GuestProcessEnd: Equatable, Sendable {
    /// By itself, with a code.
    case code(UInt8)
    /// By a signal, 1 to 64.
    case signal(UInt8)

    /// The frame.
    public func frame(stream: UInt32) -> Frame {
        switch self {
        case .code(let code): Frame(.exit, stream: stream, [0, code])
        case .signal(let signal): Frame(.exit, stream: stream, [1, signal])
        }
    }

    /// Reads a frame.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        let (isSignal, number) = (try reader.flag(), try reader.u8())
        try reader.end()
        if isSignal, !(1...64).contains(number) { throw reader.malformed }
        self = isSignal ? .signal(number) : .code(number)
    }
}

/// SIGNAL: a signal for a process.
public struct GuestSignal: Equatable, Sendable {
    /// Its number, 1 to 64.
    public var number: UInt8
    /// Whether all of the process' group get it.
    public var isForGroup: Bool

    /// Makes a signal.
    public init(number: UInt8, isForGroup: Bool) {
        self.number = number
        self.isForGroup = isForGroup
    }

    /// The frame.
    public func frame(stream: UInt32) -> Frame { Frame(.signal, stream: stream, [number, isForGroup ? 1 : 0]) }

    /// Reads a frame.
    /// - Throws: when it cannot be read.
    public init(_ frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        self.init(number: try reader.u8(), isForGroup: try reader.flag())
        try reader.end()
        guard (1...64).contains(number) else { throw reader.malformed }
    }
}
