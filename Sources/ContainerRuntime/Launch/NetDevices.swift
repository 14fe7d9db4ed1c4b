internal import CLinux
internal import Glibc

/// Interfaces of the host that become a container's (OCI runtime-spec 1.3, config-linux.md, network devices): each is
/// moved, renamed, given back its permanent addresses of global scope, and brought up. When the container's namespace
/// ends, the kernel gives a physical device back to the host and removes a virtual one.
struct NetDevices {
    private static let newLink: UInt16 = 16
    private static let getLink: UInt16 = 18
    private static let newAddress: UInt16 = 20
    private static let getAddress: UInt16 = 22
    private static let nameAttribute: UInt16 = 3
    private static let namespaceAttribute: UInt16 = 28
    private static let isUp: UInt32 = 1

    /// `pid`: a process in the network namespace that gets them.
    static func move(_ devices: [(host: String, inside: String?)], to pid: Int32) throws(RuntimeFailure) {
        if devices.isEmpty { return }
        let namespace = try OpenFile(
            Kernel.open("/proc/\(pid)/ns/net", O_RDONLY), "cannot open the container's network namespace")
        let here = try Netlink()
        let there = try Netlink(in: namespace)
        for device in devices {
            try move(device.host, as: device.inside ?? device.host, from: here, to: there, namespace)
        }
    }

    private static func move(
        _ name: String, as inside: String, from here: Netlink, to there: Netlink, _ namespace: OpenFile
    ) throws(RuntimeFailure) {
        let doing = "cannot move the network device \(name) into the container"
        let index = try index(of: name, here, doing)
        // The kernel moves first and renames then: a name that is taken would leave the device in there, to be lost with
        // the container that was not made.
        guard (try? self.index(of: inside, there, doing)) == nil else {
            throw RuntimeFailure("\(doing): it has a device called \(inside) already")
        }
        // They go when the interface goes down.
        let addresses = try addresses(of: index, here, doing)
        var body = link(index, flags: 0)
        body.append(attribute: namespaceAttribute, bytes(UInt32(bitPattern: namespace.raw)))
        body.append(attribute: nameAttribute, Array(inside.utf8) + [0])
        try here.request(newLink, body, inside == name ? doing : "\(doing) as \(inside)")
        let moved = try self.index(of: inside, there, doing)
        for address in addresses {
            var body = Array(address.header[0..<4])
            body.append(number: UInt32(moved))
            for (kind, value) in address.attributes { body.append(attribute: kind, value) }
            let createExclusively: UInt16 = 0x600
            try there.request(newAddress, flags: createExclusively, body, "\(doing): an address")
        }
        try there.request(newLink, link(moved, flags: isUp), "cannot bring \(inside) up in the container")
    }

    /// `struct ifinfomsg`; only whether the interface is up is changed.
    private static func link(_ index: Int32, flags: UInt32) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: 4)
        body.append(number: index)
        body.append(number: flags)
        body.append(number: isUp)
        return body
    }

    private static func index(of name: String, _ netlink: Netlink, _ doing: String) throws(RuntimeFailure) -> Int32 {
        var body = [UInt8](repeating: 0, count: 16)
        body.append(attribute: nameAttribute, Array(name.utf8) + [0])
        guard let answer = try netlink.request(getLink, body, doing).first, let index: Int32 = answer.number(at: 4)
        else { throw RuntimeFailure("\(doing): the kernel does not say where it is") }
        return index
    }

    /// An address with what of its attributes has a meaning elsewhere.
    struct Address {
        /// `struct ifaddrmsg`.
        var header: [UInt8]
        var attributes: [(kind: UInt16, value: [UInt8])]

        /// nil for an address of another interface, a narrower scope than the whole world, or a limited life: those
        /// depend on the network that they were made in.
        init?(_ answer: [UInt8], of index: Int32) {
            guard answer.count >= 8, let owner: UInt32 = answer.number(at: 4), owner == UInt32(bitPattern: index),
                answer[3] == 0
            else { return nil }
            let flagsAttribute: UInt16 = 8
            let all = answer.attributes(from: 8)
            let permanent: UInt32 = 0x80
            var flags = UInt32(answer[2])
            if let wide: UInt32 = all.last(where: { $0.kind == flagsAttribute })?.value.number(at: 0) { flags = wide }
            guard flags & permanent != 0 else { return nil }
            header = Array(answer[0..<8])
            header[2] = 0
            // Address, own end, broadcast; not the label, which is the old name.
            attributes = all.filter { [1, 2, 4].contains($0.kind) }
            let noDuplicateDetection: UInt32 = 0x02
            let noRoute: UInt32 = 0x200
            attributes.append((kind: flagsAttribute, value: bytes(flags & (noDuplicateDetection | noRoute))))
        }
    }

    private static func addresses(
        of index: Int32, _ netlink: Netlink, _ doing: String
    ) throws(RuntimeFailure) -> [Address] {
        let everyFamily = [UInt8](repeating: 0, count: 8)
        return try netlink.request(getAddress, isDump: true, everyFamily, doing).compactMap {
            Address($0, of: index)
        }
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: number)
        return bytes
    }
}
