internal import ClusterModel
internal import MasterCore
internal import NameService

/// Reads from the core what names are made from. All of it comes from outside, so all of it is cut to a bounded size.
enum NameReader {
    private static let longestName = 255
    private static let mostPorts = 64
    private static let mostAddresses = 16

    /// Everything but the master, which the core does not know the way to.
    static func items(of core: MasterCore) -> [String: NameItem] {
        var items: [String: NameItem] = [:]
        for agent in core.agents.values {
            items[NameItem.key(ofAgent: agent.id.value)] = item(agent)
        }
        for framework in core.frameworks.values {
            if framework.isConnected { items[NameItem.key(ofFramework: framework.id.value)] = item(framework) }
            for task in framework.tasks.values {
                items[NameItem.key(ofTask: task.id.value, framework: framework.id.value)] = item(task)
            }
        }
        return items
    }

    static func item(_ master: MasterInfo) -> NameItem {
        .master(
            NameSource.Node(id: cut(master.id.value), addresses: addresses([master.address]), port: master.port),
            leads: true)
    }

    /// Nil for an agent that is given up.
    static func item(_ agent: AgentState) -> NameItem? {
        switch agent.session {
        case .unreachable, .gone: return nil
        case .recovered, .connected, .disconnected:
            let node = NameSource.Node(
                id: cut(agent.id.value), addresses: addresses([agent.info.address]), port: agent.info.port)
            return .agent(node, isAwaited: agent.session == .recovered)
        }
    }

    /// Where a scheduler is, as far as it says so by address.
    static func item(_ framework: FrameworkState) -> NameItem {
        let info = framework.info
        return .framework(NameSource.Framework(name: cut(info.name), addresses: addresses([info.hostname])))
    }

    /// Nil for a task that does not run, is being ended, or has a health check that it has not passed: whoever asks for
    /// a name wants an answer from who has it.
    static func item(_ task: TaskRecord) -> NameItem? {
        let info = task.launch.task
        guard task.state == .running, info.healthCheck == nil || task.isHealthy == true else { return nil }
        return .task(
            NameSource.Task(
                id: cut(task.id.value), name: cut(info.discovery?.name ?? info.name),
                framework: cut(task.launch.frameworkName), agent: cut(task.agentID.value),
                addresses: info.hasOwnNetwork ? addresses(task.addresses) : [], ports: ports(of: info),
                service: service(of: info)))
    }

    private static func ports(of task: TaskInfo) -> [NameSource.Port] {
        let mappings = task.container?.portMappings ?? []
        if !mappings.isEmpty {
            return mappings.prefix(mostPorts).map { mapping in
                // Frameworks describe a port by either of its numbers.
                let name = task.discovery?.ports.first {
                    $0.number == mapping.hostPort || $0.number == mapping.containerPort
                }?.name
                return NameSource.Port(
                    name: name.map { cut($0) }, number: mapping.containerPort, hostNumber: mapping.hostPort,
                    isUDP: mapping.transport == "udp")
            }
        }
        var ports = (task.discovery?.ports ?? []).compactMap { port -> NameSource.Port? in
            guard let number = UInt16(exactly: port.number) else { return nil }
            return NameSource.Port(
                name: port.name.map { cut($0) }, number: number, isUDP: port.transport?.lowercased() == "udp")
        }
        // As Mesos-DNS: who says nothing of its ports has those that it took from the offer.
        if ports.isEmpty {
            for case .ranges(let ranges) in task.resources.items.filter({ $0.kind.name == "ports" }).map(\.value) {
                for range in ranges.ranges where range.end <= UInt16.max {
                    ports += (range.begin...range.end).prefix(mostPorts - ports.count).map {
                        NameSource.Port(number: UInt16($0))
                    }
                }
            }
        }
        return Array(ports.prefix(mostPorts))
    }

    /// Marathon's tasks say in their environment which app they belong to.
    private static func service(of task: TaskInfo) -> String? {
        task.command?.environment.last { $0.name == "MARATHON_APP_ID" && $0.secret == nil }.map { cut($0.value) }
    }

    private static func addresses(_ texts: [String]) -> [NetworkAddress] {
        texts.prefix(mostAddresses).compactMap { NetworkAddress($0) }.filter { !$0.isUnspecified }
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= longestName ? text : String(decoding: text.utf8.prefix(longestName), as: UTF8.self)
    }
}

extension TaskInfo {
    /// Whether its container has addresses that are not its agent's.
    fileprivate var hasOwnNetwork: Bool { container.map { $0.network != .host } ?? false }
}
