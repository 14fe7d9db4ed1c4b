internal import ClusterModel
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore

/// The nodes and what of this program runs on each, in the form of DC/OS' health service: `/system/health/v1/nodes`,
/// `nodes/HOST` and `nodes/HOST/units`, where HOST is an address or a host name.
struct NodeHealth: Sendable {
    /// A part of a node. DC/OS' units are services of systemd; ours is one program with several parts.
    struct Unit: Hashable, Sendable {
        var id: String
        var name: String
        var description: String
        var isWell: Bool
        var message: String
    }

    struct Node: Hashable, Sendable {
        var address: String
        var hostname: String
        var units: [Unit]

        var isMaster: Bool { units.contains { $0.id == "rondo-master" } }
    }

    let nodes: [Node]

    /// What the master knows.
    ///
    /// - Parameters:
    ///   - core: its agents.
    ///   - own: itself; it is well, or nobody would be told anything.
    init(_ core: MasterCore, own: MasterInfo) {
        let agents = core.agents.values.filter { $0.session.word != "gone" }
        self.init(
            agents: agents.sorted { $0.id < $1.id }.map { ($0.info.address, $0.info.hostname, $0.session.word) },
            own: own)
    }

    init(agents: [(address: String, hostname: String, state: String)], own: MasterInfo) {
        let master = Unit(
            id: "rondo-master", name: "Rondo master", description: "holds the cluster's state and makes offers",
            isWell: true,
            message: "")
        var nodes = [Node(address: own.address, hostname: own.hostname, units: [master])]
        for agent in agents {
            let isWell = agent.state == "connected"
            let unit = Unit(
                id: "rondo-agent", name: "Rondo agent", description: "runs tasks", isWell: isWell,
                message: isWell ? "" : "the agent is \(agent.state)")
            // Several agents may be on one machine; each is told by its host name.
            if agent.address == own.address, !nodes[0].units.contains(where: { $0.id == unit.id }) {
                nodes[0].units.append(unit)
                nodes[0].hostname = agent.hostname
            } else {
                nodes.append(Node(address: agent.address, hostname: agent.hostname, units: [unit]))
            }
        }
        self.nodes = nodes
    }

    /// The node of an address or a host name.
    func node(_ host: String) -> Node? { nodes.first { $0.hostname == host } ?? nodes.first { $0.address == host } }

    func respond(_ path: [String]) throws(GatewayError) -> GatewayResponse {
        guard let host = path.first else {
            return .json { json in
                json.listField("nodes") { json in for node in nodes { json.object { Self.write(node, &$0) } } }
            }
        }
        guard path.count == 1 || path.count == 2 && path[1] == "units" else {
            throw GatewayError(.notFound, "health is at /system/health/v1/nodes, nodes/HOST and nodes/HOST/units")
        }
        guard let node = node(host) else {
            throw GatewayError(.notFound, "no node has the address or the host name '\(host.prefix(255))'")
        }
        if path.count == 1 { return .json { Self.write(node, &$0) } }
        return .json { json in
            json.listField("units") { json in
                for unit in node.units {
                    json.object { json in
                        json.field("id", unit.id)
                        json.field("name", unit.name)
                        json.field("description", unit.description)
                        json.field("health", unit.isWell ? 0 : 1)
                        json.field("output", unit.message)
                        json.field("help", "rondo cluster status")
                    }
                }
            }
        }
    }

    private static func write(_ node: Node, _ json: inout JSONWriter) {
        json.field("host_ip", node.address)
        json.field("hostname", node.hostname)
        json.field("health", node.units.allSatisfy(\.isWell) ? 0 : 1)
        json.field("role", node.isMaster ? "master" : "agent")
    }
}
