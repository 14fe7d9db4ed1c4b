internal import Logging
internal import Membership
internal import NIOCore
internal import NIOPosix
internal import Transport

extension GossipNode {
    /// The group of the calls: link-local, not assigned by anybody (ff12::), "rondo" in letters.
    private static let group: (high: UInt64, low: UInt64) = (0xff12_0000_0000_0000, 0x0000_726f_6e64_6f01)

    /// Opens the shared port. A node that cannot goes on without calls: its hints may be good.
    func bindBeacon() async {
        guard let beacon = settings.beacon else { return }
        for isIPv6 in [false, true] {
            do {
                callers.append(try await PacketSocket.bindShared(isIPv6: isIPv6, port: beacon.port, to: self))
            } catch {
                let family = isIPv6 ? "IPv6" : "IPv4"
                let reason = TransportError.reason(for: error)
                logger.info("no calls to nodes nearby over \(family): port \(beacon.port): \(reason)")
            }
        }
    }

    /// Listens to the group on interfaces that are new. One that vanished and came back has another number.
    func joinGroups() {
        guard let channel = callers.first(where: \.isIPv6)?.channel as? any MulticastChannel else { return }
        let wanted = Set(interfaces.filter(\.hasMulticast).map(\.index))
        let new = wanted.subtracting(groups)
        groups.formIntersection(wanted)
        guard !new.isEmpty, let group = SocketAddress.make(high: Self.group.high, low: Self.group.low, port: 0),
            let devices = try? System.enumerateDevices()
        else { return }
        for device in devices where new.contains(device.interfaceIndex) && !groups.contains(device.interfaceIndex) {
            groups.insert(device.interfaceIndex)
            channel.joinGroup(group, device: device).whenFailure { _ in }
        }
    }

    /// What this node says of where it is.
    func ownAddresses() -> [MemberEndpoint] {
        if let advertised = settings.advertised { return advertised.map { $0.port == 0 ? $0.with(port: port) : $0 } }
        let bound = settings.listen.compactMap { MemberEndpoint($0, port: port) }
        let isWild = bound.contains { $0.high == 0 && $0.low == 0 }
        return isWild
            ? InterfaceAddress.advertised(interfaces, port: port) : Array(bound.prefix(MemberCoding.addressLimit))
    }

    /// Looks for changes of the machine's addresses.
    func watchInterfaces() {
        guard settings.beacon != nil || settings.advertised == nil, let all = InterfaceAddress.all() else { return }
        guard all != interfaces else { return }
        interfaces = all
        joinGroups()
        let addresses = ownAddresses()
        // A machine between two addresses says nothing; the old ones are as good as none.
        guard !addresses.isEmpty, addresses != membership.own.record.addresses else { return }
        logger.info("this node is now at \(addresses.map(\.text).joined(separator: ", "))")
        addressesChanged(addresses)
    }

    /// Nobody is known to be there, or nothing was heard for so long that nobody is.
    private var isIsolated: Bool {
        let timing = settings.membership
        let silence =
            membership.own.record.isGossipClient
            ? timing.clientInterval * 3 : max(.seconds(3), timing.probeInterval * 4)
        return membership.presentMembers == 1 || Self.clock() - lastHeard > silence
    }

    func callIfAlone() {
        guard let beacon = settings.beacon, !membership.own.record.isLeaving else { return }
        let isIsolated = isIsolated
        guard policy.isDue(now: Self.clock(), isIsolated: isIsolated) else { return }
        let own = membership.own.record
        let body = Beacon(node: own.id, isIsolated: isIsolated, addresses: own.addresses).bytes
        for interface in interfaces where beacon.includesLoopback || !interface.address.isLoopback {
            call(body, through: interface, port: beacon.port)
        }
        for caller in callers { caller.channel.flush() }
    }

    private func call(_ body: [UInt8], through interface: InterfaceAddress, port: UInt16) {
        let isIPv6 = interface.address.isIPv6
        guard let caller = callers.first(where: { $0.isIPv6 == isIPv6 }) else { return }
        let target: SocketAddress?
        if isIPv6 {
            // Every interface of IPv6 has a link-local address, so each is called through once.
            guard interface.hasMulticast, interface.address.isLinkLocal, let scope = UInt32(exactly: interface.index)
            else { return }
            target = .make(high: Self.group.high, low: Self.group.low, port: port, scope: scope)
        } else {
            let loopback = interface.address.isLoopback ? MemberEndpoint(ipv4: 0x7fff_ffff, port: port) : nil
            guard let broadcast = interface.broadcast ?? loopback else { return }
            target = broadcast.with(port: port).socketAddress(mapped: false)
        }
        guard let target, let sealed = seal.seal(.beacon, for: 0, body) else { return }
        tally.beaconsSent += 1
        caller.write(sealed.envelope, to: target)
    }

    /// Hears a call. A call proves nothing about its time, so all that it can do is make this node ask there, which is
    /// bounded; the stream then proves who is there.
    func heard(_ bytes: [UInt8], from sender: MemberEndpoint) {
        do throws(PacketRefusal) {
            let opened = try seal.open(bytes)
            guard opened.header.kind == .beacon else { throw .unknownKind(opened.header.kind.rawValue) }
            let beacon = try Beacon(reading: opened.body)
            guard beacon.node != membership.own.record.id else { return }
            tally.beaconsHeard += 1
            let known = membership.members[beacon.node]
            let answers = policy.answers(
                beacon, knownAt: known?.status == .alive ? known?.record.addresses : nil, isIsolated: isIsolated,
                presentMembers: membership.presentMembers, now: Self.clock(), random: &random)
            if answers { handle(.join(beacon.addresses)) }
        } catch {
            refuse(error, from: sender)
        }
    }
}
