internal import ClusterModel
internal import Glibc

/// What rtnetlink(7) is told and asked about interfaces, addresses and routes. Nothing here opens a socket.
enum LinkMessages {
    private static let newLink: UInt16 = 16
    private static let deleteLink: UInt16 = 17
    private static let getLink: UInt16 = 18
    private static let newAddress: UInt16 = 20
    private static let deleteAddress: UInt16 = 21
    private static let getAddress: UInt16 = 22
    private static let newRoute: UInt16 = 24
    private static let getRoute: UInt16 = 26
    static let isUp: UInt32 = 1

    /// Attributes of a link (IFLA_…).
    private enum Link {
        static let hardware: UInt16 = 1
        static let name: UInt16 = 3
        static let mtu: UInt16 = 4
        static let master: UInt16 = 10
        static let info: UInt16 = 18
        static let namespace: UInt16 = 28
        static let infoKind: UInt16 = 1
        static let infoData: UInt16 = 2
        static let portKind: UInt16 = 4
        static let portData: UInt16 = 5
        static let vethPeer: UInt16 = 1
        static let portHairpin: UInt16 = 4
    }

    /// `struct ifinfomsg`; of the flags only "up" can be changed here.
    private static func header(index: Int32 = 0, isUp up: Bool? = nil) -> [UInt8] {
        var body: [UInt8] = [0, 0, 0, 0]
        body.append(number: index)
        body.append(number: up == true ? isUp : UInt32(0))
        body.append(number: up == nil ? UInt32(0) : isUp)
        return body
    }

    /// A bridge that is up, with its hardware address given so that it stays the same whatever its ports are.
    static func addBridge(_ name: String, hardware: [UInt8], mtu: UInt32) -> NetlinkMessage {
        var body = header(isUp: true)
        body.append(attribute: Link.hardware, hardware)
        body.append(attribute: Link.name, text: name)
        body.append(attribute: Link.mtu, number: mtu)
        body.append(nested: Link.info) { $0.append(attribute: Link.infoKind, text: "bridge") }
        return NetlinkMessage(kind: newLink, flags: NetlinkMessage.create | NetlinkMessage.exclusive, body)
    }

    /// A pair of interfaces in one step: one end here, up and a port of the bridge, the other in a namespace.
    ///
    /// Because it is one step, there is no moment at which a crash would leave an interface that nobody knows.
    static func addPort(
        _ name: String, bridge: Int32, mtu: UInt32, inside: String, hardware: [UInt8], namespace: Int32
    ) -> NetlinkMessage {
        var body = header(isUp: true)
        body.append(attribute: Link.name, text: name)
        body.append(attribute: Link.mtu, number: mtu)
        body.append(attribute: Link.master, number: bridge)
        body.append(nested: Link.info) { info in
            info.append(attribute: Link.infoKind, text: "veth")
            info.append(nested: Link.infoData) { data in
                data.append(nested: Link.vethPeer) { peer in
                    peer += header()
                    peer.append(attribute: Link.hardware, hardware)
                    peer.append(attribute: Link.name, text: inside)
                    peer.append(attribute: Link.mtu, number: mtu)
                    peer.append(attribute: Link.namespace, number: namespace)
                }
            }
        }
        return NetlinkMessage(kind: newLink, flags: NetlinkMessage.create | NetlinkMessage.exclusive, body)
    }

    /// A port sends back to where it came from what is translated on the bridge: where bridged packets pass the
    /// packet filter (br_netfilter), a container that calls its own published port would not be answered otherwise.
    static func setHairpin(_ index: Int32) -> NetlinkMessage {
        var body = header(index: index)
        body.append(nested: Link.info) { info in
            info.append(attribute: Link.portKind, text: "bridge")
            info.append(nested: Link.portData) { $0.append(attribute: Link.portHairpin, [1]) }
        }
        return NetlinkMessage(kind: newLink, body)
    }

    static func setUp(_ index: Int32) -> NetlinkMessage {
        NetlinkMessage(kind: newLink, header(index: index, isUp: true))
    }

    static func setMaster(_ index: Int32, bridge: Int32) -> NetlinkMessage {
        var body = header(index: index, isUp: true)
        body.append(attribute: Link.master, number: bridge)
        return NetlinkMessage(kind: newLink, body)
    }

    static func delete(_ index: Int32) -> NetlinkMessage {
        NetlinkMessage(kind: deleteLink, header(index: index))
    }

    static func link(_ name: String) -> NetlinkMessage {
        var body = header()
        body.append(attribute: Link.name, text: name)
        return NetlinkMessage(kind: getLink, body)
    }

    static var links: NetlinkMessage { NetlinkMessage(kind: getLink, header()) }

    private static func family(_ address: NetworkAddress) -> UInt8 { UInt8(address.isIPv6 ? AF_INET6 : AF_INET) }

