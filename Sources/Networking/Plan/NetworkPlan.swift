internal import ClusterModel

/// How a container on the bridge is connected; written down before anything of it is made.
struct BridgeAttachment: Equatable, Codable {
    var container: String
    /// Its number in the networks.
    var number: UInt32
    var portMappings: [PortMapping]
    /// Its namespace when it was attached.
    var namespacePath: String

    /// The name of its port, which tells bridge and container by a hash: ids are longer than names of interfaces.
    func port(bridge: String) -> String {
        let hash = String(StableHash.of("\(bridge) \(container)"), radix: 36)
        return "rv" + hash.suffix(12)
    }

    /// The hardware address in the container. It follows the IPv4 address, so that neighbours that remember the one are
    /// right about the other.
    static func hardware(_ addresses: [NetworkPrefix]) -> [UInt8] {
        let four = addresses.first { !$0.address.isIPv6 }?.address.bytes ?? [0, 0, 0, 0]
        return [0x02, 0x72] + four
    }
}

/// What the kernel should have for an agent's bridge, and how to come there from what it has.
struct NetworkPlan: Equatable {
    var identity: NetworkIdentity
    var attachments: [BridgeAttachment]

    /// Something to do, in the order given. Each can be done again.
    enum Step: Equatable {
        case addBridge
        case bringBridgeUp
        case addBridgeAddress(NetworkPrefix)
        case removeBridgeAddress(NetworkPrefix)
        case removePort(String)
        case bringPortBack(String)
        case replaceFilter
        case changeMap(String)
        /// Goes into the container and sees that all is there; makes the port first if need be.
        case connect(container: String)
    }

    /// What the kernel has.
    struct Actual: Equatable {
        var bridge: LinkState?
        var bridgeAddresses: [NetworkPrefix] = []
        /// Interfaces that are ports of the bridge, and those that have the name of one.
        var ports: [LinkState] = []
        var filter: FilterState?
    }

    /// The table that belongs to these containers.
    var filter: FilterTable {
        var elements: [String: [UInt16: FilterMap.Target]] = [:]
        for attachment in attachments {
            for pool in identity.pools {
                let address = pool.host(UInt128(attachment.number)).address
                for mapping in attachment.portMappings {
                    let map = Self.map(mapping.transport, isIPv6: address.isIPv6)
                    elements[map, default: [:]][mapping.hostPort] = FilterMap.Target(
                        address: address, port: mapping.containerPort)
                }
            }
        }
        return FilterTable.make(bridge: identity.bridge, pools: identity.pools, elements: elements)
    }

    static func map(_ transport: PortProtocol, isIPv6: Bool) -> String { transport.rawValue + (isIPv6 ? "6" : "4") }

    func portNames() -> [String: String] {
        Dictionary(attachments.map { ($0.port(bridge: identity.bridge), $0.container) }) { first, _ in first }
    }

    /// What to do. Nothing when all is as it should be, apart from looking into the containers that run.
    func steps(from actual: Actual, running: Set<String>) -> [Step] {
        var steps: [Step] = []
        let gateways = identity.gateways
        if let bridge = actual.bridge {
            if !bridge.isUp { steps.append(.bringBridgeUp) }
        } else {
            steps.append(.addBridge)
        }
        let have = actual.bridge == nil ? [] : actual.bridgeAddresses
        steps += have.filter { !gateways.contains($0) && !$0.address.isLinkLocal }.map { .removeBridgeAddress($0) }
        steps += gateways.filter { !have.contains($0) }.map { .addBridgeAddress($0) }
        let names = portNames()
        for port in actual.ports {
            guard let container = names[port.name], running.contains(container) else {
                steps.append(.removePort(port.name))
                continue
            }
            if port.master != actual.bridge?.index || actual.bridge == nil || !port.isUp {
                steps.append(.bringPortBack(port.name))
            }
        }
        let table = filter
        if let state = actual.filter, state.hasShape(of: table) {
            steps += table.maps.filter { $0.elements != state.elements[$0.name] }.map { .changeMap($0.name) }
        } else {
            steps.append(.replaceFilter)
        }
        steps += attachments.filter { running.contains($0.container) }.map { .connect(container: $0.container) }
        return steps
    }

    /// What others have taken away or changed while the agent runs. Containers that are going are taken for running: to
    /// remove what they have is the work of whoever ends them. Looks into containers only whose port is missing.
    func repairs(of actual: Actual) -> [Step] {
        let there = Set(actual.ports.map(\.name))
        let missing = portNames().filter { !there.contains($0.key) }.values
        return steps(from: actual, running: Set(attachments.map(\.container))).filter { step in
            switch step {
            case .removePort: false
            case .connect(let container): missing.contains(container)
            default: true
            }
        }
    }
}
