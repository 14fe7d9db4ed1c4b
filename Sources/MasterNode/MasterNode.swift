public import ClusterModel
public import HTTPGateway
internal import HTTPTypes
internal import Identity
public import Logging
public import MasterCore
internal import NIOCore
public import StateStore
internal import Synchronization
public import Transport

/// A master: the core with its driver, and every interface that is served on the master's port.
///
/// ```
///  HTTP ─► Route ─► a facade ─► Inbox ─► Driver ─► MasterCore
///                      ▲                    │ commit, then speak
///                      └── replies, streams ┘
/// ```
/// It decides nothing itself. Facades turn bytes into inputs and copies of the core into documents; the driver carries
/// out what the core says. Start with ``start(_:listeningOn:transport:store:credentials:clock:logger:server:)``, then
/// ``run()`` until it is time to stop.
public final class MasterNode: Sendable {
    /// What it was told, with the port that was bound.
    public let settings: Settings
    /// The cluster as it names itself.
    public let cluster: ClusterIdentity
    /// This life of the master, as frameworks are told.
    public var master: MasterInfo { own.withLock { $0 } }
    /// When this life began.
    public let startedAt: UnixTime
    /// The term that this life leads in; higher than that of any life before.
    public let term: UInt64

    let inbox: Inbox<InboxEntry>
    let directory = StreamDirectory()
    let condition = NodeCondition()
    let metrics = NodeMetrics()
    let credentials: any NodeCredentials
    let clock: any NodeClock
    let store: any StateStore
    let logger: Logger
    let relays: AgentRelays
    /// Lets nodes in; nil where nothing crosses a network.
    let admission: NodeAdmission?
    let accounts: Accounts
    /// The secrets of the cluster; nil where there is no key to keep them with.
    let secrets: SecretKeeper?
    let authentication: Authentication
    let trail: AuditTrail
    /// The names of the cluster.
    let names: NameBoard
    /// What the console remembers.
    let console = ConsoleState()

    private let own: Mutex<MasterInfo>
    private let frameworks = Mutex<BuiltInFrameworks?>(nil)
    /// Why the process must end although the driver of the master did not say so.
    private let fatal = Mutex<String?>(nil)
    private let nextNumber = Atomic<UInt64>(1)
    private let work: Task<Void, any Error>
    private let naming = Mutex<Task<Void, Never>?>(nil)
    private let servers = Mutex<[HTTPServer]>([])

    private init(
        settings: Settings, cluster: ClusterIdentity, store: any StateStore, credentials: any NodeCredentials,
        transport: Transport, clock: any NodeClock, logger: Logger, registry: Registry, admission: NodeAdmission?,
        term: UInt64, accounts: Accounts, secrets: SecretKeeper?, trail: AuditTrail
    ) {
        self.settings = settings
        self.cluster = cluster
        self.store = store
        self.credentials = credentials
        self.clock = clock
        self.logger = logger
        self.admission = admission
        self.term = term
        self.accounts = accounts
        self.secrets = secrets
        self.trail = trail
        authentication = Authentication(
            mode: settings.access, settings: settings.accessSettings, credentials: credentials, accounts: accounts,
            clock: clock)
        startedAt = clock.now().wall
        let master = MasterInfo(
            id: MasterID(RandomName.uuid()), hostname: settings.hostname, address: settings.advertisedAddress,
            port: settings.advertisedPort, version: Self.mesosVersion)
        own = Mutex(master)
        names = NameBoard(master)
        inbox = Inbox(capacity: settings.inboxCapacity)
        relays = AgentRelays(broker: StreamBroker(transport: transport), perAgent: settings.streamsPerAgent)
        let parts = Driver.Parts(
            registry: NodeRegistry(store: store), inbox: inbox, directory: directory, condition: condition,
            metrics: metrics, clock: clock, logger: logger, settings: settings.core, master: master,
            batch: settings.batchLimit)
        // Beside the store's writer, so that a turn and its commit are one stretch of work without a change of threads.
        work = Task.detached(executorPreference: store.executor) {
            var driver = Driver(parts: parts, registry: registry)
            try await driver.run()
        }
    }

