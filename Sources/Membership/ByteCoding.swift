/// Appends values to bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
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

    /// Seven bits in each byte, the lowest first: small numbers take one byte.
    mutating func variable(_ value: UInt64) {
        var rest = value
        while rest > 0x7f {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    /// Bytes that `variable` writes.
    static func size(ofVariable value: UInt64) -> Int { (63 - (value | 1).leadingZeroBitCount) / 7 + 1 }

    mutating func state(_ state: StateExchange) {
        id(state.source)
        integer(UInt16(min(state.entries.count, MemberCoding.stateLimit)))
        for entry in state.entries.prefix(MemberCoding.stateLimit) {
            signed(entry.signed)
            byte(entry.status.rawValue | (entry.accuser == nil ? 0 : 0x80))
            if let accuser = entry.accuser { id(accuser) }
        }
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
        case .check(let sequence, let target, let source, let incarnation, let table):
            byte(8)
            integer(sequence)
            integer(target)
            id(source)
            variable(incarnation)
            integer(table)
        case .confirm(let sequence, let agrees):
            byte(agrees ? 9 : 10)
            integer(sequence)
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
        let size = Value.bitWidth / 8
        guard bytes.count - offset >= size else { throw .truncated }
        offset += size
        let start = offset - size
        return bytes.withUnsafeBytes { Value(bigEndian: $0.loadUnaligned(fromByteOffset: start, as: Value.self)) }
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

    mutating func variable() throws(MemberCoding.Failure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let byte = try byte()
            guard shift < 63 || byte <= 1 else { throw .malformed }
            value |= UInt64(byte & 0x7f) << shift
            guard byte & 0x80 != 0 else {
                // One value has one encoding: nothing ends with a byte that says nothing.
                guard byte != 0 || shift == 0 else { throw .malformed }
                return value
            }
        }
        throw .malformed
    }

    mutating func state() throws(MemberCoding.Failure) -> StateExchange {
        let source = try id()
        var entries: [StateExchange.Entry] = []
        for _ in 0..<(try count()) {
            let signed = try signed()
            let mark = try byte()
            guard let status = MemberStatus(rawValue: mark & 0x7f) else { throw .malformed }
            let accuser = mark & 0x80 == 0 ? nil : try id()
            entries.append(StateExchange.Entry(signed: signed, status: status, accuser: accuser))
        }
        return StateExchange(source: source, entries: entries)
    }

    /// A number of members.
    mutating func count() throws(MemberCoding.Failure) -> UInt16 {
        let count = try integer(UInt16.self)
        guard count <= MemberCoding.stateLimit else { throw .oversized }
        return count
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
        case 8:
            let sequence = try integer(UInt32.self)
            let target = try integer(UInt32.self)
            let source = try id()
            let incarnation = try variable()
            return .check(
                sequence: sequence, target: target, source: source, incarnation: incarnation,
                table: try integer(UInt64.self))
        case 9: return .confirm(sequence: try integer(UInt32.self), agrees: true)
        case 10: return .confirm(sequence: try integer(UInt32.self), agrees: false)
        default: throw .malformed
        }
    }

    private mutating func accusation() throws(MemberCoding.Failure) -> Accusation {
        let subject = try id()
        let incarnation = try integer(UInt64.self)
        return Accusation(subject: subject, incarnation: incarnation, accuser: try id())
    }
}
