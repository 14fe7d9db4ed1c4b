internal import ClusterModel
internal import Glibc

/// Entries of the kernel's connection tracking (nfnetlink's ctnetlink).
///
/// A conversation over UDP has no end, so that its entry outlives the container that it was with: a client that goes
/// on sending from the same port would go on reaching nobody. Entries of TCP end with their connections.
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

    /// Removes conversations over UDP that go to one of these ports of the host and do not end at one of `except`.
    /// What cannot be done is left: entries end by themselves after three minutes of silence.
    static func forget(udpPorts: Set<UInt16>, except: Set<NetworkAddress>) {
        guard !udpPorts.isEmpty, let socket = try? NetlinkSocket(.filter) else { return }
        let udp: UInt8 = 17
        for isIPv6 in [false, true] {
            let answers = (try? socket.list(list(isIPv6: isIPv6), "list tracked connections")) ?? []
            for entry in answers.lazy.compactMap(parse)
            where entry.transport == udp && udpPorts.contains(entry.targetPort) && !except.contains(entry.answerer) {
                try? socket.change(delete(entry), "forget a tracked connection")
            }
        }
    }
}
