/// Names a node for its whole life: 16 bytes derived from its public key. Who verifies a record checks that they fit.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The first eight bytes, big-endian.
    public let high: UInt64
    /// The last eight bytes, big-endian.
    public let low: UInt64

    /// Makes an id from its two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Half of a digest is as good as the whole; equality looks at both.
    public func hash(into hasher: inout Hasher) { hasher.combine(low) }

    /// Orders by bytes.
    public static func < (left: Self, right: Self) -> Bool { (left.high, left.low) < (right.high, right.low) }

    /// Thirty-two hexadecimal digits.
    public var description: String { Self.hex(high) + Self.hex(low) }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Where a node says it can be reached: an IP address and the gossip port. A hint, never an identity.
public struct Endpoint: Hashable, Sendable {
    /// True for IPv6; then both halves hold the address, otherwise the lower 32 bits of `low`.
    public let isIPv6: Bool
    /// The first eight bytes of an IPv6 address.
    public let high: UInt64
    /// The last eight bytes of an IPv6 address, or an IPv4 address.
    public let low: UInt64
    /// The port, for packets and streams alike.
    public let port: UInt16

    /// An IPv4 endpoint.
    public init(ipv4: UInt32, port: UInt16) {
        self.isIPv6 = false
        self.high = 0
        self.low = UInt64(ipv4)
        self.port = port
    }

    /// An IPv6 endpoint.
    public init(ipv6High: UInt64, low: UInt64, port: UInt16) {
        self.isIPv6 = true
        self.high = ipv6High
        self.low = low
        self.port = port
    }
}

/// What a node does in the cluster. A role counts because the record's attestation was verified.
public struct NodeRoles: OptionSet, Hashable, Sendable {
    /// The bits on the wire.
    public let rawValue: UInt8
    /// Wraps bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Decides for the cluster; only its claim to lead counts.
    public static let master = NodeRoles(rawValue: 1)
    /// Runs tasks.
    public static let agent = NodeRoles(rawValue: 2)
}

/// What one node says of itself. It is signed as a whole, so nobody else can change a word of it.
public struct MemberRecord: Hashable, Sendable {
    /// Whose record it is.
    public var id: NodeID
    /// What the node does.
    public var roles: NodeRoles
    /// Where it can be reached, the preferred one first; at most four.
    public var addresses: [Endpoint]
    /// The software's version, at most 32 bytes.
    public var version: String
    /// Grows with each record of a node; a higher one replaces a lower one everywhere.
    public var incarnation: UInt64
    /// The term in which this node leads, as the store gave it; nil when it does not lead.
    public var leaderTerm: UInt64?
    /// The versions of the gossip protocol that the node speaks.
    public var protocols: ClosedRange<UInt8>
    /// True for a node that nobody can probe: it pushes and pulls, and is stale rather than dead when it is silent.
    public var isGossipClient: Bool
    /// True in a node's last record: it leaves on purpose.
    public var isLeaving: Bool

    /// Makes a record.
    public init(
        id: NodeID, roles: NodeRoles, addresses: [Endpoint], version: String, incarnation: UInt64 = 1,
        leaderTerm: UInt64? = nil, protocols: ClosedRange<UInt8> = Membership.protocols,
        isGossipClient: Bool = false, isLeaving: Bool = false
    ) {
        self.id = id
        self.roles = roles
        self.addresses = addresses
        self.version = version
        self.incarnation = incarnation
        self.leaderTerm = leaderTerm
        self.protocols = protocols
        self.isGossipClient = isGossipClient
        self.isLeaving = isLeaving
    }
}

/// A record with the proofs that it carries. Shared, never changed: a thousand views of it cost one copy.
public final class SignedRecord: Hashable, Sendable {
    /// What is said.
    public let record: MemberRecord
    /// The node's signature over `MemberCoding.body(of:)`; opaque here.
    public let signature: [UInt8]
    /// The authority's word for the roles, and whatever is needed to check it; opaque here.
    public let attestation: [UInt8]
    /// Bytes that the whole takes in a message.
    public let encodedSize: Int
    /// Stands for id, incarnation and signature where tables are compared; see `Fingerprint`.
    let fingerprint: UInt64

    /// Joins a record and its proofs; nil when the whole would exceed `MemberCoding.recordLimit` or a part its own.
    public init?(record: MemberRecord, signature: [UInt8], attestation: [UInt8]) {
        guard let size = MemberCoding.size(of: record, signature: signature, attestation: attestation) else {
            return nil
        }
        self.record = record
        self.signature = signature
        self.attestation = attestation
        self.encodedSize = size
        self.fingerprint = Fingerprint.of(record, signature)
    }

    /// Equal in every byte.
    public static func == (left: SignedRecord, right: SignedRecord) -> Bool {
        left === right
            || left.record == right.record && left.signature == right.signature
                && left.attestation == right.attestation
    }

