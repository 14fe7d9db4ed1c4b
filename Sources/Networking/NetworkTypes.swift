public import ClusterModel

/// How a container is connected.
public enum NetworkMode: Hashable, Sendable {
    /// It has the host's network.
    case host
    /// It has an address on this node's bridge.
    case bridge
    /// It has what the plugins of a CNI configuration give it.
    case named(String)
    /// It has loopback and nothing else.
    case none
}

/// The protocol of a published port.
public enum PortProtocol: String, Hashable, Sendable, Codable {
    case tcp
    case udp
}

/// A port of the host that leads to a container.
public struct PortMapping: Hashable, Sendable, Codable {
    /// The port on every address of the host.
    public var hostPort: UInt16
    /// The port in the container.
    public var containerPort: UInt16
    /// What is carried.
    public var transport: PortProtocol

    /// Publishes a port of a container.
    public init(hostPort: UInt16, containerPort: UInt16, transport: PortProtocol = .tcp) {
        self.hostPort = hostPort
        self.containerPort = containerPort
        self.transport = transport
    }
}

/// What a container asks for.
public struct NetworkRequest: Hashable, Sendable {
    /// How it is connected.
    public var mode: NetworkMode
    /// Its published ports; only where it has an address of its own.
    public var portMappings: [PortMapping]

    /// Makes a request.
    public init(mode: NetworkMode, portMappings: [PortMapping] = []) {
        self.mode = mode
        self.portMappings = portMappings
    }
}

/// What a container has got.
public struct Attachment: Hashable, Sendable {
    /// The interface in the container; nil where it has none of its own.
    public var interface: String?
    /// Its addresses, each with the prefix of its network.
    public var addresses: [NetworkPrefix]
    /// Where everything else is reached.
    public var gateways: [NetworkAddress]
    /// Who answers questions for names; empty when the host's own resolvers are to be used.
    public var dns: [NetworkAddress]
    /// What was published.
    public var portMappings: [PortMapping]

    /// Describes a connection.
    public init(
        interface: String? = nil, addresses: [NetworkPrefix] = [], gateways: [NetworkAddress] = [],
        dns: [NetworkAddress] = [], portMappings: [PortMapping] = []
    ) {
        self.interface = interface
        self.addresses = addresses
        self.gateways = gateways
        self.dns = dns
        self.portMappings = portMappings
    }
}

/// A container that runs, as the agent knows it.
public struct RunningContainer: Hashable, Sendable {
    /// The container's id.
    public var id: String
    /// Its network namespace.
    public var namespacePath: String

    /// Names a container and its namespace.
    public init(id: String, namespacePath: String) {
        self.id = id
        self.namespacePath = namespacePath
    }
}

/// How an agent's networks are made.
public struct NetworkSettings: Sendable {
    /// Where it is written down which container has what; of this agent alone.
    public var directory: String
    /// Where namespaces are mounted; does not outlive the machine.
    public var runDirectory: String
    /// The node's id: the IPv6 network and the bridge's hardware address are made from it.
    public var nodeID: String
    /// The bridge's name; nil for the first of `rondo0`, `rondo1` … that is free.
    public var bridge: String?
    /// The IPv4 network of the containers; nil for one that nothing on this host uses.
    public var pool4: NetworkPrefix?
    /// The IPv6 network of the containers; nil for one made from the node's id.
    public var pool6: NetworkPrefix?
    /// The largest packet; nil for that of the interface that leads to the outside.
    public var mtu: UInt32?
    /// Where the CNI configurations are.
    public var pluginConfigurations: String
    /// Where CNI plugins are looked for, in this order.
    public var pluginDirectories: [String]
    /// How long one plugin may take.
    public var pluginPatience: Duration

    /// Makes settings with the usual places.
    public init(
        directory: String, runDirectory: String, nodeID: String, bridge: String? = nil, pool4: NetworkPrefix? = nil,
        pool6: NetworkPrefix? = nil, mtu: UInt32? = nil, pluginConfigurations: String = "/etc/cni/net.d",
        pluginDirectories: [String] = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"],
        pluginPatience: Duration = .seconds(60)
    ) {
        self.directory = directory
        self.runDirectory = runDirectory
        self.nodeID = nodeID
        self.bridge = bridge
        self.pool4 = pool4
        self.pool6 = pool6
        self.mtu = mtu
        self.pluginConfigurations = pluginConfigurations
        self.pluginDirectories = pluginDirectories
        self.pluginPatience = pluginPatience
    }
}
