internal import Crypto
internal import FoundationEssentials

/// Seals what this node sends, and opens and judges what it receives: AES-256-GCM, no sockets, no clock.
///
/// Each life of a process seals with keys of its own, derived from the ring's keys and the number of the life, and
/// counts; so a nonce never comes twice, however many members share a key and however often they start. Only members
/// that proved to be alive, by naming the present life of this process, get a place in the table of senders. A table
/// that is full does not forget one sender, whose packets could then be replayed: this node begins a new life instead,
/// and the others learn it as they do after a restart.
struct Seal: Sendable {
    /// Senders that are remembered.
    static let senderLimit = 8_192

    /// What was opened.
    struct Opened: Sendable {
        var header: Envelope.Header
        var body: [UInt8]
    }

    private struct Sender: Sendable {
        var packets = ReplayWindow()
        var streams = ReplayWindow()
        var keys: [UInt32: SymmetricKey] = [:]
    }

    /// The life of this process.
    private(set) var life: UInt64
    private let cluster: UInt64
    private var ring: KeyRing
    private var sealingKey: SymmetricKey
    private var packetCounter: UInt64 = 0
    private var streamCounter: UInt64 = 0
    private var senders: [UInt64: Sender] = [:]
    private let limit: Int

    init(cluster label: String, ring: KeyRing, life: UInt64, senderLimit: Int = Seal.senderLimit) {
        let digest = SHA256.hash(data: Array("rondo-gossip-cluster:\(label)".utf8))
        cluster = digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        self.ring = ring
        self.life = life
        limit = senderLimit
        sealingKey = Self.derive(from: ring.primary, cluster: cluster, life: life)
    }

    /// Number of senders that are known to be alive.
    var senderCount: Int { senders.count }

    /// Goes on with other keys. Keys that are no longer there open nothing from now on.
    mutating func update(_ ring: KeyRing) {
        let gone = self.ring.keys.filter { ring.key($0.id) != $0 }
        self.ring = ring
        sealingKey = Self.derive(from: ring.primary, cluster: cluster, life: life)
        for key in gone {
            for sender in Array(senders.keys) { senders[sender]?.keys[key.id] = nil }
        }
    }

    /// Begins a new life under another number.
    mutating func begin(life: UInt64) {
        self.life = life
        packetCounter = 0
        streamCounter = 0
        senders = [:]
        sealingKey = Self.derive(from: ring.primary, cluster: cluster, life: life)
    }

    /// Whether the next life should begin: the table of senders is full.
    var isFull: Bool { senders.count >= limit }

    /// Seals bytes for a life of another process, 0 when it is not known. A packet for a known one may go in the
    /// shorter envelope.
    /// - Returns: the envelope and its counter; nil when the cipher refuses, which it has no reason to do.
    mutating func seal(
        _ kind: Envelope.Kind, for receiver: UInt64, _ body: [UInt8], hasMore: Bool = false, isShort: Bool = false
    ) -> (envelope: [UInt8], counter: UInt64)? {
        let counter: UInt64
        if kind.isStream {
            streamCounter += 1
            counter = streamCounter
        } else {
            packetCounter += 1
            counter = packetCounter
        }
        let header = Envelope.Header(
            kind: kind, hasMore: hasMore,
            isShort: isShort && kind == .packet && receiver != 0 && counter <= UInt64(UInt32.max), cluster: cluster,
            key: ring.primary.id, sender: life, receiver: receiver, counter: counter
        ).bytes
        guard let nonce = try? Self.nonce(kind, counter),
            let box = try? AES.GCM.seal(body, using: sealingKey, nonce: nonce, authenticating: header)
        else { return nil }
        var envelope = header
        envelope.reserveCapacity(header.count + body.count + Envelope.tagSize)
        envelope.append(contentsOf: box.ciphertext)
        envelope.append(contentsOf: box.tag)
        return (envelope, counter)
    }

    /// Opens an envelope and lets it count once.
    mutating func open(_ envelope: [UInt8], limit: Int = Envelope.datagramLimit) throws(PacketRefusal) -> Opened {
        let header = try Envelope.Header(reading: envelope)
        guard envelope.count <= limit else { throw .oversized }
        guard header.isShort || header.cluster == cluster else { throw .otherCluster }
        guard header.sender != life else { throw .own }
        guard let key = ring.key(header.key) else { throw .unknownKey(header.key) }
        let isFresh = header.receiver == life
        if isFresh, let isNew = isNew(header), !isNew { throw .replayed }
        let known = isFresh ? senders[header.sender]?.keys[key.id] : nil
        let derived = known ?? Self.derive(from: key, cluster: cluster, life: header.sender)
        let body = try Self.decrypt(envelope, header: header, with: derived)
        switch header.kind {
        case .beacon, .greeting:
            // These go to whoever listens, prove nothing about their time, and are treated so.
            guard header.receiver == 0 else { throw .unknownKind(header.kind.rawValue) }
            return Opened(header: header, body: body)
        case .packet, .hello, .state, .answer, .messages, .step: break
        }
        guard isFresh else { throw .notFresh(sender: header.sender, counter: header.counter) }
        guard header.counter > 0 else { throw .replayed }
        if header.kind.isStream {
            senders[header.sender, default: Sender()].streams.insert(header.counter)
        } else {
            senders[header.sender, default: Sender()].packets.insert(header.counter)
        }
        if known == nil { senders[header.sender]?.keys[key.id] = derived }
        return Opened(header: header, body: body)
    }

    /// What an authentic packet says that is meant for another life, and so may be a recorded one: nothing counts.
    func glimpse(of envelope: [UInt8]) -> Opened? {
        guard let header = try? Envelope.Header(reading: envelope), header.kind == .packet,
            envelope.count <= Envelope.datagramLimit, header.sender != life, let key = ring.key(header.key)
        else { return nil }
        let derived = Self.derive(from: key, cluster: cluster, life: header.sender)
        return (try? Self.decrypt(envelope, header: header, with: derived)).map { Opened(header: header, body: $0) }
    }

    /// Nil for an unknown sender.
    private func isNew(_ header: Envelope.Header) -> Bool? {
        header.kind.isStream
            ? senders[header.sender]?.streams.isNew(header.counter)
            : senders[header.sender]?.packets.isNew(header.counter)
    }

    private static func decrypt(
        _ envelope: [UInt8], header: Envelope.Header, with key: SymmetricKey
    ) throws(PacketRefusal) -> [UInt8] {
        let tagStart = envelope.count - Envelope.tagSize
        do {
            let box = try AES.GCM.SealedBox(
                nonce: nonce(header.kind, header.counter), ciphertext: envelope[header.size..<tagStart],
                tag: envelope[tagStart...])
            return Array(try AES.GCM.open(box, using: key, authenticating: envelope[..<header.size]))
        } catch {
            throw .notAuthentic
        }
    }

    /// The two ways of counting have nonces of their own.
    private static func nonce(_ kind: Envelope.Kind, _ counter: UInt64) throws -> AES.GCM.Nonce {
        var bytes: [UInt8] = [0, 0, 0, kind.isStream ? 1 : 0]
        bytes.append(integer: counter)
        return try AES.GCM.Nonce(data: bytes)
    }

    private static func derive(from key: GossipKey, cluster: UInt64, life: UInt64) -> SymmetricKey {
        var words = Array("rondo-gossip-life".utf8)
        words.append(Envelope.version)
        words.append(integer: cluster)
        words.append(integer: life)
        let code = HMAC<SHA256>.authenticationCode(for: words, using: SymmetricKey(data: key.bytes))
        return SymmetricKey(data: code)
    }
}