    /// Hashes what is said.
    public func hash(into hasher: inout Hasher) { hasher.combine(record) }
}

/// One member says that another does not answer.
public struct Accusation: Hashable, Sendable {
    /// Who does not answer.
    public var subject: NodeID
    /// The incarnation that is accused; a higher one is free of it.
    public var incarnation: UInt64
    /// Who says so.
    public var accuser: NodeID

    /// Makes an accusation.
    public init(subject: NodeID, incarnation: UInt64, accuser: NodeID) {
        self.subject = subject
        self.incarnation = incarnation
        self.accuser = accuser
    }
}

/// What this node believes of another.
public enum MemberStatus: UInt8, Hashable, Sendable {
    /// It answers, or somebody whom we believe says so.
    case alive = 0
    /// It is accused and has not answered the accusation yet.
    case suspect = 1
    /// It did not answer the accusation in time.
    case dead = 2
    /// It left on purpose.
    case left = 3
    /// A gossip client that has been silent for long.
    case stale = 4
}

/// One row of this node's view.
public struct Member: Sendable {
    /// The newest record that was accepted.
    public internal(set) var signed: SignedRecord
    /// What is believed.
    public internal(set) var status: MemberStatus
    /// Since when that is believed, on the clock of `Membership`.
    public internal(set) var since: Duration
    /// Who accuses it, the first accuser first; empty unless suspect or dead.
    public internal(set) var accusers: [NodeID] = []

    var suspicion: Suspicion?
    var addressIndex = 0
    var position = 0
    var nextReconnect: Duration = .zero
    /// What it adds to the sum of the table at present.
    var counted: UInt64 = 0
    /// Who answered for its record, as long as this node has not verified it; see `Membership.vouches`.
    var voucher: Endpoint?

    /// The newest record that was accepted.
    public var record: MemberRecord { signed.record }
    /// True while it may be asked and told things.
    package var isPresent: Bool { status == .alive || status == .suspect }
    /// True when packets may be sent to it.
    var isReachable: Bool { isPresent && !signed.record.isGossipClient }
    /// Where to try it next.
    var endpoint: Endpoint? {
        let addresses = signed.record.addresses
        return addresses.isEmpty ? nil : addresses[addressIndex % addresses.count]
    }
}

/// The countdown of one suspicion (Lifeguard's dogpile): the more members confirm it independently, the shorter.
struct Suspicion: Sendable {
    var start: Duration
    var shortest: Duration
    var longest: Duration
    /// Confirmations, beyond the first accuser, that make the countdown shortest.
    var needed: Int
    var confirmations = 0
    /// Looks of this node's own for the accused since it was heard of last.
    var looks = 0
    /// When the next look is due; nil until the first was planned.
    var nextLook: Duration?
    /// Somebody else believes the accused dead already.
    var isDeathTold = false

    /// When the accused is believed dead, if nobody reaches it until then.
    private(set) var deadline: Duration

    init(start: Duration, shortest: Duration, longest: Duration, needed: Int) {
        self.start = start
        self.shortest = shortest
        self.longest = longest
        self.needed = needed
        deadline = start + (needed > 0 ? longest : shortest)
    }

    /// One more accuses.
    mutating func confirm() {
        confirmations += 1
        let part = Logarithm.base2(Double(confirmations + 1)) / Logarithm.base2(Double(needed + 1))
        deadline = start + max(shortest, longest - (longest - shortest) * part)
    }

    /// Time that does not count passed.
    mutating func postpone(by time: Duration) {
        start += time
        deadline += time
        nextLook = nextLook.map { $0 + time }
        looks = 0
    }

    /// The accused was heard: the countdown begins anew, because only the news of its new incarnation is missing.
    mutating func heard(at now: Duration) {
        deadline += now - start
        start = now
        looks = 0
        isDeathTold = false
    }
}

/// Logarithms without a mathematics library.
enum Logarithm {
    /// The logarithm to base 2 of a finite number above zero, good to a millionth.
    static func base2(_ value: Double) -> Double {
        guard value.isFinite, value > 0 else { return 0 }
        // ln(m) = 2 artanh((m - 1) / (m + 1)), and m lies in 1..<2, so the series ends quickly.
        let ratio = (value.significand - 1) / (value.significand + 1)
        let square = ratio * ratio
        var term = ratio
        var sum = 0.0
        for divisor in stride(from: 1.0, through: 15.0, by: 2.0) {
            sum += term / divisor
            term *= square
        }
        return Double(value.exponent) + 2 * sum * 1.442_695_040_888_963_4
    }

    /// The logarithm to base 10.
    static func base10(_ value: Double) -> Double { base2(value) * 0.301_029_995_663_981_2 }
}
