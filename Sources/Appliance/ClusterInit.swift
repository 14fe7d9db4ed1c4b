internal import AgentNode
internal import ClusterModel
internal import Identity
internal import Logging
internal import MasterNode
internal import StateStore
internal import Transport

/// `rondo cluster init`: makes a cluster, or starts the one that is in the data directory, and runs its master.
public struct ClusterInit: Sendable {
    private let configuration: Configuration
    private let files: NodeFiles
    private let address: IPAddress

    /// Checks what was asked for.
    ///
    /// - Parameter configuration: data, runtime, name, role, advertise, the ports, plain_listen, key_file and the
    ///   agent's keys count.
    /// - Throws: ``ApplianceError`` with exit code 64.
    public init(_ configuration: Configuration) throws(ApplianceError) {
        self.configuration = configuration
        files = NodeFiles(configuration)
        address = configuration.address(.advertise) ?? MachineAddress.main()
        guard configuration.text(.role) != "agent" else {
            throw ApplianceError(.usage, "a cluster begins with a master; an agent joins with `rondo cluster join`")
        }
        _ = try PlainListener.endpoint(configuration)
        if let lifetime = configuration.duration(.certificateLifetime), lifetime < .seconds(5) {
            throw ApplianceError(
                .usage, "--certificate-lifetime must be at least 5s; the usual value is 1d, renewed after half of it")
        }
    }

    /// Runs the node until a signal comes or it leaves.
    ///
    /// - Parameter signals: from ``StopSignals/listen()``.
    /// - Throws: ``ApplianceError``, and what the parts throw when they cannot start or go on.
    public func run(until signals: AsyncStream<Int32>) async throws {
        MachineAddress.raiseFileLimit()
        let known = try files.identity()
        let role = try role(known)
        let isFirst = known == nil && !files.hasRemains
        let made = try files.prepare(forMaster: true)
        let events = NodeEvents()
        let listening = events.listen(to: signals)
        defer { listening.cancel() }
        let transport = Transport()
        do {
            try await run(known, role, made, transport, events)
        } catch {
            await transport.shutDown()
            // A first start that came to nothing leaves nothing.
            if isFirst, (try? files.identity()) == nil { try? files.purge(madeFolder: made, images: false) }
            throw error
        }
        await transport.shutDown()
    }

    private func role(_ known: NodeFiles.Identity?) throws(ApplianceError) -> String {
        guard let known else { return configuration.text(.role) ?? "combined" }
        guard known.master == nil else {
            throw ApplianceError(
                .failure,
                "\(files.root) belongs to an agent of the cluster '\(known.clusterName)'; start that with "
                    + "`rondo cluster join`, or name another directory with --data")
        }
        if let asked = configuration.text(.role), asked != known.role {
            throw ApplianceError(
                .failure, "the node in \(files.root) is \(known.role), not \(asked); leave --role out, or use --data")
        }
        return known.role
    }

    /// Whether the cluster is to keep to this machine.
    private var isAlone: Bool { configuration.isSet(.advertise) && address.isLoopback }

    /// Where the master listens: everywhere, since addresses come and go; on loopback alone when it is told that.
    private func endpoints() throws(ApplianceError) -> (all: [Endpoint], plain: Set<Endpoint>) {
        let port = configuration.port(.masterPort)
        // A machine may have no address yet when it starts; only who asks for loopback gets nothing else.
        var all: [Endpoint] = [.tcp(isAlone ? address : MachineAddress.everywhere, port: port)]
        let plain = try PlainListener.endpoint(configuration)
        if let plain { all.append(plain) }
        return (all, Set([plain].compactMap { $0 }))
    }

    /// What a cluster needs before anything of it is told to anybody.
    private struct Opened {
        var master: MasterPart
        var office: AuthorityOffice
        var identity: NodeFiles.Identity
        var trust: NodeTrust
        var plain: Endpoint?
        var gossipPort: UInt16
    }

