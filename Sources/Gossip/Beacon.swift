internal import Membership

/// "I am here, at these addresses": what a node calls to all who are near when nobody it knows answers.
struct Beacon: Equatable, Sendable {
    /// Who calls.
    var node: NodeID
    /// Nobody answers it.
    var isIsolated: Bool
    /// Where it can be reached, at most four.
    var addresses: [MemberEndpoint]

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(integer: node.high)
        bytes.append(integer: node.low)
        bytes.append(isIsolated ? 1 : 0)
        let some = addresses.prefix(MemberCoding.addressLimit)
        bytes.append(UInt8(some.count))
        for address in some {
            bytes.append(address.isIPv6 ? 6 : 4)
            if address.isIPv6 {
                bytes.append(integer: address.high)
                bytes.append(integer: address.low)
            } else {
                bytes.append(integer: UInt32(truncatingIfNeeded: address.low))
            }
            bytes.append(integer: address.port)
        }
        return bytes
    }

    init(node: NodeID, isIsolated: Bool, addresses: [MemberEndpoint]) {
        self.node = node
        self.isIsolated = isIsolated
        self.addresses = addresses
    }

    /// Reads what `bytes` made, and nothing else.
    init(reading bytes: [UInt8]) throws(PacketRefusal) {
        guard bytes.count >= 18 else { throw .malformed }
        node = NodeID(high: bytes.integer(at: 0), low: bytes.integer(at: 8))
        guard bytes[16] <= 1, bytes[17] <= MemberCoding.addressLimit else { throw .malformed }
        isIsolated = bytes[16] == 1
        addresses = []
        var offset = 18
        for _ in 0..<bytes[17] {
            guard offset < bytes.count, bytes[offset] == 4 || bytes[offset] == 6 else { throw .malformed }
            let isIPv6 = bytes[offset] == 6
            let end = offset + (isIPv6 ? 19 : 7)
            guard end <= bytes.count else { throw .malformed }
            let port: UInt16 = bytes.integer(at: end - 2)
            if isIPv6 {
                addresses.append(
                    MemberEndpoint(
                        ipv6High: bytes.integer(at: offset + 1), low: bytes.integer(at: offset + 9), port: port))
            } else {
                addresses.append(MemberEndpoint(ipv4: bytes.integer(at: offset + 1), port: port))
            }
            offset = end
        }
        guard offset == bytes.count else { throw .malformed }
    }
}

/// When to call, and whom to answer. An answer is a join: the one who hears a call asks the caller for its state.
struct BeaconPolicy: Sendable {
    /// Of a large cluster about so many answer a call, not all at once; a caller that none answered calls again.
    static let answers = 4

    /// Time between two calls of a node that nobody answers.
    let interval: Duration
    private var next: Duration = .zero
    /// Calls after a change of addresses that are still to come: one may be lost, or come before others have new ones.
    private var repeats = 0
    private var answered: [NodeID: Duration] = [:]

    init(interval: Duration) { self.interval = interval }

    mutating func addressesChanged(now: Duration) {
        repeats = 3
        next = now
    }

    /// Whether to call now; asked every second.
    mutating func isDue(now: Duration, isIsolated: Bool) -> Bool {
        guard now >= next, isIsolated || repeats > 0 else { return false }
        if repeats > 0 {
            repeats -= 1
            next = now + .seconds(1)
        } else {
            next = now + interval
        }
        return true
    }

    /// Whether to answer a call.
    mutating func answers(
        _ beacon: Beacon, knownAt addresses: [MemberEndpoint]?, isIsolated: Bool, presentMembers: Int, now: Duration,
        random: inout some RandomNumberGenerator
    ) -> Bool {
        guard !beacon.addresses.isEmpty else { return false }
        if !beacon.isIsolated, addresses == beacon.addresses { return false }
        if let last = answered[beacon.node], now - last < .seconds(1) { return false }
        guard isIsolated || Int.random(in: 0..<max(1, presentMembers), using: &random) < Self.answers else {
            return false
        }
        // A full table means many callers; those who are forgotten are answered once more than needed.
        if answered.count >= 256 { answered = [:] }
        answered[beacon.node] = now
        return true
    }
}
