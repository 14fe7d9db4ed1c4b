internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// Containers on the bridge: one at a time.
extension NetworkManager {
    func attachToBridge(
        _ container: String, _ namespacePath: String, _ mappings: [PortMapping], _ state: inout State
    ) throws(NetworkError) -> Attachment {
        guard state.plugged[container] == nil else { throw isConnectedOtherwise(container) }
        let identity = try prepare(&state)
        if let present = state.bridged[container] {
            guard present.portMappings == mappings else { throw isConnectedOtherwise(container) }
            var moved = present
            moved.namespacePath = namespacePath
            if moved != present { try store.write(AttachmentRecord(bridge: moved)) }
            state.bridged[container] = moved
            try connect(moved, identity)
            try publish(moved, identity, state)
            return attachment(moved, identity)
        }
        try check(mappings, of: container, state)
        guard let number = state.pool?.allocate(for: container) else {
            throw NetworkError(
                .noAddress, "no address is left in \(identity.pool4.network); stop containers, or set a wider network")
        }
        let new = BridgeAttachment(
            container: container, number: number, portMappings: mappings, namespacePath: namespacePath)
        state.bridged[container] = new
        do throws(NetworkError) {
            try store.write(AttachmentRecord(bridge: new))
            try connect(new, identity)
            try publish(new, identity, state)
        } catch {
            // The reason of the failure is what is told; what this leaves undone, the next reconciliation does.
            try? detachFromBridge(container, &state)
            throw error
        }
        return attachment(new, identity)
    }

    private func isConnectedOtherwise(_ container: String) -> NetworkError {
        NetworkError(
            .invalidRequest, "cannot connect container \(container): it is connected in another way; detach it first")
    }

    private func check(
        _ mappings: [PortMapping], of container: String, _ state: State
    ) throws(NetworkError) {
        if mappings.isEmpty { return }
        var taken: [PortMapping: String] = [:]
        for attachment in state.bridged.values {
            for mapping in attachment.portMappings { taken[mapping.key] = attachment.container }
        }
        for attachment in state.plugged.values {
            for mapping in attachment.portMappings { taken[mapping.key] = attachment.container }
        }
        try RequestCheck.mappings(mappings, of: container, taken: taken)
        for mapping in mappings where !HostPorts.isFree(mapping) {
            throw NetworkError(
                .portTaken,
                "cannot publish \(mapping.transport) port \(mapping.hostPort): a process of this host listens on it; "
                    + "choose another port of the host")
        }
    }

    func attachment(_ attachment: BridgeAttachment, _ identity: NetworkIdentity) -> Attachment {
        let gateways = identity.gateways.map(\.address)
        return Attachment(
            interface: Self.interface, addresses: addresses(of: attachment, identity), gateways: gateways,
            dns: gateways, portMappings: attachment.portMappings)
    }

    private func addresses(of attachment: BridgeAttachment, _ identity: NetworkIdentity) -> [NetworkPrefix] {
        identity.pools.map { $0.host(UInt128(attachment.number)) }
    }

    func detachFromBridge(_ container: String, _ state: inout State) throws(NetworkError) {
        guard let attachment = state.bridged[container], let identity = state.identity else { return }
        let links = try LinkSocket()
        if let port = try links.link(attachment.port(bridge: identity.bridge)) { try links.delete(port) }
        state.bridged[container] = nil
        do throws(NetworkError) {
            try unpublish(attachment, identity, state)
            try store.remove(container)
        } catch {
            state.bridged[container] = attachment
            throw error
        }
        state.pool?.release(attachment.number)
    }

    // MARK: The container's side

    /// Sees that the pair of interfaces is there and that the container's end has all it needs.
    func connect(_ attachment: BridgeAttachment, _ identity: NetworkIdentity) throws(NetworkError) {
        let namespace = try NetworkNamespace(attachment.namespacePath)
        let addresses = addresses(of: attachment, identity)
        let hardware = BridgeAttachment.hardware(addresses)
        let name = attachment.port(bridge: identity.bridge)
        let links = try LinkSocket()
        guard let bridge = try links.link(identity.bridge) else { throw .system("find \(identity.bridge)", ENODEV) }
        let inside = try namespace.run { () throws(NetworkError) in try LinkSocket().link(Self.interface) }
        var port = try links.link(name)
        if let there = port, inside?.hardware != hardware {
            // Its other end is in a namespace that the container had before.
            try links.delete(there)
            port = nil
        }
        if port == nil {
            guard inside == nil else {
                throw NetworkError(
                    .invalidRequest,
                    "cannot connect container \(attachment.container): its network has an \(Self.interface) already")
            }
            let message = LinkMessages.addPort(
                name, bridge: bridge.index, mtu: identity.mtu, inside: Self.interface, hardware: hardware,
                namespace: namespace.descriptor.raw)
            try links.change(message, "connect container \(attachment.container) to \(identity.bridge)")
            guard let made = try links.link(name) else { throw .system("find \(name)", ENODEV) }
            try links.change(LinkMessages.setHairpin(made.index), "set up the port \(name)")
        }
        let gateways = identity.gateways.map(\.address)
        try namespace.run { () throws(NetworkError) in
            try Self.furnish(addresses: addresses, gateways: gateways)
        }
    }