    /// Opens the cluster that is there, or makes it, and starts its master.
    private func open(
        _ known: NodeFiles.Identity?, _ role: String, _ made: String?, _ transport: Transport, _ events: NodeEvents,
        _ logger: Logger
    ) async throws -> Opened {
        var administrator = files.administrator ?? ""
        if administrator.utf8.count < 32 {
            administrator = MasterPart.newSecret()
            try files.storeAdministrator(administrator)
        }
        let office = try AuthorityOffice(files, configuration, address)
        let (endpoints, plain) = try endpoints()
        var settings = try MasterNode.Settings(
            configuration, address: address, port: configuration.port(.masterPort))
        settings.logPath = files.logPath
        settings.clusterID = office.authority.clusterID
        settings.trust = office.trust
        settings.security = office.api
        settings.plainListeners = plain
        settings.access = .enforced
        settings.accessSettings.auditDirectory = files.auditDirectory
        settings.gossipPort = GossipPart.port(configuration, at: isAlone ? address : nil)
        let master = try await MasterPart.start(
            settings, store: files.storePath, administrator: administrator, listeningOn: endpoints,
            transport: transport, logger: logger, events: events)
        do {
            let identity = try identity(known, role, made, master)
            let trust = try await office.enrol(master.node, as: role)
            return Opened(
                master: master, office: office, identity: identity, trust: trust, plain: plain.first,
                gossipPort: settings.gossipPort)
        } catch {
            await master.stop()
            throw error
        }
    }

    private var logger: Logger {
        NodeLog.logger("rondo", level: configuration.text(.logLevel), file: files.logPath)
    }

    private func run(
        _ known: NodeFiles.Identity?, _ role: String, _ made: String?, _ transport: Transport, _ events: NodeEvents
    ) async throws {
        let logger = logger
        let opened = try await open(known, role, made, transport, events, logger)
        let (master, trust) = (opened.master, opened.trust)
        var daemon = NodeDaemon(files: files, transport: transport, events: events, logger: logger, master: master)
        do {
            let gossip = try await GossipPart.start(
                configuration, trust, role: role, port: opened.gossipPort, at: isAlone ? address : nil,
                files: files, hints: [], transport: transport, logger: logger,
                listener: GossipPart.Listener(isGone: { master.node.doubt($0) }))
            await gossip.lead(in: master.node.term)
            gossip.show(on: master.node)
            daemon.gossip = gossip
            daemon.keepers = opened.office.keepers(master.node, trust, role: role, gossip, logger: logger)
            daemon.keepers.append(opened.office.keys(of: master.node, trust, gossip))
            if !configuration.isSet(.advertise) { daemon.keepers.append(opened.office.places(of: master.node)) }
            if role == "combined" { daemon.agent = try agent(trust, master, transport, events, logger) }
            Console.out(
                try await announcement(
                    opened, isNew: known == nil,
                    end: "Ctrl-C stops this node; its tasks go on, and the same command starts it again."))
            ServiceSettings.settle(configuration)
        } catch {
            await daemon.stopAll()
            throw error
        }
        try await daemon.run(
            role: role, behind: .master { try await master.node.handle($0, isLocal: true) })
    }

    private func identity(
        _ known: NodeFiles.Identity?, _ role: String, _ made: String?, _ master: MasterPart
    ) throws -> NodeFiles.Identity {
        if let known, known.clusterID == master.node.cluster.id { return known }
        var identity = NodeFiles.Identity(
            role: role, clusterID: master.node.cluster.id, clusterName: master.node.cluster.name)
        identity.madeFolder = made
        try files.store(identity)
        return identity
    }

    /// The token of the line that is printed: the same at each start, as long as it works for a while.
    private func joinToken(_ master: MasterPart) async throws -> String {
        if let text = files.joinToken, let token = try? JoinToken(parsing: text),
            try await master.node.joinTokenWorks(token.id, until: SystemClock().now().wall + .seconds(3_600))
        {
            return text
        }
        let text = try await master.node.makeJoinToken(lifetime: MasterPart.tokenLifetime, uses: 100)
        try files.storeJoinToken(text)
        return text
    }

    /// Whoever made the cluster is its first administrator, also from other machines.
    private func firstLogin(_ master: MasterPart) async throws -> String? {
        guard !master.node.hasUsers else { return nil }
        return try await master.node.makeFirstAdministrator(name: "admin", lifetime: .seconds(86_400))
    }

    private func agent(
        _ trust: NodeTrust, _ master: MasterPart, _ transport: Transport, _ events: NodeEvents, _ logger: Logger
    ) throws -> RunningAgent {
        // Its own master is where it listens, whatever becomes of the machine's addresses.
        let home = isAlone ? address : .loopback
        var settings = AgentNode.Settings(
            configuration, directory: files.agentDirectory, masters: [.tcp(home, port: master.port)], trust)
        settings.logFile = files.logPath
        settings.listen(at: address, isAlone: isAlone, configuration)
        settings.images = LocalImages(root: files.imageDirectory, transport: transport)
        return try RunningAgent(settings, transport: transport, logger: logger, events: events)
    }

