/// A network that instances are attached to.
public struct Network: Hashable, Sendable {
    /// The kinds of network.
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        /// The agent's own.
        case host
        /// The agent's bridge, with an address per container and ports mapped to it.
        case bridge = "container/bridge"
        /// A network with a name, with an address per container.
        case container
    }

    /// Which kind.
    public var mode: Mode
    /// Its name, for named ones.
    public var name: String?
    /// Given to whoever makes the network.
    public var labels: [String: String]

    /// Makes a network.
    public init(mode: Mode, name: String? = nil, labels: [String: String] = [:]) {
        self.mode = mode
        self.name = name
        self.labels = labels
    }
}

/// A port on the agent, for host networking.
public struct PortDefinition: Hashable, Sendable {
    /// The number on the agent if `requirePorts`, else the service port; 0 for any.
    public var port: Int
    /// A name, unique in the service.
    public var name: String?
    /// `tcp`, `udp` or `udp,tcp`.
    public var networkProtocol: String
    /// Free text.
    public var labels: [String: String]

    /// Makes a port.
    public init(port: Int = 0, name: String? = nil, networkProtocol: String = "tcp", labels: [String: String] = [:]) {
        self.port = port
        self.name = name
        self.networkProtocol = networkProtocol
        self.labels = labels
    }
}

/// A port of a container, and the port on the agent that leads to it.
public struct PortMapping: Hashable, Sendable {
    /// The port in the container; 0 for the same number as on the agent.
    public var containerPort: Int
    /// The port on the agent; 0 for any, nil for none.
    public var hostPort: Int?
    /// For load balancers; 0 for one that is unique in the cluster.
    public var servicePort: Int
    /// A name, unique in the service.
    public var name: String?
    /// `tcp`, `udp` or `udp,tcp`.
    public var networkProtocol: String
    /// Free text.
    public var labels: [String: String]
    /// The networks it belongs to; all when empty.
    public var networkNames: [String]

    /// Makes a mapping.
    public init(
        containerPort: Int = 0, hostPort: Int? = nil, servicePort: Int = 0, name: String? = nil,
        networkProtocol: String = "tcp", labels: [String: String] = [:], networkNames: [String] = []
    ) {
        self.containerPort = containerPort
        self.hostPort = hostPort
        self.servicePort = servicePort
        self.name = name
        self.networkProtocol = networkProtocol
        self.labels = labels
        self.networkNames = networkNames
    }
}
