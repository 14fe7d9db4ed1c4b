internal import ClusterModel
internal import Glibc

/// Entries of the kernel's connection tracking (nfnetlink's ctnetlink).
///
/// A conversation over UDP has no end, so that its entry outlives the container that it was with: a client that goes
/// on sending from the same port would go on reaching nobody. A connection over TCP that was begun, or used, while its
/// container went away is sent on to nobody too: its client is told nothing until its own patience ends.
enum TrackedConnections {
    private static let (getKind, deleteKind, answerKind): (UInt16, UInt16, UInt16) = (0x101, 0x102, 0x100)
    private static let (original, reply, identifier, zone): (UInt16, UInt16, UInt16, UInt16) = (1, 2, 12, 18)

    /// An entry with what it takes to remove it.
    struct Entry: Equatable {
        var transport: UInt8
        /// What the sender wrote on its first packet.
        var target: NetworkAddress
        var targetPort: UInt16
        /// Who answers: after a redirection somebody else than the target.
        var answerer: NetworkAddress
        var deletion: [UInt8]
    }

    /// All entries of a family.
    static func list(isIPv6: Bool) -> NetlinkMessage { NetlinkMessage(kind: getKind, header(isIPv6)) }

    static func delete(_ entry: Entry) -> NetlinkMessage { NetlinkMessage(kind: deleteKind, entry.deletion) }

    private static func header(_ isIPv6: Bool) -> [UInt8] { [UInt8(isIPv6 ? AF_INET6 : AF_INET), 0, 0, 0] }

    static func parse(_ message: NetlinkMessage) -> Entry? {
        let body = message.body[...]
        guard message.kind == answerKind, let family = body.first, let attributes = body.attributes(from: 4),
            let originalBytes = attributes[original], let first = NetlinkAttributes(originalBytes),
            let back = attributes.nested(reply), let target = address(first, isSource: false),
            let answerer = address(back, isSource: true), let transport = first.nested(2)?[1]?.first,
            let port: UInt16 = first.nested(2)?[3]?.big()
        else { return nil }
        var deletion: [UInt8] = [family, 0, 0, 0]
        deletion.append(attribute: original | 0x8000, Array(originalBytes))
        if let id = attributes[identifier] { deletion.append(attribute: identifier, Array(id)) }
        if let zone = attributes[zone] { deletion.append(attribute: self.zone, Array(zone)) }
        return Entry(
            transport: transport, target: target, targetPort: port, answerer: answerer, deletion: deletion)
    }

    private static func address(_ tuple: NetlinkAttributes, isSource: Bool) -> NetworkAddress? {
        guard let addresses = tuple.nested(1) else { return nil }
        let (source4, target4, source6, target6): (UInt16, UInt16, UInt16, UInt16) = (1, 2, 3, 4)
        let bytes = isSource ? addresses[source4] ?? addresses[source6] : addresses[target4] ?? addresses[target6]
        return bytes.flatMap { NetworkAddress(bytes: $0) }
    }

    /// Removes what is tracked over UDP to one of these ports of the host and does not end at one of `except`.
    static func forget(udpPorts: Set<UInt16>, except: Set<NetworkAddress>) {
        guard !udpPorts.isEmpty else { return }
        forget { $0.isOver(transport: udp, ports: udpPorts) && !except.contains($0.answerer) }
    }

    /// Removes what is tracked to published ports that are no more. A client of TCP then is told at its next packet.
    ///
    /// - Parameters:
    ///   - ports: the ports, already out of the tables.
    ///   - containers: the addresses of the containers that had them; a connection over TCP is known by them, as others
    ///     go to the same port of other machines.
    static func forget(published ports: [PortMapping], of containers: Set<NetworkAddress>) {
        guard !ports.isEmpty else { return }
        let udpPorts = Set(ports.lazy.filter { $0.transport == .udp }.map(\.hostPort))
        let tcpPorts = Set(ports.lazy.filter { $0.transport == .tcp }.map(\.hostPort))
        forget {
            $0.isOver(transport: udp, ports: udpPorts)
                || $0.isOver(transport: tcp, ports: tcpPorts) && containers.contains($0.answerer)
        }
    }

    private static let (tcp, udp): (UInt8, UInt8) = (6, 17)

    /// What cannot be done is left: entries end by themselves after some silence.
    private static func forget(where isGone: (Entry) -> Bool) {
        guard let socket = try? NetlinkSocket(.filter) else { return }
        for isIPv6 in [false, true] {
            let answers = (try? socket.list(list(isIPv6: isIPv6), "list tracked connections")) ?? []
            for entry in answers.lazy.compactMap(parse) where isGone(entry) {
                try? socket.change(delete(entry), "forget a tracked connection")
            }
        }
    }
}

extension TrackedConnections.Entry {
    fileprivate func isOver(transport: UInt8, ports: Set<UInt16>) -> Bool {
        self.transport == transport && ports.contains(targetPort)
    }
}