    /// An address that is used at once: it was given to this interface alone, so that nobody has to be asked.
    static func addAddress(_ prefix: NetworkPrefix, index: Int32) -> NetlinkMessage {
        var body: [UInt8] = [family(prefix.address), UInt8(prefix.length), 0, 0]
        body.append(number: index)
        let bytes = prefix.address.bytes
        let (address, local, broadcast, flags): (UInt16, UInt16, UInt16, UInt16) = (1, 2, 4, 8)
        body.append(attribute: local, bytes)
        body.append(attribute: address, bytes)
        if !prefix.address.isIPv6, prefix.length < 31 {
            body.append(attribute: broadcast, prefix.host(~0).address.bytes)
        }
        let noDuplicateDetection: UInt32 = 0x02
        if prefix.address.isIPv6 { body.append(attribute: flags, number: noDuplicateDetection) }
        return NetlinkMessage(kind: newAddress, flags: NetlinkMessage.create | NetlinkMessage.replace, body)
    }

    static func deleteAddress(_ prefix: NetworkPrefix, index: Int32) -> NetlinkMessage {
        var body: [UInt8] = [family(prefix.address), UInt8(prefix.length), 0, 0]
        body.append(number: index)
        let local: UInt16 = 2
        body.append(attribute: local, prefix.address.bytes)
        return NetlinkMessage(kind: deleteAddress, body)
    }

    static var addresses: NetlinkMessage { NetlinkMessage(kind: getAddress, [UInt8](repeating: 0, count: 8)) }

    /// The way to everywhere else.
    static func addDefaultRoute(via gateway: NetworkAddress, index: Int32) -> NetlinkMessage {
        let (mainTable, byAdministrator, everywhere, unicast): (UInt8, UInt8, UInt8, UInt8) = (254, 4, 0, 1)
        var body: [UInt8] = [family(gateway), 0, 0, 0, mainTable, byAdministrator, everywhere, unicast, 0, 0, 0, 0]
        let (interface, via): (UInt16, UInt16) = (4, 5)
        body.append(attribute: via, gateway.bytes)
        body.append(attribute: interface, number: index)
        return NetlinkMessage(kind: newRoute, flags: NetlinkMessage.create | NetlinkMessage.replace, body)
    }

    static var routes: NetlinkMessage { NetlinkMessage(kind: getRoute, [UInt8](repeating: 0, count: 12)) }

    static func parseLink(_ message: NetlinkMessage) -> LinkState? {
        let body = message.body[...]
        guard message.kind == newLink, let index: Int32 = body.number(at: 4), let flags: UInt32 = body.number(at: 8),
            let attributes = body.attributes(from: 16), let name = attributes[Link.name]?.text
        else { return nil }
        return LinkState(
            index: index, name: name, isUp: flags & isUp != 0,
            hardware: attributes[Link.hardware].map { Array($0) } ?? [],
            mtu: attributes[Link.mtu]?.number() ?? 0, master: attributes[Link.master]?.number(),
            kind: attributes.nested(Link.info)?[Link.infoKind]?.text)
    }

    static func parseAddress(_ message: NetlinkMessage) -> AddressState? {
        let body = message.body[...]
        guard message.kind == newAddress, body.count >= 8, let index: Int32 = body.number(at: 4),
            let attributes = body.attributes(from: 8), let bytes = attributes[2] ?? attributes[1],
            let address = NetworkAddress(bytes: bytes), body.first == family(address),
            let prefix = NetworkPrefix(address, length: Int(body[1]))
        else { return nil }
        return AddressState(index: index, prefix: prefix)
    }

    /// Nil for messages that are no routes and for routes that lead to nothing here, such as of multicast.
    static func parseRoute(_ message: NetlinkMessage) -> RouteState? {
        let body = message.body[...]
        guard message.kind == newRoute, body.count >= 12, let attributes = body.attributes(from: 12),
            body[0] == UInt8(AF_INET) || body[0] == UInt8(AF_INET6)
        else { return nil }
        let isIPv6 = body[0] == UInt8(AF_INET6)
        let (target, interface, gateway): (UInt16, UInt16, UInt16) = (1, 4, 5)
        let none = isIPv6 ? NetworkAddress(ipv6: 0) : NetworkAddress(ipv4: 0)
        var address = none
        if let bytes = attributes[target] {
            guard let given = NetworkAddress(bytes: bytes), given.isIPv6 == isIPv6 else { return nil }
            address = given
        }
        guard let prefix = NetworkPrefix(address, length: Int(body[1])) else { return nil }
        return RouteState(
            target: prefix, interface: attributes[interface]?.number(),
            gateway: attributes[gateway].flatMap { NetworkAddress(bytes: $0) })
    }
}

/// An interface as the kernel has it.
struct LinkState: Equatable {
    var index: Int32
    var name: String
    var isUp: Bool
    var hardware: [UInt8]
    var mtu: UInt32
    var master: Int32?
    /// "bridge", "veth"; nil for hardware.
    var kind: String?
}

/// An address of an interface.
struct AddressState: Equatable {
    var index: Int32
    var prefix: NetworkPrefix
}

/// Where packets for a network go.
struct RouteState: Equatable {
    var target: NetworkPrefix
    var interface: Int32?
    var gateway: NetworkAddress?
}