    /// Binds, reads the store and starts to work.
    ///
    /// - Parameters:
    ///   - settings: an advertised port of 0 stands for the port of the first listener.
    ///   - endpoints: where to listen. Requests that come before the master is ready get 503.
    ///   - transport: accepts the connections; must outlive the master.
    ///   - store: what the master knows; stays open when the master stops.
    ///   - credentials: who may take part.
    ///   - clock: the machine's, except in tests.
    ///   - logger: gets what operators should know.
    ///   - server: limits of the listeners.
    /// - Returns: a master at work.
    /// - Throws: ``TransportError``, ``StoreError``, ``MasterNodeError``.
    public static func start(
        _ settings: Settings, listeningOn endpoints: [Endpoint], transport: Transport, store: any StateStore,
        credentials: any NodeCredentials, clock: any NodeClock = SystemClock(), logger: Logger,
        server: HTTPServerSettings = HTTPServerSettings()
    ) async throws -> MasterNode {
        let door = Door()
        var server = server
        server.handlersRunOnLoop = true
        var servers: [HTTPServer] = []
        do {
            for endpoint in endpoints {
                let isLocal = if case .unix = endpoint { true } else { false }
                servers.append(
                    try await HTTPServer.start(
                        on: endpoint, transport: transport, security: settings.security(of: endpoint),
                        clients: .optional, settings: server, logger: logger,
                        handler: { try await door.node().handle($0, isLocal: isLocal) }))
            }
            var settings = settings
            if settings.advertisedPort == 0 { settings.advertisedPort = servers.first?.endpoint.port ?? 0 }
            let registry = NodeRegistry(store: store)
            let cluster = try await registry.identity(
                name: settings.clusterName, id: settings.clusterID, now: clock.now().wall)
            settings.clusterName = cluster.name
            var admission: NodeAdmission?
            var secrets: SecretKeeper?
            if let trust = settings.trust {
                admission = try await NodeAdmission.open(registry, trust, gossipKey: ByteText.random(32))
                trust.apply(to: &settings.accessSettings, clock)
                secrets = SecretKeeper(store: store, key: trust.masterKey)
                try await secrets?.load()
            }
            let accounts = Accounts(store: store)
            try await accounts.load(settings.accessSettings.sealing)
            let node = MasterNode(
                settings: settings, cluster: cluster, store: store, credentials: credentials, transport: transport,
                clock: clock, logger: logger, registry: try await registry.load(), admission: admission,
                term: try await registry.nextTerm(), accounts: accounts, secrets: secrets,
                trail: try AuditTrail(settings.accessSettings, clock: clock, logger: logger))
            node.servers.withLock { $0 = servers }
            node.naming.withLock { $0 = Task.detached { [weak node] in if let node { await node.names.follow(node) } } }
            if settings.servesJobs || settings.servesServices { node.startFrameworks() }
            door.open(node)
            return node
        } catch {
            for server in servers { await server.stop(grace: .zero) }
            throw error
        }
    }

    /// Where it listens.
    public var endpoints: [Endpoint] { servers.withLock { $0.map(\.endpoint) } }

    /// Works until the task is cancelled or ``stop()`` is called, then stops gracefully.
    ///
    /// - Throws: ``MasterNodeError/outcomeUnknown(_:)``: the process must end with its exit code.
    public func run() async throws {
        let result = await withTaskCancellationHandler {
            await work.result
        } onCancel: {
            inbox.close()
        }
        await stop()
        try result.get()
        if let reason = fatal.withLock({ $0 }) { throw MasterNodeError.outcomeUnknown(.outcomeUnknown(reason)) }
    }

