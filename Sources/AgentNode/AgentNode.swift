internal import AgentCore
internal import ClusterModel
internal import Dispatch
internal import Glibc
public import HTTPGateway
internal import LinuxSystem
public import Logging
internal import NIOCore
internal import Synchronization
public import Transport

/// An agent: takes tasks from a master and runs each under a monitor of its own.
///
/// It decides nothing itself: `AgentCore` does, and this carries it out. Ending the process leaves tasks and monitors
/// running; the next life adopts them. All files are below `Settings.dataDirectory`.
public final class AgentNode: Sendable {
    /// How an agent came to its end.
    public enum Outcome: Hashable, Sendable {
        /// It was stopped; its tasks go on.
        case stopped
        /// It left the cluster; nothing of its tasks is left.
        case left
        /// The master sent it away, and why; nothing of its tasks is left.
        case refused(String)

        init(_ reason: AgentEffect.StopReason) {
            switch reason {
            case .left: self = .left
            case .refused(let why): self = .refused(why)
            }
        }
    }

    private let settings: Settings
    private let transport: Transport
    private let logger: Logger
    private let inbox = AgentInbox()
    private let files: AgentFiles
    private let routes: AgentRoutes
    private let sessions: ContainerSessions

    /// Prepares an agent; nothing is opened yet.
    ///
    /// - Parameters:
    ///   - settings: what it is told.
    ///   - transport: opens its connections; must outlive it.
    ///   - logger: gets what operators should know.
    /// - Throws: ``AgentNodeError/settings(_:)``.
    public init(settings: Settings, transport: Transport, logger: Logger = Logger(label: "rondo.agent")) throws {
        guard settings.dataDirectory.hasPrefix("/"), settings.dataDirectory.utf8.count < 1_024 else {
            throw AgentNodeError.settings("the agent's directory must be an absolute path of less than 1024 bytes")
        }
        guard !settings.masters.endpoints.isEmpty else {
            throw AgentNodeError.settings("no master is named; give the address of at least one")
        }
        var settings = settings
        while settings.dataDirectory.count > 1, settings.dataDirectory.hasSuffix("/") {
            settings.dataDirectory.removeLast()
        }
        self.settings = settings
        self.transport = transport
        self.logger = logger
        files = AgentFiles(root: settings.dataDirectory)
        sessions = try ContainerSessions(loop: transport.eventLoops.any())
        routes = AgentRoutes(
            inbox: inbox, workRoot: files.workRoot, logFile: settings.logFile, version: settings.version,
            loop: transport.eventLoops.any(),
            calls: ContainerCalls(
                inbox: inbox, files: files, sessions: sessions, executable: settings.monitorExecutable,
                logger: logger))
    }

    /// Answers requests for the agent's state, files and logs; the same for its own listener and the master's streams.
    public var handler: HTTPServer.Handler {
        let routes = routes
        return { request in try await routes.answer(request) }
    }

    /// Removes what an agent whose process is gone has made in the host's network.
    ///
    /// - Parameter directory: the agent's data directory.
    /// - Returns: what could not be removed; empty when nothing is left.
    public static func purgeNetworks(of directory: String) -> [String] { AgentNetworks.purge(directory) }

    /// Begins to leave the cluster: all tasks are ended and reported, then ``run()`` returns.
    public func leave() { inbox.post(.leave) }

    /// Works until the calling task is cancelled, or the agent has left or was sent away. To be called once.
    ///
    /// - Throws: ``AgentNodeError`` when the data directory cannot be used, `TransportError` when the listener cannot
    ///   be opened.
    @discardableResult
    public func run() async throws -> Outcome {
        try files.prepare()
        let lock = LinuxSystem.FileDescriptor(owning: try files.lock())
        let layout = try CgroupLayout.detect()
        var recovered = try AgentRecovery(
            files: files, layout: layout, logger: logger, given: settings.identity
        ).event()
        let caller = HTTPCaller(transport: transport, security: settings.masterSecurity)
        let names = AgentNames(settings: settings, caller: caller, logger: logger)
        let networks = await networks(of: &recovered, names)
        let server = try await listen()
        // Files come from anywhere, and nobody there is shown who this agent is.
        let outside = HTTPCaller(transport: transport)
        let hub = try MonitorHub()
        let info = try describe(server)
        let starter = TaskStart(
            settings: settings, files: files, endpoint: "\(info.address):\(info.port)", networks: networks)
        let parts = AgentParts(
            files: files, layout: layout, hub: hub, caller: caller, inbox: inbox,
            fetcher: Fetcher(caller: outside, limit: settings.fetchLimit), starter: starter, handler: handler,
            loop: transport.eventLoops.any(), names: names, networks: networks, provider: settings.images,
            prober: Prober(files: files, transport: transport, program: settings.monitorExecutable), logger: logger)
        var coreSettings = AgentSettings(info: info, workRoot: files.workRoot)
        coreSettings.origin = Self.origin(lock)
        settings.adjust(&coreSettings)
        let core = AgentCore(settings: coreSettings)
        let watching = watchAddress()
        let repairing = repair(networks)
        let naming = Task { await names.run() }
        let listening = Task { await parts.listen() }
        let working = Task { [settings] in
            var driver = AgentDriver(settings: settings, core: core, parts: parts)
            return await driver.run(recovered)
        }
        let outcome = await withTaskCancellationHandler {
            await working.value
        } onCancel: { [inbox] in
            inbox.stop()
        }
        watching.cancel()
        repairing.cancel()
        naming.cancel()
        await naming.value
        await sessions.close()
        hub.close()
        await listening.value
        await server?.stop(grace: .seconds(1))
        await caller.shutDown()
        await outside.shutDown()
        if outcome != .stopped {
            layout?.removeParentIfEmpty()
            await aside { networks.purge() }
        }
        // Held until here: nobody else may use the directory while anything of this one is under way.
        _ = consume lock
        return outcome
    }

