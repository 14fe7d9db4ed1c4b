import Membership

@testable import Gossip

/// What was sealed for a receiver, and what must open for it: that and nothing else.
enum Sealed {
    static let key = GossipKey(bytes: Array(repeating: 7, count: 32))!
    static let other = GossipKey(bytes: Array(repeating: 8, count: 32))!
    private static let receiverLife: UInt64 = 2

    /// A receiver that has received nothing yet.
    static let receiver: Seal = {
        var ring = KeyRing(key)
        try! ring.add(other)
        return Seal(cluster: "fuzz", ring: ring, life: receiverLife)
    }()

    /// One envelope of each kind, for this receiver, for none, and for another; sealing has no chance in it.
    static let envelopes: [[UInt8]] = {
        var sender = Seal(cluster: "fuzz", ring: KeyRing(key), life: 1)
        let packet = MemberCoding.encode(packet: Seeds.messages)
        let rows: [(Envelope.Kind, UInt64, [UInt8])] = [
            (.packet, receiverLife, packet), (.packet, 0, packet), (.hello, receiverLife, [0, 0, 0, 0, 0, 0, 0, 1]),
            (.beacon, 0, Seeds.beacon.bytes), (.greeting, 0, []), (.messages, receiverLife, packet), (.packet, 3, []),
        ]
        return rows.compactMap { sender.seal($0.0, for: $0.1, $0.2)?.envelope }
    }()

    /// A greeting and a state in several parts, as they go over a stream.
    static let conversation: [UInt8] = {
        var sender = Seal(cluster: "fuzz", ring: KeyRing(key), life: 1)
        let greeting = StreamMessage.seal(.greeting, for: 0, [], with: &sender)!
        let state = MemberCoding.encode(state: Seeds.state)
        return greeting.bytes + StreamMessage.seal(.state, for: receiverLife, state, with: &sender)!.bytes
    }()

    static func envelope(_ bytes: [UInt8]) {
        if let header = try? Envelope.Header(reading: bytes) {
            precondition(header.bytes == Array(bytes.prefix(Envelope.headerSize)), "a header has two encodings")
        }
        var seal = receiver
        guard let opened = try? seal.open(bytes) else { return }
        precondition(envelopes.contains(bytes), "what nobody sealed was opened")
        guard opened.header.kind != .beacon, opened.header.kind != .greeting else { return }
        // What is good is good once.
        precondition((try? seal.open(bytes)) == nil, "an envelope was opened twice")
    }

    /// However a stream is cut, the same parts come out of it.
    static func stream(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let (step, bytes) = (Int(first) + 1, Array(bytes.dropFirst()))
        let whole = Result { () throws(PacketRefusal) in try frames(of: bytes, step: max(1, bytes.count)) }
        let parts = Result { () throws(PacketRefusal) in try frames(of: bytes, step: step) }
        precondition(whole == parts, "a stream says something else when it is cut otherwise")
        guard case .success(let frames) = whole else { return }
        var seal = receiver
        var message = StreamMessage()
        for frame in frames {
            guard let opened = try? seal.open(frame, limit: StreamMessage.frameLimit) else { continue }
            try? message.take(opened)
            precondition(message.body.count <= StreamMessage.messageLimit)
        }
        if message.isComplete, message.kind == .state { _ = try? MemberCoding.state(from: message.body) }
    }

    private static func frames(of bytes: [UInt8], step: Int) throws(PacketRefusal) -> [[UInt8]] {
        var cutter = FrameCutter()
        var frames: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            frames += try cutter.take(rest.prefix(step))
            rest = rest.dropFirst(step)
        }
        return frames
    }
}
