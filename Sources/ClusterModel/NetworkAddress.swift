/// An IPv4 or IPv6 address, without port or interface.
public struct NetworkAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Whether it is an address of IPv6.
    public let isIPv6: Bool
    /// The address as a number; of IPv4 only the lower 32 bits are used.
    public let value: UInt128

    /// An IPv4 address.
    public init(ipv4: UInt32) {
        isIPv6 = false
        value = UInt128(ipv4)
    }

    /// An IPv6 address.
    public init(ipv6: UInt128) {
        isIPv6 = true
        value = ipv6
    }

    /// An address of a family; nil when IPv4 has not that many.
    init?(isIPv6: Bool, value: UInt128) {
        if isIPv6 {
            self.init(ipv6: value)
        } else if let small = UInt32(exactly: value) {
            self.init(ipv4: small)
        } else {
            return nil
        }
    }

    /// From the bytes of a packet: 4 or 16 of them, nil for any other number.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        let value = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        self.init(isIPv6: bytes.count == 16, value: value)
    }

    /// As in a packet: 4 or 16 bytes, the most significant one first.
    public var bytes: [UInt8] {
        let count = isIPv6 ? 16 : 4
        return (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt128(8 * (count - 1 - $0))) }
    }

    /// How many bits an address of this family has.
    public var width: Int { isIPv6 ? 128 : 32 }

    /// True for 127.0.0.0/8 and ::1.
    public var isLoopback: Bool { isIPv6 ? value == 1 : value >> 24 == 127 }

    /// True for 0.0.0.0 and ::.
    public var isUnspecified: Bool { value == 0 }

    /// True for 169.254.0.0/16 and fe80::/10, which mean something only together with an interface.
    public var isLinkLocal: Bool { isIPv6 ? value >> 118 == 0xfe80 >> 6 : value >> 16 == 0xa9fe }

    /// Addresses of IPv4 come first.
    public static func < (one: NetworkAddress, other: NetworkAddress) -> Bool {
        one.isIPv6 == other.isIPv6 ? one.value < other.value : other.isIPv6
    }

    /// Reads "10.0.0.1" or "fd00::1"; nil for anything else, a number with leading zeros and a zone included.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8.prefix(46))
        guard !bytes.isEmpty, bytes.count <= 45 else { return nil }
        if bytes.contains(UInt8(ascii: ":")) {
            guard let value = Self.parseIPv6(bytes) else { return nil }
            self.init(ipv6: value)
        } else {
            guard let value = Self.parseIPv4(bytes[...]) else { return nil }
            self.init(ipv4: value)
        }
    }

    private static func parseIPv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (48...57).contains($0) }),
                part.count == 1 || part.first != UInt8(ascii: "0")
            else { return nil }
            let number = part.reduce(0) { $0 * 10 + UInt32($1 - 48) }
            guard number < 256 else { return nil }
            value = value << 8 | number
        }
        return value
    }

    private static func parseIPv6(_ bytes: [UInt8]) -> UInt128? {
        var before: [UInt16] = []
        var after: [UInt16] = []
        var hasGap = false
        var parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        // "::" at an end leaves two empty parts there, elsewhere one.
        if parts.count >= 3, parts[0].isEmpty, parts[1].isEmpty { parts.removeFirst() }
        if parts.count >= 2, parts[parts.count - 1].isEmpty, parts[parts.count - 2].isEmpty { parts.removeLast() }
        guard parts.count <= 9 else { return nil }
        for (place, part) in parts.enumerated() {
            var groups: [UInt16] = []
            if part.isEmpty {
                guard !hasGap else { return nil }
                hasGap = true
                continue
            } else if part.contains(UInt8(ascii: ".")) {
                guard place == parts.count - 1, let four = parseIPv4(part) else { return nil }
                groups = [UInt16(four >> 16), UInt16(four & 0xffff)]
            } else {
                guard part.count <= 4, let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16),
                    part.first != UInt8(ascii: "+")
                else { return nil }
                groups = [group]
            }
            if hasGap { after += groups } else { before += groups }
        }
        let count = before.count + after.count
        guard hasGap ? count < 8 : count == 8, bytes.first != UInt8(ascii: ":") || hasGap else { return nil }
        // A single colon at an end is not a gap.
        if hasGap, !bytes.indices.dropLast().contains(where: { bytes[$0] == 58 && bytes[$0 + 1] == 58 }) { return nil }
        let all = before + Array(repeating: 0, count: 8 - count) + after
        return all.reduce(UInt128(0)) { $0 << 16 | UInt128($1) }
    }

    /// As people write it; IPv6 in the form of RFC 5952.
    public var description: String {
        let bytes = bytes
        guard isIPv6 else { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        var gap = 0..<0
        var at = 0
        while at < 8 {
            let end = groups[at...].firstIndex { $0 != 0 } ?? 8
            if end - at > max(1, gap.count) { gap = at..<end }
            at = max(end, at + 1)
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        return gap.isEmpty ? text(0..<8) : text(0..<gap.lowerBound) + "::" + text(gap.upperBound..<8)
    }
}

extension NetworkAddress: Codable {
    /// Reads a single JSON string.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = NetworkAddress(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "not an address: \(text.prefix(50))")
        }
        self = address
    }

    /// Writes a single JSON string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// An address with the length of its network's prefix: an interface's address, or a network when the rest is zero.
public struct NetworkPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The address, whole.
    public let address: NetworkAddress
    /// How many of its leading bits are the network's.
    public let length: Int

    /// Nil where an address has not that many bits.
    public init?(_ address: NetworkAddress, length: Int) {
        guard (0...address.width).contains(length) else { return nil }
        self.address = address
        self.length = length
    }

    /// Reads "172.20.0.1/24".
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
            let address = NetworkAddress(parts[0]), let length = Int(parts[1])
        else { return nil }
        self.init(address, length: length)
    }

    /// The bits that are the network's.
    private var mask: UInt128 {
        length == 0 ? 0 : (~UInt128(0) >> UInt128(128 - length)) << UInt128(address.width - length)
    }

    /// The network alone: 172.20.0.0/24 for 172.20.0.1/24.
    public var network: NetworkPrefix { with(address.value & mask) }

    /// The address in this network with these last bits; those that belong to the network are ignored.
    public func host(_ number: UInt128) -> NetworkPrefix { with(address.value & mask | number & ~mask) }

    private func with(_ value: UInt128) -> NetworkPrefix {
        let full = address.isIPv6 ? value : value & 0xffff_ffff
        let other = NetworkAddress(isIPv6: address.isIPv6, value: full) ?? address
        return NetworkPrefix(other, length: length) ?? self
    }

    /// The bits of the address that are not the network's.
    public var hostNumber: UInt128 { address.value & ~mask }

    /// Whether an address is in this network.
    public func contains(_ other: NetworkAddress) -> Bool {
        other.isIPv6 == address.isIPv6 && other.value & mask == address.value & mask
    }

    /// Whether two networks have an address in common.
    public func overlaps(_ other: NetworkPrefix) -> Bool {
        length <= other.length ? contains(other.address) : other.contains(address)
    }

    /// "172.20.0.1/24".
    public var description: String { "\(address)/\(length)" }
}

extension NetworkPrefix: Codable {
    /// Reads a single JSON string.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let prefix = NetworkPrefix(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a prefix: \(text.prefix(50))")
        }
        self = prefix
    }

    /// Writes a single JSON string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