    /// What an earlier life left of containers' networks is put right before anything is started; what containers that
    /// run have is told to the core.
    private func networks(of recovered: inout AgentCoreEvent, _ names: AgentNames) async -> AgentNetworks {
        guard case .recovered(let identity, var tasks, let ended) = recovered else {
            return AgentNetworks(directory: settings.dataDirectory, identity: AgentID(""), names: names, logger: logger)
        }
        let networks = AgentNetworks(
            directory: settings.dataDirectory, identity: identity ?? AgentID(""), names: names, logger: logger)
        var processes: [ContainerID: Int32?] = [:]
        for task in tasks where task.container == .running {
            guard task.stored.launch.network != .host else { continue }
            let process = (try? files.monitor(task.stored.containerID).readState())?.initProcess?.pid
            // One of a group may have none yet.
            let other = processes[task.stored.networkHolder] ?? nil
            processes[task.stored.networkHolder] = .some(process ?? other)
        }
        await aside { [processes] in networks.reconcile(processes) }
        for index in tasks.indices {
            tasks[index].addresses = networks.addresses(of: tasks[index].stored.networkHolder).map(\.description)
        }
        recovered = .recovered(identity: identity, tasks: tasks, ended: ended)
        return networks
    }

    /// Does what blocks away from the threads that all tasks share.
    private func aside(_ work: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { waiting in
            DispatchQueue.global().async {
                work()
                waiting.resume()
            }
        }
    }

    /// The directory is known by its lock: the same file of the same running kernel, whatever its path.
    private static func origin(_ lock: borrowing LinuxSystem.FileDescriptor) -> AgentOrigin {
        var generator = SystemRandomNumberGenerator()
        let process = StatusUUID(using: &generator).text
        var facts = stat()
        guard let boot = try? HostFacts.bootID(), fstat(lock.raw, &facts) == 0 else {
            return AgentOrigin(process: process, place: process)
        }
        return AgentOrigin(process: process, place: "\(boot)/\(facts.st_dev)/\(facts.st_ino)")
    }

    private func listen() async throws -> HTTPServer? {
        guard let endpoint = settings.listen else { return nil }
        return try await HTTPServer.start(
            on: endpoint, transport: transport, security: settings.listenSecurity, clients: .required, logger: logger,
            handler: handler)
    }

    /// Looks every now and then whether the machine has moved.
    private func watchAddress() -> RepeatedTask {
        let last = Mutex(settings.currentAddress())
        return transport.eventLoops.any().scheduleRepeatedTask(initialDelay: .seconds(2), delay: .seconds(2)) {
            [settings, inbox] _ in
            guard let now = settings.currentAddress() else { return }
            let before = last.withLock { last in
                defer { last = now }
                return last
            }
            if before != nil, before != now { inbox.moved() }
        }
    }

    /// Looks every now and then whether others have changed what containers have of networks.
    private func repair(_ networks: AgentNetworks) -> RepeatedTask {
        transport.eventLoops.any().scheduleRepeatedTask(initialDelay: .seconds(2), delay: .seconds(2)) { _ in
            DispatchQueue.global().async { networks.repair() }
        }
    }

    private func describe(_ server: HTTPServer?) throws -> AgentInfo {
        var address = settings.advertisedAddress ?? "127.0.0.1"
        var port = settings.advertisedPort
        if case .tcp(let ip, let bound) = server?.endpoint {
            port = bound
            if settings.advertisedAddress == nil { address = ip.description }
        }
        return AgentInfo(
            hostname: try settings.hostname ?? HostFacts.hostname(), address: address, port: port,
            resources: try settings.resources
                ?? MeasuredResources.measure(directory: files.workRoot, without: settings.ownPorts + [port]),
            attributes: settings.attributes, domain: settings.domain, version: settings.version)
    }
}
