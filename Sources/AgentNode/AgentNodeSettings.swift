public import AgentCore
public import ClusterModel
internal import Synchronization
public import Transport

extension AgentNode {
    /// What an agent's process is told.
    public struct Settings: Sendable {
        /// Everything the agent keeps: `agent.json`, `run/`, `work/`. One process at a time may use it.
        public var dataDirectory: String
        /// Where masters listen; tried in turn. Addresses are hints: what gossip learns is put in while the agent works.
        public let masters: MasterList
        /// What the agent shows the master with every call; none where its certificate says who it is.
        public var credential: String?
        /// The agent's id where it follows from its node's key; drawn by chance on the first start when absent.
        public var identity: AgentID?
        /// Protects the connections to the master, and says who the agent is; nil for plain ones.
        public var masterSecurity: TransportSecurity?
        /// Protects the agent's own endpoint, which then serves masters only; nil for a plain one.
        public var listenSecurity: TransportSecurity?
        /// All that the agent offers; measured when absent, see ``MeasuredResources``.
        public var resources: Resources?
        /// Ports at which this program listens besides the agent's own, so that measured resources leave them out.
        public var ownPorts: [UInt16] = []
        /// Properties that frameworks select by.
        public var attributes: [Attribute] = []
        /// What the agent can fail together with.
        public var domain: Domain?
        /// The name that people and links see; the machine's when absent.
        public var hostname: String?
        /// The address that tasks and frameworks are told; the listener's when absent.
        public var advertisedAddress: String?
        /// The address as it is now, where it may change while the agent works; nil keeps what was told last.
        public var currentAddress: @Sendable () -> String? = { nil }
        /// The port that tasks and frameworks are told, when nothing listens.
        public var advertisedPort: UInt16 = 5051
        /// Where the agent's own endpoint listens; nil opens no port, and the master's streams do the same work.
        public var listen: Endpoint?
        /// The program that is started as a monitor, with `monitor` as its first argument.
        public var monitorExecutable = "/proc/self/exe"
        /// The agent's own log, for `/slave/log`.
        public var logFile: String?
        /// The release, as the master is told.
        public var version = "0.1.0"
        /// Processes and threads that one task may have at a time.
        public var pidsPerTask: UInt64 = 4_096
        /// Whether a task gets no more processor time than its share even when the machine is idle.
        public var limitsProcessorTime = false
        /// Bytes of a task's output file before it is rotated.
        public var logBytes: UInt64 = 10 << 20
        /// Files kept per output stream, the live one included.
        public var logFiles: UInt32 = 3
        /// The most bytes that one URI may bring.
        public var fetchLimit: UInt64 = 4 << 30
        /// Where questions for names are answered, besides on the bridge of containers.
        public var names = NameListening.auto
        /// Where the host's own resolvers are written; questions for other names are passed on to them.
        public var resolverFile = "/etc/resolv.conf"
        /// Where images of containers come from; without it tasks with images are refused.
        public var images: (any ImageProvider)?
        /// Is told that another machine takes part with this agent's key, which the master prefers, and when that is over.
        public var isCopy: @Sendable (Bool) -> Void = { _ in }
        /// Changes the times that the core keeps; for tests and unusual networks.
        public var adjust: @Sendable (inout AgentSettings) -> Void = { _ in }

        /// Settings with the usual limits.
        ///
        /// - Parameters:
        ///   - dataDirectory: an absolute path.
        ///   - masters: where masters listen.
        public init(dataDirectory: String, masters: [Endpoint]) {
            self.dataDirectory = dataDirectory
            self.masters = MasterList(masters)
        }
    }
}

/// Where an agent answers questions for names of the cluster.
public enum NameListening: Hashable, Sendable {
    /// At the first free of 127.82.111.1, 127.82.111.2 and so on, port 53.
    case auto
    /// At one address.
    case at(NetworkAddress, port: UInt16)
    /// Nowhere.
    case off
}

/// Where an agent looks for its master.
public final class MasterList: Sendable {
    private let list: Mutex<[Endpoint]>

    /// A list that may change while the agent works.
    public init(_ endpoints: [Endpoint]) { list = Mutex(endpoints) }

    /// The endpoints, the likeliest first. An empty list is not taken: an old hint is better than none.
    public var endpoints: [Endpoint] {
        get { list.withLock { $0 } }
        set { if !newValue.isEmpty { list.withLock { $0 = newValue } } }
    }
}

/// Why an agent cannot run.
public enum AgentNodeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The data directory cannot be used.
    case dataDirectory(path: String, reason: String)
    /// Another process uses the data directory.
    case dataDirectoryInUse(path: String)
    /// A file in the data directory was written by a newer release, or is damaged.
    case unreadable(path: String, reason: String)
    /// The settings cannot be used.
    case settings(String)

    /// What happened and what to do next.
    public var description: String {
        switch self {
        case .dataDirectory(let path, let reason): "cannot use the agent's directory \(path): \(reason)"
        case .dataDirectoryInUse(let path):
            "another process uses the agent's directory \(path); stop it or name another directory"
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .settings(let problem): problem
        }
    }
}
