public import Membership
internal import NIOCore
internal import NIOPosix
public import Transport

extension MemberEndpoint {
    /// True for 127.0.0.0/8 and ::1.
    var isLoopback: Bool { isIPv6 ? high == 0 && low == 1 : low >> 24 == 127 }

    /// True for 169.254.0.0/16 and fe80::/10, which mean something only together with an interface.
    var isLinkLocal: Bool { isIPv6 ? high >> 54 == 0xfe80 >> 6 : low >> 16 == 0xa9fe }

    /// The address as people write it, with its port.
    public var text: String {
        isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    /// The address alone.
    var address: IPAddress {
        guard isIPv6 else {
            return .v4([24, 16, 8, 0].map { String(low >> $0 & 0xff) }.joined(separator: "."))
        }
        let groups = [high, low].flatMap { half in
            [48, 32, 16, 0].map { String(half >> UInt64($0) & 0xffff, radix: 16) }
        }
        let text = groups.joined(separator: ":")
        return (try? IPAddress(parsing: text)) ?? .v6(text)
    }

    /// Reads an address literal.
    public init?(_ address: IPAddress, port: UInt16) {
        guard let socket = try? SocketAddress(ipAddress: address.description, port: Int(port)),
            let endpoint = socket.memberEndpoint
        else { return nil }
        self = endpoint
    }

    /// For a socket; one of both families takes IPv4 addresses in the form of IPv6.
    func socketAddress(mapped: Bool) -> SocketAddress? {
        if isIPv6 { return .make(high: high, low: low, port: port) }
        if mapped { return .make(high: 0, low: 0xffff << 32 | low, port: port) }
        let bytes = ByteBuffer(integer: UInt32(truncatingIfNeeded: low))
        return try? SocketAddress(packedIPAddress: bytes, port: Int(port))
    }
}

extension SocketAddress {
    /// An IPv6 address with the interface that it is meant for.
    static func make(high: UInt64, low: UInt64, port: UInt16, scope: UInt32 = 0) -> SocketAddress? {
        var bytes = ByteBuffer(integer: high)
        bytes.writeInteger(low)
        guard let plain = try? SocketAddress(packedIPAddress: bytes, port: Int(port)) else { return nil }
        guard scope != 0, case .v6(let address) = plain else { return plain }
        var raw = address.address
        // The interface is behind family, port, flow and address, in the byte order of the machine (ipv6(7)).
        withUnsafeMutableBytes(of: &raw) { $0.storeBytes(of: scope, toByteOffset: 24, as: UInt32.self) }
        return SocketAddress(raw)
    }

    /// What a member would say of it; IPv4 in the form of IPv6 counts as IPv4.
    var memberEndpoint: MemberEndpoint? {
        guard let port = port.flatMap({ UInt16(exactly: $0) }) else { return nil }
        switch self {
        case .v4(let address):
            // Behind family and port (ip(7)).
            let four = withUnsafeBytes(of: address.address) { $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self) }
            return MemberEndpoint(ipv4: UInt32(bigEndian: four), port: port)
        case .v6(let address):
            let (high, low) = withUnsafeBytes(of: address.address) { bytes in
                (
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
                )
            }
            if high == 0, low >> 32 == 0xffff {
                return MemberEndpoint(ipv4: UInt32(truncatingIfNeeded: low), port: port)
            }
            return MemberEndpoint(ipv6High: high, low: low, port: port)
        case .unixDomainSocket: return nil
        }
    }
}

/// An interface with one of its addresses.
struct InterfaceAddress: Hashable, Sendable {
    var name: String
    var index: Int
    var address: MemberEndpoint
    var broadcast: MemberEndpoint?
    var hasMulticast: Bool

    /// All that the machine has at the moment.
    ///
    /// They are asked for every second rather than heard of through a netlink socket: a socket can overflow and lose
    /// changes, so one has to ask anyway; an answer costs some ten microseconds; and nothing here gains by knowing a
    /// change sooner.
    static func all() -> [InterfaceAddress]? {
        guard let devices = try? System.enumerateDevices() else { return nil }
        return devices.compactMap { device in
            guard let address = device.address?.memberEndpoint else { return nil }
            return InterfaceAddress(
                name: device.name, index: device.interfaceIndex, address: address,
                broadcast: broadcast(device, of: address), hasMulticast: device.multicastSupported)
        }
    }

    /// An address that was set by hand often has no broadcast address, and its own in that place; the mask tells it.
    private static func broadcast(_ device: NIONetworkDevice, of address: MemberEndpoint) -> MemberEndpoint? {
        guard !address.isIPv6, !address.isLoopback else { return nil }
        if let given = device.broadcastAddress?.memberEndpoint, given.low != address.low, given.low != 0 {
            return given
        }
        guard let mask = device.netmask?.memberEndpoint, !mask.isIPv6 else { return nil }
        let host = ~UInt32(truncatingIfNeeded: mask.low)
        // Links of two addresses have none (RFC 3021).
        guard host > 1 else { return nil }
        return MemberEndpoint(ipv4: UInt32(truncatingIfNeeded: address.low) | host, port: 0)
    }

    /// What this node says of itself: real interfaces before bridges of containers, IPv4 before IPv6; no addresses
    /// that others could not reach. Loopback only when there is nothing else.
    static func advertised(_ all: [InterfaceAddress], port: UInt16) -> [MemberEndpoint] {
        let reachable = all.filter { !$0.address.isLoopback && !$0.address.isLinkLocal && !$0.isOwnBridge }
        let some = reachable.isEmpty ? all.filter { $0.address.isLoopback && !$0.address.isIPv6 } : reachable
        let sorted = some.sorted { $0.rank.lexicographicallyPrecedes($1.rank) }
        return sorted.prefix(MemberCoding.addressLimit).map { $0.address.with(port: port) }
    }

    /// The bridge that agents make for the containers of their machine: nobody else reaches it.
    private var isOwnBridge: Bool { name.hasPrefix("rondo") && name.dropFirst(5).allSatisfy(\.isNumber) }

    private var rank: [UInt64] {
        let virtual = ["docker", "br-", "veth", "cni", "virbr", "podman", "lxc", "flannel", "cali"]
        return [
            virtual.contains { name.hasPrefix($0) } ? 1 : 0, address.isIPv6 ? 1 : 0, UInt64(max(0, index)),
            address.high, address.low,
        ]
    }
}

extension MemberEndpoint {
    func with(port: UInt16) -> MemberEndpoint {
        isIPv6
            ? MemberEndpoint(ipv6High: high, low: low, port: port)
            : MemberEndpoint(ipv4: UInt32(truncatingIfNeeded: low), port: port)
    }
}
