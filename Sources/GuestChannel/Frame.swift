/// The types of frames, by their number on the wire.
public enum FrameKind: UInt8, CaseIterable, Sendable {
    /// Guest: it is up. Version of the protocol and what it is.
    case hello = 1
    /// Host: what this machine shall be.
    case config = 2
    /// Guest: CONFIG is carried out.
    case ready = 3
    /// Host: run a process on a stream that this opens.
    case start = 4
    /// Guest: it runs.
    case started = 5
    /// Host: bytes for its standard input.
    case stdin = 6
    /// Guest: bytes of its standard output, or of its terminal.
    case stdout = 7
    /// Guest: bytes of its standard error.
    case stderr = 8
    /// Either: a channel of a stream has ended.
    case eof = 9
    /// Host: its terminal has another size.
    case resize = 10
    /// Host: a signal for it.
    case signal = 11
    /// Guest: how it ended.
    case exit = 12
    /// Either: so many bytes more may be sent.
    case credit = 13
    /// Host: asks for figures (empty). Guest: the figures.
    case stats = 14
    /// Host: a piece of a file.
    case file = 15
    /// Guest: what became of a file.
    case filed = 16
    /// Host: the time, and entropy.
    case clock = 17
    /// Host: let go of the disks, a template is made.
    case freeze = 18
    /// Guest: it did.
    case frozen = 19
    /// Host: are you there?
    case ping = 20
    /// Guest: yes.
    case pong = 21
    /// Guest: a process could not be started (its stream), or the session is over (stream 0); a number and a reason.
    case fault = 22
    /// Host: end everything and stop the machine.
    case end = 23
    /// Guest: it stops after END, and nothing is left to say.
    case bye = 24

    /// Its name.
    public var word: String {
        switch self {
        case .hello: "HELLO"
        case .config: "CONFIG"
        case .ready: "READY"
        case .start: "START"
        case .started: "STARTED"
        case .stdin: "STDIN"
        case .stdout: "STDOUT"
        case .stderr: "STDERR"
        case .eof: "EOF"
        case .resize: "RESIZE"
        case .signal: "SIGNAL"
        case .exit: "EXIT"
        case .credit: "CREDIT"
        case .stats: "STATS"
        case .file: "FILE"
        case .filed: "FILED"
        case .clock: "CLOCK"
        case .freeze: "FREEZE"
        case .frozen: "FROZEN"
        case .ping: "PING"
        case .pong: "PONG"
        case .fault: "FAULT"
        case .end: "END"
        case .bye: "BYE"
        }
    }
}

/// One frame. On the wire: the payload's length (32 bits, little-endian), the type, the stream (32 bits), the payload.
public struct Frame: Equatable, Sendable {
    /// Bytes before the payload.
    public static let headerBytes = 9

    /// What it is.
    public var kind: FrameKind
    /// Which process it is about; 0 for the machine.
    public var stream: UInt32
    /// What it says.
    public var payload: [UInt8]

    /// Makes a frame.
    public init(_ kind: FrameKind, stream: UInt32 = 0, _ payload: [UInt8] = []) {
        self.kind = kind
        self.stream = stream
        self.payload = payload
    }

    /// The frame as it is sent. Its payload must be within the bounds, which whoever made it saw to.
    public var bytes: [UInt8] {
        precondition(payload.count <= ChannelLimits.payloadBytes, "a frame is too long")
        var writer = ByteWriter(capacity: Frame.headerBytes + payload.count)
        writer.u32(UInt32(payload.count))
        writer.u8(kind.rawValue)
        writer.u32(stream)
        writer.raw(payload)
        return writer.bytes
    }
}

/// Takes frames out of bytes as they come, in any pieces. Keeps at most one frame and the piece that was given last.
public struct FrameReader: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    /// Makes a reader that has seen nothing.
    public init() {}

    /// How many bytes wait for the rest of their frame.
    public var pendingBytes: Int { buffer.count - start }

    /// Takes bytes in.
    public mutating func append(_ bytes: [UInt8]) {
        if start == buffer.count {
            buffer = bytes
            start = 0
        } else {
            if start > ChannelLimits.pieceBytes {
                buffer.removeFirst(start)
                start = 0
            }
            buffer += bytes
        }
    }

    /// The next whole frame.
    /// - Returns: nil when there is none yet.
    /// - Throws: as soon as a header cannot be right, before its payload is waited for.
    public mutating func next() throws(ChannelFault) -> Frame? {
        guard pendingBytes >= Frame.headerBytes else { return nil }
        let length = word(at: start)
        guard length <= UInt32(ChannelLimits.payloadBytes) else { throw .oversize(bytes: length) }
        guard let kind = FrameKind(rawValue: buffer[start + 4]) else { throw .unknownKind(buffer[start + 4]) }
        guard pendingBytes >= Frame.headerBytes + Int(length) else { return nil }
        let body = start + Frame.headerBytes
        let frame = Frame(kind, stream: word(at: start + 5), Array(buffer[body..<body + Int(length)]))
        start = body + Int(length)
        return frame
    }

    private func word(at place: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<4 { value |= UInt32(buffer[place + index]) << UInt32(8 * index) }
        return value
    }
}
