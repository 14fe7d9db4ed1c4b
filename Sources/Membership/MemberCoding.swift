/// The bytes of records and messages: fixed order, big-endian, every length bounded, one encoding for one value.
///
/// Decoding never traps and accepts only what encoding could have made, so a signature over the body of a record is a
/// signature over its meaning.
public enum MemberCoding {
    /// A record with its proofs takes at most so many bytes.
    public static let recordLimit = 512
    /// Most addresses in a record.
    public static let addressLimit = 4
    /// Longest version text, in bytes.
    public static let versionLimit = 32
    /// Longest signature, in bytes.
    public static let signatureLimit = 96
    /// Longest attestation, in bytes.
    public static let attestationLimit = 240
    /// Most members in an exchange of states.
    public static let stateLimit = 16_384
    /// Most messages in a packet; a packet of the largest possible size holds fewer.
    static let messageLimit = 4_096
    /// The first byte of every packet and state: the version of this encoding.
    static let formatVersion: UInt8 = 1
    /// Bytes of an accusation in a message; no news is smaller.
    static let smallestNews = 41

    /// Why bytes were not understood.
    public enum Failure: Error, Equatable {
        /// The bytes end too soon.
        case truncated
        /// There is more than there may be: of a part, or after the end.
        case oversized
        /// The first byte names another version of the encoding.
        case unknownVersion(UInt8)
        /// A value that is never written.
        case malformed
    }

    /// The part of a record that is signed.
    public static func body(of record: MemberRecord) -> [UInt8] {
        var writer = ByteWriter()
        writer.body(record)
        return writer.bytes
    }

    /// A record with its proofs, for files and hints.
    public static func encode(_ signed: SignedRecord) -> [UInt8] {
        var writer = ByteWriter()
        writer.signed(signed)
        return writer.bytes
    }

    /// Reads what `encode` wrote.
    public static func record(from bytes: [UInt8]) throws(Failure) -> SignedRecord {
        var reader = ByteReader(bytes)
        let signed = try reader.signed()
        guard reader.isAtEnd else { throw .oversized }
        return signed
    }

    /// The bytes of a packet.
    public static func encode(packet: [GossipMessage]) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(formatVersion)
        for message in packet { writer.message(message) }
        return writer.bytes
    }

    /// Reads a packet; all of it is good, or none is taken.
    public static func packet(from bytes: [UInt8]) throws(Failure) -> [GossipMessage] {
        var reader = ByteReader(bytes)
        try reader.version()
        var messages: [GossipMessage] = []
        while !reader.isAtEnd {
            guard messages.count < messageLimit else { throw .oversized }
            messages.append(try reader.message())
        }
        return messages
    }

    /// The bytes of a state.
    public static func encode(state: StateExchange) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(formatVersion)
        writer.id(state.source)
        writer.integer(UInt16(min(state.entries.count, stateLimit)))
        for entry in state.entries.prefix(stateLimit) {
            writer.signed(entry.signed)
            writer.byte(entry.status.rawValue | (entry.accuser == nil ? 0 : 0x80))
            if let accuser = entry.accuser { writer.id(accuser) }
        }
        return writer.bytes
    }

    /// Reads a state; all of it is good, or none is taken.
    public static func state(from bytes: [UInt8]) throws(Failure) -> StateExchange {
        var reader = ByteReader(bytes)
        try reader.version()
        let source = try reader.id()
        let count = try reader.integer(UInt16.self)
        guard count <= stateLimit else { throw .oversized }
        var entries: [StateExchange.Entry] = []
        for _ in 0..<count {
            let signed = try reader.signed()
            let mark = try reader.byte()
            guard let status = MemberStatus(rawValue: mark & 0x7f) else { throw .malformed }
            let accuser = mark & 0x80 == 0 ? nil : try reader.id()
            entries.append(StateExchange.Entry(signed: signed, status: status, accuser: accuser))
        }
        guard reader.isAtEnd else { throw .oversized }
        return StateExchange(source: source, entries: entries)
    }

    /// Bytes of a message in a packet.
    static func size(of message: GossipMessage) -> Int {
        switch message {
        case .ping: 45
        case .ack, .nack: 21
        case .pingRequest(_, _, let endpoint, _): 37 + size(of: endpoint)
        case .alive(let signed): 1 + signed.encodedSize
        case .suspect, .dead: smallestNews
        }
    }

    /// Bytes of a record with its proofs; nil when a limit is exceeded.
    static func size(of record: MemberRecord, signature: [UInt8], attestation: [UInt8]) -> Int? {
        let version = record.version.utf8.count
        guard record.addresses.count <= addressLimit, version <= versionLimit, signature.count <= signatureLimit,
            attestation.count <= attestationLimit
        else { return nil }
        let addresses = record.addresses.reduce(0) { $0 + size(of: $1) }
        let term = record.leaderTerm == nil ? 0 : 8
        let all = 16 + 2 + 1 + addresses + 1 + version + 8 + term + 2 + 1 + signature.count + 1 + attestation.count
        return all <= recordLimit ? all : nil
    }

    private static func size(of endpoint: Endpoint) -> Int { endpoint.isIPv6 ? 19 : 7 }
}