    /// What people are told of the cluster: how it is looked at, added to, and logged in to.
    private func announcement(_ opened: Opened, isNew: Bool, end: String) async throws -> String {
        let (master, identity) = (opened.master, opened.identity)
        let token = try await joinToken(master)
        let login = try await firstLogin(master)
        let at = Endpoint.tcp(address, port: master.port)
        let data = files.root == ConfigurationKey.data.defaultText ? "" : " --data \(files.root)"
        let joinData = address.isLoopback ? " --data DIRECTORY" : ""
        let head =
            isNew
            ? "the cluster '\(identity.clusterName)' is made, and this machine is its \(identity.role) node"
            : "the cluster '\(identity.clusterName)' in \(files.root) was there already and is started again"
        let plainLine = opened.plain.map { "\n  without TLS         http://\($0)/  (for clients that have none)" } ?? ""
        let pin = master.node.settings.trust?.authority.pin ?? ""
        // A service's output is kept, and read by others than the one who made the cluster.
        guard !Console.isJournal else {
            return
                "rondo: \(head); `rondo cluster token create` makes the line that adds a machine, and `rondo user token "
                + "admin` a token to log in with from elsewhere"
        }
        let loginLine = login.map {
            "\n  use it elsewhere    rondo login \(at) --pin=\(pin) --user admin --token \($0)"
                + "\n                      (the token works for a day; `rondo user password admin` sets a password)"
        }
        return """
            rondo: \(head)

              look at it          https://\(at)/\(plainLine)\(loginLine ?? "")
              add a machine       rondo cluster join \(at) --token \(token)\(joinData)
                                  (the token works for a day; `rondo cluster token create` makes another)
              see the nodes       rondo cluster status\(data)
              run something       rondo run\(data) -- echo hello

            \(end)
            """
    }
}

extension ClusterInit: ServedNode {
    /// Makes the cluster, or sees that it is there, and has systemd run it from now on.
    ///
    /// - Throws: as ``run(until:)``, and ``ApplianceError`` when the service does not start; nothing is left then.
    public func serve() async throws { try await NodeService(configuration).begin(self) }

    func isServed(by identity: NodeFiles.Identity) -> Bool {
        identity.master == nil && [nil, identity.role].contains(configuration.text(.role))
    }

    func make() async throws -> MadeNode {
        let known = try files.identity()
        let role = try role(known)
        let isFirst = known == nil && !files.hasRemains
        let made = try files.prepare(forMaster: true)
        let transport = Transport()
        let result: Result<String, any Error>
        do {
            // The terminal is for what is wrong; the rest is in the node's file, and soon in the journal.
            let quiet = NodeLog.logger("rondo", level: "error", file: files.logPath)
            let opened = try await open(known, role, made, transport, NodeEvents(), quiet)
            do {
                result = .success(
                    try await announcement(
                        opened, isNew: known == nil,
                        end:
                            "It runs as \(ServiceUnit.name): `systemctl stop rondo` stops this node, and its tasks go on; "
                            + "`journalctl -u rondo`\nshows what it says."))
            } catch { result = .failure(error) }
            await opened.master.stop()
        } catch { result = .failure(error) }
        await transport.shutDown()
        let undo: @Sendable () -> Void = { [files] in if isFirst { try? files.purge(madeFolder: made, images: false) } }
        do { return MadeNode(text: try result.get(), undo: undo) } catch {
            undo()
            throw error
        }
    }
}

/// The listener for clients that cannot speak TLS.
enum PlainListener {
    static func endpoint(_ configuration: Configuration) throws(ApplianceError) -> Endpoint? {
        guard let endpoint = configuration.endpoint(.plainListen) else { return nil }
        guard case .tcp(let address, _) = endpoint else {
            throw ApplianceError(.usage, "--plain-listen takes an address with port, such as 127.0.0.1:5055")
        }
        guard address.isLoopback || configuration.isTrue(.plainInsecure) else {
            throw ApplianceError(
                .usage,
                "--plain-listen \(endpoint) can be reached from outside, and everybody on the way could read and change "
                    + "what is said; use a loopback address, or add --plain-insecure on a network you trust")
        }
        return endpoint
    }
}
