internal import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Synchronization

/// The bridge as a whole: made, compared, repaired, removed.
extension NetworkManager {
    /// Sees that bridge, packet filter and settings are there. After the first time only the bridge is looked for.
    func prepare(_ state: inout State) throws(NetworkError) -> NetworkIdentity {
        let links = try LinkSocket()
        if state.isPrepared, let identity = state.identity, let bridge = try links.link(identity.bridge),
            bridge.hardware == identity.hardware, bridge.isUp
        {
            return identity
        }
        let identity = try known(&state, links)
        try KernelSettings(store: store).forward(ipv6: identity.pool6 != nil)
        let plan = plan(identity, state)
        // What belongs to no container is left to the reconciliation, which knows who runs.
        for step in plan.steps(from: try actual(identity, links), running: Set(state.bridged.keys)) {
            switch step {
            case .removePort, .connect, .bringPortBack: continue
            default: try perform(step, plan, links)
            }
        }
        try settleBridge(identity)
        state.isPrepared = true
        return identity
    }

    private func known(_ state: inout State, _ links: LinkSocket) throws(NetworkError) -> NetworkIdentity {
        if let identity = state.identity { return identity }
        let identity = try choose(links)
        try store.prepare()
        try store.write(identity)
        state.identity = identity
        state.pool = AddressPool(identity.pools)
        return identity
    }

    /// Settings that belong to the bridge and go with it.
    private func settleBridge(_ identity: NetworkIdentity) throws(NetworkError) {
        // A process of the host reaches published ports at 127.0.0.1 too; the table's guard keeps containers from it.
        try KernelSettings.write("ipv4/conf/\(identity.bridge)/route_localnet", "1")
        if identity.pool6 != nil { try KernelSettings.write("ipv6/conf/\(identity.bridge)/accept_ra", "0") }
    }

    private func choose(_ links: LinkSocket) throws(NetworkError) -> NetworkIdentity {
        let all = try links.links()
        guard let bridge = NetworkIdentity.freeBridge(nodeID: settings.nodeID, wanted: settings.bridge, links: all)
        else {
            throw NetworkError(
                .invalidRequest,
                "cannot make the bridge \(settings.bridge ?? "rondo0"): an interface of that name is there and is not "
                    + "this node's; remove it, or set another name")
        }
        let routes = try links.routes()
        let resolvers = ResolverAddresses.read().compactMap { NetworkPrefix($0, length: $0.width) }
        let used = routes.map(\.target) + (try links.addresses().map(\.prefix)) + resolvers
        guard
            let pool4 = settings.pool4
                ?? NetworkIdentity.freeNetwork(nodeID: settings.nodeID, used: used)
        else {
            throw NetworkError(
                .invalidRequest, "no IPv4 network is free for containers; set one that nothing on this host uses")
        }
        let uplink = routes.first { $0.target.length == 0 }?.interface
        let mtu = all.first { $0.index == uplink }.map { min(max($0.mtu, 1280), 9216) } ?? 1500
        return NetworkIdentity(
            bridge: bridge, pool4: pool4.network,
            pool6: KernelSettings.hasIPv6
                ? settings.pool6?.network ?? NetworkIdentity.localNetwork(nodeID: settings.nodeID) : nil,
            mtu: settings.mtu ?? mtu, nodeID: settings.nodeID)
    }

    private func actual(_ identity: NetworkIdentity, _ links: LinkSocket) throws(NetworkError) -> NetworkPlan.Actual {
        let all = try links.links()
        let named = all.first { $0.name == identity.bridge }
        if let named, named.kind != "bridge" || named.hardware != identity.hardware {
            throw NetworkError(
                .invalidRequest,
                "the interface \(identity.bridge) is not the one that this node has made; remove it, or purge this "
                    + "node's networks and set another name")
        }
        let names = Set(locallyKnownPorts(identity))
        return NetworkPlan.Actual(
            bridge: named,
            bridgeAddresses: try links.addresses().filter { $0.index == named?.index }.map(\.prefix),
            ports: all.filter { link in
                link.kind == "veth" && (named.map { link.master == $0.index } == true || names.contains(link.name))
            }, filter: try FilterSocket().state(of: identity.bridge))
    }

    /// Ports that are written down, on the bridge or not.
    private func locallyKnownPorts(_ identity: NetworkIdentity) -> [String] {
        let records = (try? store.records().records) ?? []
        return records.compactMap { $0.bridge?.port(bridge: identity.bridge) }
    }

    /// Removes a container without its published ports: those follow in one step for all that are removed.
    private func forget(_ container: String, _ links: LinkSocket, _ state: inout State) throws(NetworkError) {
        guard let attachment = state.bridged[container], let identity = state.identity else { return }
        if let port = try links.link(attachment.port(bridge: identity.bridge)) { try links.delete(port) }
        try store.remove(container)
        state.bridged[container] = nil
        state.pool?.release(attachment.number)
    }

