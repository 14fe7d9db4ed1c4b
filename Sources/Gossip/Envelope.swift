/// What surrounds everything that gossip sends: a header in the clear, which the seal protects, and sealed bytes.
///
/// ```
///  0 magic "RG"   2 version   3 kind   4 cluster (8)   12 key (4)   16 sender (8)   24 receiver (8)   32 counter (8)
/// 40 sealed bytes …   last 16: tag
/// ```
///
/// Sender and receiver are not nodes but lives of their processes: random numbers, drawn at each start. A receiver
/// takes only what names its own present life, so nothing that was recorded before it started can be replayed to it,
/// and no clock is needed to know that. Within a life the counter tells replays.
///
/// Probes and their answers are small and many. Between members that speak protocol 2 they go in a shorter envelope,
/// which leaves out what follows from the key that seals it:
///
/// ```
///  0 magic "rg"   2 key (4)   6 sender (8)   14 receiver (8)   22 counter (4)
/// 26 sealed bytes …   last 16: tag
/// ```
enum Envelope {
    static let magic: [UInt8] = [0x52, 0x47]
    static let version: UInt8 = 1
    static let headerSize = 40
    static let shortMagic: [UInt8] = [0x72, 0x67]
    static let shortHeaderSize = 26
    static let tagSize = 16
    /// Bytes that sealing adds.
    static let overhead = headerSize + tagSize
    /// The largest datagram that is looked at.
    static let datagramLimit = 2_048

    /// What the sealed bytes are.
    enum Kind: UInt8, Sendable {
        /// A packet of `Membership`.
        case packet = 1
        /// "You named a life that is not mine; this is my present one." Holds the counter of what it answers.
        case hello = 2
        /// A call to whoever is near; names no receiver.
        case beacon = 3
        /// The first thing on a stream, from the one who was called: names its life.
        case greeting = 4
        /// A state that asks for an answer.
        case state = 5
        /// The answer to a state.
        case answer = 6
        /// A packet that is too large for a datagram.
        case messages = 7
        /// A step of an exchange of protocol 2. Begins with the counter of what it answers, 0 for the first.
        case step = 8

        /// Streams count apart: what waits in one for seconds would look like a replay among packets.
        var isStream: Bool { rawValue >= Kind.greeting.rawValue }
    }

    /// The header in parts.
    struct Header: Equatable, Sendable {
        var kind: Kind
        /// More parts of the same message follow on the stream.
        var hasMore = false
        /// A packet in the shorter envelope, which does not name the cluster.
        var isShort = false
        var cluster: UInt64
        var key: UInt32
        var sender: UInt64
        var receiver: UInt64
        var counter: UInt64

        /// Bytes of this header.
        var size: Int { isShort ? shortHeaderSize : headerSize }

        var bytes: [UInt8] {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(headerSize)
            if isShort {
                bytes += shortMagic
                bytes.append(integer: key)
                bytes.append(integer: sender)
                bytes.append(integer: receiver)
                bytes.append(integer: UInt32(truncatingIfNeeded: counter))
                return bytes
            }
            bytes += magic
            bytes.append(version)
            bytes.append(kind.rawValue | (hasMore ? 0x80 : 0))
            bytes.append(integer: cluster)
            bytes.append(integer: key)
            bytes.append(integer: sender)
            bytes.append(integer: receiver)
            bytes.append(integer: counter)
            return bytes
        }

