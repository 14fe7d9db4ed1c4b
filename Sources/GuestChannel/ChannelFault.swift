/// What the other side of the channel did wrong. Each ends the session: there is nothing to talk about with a peer that
/// breaks the protocol.
public enum ChannelFault: Error, Equatable, Sendable {
    /// A frame says that it is longer than a frame may be.
    case oversize(bytes: UInt32)
    /// A frame of no type that there is.
    case unknownKind(UInt8)
    /// A word that this side never says, or not now.
    case unexpected(FrameKind)
    /// A word about a stream that was not opened, or has ended.
    case unknownStream(UInt32, FrameKind)
    /// A stream's number that was used before, or 0.
    case usedStream(UInt32)
    /// More streams at a time than are allowed.
    case tooManyStreams
    /// More bytes than were credited, or credit for more than was sent.
    case creditOverrun(UInt32)
    /// A payload that is too short, too long, or says what cannot be.
    case malformed(FrameKind)
    /// Versions of the protocol that do not fit together.
    case version(theirs: UInt16)

    /// What to write down: lower case, no full stop.
    public var reason: String {
        switch self {
        case .oversize(let bytes): "a frame of \(bytes) bytes, at most \(ChannelLimits.payloadBytes) are taken"
        case .unknownKind(let kind): "a frame of the unknown type \(kind)"
        case .unexpected(let kind): "\(kind.word) in a state that does not allow it"
        case .unknownStream(let stream, let kind): "\(kind.word) for stream \(stream), which is not open"
        case .usedStream(let stream): "stream \(stream) is opened, but streams are numbered upwards from 1"
        case .tooManyStreams: "more than \(ChannelLimits.streams) streams at a time"
        case .creditOverrun(let stream): "more bytes than were credited on stream \(stream)"
        case .malformed(let kind): "\(kind.word) cannot be read"
        case .version(let theirs):
            "version \(theirs) of the channel's protocol; this side speaks version \(ChannelLimits.version)"
        }
    }

    /// The number under which the guest reports it.
    public var code: UInt16 {
        switch self {
        case .oversize: 1
        case .unknownKind: 2
        case .unexpected: 3
        case .unknownStream: 4
        case .usedStream: 5
        case .tooManyStreams: 6
        case .creditOverrun: 7
        case .malformed: 8
        case .version: 9
        }
    }
}

/// The bounds of the channel; both sides keep to them and hold the other to them.
public enum ChannelLimits {
    /// The version of the protocol that this code speaks.
    public static let version: UInt16 = 1
    /// Bytes of a frame's payload.
    public static let payloadBytes = 1 << 20
    /// Bytes that may be under way on one channel of a stream.
    public static let windowBytes = 256 << 10
    /// Bytes that are put into one frame of data, so that a control frame never waits long behind it.
    public static let pieceBytes = 64 << 10
    /// Processes at a time.
    public static let streams = 64
    /// Bytes of a text that tells what went wrong.
    public static let reasonBytes = 1_024
    /// Bytes of a path or a name.
    public static let pathBytes = 4_095
    /// Arguments, and variables, of a process.
    public static let words = 8_192
    /// Disks of a machine.
    public static let disks = 8
    /// Bytes of entropy that are taken at once.
    public static let entropyBytes = 512
}