    func reconcileBridge(_ namespaces: [String: String], _ state: inout State, _ report: inout Report) {
        guard state.identity != nil else { return }
        do throws(NetworkError) {
            let links = try LinkSocket()
            let attached = state.bridged
            for container in state.bridged.keys.sorted() where namespaces[container] == nil {
                report.repairs.append("container \(container) does not run: its connection is removed")
                try forget(container, links, &state)
            }
            state.isPrepared = false
            var before: NetworkPlan.Actual?
            if let identity = state.identity { before = try actual(identity, links) }
            let identity = try prepare(&state)
            for (container, path) in namespaces where state.bridged[container] != nil {
                state.bridged[container]?.namespacePath = path
            }
            let plan = plan(identity, state)
            if let before {
                report.repairs += plan.steps(from: before, running: Set(namespaces.keys)).compactMap(\.words)
            }
            let steps = plan.steps(from: try actual(identity, links), running: Set(namespaces.keys))
            for step in steps {
                do throws(NetworkError) {
                    try perform(step, plan, links)
                } catch {
                    report.problems.append(error.description)
                }
            }
            // Only now: as long as the port is published, the next packet would be tracked again.
            forgetConnections(to: attached.filter { state.bridged[$0.key] == nil }.map(\.value), identity)
        } catch {
            report.problems.append(error.description)
        }
    }

    /// Puts right what others did to the bridge and the packet filter since it was looked at last, such as a firewall
    /// that was loaded anew. Some messages to the kernel; nothing while no container is on the bridge.
    ///
    /// - Returns: what was done, and what could not be.
    public func repair() -> Report {
        var report = Report()
        state.withLock { state in
            guard let identity = state.identity, !state.bridged.isEmpty else { return }
            do throws(NetworkError) {
                let links = try LinkSocket()
                let plan = plan(identity, state)
                let steps = plan.repairs(of: try actual(identity, links))
                if steps.isEmpty { return }
                report.repairs = steps.map { $0.words ?? "a container had no port on the bridge" }
                state.isPrepared = false
                _ = try prepare(&state)
                for step in plan.repairs(of: try actual(identity, links)) { try perform(step, plan, links) }
            } catch {
                report.problems.append(error.description)
            }
        }
        return report
    }

    private func perform(_ step: NetworkPlan.Step, _ plan: NetworkPlan, _ links: LinkSocket) throws(NetworkError) {
        let identity = plan.identity
        switch step {
        case .addBridge:
            try links.change(
                LinkMessages.addBridge(identity.bridge, hardware: identity.hardware, mtu: identity.mtu),
                "make the bridge \(identity.bridge)")
        case .bringBridgeUp:
            guard let bridge = try links.link(identity.bridge) else { return }
            try links.change(LinkMessages.setUp(bridge.index), "bring \(identity.bridge) up")
        case .addBridgeAddress(let address):
            guard let bridge = try links.link(identity.bridge) else { return }
            try links.change(
                LinkMessages.addAddress(address, index: bridge.index), "give \(identity.bridge) \(address)")
        case .removeBridgeAddress(let address):
            guard let bridge = try links.link(identity.bridge) else { return }
            try links.change(
                LinkMessages.deleteAddress(address, index: bridge.index), "take \(address) from \(identity.bridge)")
        case .removePort(let name):
            if let port = try links.link(name) { try links.delete(port) }
        case .bringPortBack(let name):
            guard let bridge = try links.link(identity.bridge), let port = try links.link(name) else { return }
            try links.change(LinkMessages.setMaster(port.index, bridge: bridge.index), "put \(name) on the bridge")
            try links.change(LinkMessages.setHairpin(port.index), "set up the port \(name)")
        case .replaceFilter: try FilterSocket().replace(with: plan.filter)
        case .changeMap(let name):
            let filter = try FilterSocket()
            guard let map = plan.filter.maps.first(where: { $0.name == name }),
                let state = try filter.state(of: identity.bridge)
            else { return }
            let messages = FilterMessages.change(
                name, from: state.elements[name] ?? [:], to: map.elements, table: identity.bridge)
            try filter.socket.transaction(messages, "publish ports")
        case .connect(let container):
            guard let attachment = plan.attachments.first(where: { $0.container == container }) else { return }
            try connect(attachment, identity)
        }
    }

    /// Everything of the bridge, whether or not it is known who runs. What is another's is left alone.
    func removeBridge(_ state: State) throws(NetworkError) {
        guard let identity = state.identity else { return }
        let links = try LinkSocket()
        let known = Set(locallyKnownPorts(identity))
        let all = try links.links()
        let bridge = all.first {
            $0.name == identity.bridge && $0.kind == "bridge" && $0.hardware == identity.hardware
        }
        for link in all where link.kind == "veth" {
            if known.contains(link.name) || (bridge.map { link.master == $0.index } == true) { try links.delete(link) }
        }
        if let bridge { try links.delete(bridge) }
        try FilterSocket().delete(table: identity.bridge)
    }
}

extension NetworkPlan.Step {
    /// For the log; nil for what is done every time.
    fileprivate var words: String? {
        switch self {
        case .addBridge: "the bridge was missing"
        case .bringBridgeUp: "the bridge was down"
        case .addBridgeAddress(let address): "the bridge had no \(address)"
        case .removeBridgeAddress(let address): "the bridge had \(address)"
        case .removePort(let name): "the port \(name) belonged to no container"
        case .bringPortBack(let name): "the port \(name) was not on the bridge"
        case .replaceFilter: "the packet filter's table was not as it should be"
        case .changeMap(let name): "published ports in \(name) were not as they should be"
        case .connect: nil
        }
    }
}
