/// The three channels of a process' stream; numbers as of its descriptors.
public enum StreamChannel: UInt8, CaseIterable, Sendable {
    /// Standard input: host to guest.
    case input = 0
    /// Standard output, or the terminal's output.
    case output = 1
    /// Standard error.
    case error = 2

    /// EOF for it.
    func ended(stream: UInt32) -> Frame { Frame(.eof, stream: stream, [rawValue]) }

    /// Data for it.
    func data(_ bytes: [UInt8], stream: UInt32) -> Frame {
        switch self {
        case .input: Frame(.stdin, stream: stream, bytes)
        case .output: Frame(.stdout, stream: stream, bytes)
        case .error: Frame(.stderr, stream: stream, bytes)
        }
    }

    /// CREDIT for it.
    func credit(_ bytes: Int, stream: UInt32) -> Frame {
        var writer = ByteWriter(capacity: 5)
        writer.u8(rawValue)
        writer.u32(UInt32(bytes))
        return Frame(.credit, stream: stream, writer.bytes)
    }

    /// Reads EOF.
    init(ended frame: Frame) throws(ChannelFault) {
        var reader = ByteReader(frame)
        guard let channel = StreamChannel(rawValue: try reader.u8()) else { throw reader.malformed }
        try reader.end()
        self = channel
    }

    /// Reads CREDIT.
    static func credit(in frame: Frame) throws(ChannelFault) -> (channel: StreamChannel, bytes: Int) {
        var reader = ByteReader(frame)
        guard let channel = StreamChannel(rawValue: try reader.u8()) else { throw reader.malformed }
        let bytes = Int(try reader.u32())
        try reader.end()
        guard bytes > 0 else { throw reader.malformed }
        return (channel, bytes)
    }
}

/// The sending end of a channel: how much may go, and whether it has ended.
struct SendingEnd: Equatable, Sendable {
    private(set) var credit = ChannelLimits.windowBytes
    var isOpen = true

    mutating func spend(_ bytes: Int) {
        precondition(isOpen && bytes <= credit, "more is sent than was credited")
        credit -= bytes
    }

    /// Takes the other side's credit; at most what was sent can come back.
    mutating func add(_ bytes: Int, stream: UInt32) throws(ChannelFault) {
        guard bytes <= ChannelLimits.windowBytes - credit else { throw .creditOverrun(stream) }
        credit += bytes
    }
}

/// The receiving end: holds the other side to what was credited, and says when to give more.
struct ReceivingEnd: Equatable, Sendable {
    private var allowed = ChannelLimits.windowBytes
    /// Taken by whoever reads, and not credited again yet.
    private var owed = 0
    var isOpen = true

    mutating func take(_ bytes: Int, stream: UInt32) throws(ChannelFault) {
        guard bytes <= allowed else { throw .creditOverrun(stream) }
        allowed -= bytes
    }

    /// Bytes were passed on.
    /// - Returns: how much to credit now; nil while it is too little to be worth a frame.
    mutating func passedOn(_ bytes: Int) -> Int? {
        precondition(bytes >= 0 && owed + bytes + allowed <= ChannelLimits.windowBytes, "more is passed on than came")
        owed += bytes
        guard isOpen, owed >= ChannelLimits.pieceBytes else { return nil }
        allowed += owed
        defer { owed = 0 }
        return owed
    }
}