/// Appends values to bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }

    mutating func id(_ id: NodeID) {
        integer(id.high)
        integer(id.low)
    }

    mutating func endpoint(_ endpoint: Endpoint) {
        byte(endpoint.isIPv6 ? 6 : 4)
        if endpoint.isIPv6 {
            integer(endpoint.high)
            integer(endpoint.low)
        } else {
            integer(UInt32(truncatingIfNeeded: endpoint.low))
        }
        integer(endpoint.port)
    }

    /// Counts are cut at 255 here; `SignedRecord` refuses records that exceed the real limits.
    mutating func body(_ record: MemberRecord) {
        id(record.id)
        byte(record.roles.rawValue)
        byte((record.isGossipClient ? 1 : 0) | (record.isLeaving ? 2 : 0) | (record.leaderTerm == nil ? 0 : 4))
        byte(UInt8(clamping: record.addresses.count))
        for endpoint in record.addresses.prefix(255) { self.endpoint(endpoint) }
        short(Array(record.version.utf8))
        integer(record.incarnation)
        if let term = record.leaderTerm { integer(term) }
        byte(record.protocols.lowerBound)
        byte(record.protocols.upperBound)
    }

    mutating func signed(_ signed: SignedRecord) {
        body(signed.record)
        short(signed.signature)
        short(signed.attestation)
    }

    mutating func short(_ value: [UInt8]) {
        byte(UInt8(clamping: value.count))
        bytes.append(contentsOf: value.prefix(255))
    }

    mutating func message(_ message: GossipMessage) {
        switch message {
        case .ping(let sequence, let target, let source, let incarnation):
            byte(1)
            integer(sequence)
            id(target)
            id(source)
            integer(incarnation)
        case .ack(let sequence, let source):
            byte(2)
            integer(sequence)
            id(source)
        case .nack(let sequence, let source):
            byte(3)
            integer(sequence)
            id(source)
        case .pingRequest(let sequence, let target, let endpoint, let source):
            byte(4)
            integer(sequence)
            id(target)
            self.endpoint(endpoint)
            id(source)
        case .alive(let signed):
            byte(5)
            self.signed(signed)
        case .suspect(let accusation): self.accusation(6, accusation)
        case .dead(let accusation): self.accusation(7, accusation)
        }
    }

    private mutating func accusation(_ kind: UInt8, _ accusation: Accusation) {
        byte(kind)
        id(accusation.subject)
        integer(accusation.incarnation)
        id(accusation.accuser)
    }
}