    /// The frameworks of this program, where there are any.
    var builtIns: BuiltInFrameworks? { frameworks.withLock { $0 } }

    private func startFrameworks() {
        let started = BuiltInFrameworks(on: self) { [weak self] reason in
            self?.fatal.withLock { $0 = reason }
            self?.inbox.close()
        }
        frameworks.withLock { $0 = started }
    }

    /// Ends every stream, refuses what still waits, lets requests in progress end, and stops listening.
    public func stop() async {
        await frameworks.withLock { $0.take() }?.stop()
        inbox.close()
        _ = await work.result
        let naming = naming.withLock { $0.take() }
        naming?.cancel()
        names.wakeAll()
        await naming?.value
        trail.close()
        let servers = servers.withLock { servers in
            defer { servers = [] }
            return servers
        }
        for server in servers { await server.stop(grace: .seconds(2)) }
    }

    /// A copy of all that the master knows, as of the last turn. Copying is cheap; the next change copies what it
    /// touches.
    ///
    /// - Throws: ``GatewayError`` 503 when the master is stopping.
    public func snapshot() async throws -> MasterCore {
        try await reserve()
        let result = await withCheckedContinuation { continuation in
            let promise = SnapshotPromise(continuation)
            if !inbox.put(.snapshot(promise)) { promise.refuse(Self.stopping) }
        }
        return try result.get()
    }

    /// Tells from now on another address of this master, to which its machine has moved.
    ///
    /// - Parameter address: an IP literal.
    public func move(to address: String) {
        let isNew = own.withLock { master in
            defer { master.address = address }
            return master.address != address
        }
        if isNew {
            names.move(to: master)
            inbox.notify(.moved(address))
        }
    }

    /// Others get no answer from an agent's node: the agent is asked at once for a sign of life.
    ///
    /// - Parameter agent: the agent; one that is not here is no matter.
    public func doubt(_ agent: AgentID) { inbox.notify(.doubted(agent)) }

    // MARK: for the facades

    static let stopping = GatewayError(.serviceUnavailable, "\(MasterNodeError.stopped)")

    var streamLimits: EventStream.Limits {
        EventStream.Limits(bytes: settings.streamBytes, records: settings.streamRecords)
    }

    /// A number that was not used before.
    func number() -> UInt64 { nextNumber.add(1, ordering: .relaxed).oldValue }

    /// Hands an input to the core and waits for its reply, which comes when all that it means is durable. Secrets go
    /// to the agents of the tasks that it launches, past the core.
    func ask(secrets: LaunchSecrets = [:], _ input: (RequestID) -> MasterInput) async throws -> Reply {
        let id = RequestID(number())
        let input = input(id)
        try await reserve()
        let result = await withCheckedContinuation { continuation in
            let promise = ReplyPromise(continuation)
            let entry: InboxEntry =
                secrets.isEmpty ? .request(id, input, promise) : .launch(id, input, promise, secrets)
            if !inbox.put(entry) { promise.refuse(Self.stopping) }
        }
        return try result.get()
    }

    /// Hands in an entry that opens a stream.
    func put(_ entry: InboxEntry, opening connection: ConnectionID) async throws {
        do {
            try await reserve()
        } catch {
            directory.close(connection)
            throw error
        }
        if !inbox.put(entry) {
            directory.close(connection)
            throw Self.stopping
        }
    }

    func reserve() async throws {
        do { try await inbox.reserve() } catch { throw Self.stopping }
    }
}

/// Holds requests off until the master is ready.
private final class Door: Sendable {
    private let opened = Mutex<MasterNode?>(nil)

    func open(_ node: MasterNode) { opened.withLock { $0 = node } }

    func node() throws -> MasterNode {
        guard let node = opened.withLock({ $0 }) else {
            throw GatewayError(
                .serviceUnavailable, "the master reads its store; try again", headers: [.retryAfter: "1"])
        }
        return node
    }
}
