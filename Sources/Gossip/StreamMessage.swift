/// What goes over a stream in one direction: one message in sealed parts, each with its length in front.
///
/// Parts are small, so what a stranger sends takes little memory before its seal is found to be wrong. Their counters
/// follow each other without a gap, so that nobody can leave out, exchange or mix parts of different messages.
struct StreamMessage: Sendable {
    /// Bytes of a message in one part.
    static let partLimit = 48 * 1_024
    /// Bytes of a sealed part.
    static let frameLimit = partLimit + Envelope.overhead
    /// Bytes of a whole message.
    static let messageLimit = 8 << 20
    /// Bytes of the length before each part.
    static let prefixSize = 4

    /// The kind of all parts, known from the first.
    private(set) var kind: Envelope.Kind?
    /// Who sends.
    private(set) var sender: UInt64 = 0
    /// The counter of the first part, by which an answer names what it answers.
    private(set) var firstCounter: UInt64 = 0
    private(set) var body: [UInt8] = []
    private(set) var isComplete = false
    private var nextCounter: UInt64 = 0

    init() {}

    /// Takes in the next part.
    mutating func take(_ opened: Seal.Opened) throws(PacketRefusal) {
        let header = opened.header
        if kind == nil {
            kind = header.kind
            sender = header.sender
            firstCounter = header.counter
            nextCounter = header.counter
        }
        guard header.kind == kind, !isComplete else { throw .unknownKind(header.kind.rawValue) }
        guard header.sender == sender, header.counter == nextCounter else { throw .malformed }
        guard body.count + opened.body.count <= Self.messageLimit else { throw .oversized }
        nextCounter += 1
        body.append(contentsOf: opened.body)
        isComplete = !header.hasMore
    }

    /// The body of a message that names what it answers.
    static func naming(_ counter: UInt64, _ body: [UInt8]) -> [UInt8] {
        var named: [UInt8] = []
        named.reserveCapacity(8 + body.count)
        named.append(integer: counter)
        named.append(contentsOf: body)
        return named
    }

    /// A message as the bytes that go over the stream.
    /// - Returns: the bytes and the counter of the first part; nil for a message that is too large.
    static func seal(
        _ kind: Envelope.Kind, for receiver: UInt64, _ body: [UInt8], with seal: inout Seal
    ) -> (bytes: [UInt8], firstCounter: UInt64)? {
        guard body.count <= messageLimit else { return nil }
        var bytes: [UInt8] = []
        var firstCounter: UInt64?
        var rest = body[...]
        repeat {
            let part = Array(rest.prefix(partLimit))
            rest = rest.dropFirst(part.count)
            guard let sealed = seal.seal(kind, for: receiver, part, hasMore: !rest.isEmpty) else { return nil }
            firstCounter = firstCounter ?? sealed.counter
            bytes.append(integer: UInt32(sealed.envelope.count))
            bytes.append(contentsOf: sealed.envelope)
        } while !rest.isEmpty
        return firstCounter.map { (bytes, $0) }
    }
}

/// Cuts the bytes of a stream into parts.
struct FrameCutter: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0
    private var total = 0

    /// Takes in what arrived, and gives the parts that are whole.
    mutating func take(_ bytes: some Sequence<UInt8>) throws(PacketRefusal) -> [[UInt8]] {
        buffer.append(contentsOf: bytes)
        var frames: [[UInt8]] = []
        while buffer.count - start >= StreamMessage.prefixSize {
            let size = Int(buffer.integer(at: start) as UInt32)
            guard size <= StreamMessage.frameLimit else { throw .oversized }
            guard size >= Envelope.overhead else { throw .truncated }
            let end = start + StreamMessage.prefixSize + size
            guard buffer.count >= end else { break }
            total += size
            // All messages of one stream together: a greeting, and one message with the overhead of its parts.
            guard total <= StreamMessage.messageLimit + StreamMessage.messageLimit / 64 else { throw .oversized }
            frames.append(Array(buffer[(start + StreamMessage.prefixSize)..<end]))
            start = end
        }
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        return frames
    }
}
