internal import AgentNode
internal import ClusterModel
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
    /// - Parameter configuration: data, runtime, name, role, advertise, insecure_plain_http, master_port and the
    ///   agent's keys count.
    /// - Throws: ``ApplianceError`` with exit code 64.
    public init(_ configuration: Configuration) throws(ApplianceError) {
        self.configuration = configuration
        files = NodeFiles(configuration)
        address = configuration.address(.advertise) ?? .loopback
        guard configuration.text(.role) != "agent" else {
            throw ApplianceError(.usage, "a cluster begins with a master; an agent joins with `rondo cluster join`")
        }
        try PlainHTTP.check(address, configuration)
    }

    /// Runs the node until a signal comes or it leaves.
    ///
    /// - Parameter signals: from ``StopSignals/listen()``.
    /// - Throws: ``ApplianceError``, and what the parts throw when they cannot start or go on.
    public func run(until signals: AsyncStream<Int32>) async throws {
        MachineAddress.raiseFileLimit()
        let known = try files.identity()
        let role = try role(known)
        try files.prepare(forMaster: true)
        PlainHTTP.warn(address)
        let events = NodeEvents()
        let listening = events.listen(to: signals)
        defer { listening.cancel() }
        let transport = Transport()
        do {
            try await run(known, role, transport, events)
        } catch {
            await transport.shutDown()
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

    private func run(
        _ known: NodeFiles.Identity?, _ role: String, _ transport: Transport, _ events: NodeEvents
    ) async throws {
        let logger = NodeLog.logger("rondo", level: configuration.text(.logLevel), file: files.logPath)
        var administrator = files.administrator ?? ""
        if administrator.utf8.count < 32 {
            administrator = MasterPart.newSecret()
            try files.storeAdministrator(administrator)
        }
        let port = configuration.port(.masterPort)
        var settings = try MasterNode.Settings(configuration, address: address, port: port)
        settings.logPath = files.logPath
        var endpoints: [Endpoint] = [.tcp(address, port: port)]
        // Commands and frameworks on this machine find it where they look first.
        if address != .loopback, port != 0 { endpoints.append(.tcp(.loopback, port: port)) }
        let master = try await MasterPart.start(
            settings, store: files.storePath, administrator: administrator, listeningOn: endpoints,
            transport: transport, logger: logger, events: events)
        var daemon = NodeDaemon(files: files, transport: transport, events: events, logger: logger, master: master)
        do {
            let identity = try await identity(known, role, master)
            let token = try await joinToken(master)
            if role == "combined" {
                daemon.agent = try agent(identity, master, transport, events, logger)
            }
            announce(identity, master, token, isNew: known == nil)
        } catch {
            await daemon.stopAll()
            throw error
        }
        try await daemon.run(
            role: role, behind: .master(administrator: administrator) { try await master.node.handle($0) })
    }

    private func identity(
        _ known: NodeFiles.Identity?, _ role: String, _ master: MasterPart
    ) async throws -> NodeFiles.Identity {
        if let known, known.clusterID == master.node.cluster.id { return known }
        var identity = NodeFiles.Identity(
            role: role, clusterID: master.node.cluster.id, clusterName: master.node.cluster.name)
        if role == "combined" {
            let name = master.node.settings.hostname
            identity.credential =
                try await master.credentials.issue(name: name, role: "agent", now: SystemClock().now().wall).credential
        }
        try files.store(identity)
        return identity
    }

    /// The token of the line that is printed: the same at each start, as long as it works for a while.
    private func joinToken(_ master: MasterPart) async throws -> String {
        let now = SystemClock().now().wall
        if let text = files.joinToken {
            let id = text.split(separator: ".").dropFirst().first.map(String.init)
            let soon: UnixTime = now + .seconds(3_600)
            let known = try await master.credentials.tokens().first { $0.id == id }
            if let known, known.usesLeft > 0, soon < known.expiresAt { return text }
        }
        let made = try await master.credentials.makeToken(
            role: "agent", lifetime: .seconds(86_400), uses: 100, now: now)
        try files.storeJoinToken(made.text)
        return made.text
    }

    private func agent(
        _ identity: NodeFiles.Identity, _ master: MasterPart, _ transport: Transport, _ events: NodeEvents,
        _ logger: Logger
    ) throws -> RunningAgent {
        var settings = AgentNode.Settings(
            configuration, directory: files.agentDirectory, master: .tcp(address, port: master.port),
            credential: identity.credential)
        settings.logFile = files.logPath
        settings.listen(at: address, configuration)
        return try RunningAgent(settings, transport: transport, logger: logger, events: events)
    }

    private func announce(_ identity: NodeFiles.Identity, _ master: MasterPart, _ token: String, isNew: Bool) {
        let at = Endpoint.tcp(address, port: master.port)
        let insecure = address.isLoopback ? "" : " --insecure-plain-http"
        let data = files.root == ConfigurationKey.data.defaultText ? "" : " --data \(files.root)"
        let joinData = address.isLoopback ? " --data DIRECTORY" : ""
        let head =
            isNew
            ? "the cluster '\(identity.clusterName)' is made, and this machine is its \(identity.role) node"
            : "the cluster '\(identity.clusterName)' in \(files.root) was there already and is started again"
        Console.out(
            """
            rondo: \(head)

              look at it          http://\(at)/
              add a machine       rondo cluster join \(at) --token \(token)\(insecure)\(joinData)
                                  (the token works for a day; `rondo cluster token create` makes another)
              see the nodes       rondo cluster status\(data)
              run something       rondo run --master \(at) -- echo hello

            Ctrl-C stops this node; its tasks go on, and the same command starts it again.
            """)
    }
}

/// What may be done without encryption.
enum PlainHTTP {
    static func check(_ address: IPAddress, _ configuration: Configuration) throws(ApplianceError) {
        guard !address.isLoopback, !configuration.isTrue(.insecurePlainHTTP) else { return }
        throw ApplianceError(
            .usage,
            "\(address) is not loopback, and connections are not encrypted yet; add --insecure-plain-http to accept "
                + "that on a network you trust (experimental), or leave --advertise out")
    }

    static func warn(_ address: IPAddress) {
        guard !address.isLoopback else { return }
        Console.note(
            "rondo: warning: --insecure-plain-http is experimental: everybody on the network of \(address) can read and "
                + "use this cluster's connections; use it on networks you trust")
    }
}
