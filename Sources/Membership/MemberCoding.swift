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
        var writer = ByteWriter(capacity: packet.reduce(1) { $0 + size(of: $1) })
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
        writer.state(state)
        return writer.bytes
    }

    /// Reads a state; all of it is good, or none is taken.
    public static func state(from bytes: [UInt8]) throws(Failure) -> StateExchange {
        var reader = ByteReader(bytes)
        try reader.version()
        let state = try reader.state()
        guard reader.isAtEnd else { throw .oversized }
        return state
    }

    /// Bytes of a message in a packet.
    static func size(of message: GossipMessage) -> Int {
        switch message {
        case .ping: 45
        case .ack, .nack: 21
        case .check(_, _, _, let incarnation, _): 33 + ByteWriter.size(ofVariable: incarnation)
        case .confirm: 5
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
