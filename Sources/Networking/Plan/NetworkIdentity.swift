internal import ClusterModel

/// What an agent's bridge is called and which networks it has. Chosen once, then kept.
struct NetworkIdentity: Equatable, Codable {
    var format = 1
    var bridge: String
    var pool4: NetworkPrefix
    /// Nil where the host has no IPv6.
    var pool6: NetworkPrefix?
    var mtu: UInt32
    var nodeID: String

    /// The host's own addresses in the networks: the first of each.
    var gateways: [NetworkPrefix] { pools.map { $0.host(1) } }

    var pools: [NetworkPrefix] { [pool4.network] + (pool6.map { [$0.network] } ?? []) }

    /// A bridge has at most 1023 ports, and 1022 containers fit a network of this length: neither is wasted.
    static let prefixLength = 22
    static let mostBridges = 100

    /// The bridge's hardware address is how an agent knows its own again, and others' from its own.
    static func hardware(nodeID: String) -> [UInt8] {
        let hash = StableHash.of("bridge of \(nodeID)")
        // Locally administered, of one interface.
        return [0x02] + (0..<5).map { UInt8(truncatingIfNeeded: hash >> (8 * $0)) }
    }

    var hardware: [UInt8] { Self.hardware(nodeID: nodeID) }

    /// A network of the node's own among those that RFC 4193 leaves to everybody.
    static func localNetwork(nodeID: String) -> NetworkPrefix? {
        let hash = UInt128(StableHash.of("network of \(nodeID)") >> 24)
        return NetworkPrefix(NetworkAddress(ipv6: 0xfd << 120 | hash << 80), length: 64)
    }

    /// The first of 172.20.0.0 to 172.31.252.0, then of 10.128.0.0 and up, that has nothing in common with what is used.
    /// The search begins at a place that depends on the node, so that nodes differ.
    static func freeNetwork(nodeID: String, used: [NetworkPrefix]) -> NetworkPrefix? {
        let step = UInt32(1) << UInt32(32 - prefixLength)
        let ranges: [(first: UInt32, count: UInt32)] = [
            (0xac14_0000, 12 << 16 / step), (0x0a80_0000, 1 << 23 / step),
        ]
        // Networks so wide that they say nothing, such as a default route, are not in the way.
        let narrow = used.filter { !$0.address.isIPv6 && $0.length > 8 }
        for range in ranges {
            // Marked rather than searched for each: a router has a million routes.
            var isTaken = [Bool](repeating: false, count: Int(range.count))
            for prefix in narrow {
                let low = UInt32(truncatingIfNeeded: prefix.host(0).address.value)
                let high = UInt32(truncatingIfNeeded: prefix.host(~0).address.value)
                guard high >= range.first, low <= range.first + (range.count * step - 1) else { continue }
                let begin = (max(low, range.first) - range.first) / step
                let end = min((high - range.first) / step, range.count - 1)
                for place in begin...end { isTaken[Int(place)] = true }
            }
            let start = UInt32(truncatingIfNeeded: StableHash.of(nodeID) % UInt64(range.count))
            for offset in 0..<range.count {
                let place = (start + offset) % range.count
                if isTaken[Int(place)] { continue }
                return NetworkPrefix(NetworkAddress(ipv4: range.first + place * step), length: prefixLength)
            }
        }
        return nil
    }

    /// The name that is free: none has it, or a bridge of this node's has.
    static func freeBridge(nodeID: String, wanted: String?, links: [LinkState]) -> String? {
        let own = hardware(nodeID: nodeID)
        let names = wanted.map { [$0] } ?? (0..<mostBridges).map { "rondo\($0)" }
        return names.first { name in
            guard let link = links.first(where: { $0.name == name }) else { return true }
            return link.kind == "bridge" && link.hardware == own
        }
    }

    /// Whether a text can be an interface's name.
    static func isInterfaceName(_ name: String) -> Bool {
        (1...15).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
    }
}
