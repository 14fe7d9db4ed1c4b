public import ClusterModel

/// What names are made from: the cluster as its leader knows it at one moment.
public struct NameSource: Hashable, Sendable, Codable {
    /// Where a master or an agent is.
    public struct Node: Hashable, Sendable, Codable {
        /// Its id; tells a task's instances apart.
        public var id: String
        /// Its addresses.
        public var addresses: [NetworkAddress]
        /// Where its API listens.
        public var port: UInt16

        /// Describes a node.
        public init(id: String, addresses: [NetworkAddress], port: UInt16) {
            self.id = id
            self.addresses = addresses
            self.port = port
        }
    }

    /// A port of a task.
    public struct Port: Hashable, Sendable, Codable {
        /// Its name, when it has one.
        public var name: String?
        /// Its number on the task's addresses.
        public var number: UInt16
        /// Its number on the agent's addresses, when it is reached there.
        public var hostNumber: UInt16?
        /// Whether it is one of UDP.
        public var isUDP: Bool

        /// Describes a port.
        public init(name: String? = nil, number: UInt16, hostNumber: UInt16? = nil, isUDP: Bool = false) {
            self.name = name
            self.number = number
            self.hostNumber = hostNumber
            self.isUDP = isUDP
        }
    }

    /// A running task.
    public struct Task: Hashable, Sendable, Codable {
        /// Its id.
        public var id: String
        /// Its name, or what its discovery information says.
        public var name: String
        /// The name of its framework.
        public var framework: String
        /// The id of its agent.
        public var agent: String
        /// Its own addresses; empty when it has those of its agent.
        public var addresses: [NetworkAddress]
        /// Its ports.
        public var ports: [Port]
        /// The service that it is an instance of, such as `/shop/web`; nil for one that has its own name.
        public var service: String?

        /// Describes a task.
        public init(
            id: String, name: String, framework: String, agent: String, addresses: [NetworkAddress] = [],
            ports: [Port] = [], service: String? = nil
        ) {
            self.id = id
            self.name = name
            self.framework = framework
            self.agent = agent
            self.addresses = addresses
            self.ports = ports
            self.service = service
        }
    }

    /// A connected framework.
    public struct Framework: Hashable, Sendable, Codable {
        /// Its name.
        public var name: String
        /// Where its scheduler is, as far as it is known.
        public var addresses: [NetworkAddress]
        /// Where the scheduler listens, when it says.
        public var port: UInt16?

        /// Describes a framework.
        public init(name: String, addresses: [NetworkAddress], port: UInt16? = nil) {
            self.name = name
            self.addresses = addresses
            self.port = port
        }
    }

    /// The leading master's id.
    public var leader: String?
    /// All masters.
    public var masters: [Node]
    /// All agents that take part.
    public var agents: [Node]
    /// Frameworks.
    public var frameworks: [Framework]
    /// Tasks that run.
    public var tasks: [Task]

    /// Describes a cluster.
    public init(
        leader: String? = nil, masters: [Node] = [], agents: [Node] = [], frameworks: [Framework] = [],
        tasks: [Task] = []
    ) {
        self.leader = leader
        self.masters = masters
        self.agents = agents
        self.frameworks = frameworks
        self.tasks = tasks
    }
}