        /// Reads what `bytes` made; the rest of the envelope may follow.
        init(reading envelope: [UInt8]) throws(PacketRefusal) {
            if envelope.starts(with: shortMagic) {
                guard envelope.count >= Envelope.shortHeaderSize + Envelope.tagSize else { throw .truncated }
                let counter: UInt32 = envelope.integer(at: 22)
                self.init(
                    kind: .packet, isShort: true, cluster: 0, key: envelope.integer(at: 2),
                    sender: envelope.integer(at: 6), receiver: envelope.integer(at: 14), counter: UInt64(counter))
                return
            }
            guard envelope.count >= 3, envelope[0] == magic[0], envelope[1] == magic[1] else { throw .notGossip }
            guard envelope[2] == Envelope.version else { throw .unknownVersion(envelope[2]) }
            guard envelope.count >= Envelope.overhead else { throw .truncated }
            guard let kind = Kind(rawValue: envelope[3] & 0x7f) else { throw .unknownKind(envelope[3] & 0x7f) }
            let hasMore = envelope[3] & 0x80 != 0
            guard !hasMore || kind.isStream else { throw .unknownKind(envelope[3]) }
            self.init(
                kind: kind, hasMore: hasMore, cluster: envelope.integer(at: 4), key: envelope.integer(at: 12),
                sender: envelope.integer(at: 16), receiver: envelope.integer(at: 24), counter: envelope.integer(at: 32))
        }

        init(
            kind: Kind, hasMore: Bool = false, isShort: Bool = false, cluster: UInt64, key: UInt32, sender: UInt64,
            receiver: UInt64, counter: UInt64
        ) {
            self.kind = kind
            self.hasMore = hasMore
            self.isShort = isShort
            self.cluster = cluster
            self.key = key
            self.sender = sender
            self.receiver = receiver
            self.counter = counter
        }
    }
}

/// Why something from the network was not taken.
public enum PacketRefusal: Error, Hashable, Sendable {
    /// It does not begin as gossip does.
    case notGossip
    /// It is of a version that this node does not speak.
    case unknownVersion(UInt8)
    /// It ends too soon.
    case truncated
    /// It is larger than it may be.
    case oversized
    /// It is of a kind that does not exist, or has no place there.
    case unknownKind(UInt8)
    /// It belongs to another cluster.
    case otherCluster
    /// It is sealed with a key that is not in the ring.
    case unknownKey(UInt32)
    /// The seal does not fit: a forged or damaged packet, or another key of the same name.
    case notAuthentic
    /// It was received before.
    case replayed
    /// It is good, but meant for an earlier life of this process, or for none; the sender is told the present one.
    case notFresh(sender: UInt64, counter: UInt64)
    /// This node sent it itself.
    case own
    /// The seal is good, but what is in it is not understood.
    case malformed

    /// A word for counters and logs.
    public var name: String {
        switch self {
        case .notGossip: "not-gossip"
        case .unknownVersion: "unknown-version"
        case .truncated: "truncated"
        case .oversized: "oversized"
        case .unknownKind: "unknown-kind"
        case .otherCluster: "other-cluster"
        case .unknownKey: "unknown-key"
        case .notAuthentic: "not-authentic"
        case .replayed: "replayed"
        case .notFresh: "not-fresh"
        case .own: "own"
        case .malformed: "malformed"
        }
    }

    /// What happened and what to do, for a log line.
    var explanation: String {
        switch self {
        case .notGossip: "it is not gossip; something else sends to this port"
        case .unknownVersion(let version): "it is of version \(version), this node speaks \(Envelope.version); upgrade"
        case .truncated: "it ends too soon"
        case .oversized: "it is larger than it may be"
        case .unknownKind(let kind): "its kind \(kind) does not exist or has no place there"
        case .otherCluster: "it belongs to another cluster"
        case .unknownKey(let id):
            "it is sealed with key \(KeyRing.text(id)), which this node does not have; see `rondo keys list`"
        case .notAuthentic: "its seal does not fit: it is forged, damaged, or of another key of the same name"
        case .replayed: "it was received before; the network doubled it, or somebody replays what he recorded"
        case .notFresh: "it is meant for an earlier life of this process"
        case .own: "this node sent it itself"
        case .malformed: "its seal is good, but its content is not understood; are the versions very different?"
        }
    }
}

extension [UInt8] {
    mutating func append<Value: FixedWidthInteger>(integer value: Value) {
        for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }

    /// The caller has checked that there are enough bytes.
    func integer<Value: FixedWidthInteger>(at offset: Int) -> Value {
        var value: Value = 0
        for index in 0..<(Value.bitWidth / 8) { value = value << 8 | Value(truncatingIfNeeded: self[offset + index]) }
        return value
    }
}
