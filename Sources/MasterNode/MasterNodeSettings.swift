public import MasterCore
public import Transport

extension MasterNode {
    /// What a master is told when it starts.
    public struct Settings: Sendable {
        /// The cluster's name for people; only the first start stores it.
        public var clusterName = "rondo"
        /// The cluster's id, which a new store takes; made by chance when absent.
        public var clusterID: String?
        /// Where joiners find the gossip at this master's address.
        public var gossipPort: UInt16 = 7_946
        /// This machine's name, for people and links.
        public var hostname: String
        /// The IP literal that clients and agents are told.
        public var advertisedAddress: String
        /// The port that clients and agents are told.
        public var advertisedPort: UInt16
        /// The release of this program.
        public var version: String
        /// Timing and limits of the decisions.
        public var core = MasterSettings()
        /// Entries that may wait for the driver before callers are held up. More hides longer stalls and costs memory.
        public var inboxCapacity = 4_096
        /// The most entries of one turn. More gathers more into one commit; the first of them waits longer.
        public var batchLimit = 512
        /// The longest request body, in bytes.
        public var bodyLimit = 5 << 20
        /// What one event stream may hold for a slow reader, in bytes, before it is dropped.
        public var streamBytes = 8 << 20
        /// The same in records.
        public var streamRecords = 50_000
        /// How often followers of `/api/v1` get HEARTBEAT.
        public var operatorHeartbeat: Duration = .seconds(15)
        /// How long an agent may take to dial back and answer the head of a request.
        public var agentAnswerTimeout: Duration = .seconds(15)
        /// Requests that may be on their way to one agent at a time.
        public var streamsPerAgent = 64
        /// The file that `/master/log` shows; nil when the log goes elsewhere.
        public var logPath: String?
        /// What makes this master a secured cluster's; nil where nothing crosses a network.
        public var trust: ClusterTrust?
        /// Protects all TCP listeners but ``plainListeners``.
        public var security: TransportSecurity?
        /// Listeners without TLS, for clients that have none.
        public var plainListeners: Set<Endpoint> = []
        /// Whether jobs are served, by a framework on this master.
        public var servesJobs = false
        /// Whether services are served, by a framework on this master.
        public var servesServices = false
        /// Where the documents of package repositories are kept; nil where no packages are served. It takes services.
        public var catalogDirectory: String?
        /// The repository of packages that comes with this program, `{"packages": […]}`.
        public var builtInCatalog: @Sendable () -> [UInt8] = { Array(#"{"packages":[]}"#.utf8) }
        /// How long services' instances that serve are only said to be on their way to their end; nil for what is usual.
        public var serviceDrain: Duration?
        /// The account of tasks of the frameworks on this master that name none.
        public var builtInUser = "root"
        /// What `/flags` shows; no secrets.
        public var flags: [String: String] = [:]
        /// Whether requests must show who makes them. Open is for `rondo dev` and listens on loopback only.
        public var access = AccessMode.open
        /// What it takes to know who makes a request, and where that is written down.
        public var accessSettings = AccessSettings()

        /// Settings of a master at this address.
        public init(hostname: String, advertisedAddress: String, advertisedPort: UInt16, version: String) {
            self.hostname = hostname
            self.advertisedAddress = advertisedAddress
            self.advertisedPort = advertisedPort
            self.version = version
        }
    }

    /// The Mesos release whose interface is spoken. Clients parse it: digits and dots only.
    public static let mesosVersion = "1.11.0"
}

extension MasterNode.Settings {
    /// What protects a listener; a unix socket needs nothing.
    func security(of endpoint: Endpoint) -> TransportSecurity? {
        if case .unix = endpoint { return nil }
        return plainListeners.contains(endpoint) ? nil : security
    }
}
