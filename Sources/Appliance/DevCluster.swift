internal import AgentCore
internal import AgentNode
internal import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Logging
internal import MasterCore
internal import MasterNode
internal import StateStore
internal import Transport

/// A cluster on this machine for quick work: a master and some agents in one process, plain HTTP on loopback. All that
/// it makes is in one temporary directory, and gone when it ends.
public struct DevCluster: Sendable {
    private let configuration: Configuration
    private let listen: Endpoint

    /// Checks what was asked for.
    ///
    /// - Parameter configuration: `dev.agents` and `dev.listen` count.
    /// - Throws: ``ApplianceError`` with exit code 64 for an address that others could reach.
    public init(_ configuration: Configuration) throws(ApplianceError) {
        guard let listen = configuration.endpoint(.devListen), case .tcp(let address, _) = listen else {
            throw ApplianceError(.usage, "--listen takes an address with port, such as 127.0.0.1:5050")
        }
        guard address.isLoopback else {
            throw ApplianceError(
                .usage,
                "rondo dev has no protection, so it listens on loopback only, not on \(address); use 127.0.0.1, or "
                    + "`rondo cluster init` for a cluster that others can reach")
        }
        self.configuration = configuration
        self.listen = listen
    }

    /// Runs until a signal comes, then removes everything.
    ///
    /// - Parameter signals: SIGINT and its like, from ``StopSignals/listen()``.
    /// - Throws: ``ApplianceError`` and what the parts throw, when it cannot start or a part fails.
    public func run(until signals: AsyncStream<Int32>) async throws {
        MachineAddress.raiseFileLimit()
        let directory = try Self.makeDirectory()
        let events = NodeEvents()
        let listening = events.listen(to: signals)
        defer { listening.cancel() }
        let transport = Transport()
        let result: Result<Void, any Error>
        do {
            try await run(in: directory, transport, events)
            result = .success(())
        } catch { result = .failure(error) }
        await transport.shutDown()
        let files = NodeFiles(directory: directory)
        for number in 0..<configuration.integer(.devAgents) {
            try? NodeFiles(directory: "\(directory)/agent\(number + 1)").destroyRemains()
        }
        do throws(SystemError) { try removeTree(files.root) } catch {
            throw ApplianceError(.failure, "cannot remove \(directory): \(error); remove it by hand")
        }
        try result.get()
    }

    private func run(in directory: String, _ transport: Transport, _ events: NodeEvents) async throws {
        guard case .tcp(let address, let port) = listen else { return }
        let logger = NodeLog.logger("rondo", level: level, file: "\(directory)/node.log")
        var settings = try MasterNode.Settings(configuration, address: address, port: port)
        settings.logPath = "\(directory)/node.log"
        let master = try await MasterPart.start(
            settings, store: "\(directory)/store.sqlite", administrator: MasterPart.newSecret(), listeningOn: [listen],
            transport: transport, logger: logger, events: events)
        var agents: [RunningAgent] = []
        let result: Result<Void, any Error>
        do {
            agents = try await startAgents(of: master, in: directory, transport, events, logger)
            try await announce(master, agents.count, directory)
            result = await wait(events, master)
        } catch { result = .failure(error) }
        await end(agents, events)
        await master.stop()
        try result.get()
    }

    /// Has the agents end their tasks, for a bounded time: what then still runs is killed when the directory goes.
    private func end(_ agents: [RunningAgent], _ events: NodeEvents) async {
        let patience = Task.detached {
            let again = Task.detached {
                for await event in events.stream { if case .signal = event { return } }
            }
            let timer = Task.detached {
                try? await Pause.wait(.seconds(8))
                again.cancel()
            }
            await again.value
            timer.cancel()
            for agent in agents { agent.task.cancel() }
        }
        await withTaskGroup(of: Void.self) { group in
            for agent in agents { group.addTask { await agent.leave() } }
        }
        patience.cancel()
    }

    /// Warnings only, unless asked for more: what a person types next should not scroll away.
    private var level: String {
        configuration.isSet(.logLevel) ? configuration.text(.logLevel) ?? "warning" : "warning"
    }