/// Takes values from bytes, and refuses what the writer would not have written.
struct ByteReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func version() throws(MemberCoding.Failure) {
        let version = try byte()
        guard version == MemberCoding.formatVersion else { throw .unknownVersion(version) }
    }

    mutating func byte() throws(MemberCoding.Failure) -> UInt8 {
        guard offset < bytes.count else { throw .truncated }
        offset += 1
        return bytes[offset - 1]
    }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type
    ) throws(MemberCoding.Failure) -> Value {
        var value: Value = 0
        for _ in 0..<(Value.bitWidth / 8) { value = value << 8 | Value(try byte()) }
        return value
    }

    mutating func id() throws(MemberCoding.Failure) -> NodeID {
        let high = try integer(UInt64.self)
        return NodeID(high: high, low: try integer(UInt64.self))
    }

    mutating func short(limit: Int) throws(MemberCoding.Failure) -> [UInt8] {
        let count = Int(try byte())
        guard count <= limit else { throw .oversized }
        guard bytes.count - offset >= count else { throw .truncated }
        offset += count
        return Array(bytes[(offset - count)..<offset])
    }

    mutating func endpoint() throws(MemberCoding.Failure) -> Endpoint {
        switch try byte() {
        case 4:
            let address = try integer(UInt32.self)
            return Endpoint(ipv4: address, port: try integer(UInt16.self))
        case 6:
            let high = try integer(UInt64.self)
            let low = try integer(UInt64.self)
            return Endpoint(ipv6High: high, low: low, port: try integer(UInt16.self))
        default: throw .malformed
        }
    }

    mutating func signed() throws(MemberCoding.Failure) -> SignedRecord {
        let id = try id()
        let roles = NodeRoles(rawValue: try byte())
        let flags = try byte()
        guard flags < 8, roles.rawValue < 4 else { throw .malformed }
        let count = try byte()
        guard count <= MemberCoding.addressLimit else { throw .oversized }
        var addresses: [Endpoint] = []
        for _ in 0..<count { addresses.append(try endpoint()) }
        guard let version = String(validating: try short(limit: MemberCoding.versionLimit), as: UTF8.self) else {
            throw .malformed
        }
        let incarnation = try integer(UInt64.self)
        let term = flags & 4 == 0 ? nil : try integer(UInt64.self)
        let lowest = try byte()
        let highest = try byte()
        guard lowest <= highest else { throw .malformed }
        let record = MemberRecord(
            id: id, roles: roles, addresses: addresses, version: version, incarnation: incarnation, leaderTerm: term,
            protocols: lowest...highest, isGossipClient: flags & 1 != 0, isLeaving: flags & 2 != 0)
        let signature = try short(limit: MemberCoding.signatureLimit)
        let attestation = try short(limit: MemberCoding.attestationLimit)
        guard let signed = SignedRecord(record: record, signature: signature, attestation: attestation) else {
            throw .oversized
        }
        return signed
    }

    mutating func message() throws(MemberCoding.Failure) -> GossipMessage {
        switch try byte() {
        case 1:
            let sequence = try integer(UInt32.self)
            let target = try id()
            let source = try id()
            let incarnation = try integer(UInt64.self)
            return .ping(sequence: sequence, target: target, source: source, incarnation: incarnation)
        case 2:
            let sequence = try integer(UInt32.self)
            return .ack(sequence: sequence, source: try id())
        case 3:
            let sequence = try integer(UInt32.self)
            return .nack(sequence: sequence, source: try id())
        case 4:
            let sequence = try integer(UInt32.self)
            let target = try id()
            let endpoint = try endpoint()
            return .pingRequest(sequence: sequence, target: target, at: endpoint, source: try id())
        case 5: return .alive(try signed())
        case 6: return .suspect(try accusation())
        case 7: return .dead(try accusation())
        default: throw .malformed
        }
    }

    private mutating func accusation() throws(MemberCoding.Failure) -> Accusation {
        let subject = try id()
        let incarnation = try integer(UInt64.self)
        return Accusation(subject: subject, incarnation: incarnation, accuser: try id())
    }
}