    /// In the container's namespace.
    private static func furnish(addresses: [NetworkPrefix], gateways: [NetworkAddress]) throws(NetworkError) {
        let links = try LinkSocket()
        try links.bringLoopbackUp()
        guard let link = try links.link(interface) else { throw .system("find \(interface)", ENODEV) }
        if addresses.contains(where: \.address.isIPv6) {
            // Other containers on the bridge are no routers, whatever they say.
            try KernelSettings.write("ipv6/conf/\(interface)/accept_ra", "0")
            if KernelSettings.read("ipv6/conf/\(interface)/disable_ipv6") == "1" {
                try KernelSettings.write("ipv6/conf/\(interface)/disable_ipv6", "0")
            }
        }
        if !link.isUp { try links.change(LinkMessages.setUp(link.index), "bring \(interface) up") }
        let present = try links.addresses().filter { $0.index == link.index }.map(\.prefix)
        for address in addresses where !present.contains(address) {
            try links.change(LinkMessages.addAddress(address, index: link.index), "give a container \(address)")
        }
        let routes = try links.routes()
        for gateway in gateways where !routes.contains(where: { $0.gateway == gateway && $0.target.length == 0 }) {
            let message = LinkMessages.addDefaultRoute(via: gateway, index: link.index)
            try links.change(message, "give a container the route over \(gateway)")
        }
    }

    // MARK: Published ports

    private typealias Elements = [UInt16: FilterMap.Target]

    /// What a container's ports are in the maps.
    private func elements(of attachment: BridgeAttachment, _ identity: NetworkIdentity) -> [FilterMap] {
        NetworkPlan(identity: identity, attachments: [attachment]).filter.maps.filter { !$0.elements.isEmpty }
    }

    private func publish(
        _ attachment: BridgeAttachment, _ identity: NetworkIdentity, _ state: State
    ) throws(NetworkError) {
        let messages = elements(of: attachment, identity).flatMap {
            FilterMessages.change($0.name, from: [:], to: $0.elements, table: identity.bridge)
        }
        try change(messages, identity, state)
        TrackedConnections.forget(
            udpPorts: udpPorts(attachment), except: Set(addresses(of: attachment, identity).map(\.address)))
    }

    private func unpublish(
        _ attachment: BridgeAttachment, _ identity: NetworkIdentity, _ state: State
    ) throws(NetworkError) {
        let messages = elements(of: attachment, identity).flatMap {
            FilterMessages.change($0.name, from: $0.elements, to: [:], table: identity.bridge)
        }
        try change(messages, identity, state)
        forgetConnections(to: [attachment], identity)
    }

    /// What goes on being sent to containers whose ports are published no more.
    func forgetConnections(to gone: [BridgeAttachment], _ identity: NetworkIdentity) {
        let all = gone.flatMap { addresses(of: $0, identity) }
        TrackedConnections.forget(published: gone.flatMap(\.portMappings), of: Set(all.map(\.address)))
    }

    private func udpPorts(_ attachment: BridgeAttachment) -> Set<UInt16> {
        Set(attachment.portMappings.filter { $0.transport == .udp }.map(\.hostPort))
    }

    /// Changes maps; when the kernel has something else there than was thought, the whole table is made anew.
    private func change(
        _ messages: [NetlinkMessage], _ identity: NetworkIdentity, _ state: State
    ) throws(NetworkError) {
        if messages.isEmpty { return }
        let filter = try FilterSocket()
        do {
            try filter.socket.transaction(messages, "publish ports")
        } catch {
            guard [ENOENT, EEXIST].contains(where: error.isErrno) else { throw error }
            try filter.replace(with: plan(identity, state).filter)
        }
    }

    func plan(_ identity: NetworkIdentity, _ state: State) -> NetworkPlan {
        NetworkPlan(
            identity: identity, attachments: state.bridged.values.sorted { $0.container < $1.container })
    }
}