    private func startAgents(
        of master: MasterPart, in directory: String, _ transport: Transport, _ events: NodeEvents, _ logger: Logger
    ) async throws -> [RunningAgent] {
        guard case .tcp(let address, let asked) = listen else { return [] }
        let count = configuration.integer(.devAgents)
        let ports =
            asked == 0
            ? Array(repeating: 0, count: count)
            : MachineAddress.freePorts(count, from: configuration.port(.agentPort), on: address)
        let all =
            try configuration.resources
            ?? MeasuredResources.measure(directory: directory, without: [master.port] + ports)
        let shares = try MachineShare.divide(all, into: count)
        var agents: [RunningAgent] = []
        for (index, share) in shares.enumerated() {
            let name = "agent\(index + 1)"
            let issued = try await master.credentials.issue(
                name: name, role: "agent", now: SystemClock().now().wall)
            var settings = AgentNode.Settings(
                configuration, directory: "\(directory)/\(name)/agent",
                masters: [.tcp(address, port: master.port)], nil)
            settings.credential = issued.credential
            do throws(SystemError) { try makeDirectories("\(directory)/\(name)", mode: 0o711) } catch {
                throw ApplianceError(.failure, "cannot make an agent's directory: \(error)")
            }
            settings.resources = share
            settings.logFile = "\(directory)/node.log"
            settings.hostname = name
            settings.listen = .tcp(address, port: ports[index])
            settings.images = LocalImages(
                root: NodeFiles(directory: directory).imageDirectory, owner: name, transport: transport)
            settings.advertisedAddress = address.description
            // Frameworks that are gone acknowledge nothing; Ctrl-C should not wait for them.
            settings.adjust = { $0.leaveTimeout = .milliseconds(500) }
            agents.append(
                try RunningAgent(settings, transport: transport, logger: logger, events: events))
        }
        return agents
    }

    private func announce(_ master: MasterPart, _ count: Int, _ directory: String) async throws {
        guard case .tcp(let address, _) = listen else { return }
        let clock = SystemClock()
        let deadline = clock.now().elapsed + .seconds(10)
        var ready = 0
        while clock.now().elapsed < deadline {
            ready = try await master.node.snapshot().agents.values.count { $0.isActive }
            if ready == count || master.task.isCancelled { break }
            try await clock.sleep(until: clock.now().elapsed + .milliseconds(20))
        }
        let at = Endpoint.tcp(address, port: master.port)
        let isUsual = "\(at)" == ConfigurationKey.devListen.defaultText
        let option = isUsual ? "" : " --master \(at)"
        // Containers of images need root.
        let images = geteuid() == 0 ? "\n  images        rondo image list --data \(directory)" : ""
        Console.out(
            """
            rondo dev: a master and \(ready) of \(count) agents are ready

              look at it    http://\(at)/
              run something rondo run\(option) -- echo hello
              what is there rondo node list\(option)
                            rondo task list\(option) --all\(images)
              frameworks    MASTER=\(at)  (Mesos v1 scheduler API at /api/v1/scheduler)

            Ctrl-C ends it and removes all it made.
            """)
    }

    private func wait(_ events: NodeEvents, _ master: MasterPart) async -> Result<Void, any Error> {
        for await event in events.stream {
            switch event {
            case .signal, .leave, .evicted:
                Console.note("rondo dev: ending tasks and removing everything")
                return .success(())
            case .agentEnded(.failure(let error)), .masterEnded(.failure(let error)): return .failure(error)
            case .agentEnded(.success(.refused(let reason))):
                return .failure(ApplianceError(.failure, "the master refuses an agent: \(reason)"))
            case .agentEnded(.success), .masterEnded(.success): continue
            }
        }
        return .success(())
    }

    private static func makeDirectory() throws(ApplianceError) -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        var template = Array("\(parent)/rondo-dev-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            let reason = SystemError(call: "mkdtemp", path: parent, errno: errno)
            throw ApplianceError(
                .failure, "cannot make a temporary directory: \(reason); set TMPDIR to one you may use")
        }
        let path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Tasks run as their own users below it.
        chmod(path, 0o711)
        return path
    }
}

extension NodeFiles {
    /// The files below a directory that is not configured.
    init(directory: String) {
        root = directory
        runtime = directory
    }
}
