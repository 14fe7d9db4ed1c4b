internal import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import MasterNode
internal import Transport

/// A node that is made by one process and run by another.
protocol ServedNode: Sendable {
    /// Makes it, or sees that it is there, without running it.
    func make() async throws -> MadeNode
    /// Whether a node that runs is the one that was asked for.
    func isServed(by identity: NodeFiles.Identity) -> Bool
}

/// What a made node has to say when it runs, and how it is taken back when it does not.
struct MadeNode: Sendable {
    var text: String
    /// What stays of it when it does not run.
    var remains = ""
    var undo: @Sendable () -> Void = {}
}

/// This machine's node as a service of systemd: made here, where everything that is wrong with it can be seen and no
/// token gets into a file, then run by the service.
public struct NodeService: Sendable {
    /// How long a node may take until it answers.
    private static let patience = Duration.seconds(30)

    private let configuration: Configuration
    private let files: NodeFiles
    private let systemd = Systemd()

    init(_ configuration: Configuration) {
        self.configuration = configuration
        files = NodeFiles(configuration)
    }

    /// Whether a node is to be a service: root asks for it where systemd runs, with the usual directories or those of
    /// the usual file of settings, and systemd has not started this process itself.
    ///
    /// - Parameters:
    ///   - configuration: where data and runtime come from counts.
    ///   - foreground: what was asked for.
    /// - Returns: false when this process is to be the node.
    public static func isWanted(_ configuration: Configuration, foreground: Bool) -> Bool {
        !foreground && geteuid() == 0 && Systemd.isHere && !Systemd.startedThis && hasUsualPlaces(configuration)
    }

    /// Whether a service, which has no flags, and every command on this machine find the node's directories.
    package static func hasUsualPlaces(_ configuration: Configuration) -> Bool {
        [ConfigurationKey.data, .runtime].allSatisfy { key in
            switch configuration.value(key)?.source {
            case .flag, .environment: false
            case .file(let path, _): path == Configuration.usualFile
            case .builtIn, nil: true
            }
        }
    }

    // MARK: starting

    func begin(_ node: some ServedNode) async throws {
        let transport = Transport(threads: 1)
        let result: Result<Void, any Error>
        do {
            try await begin(node, transport)
            result = .success(())
        } catch { result = .failure(error) }
        await transport.shutDown()
        try result.get()
    }

    private func begin(_ node: some ServedNode, _ transport: Transport) async throws {
        let program = try program()
        let known = try systemd.state()
        let identity = try files.identity()
        let settings = ServiceSettings(configuration)
        var installation = ServiceInstallation(systemd, known)
        if let pid = await LocalNode.pid(files, transport) {
            guard pid == known.pid else {
                throw ApplianceError(
                    .failure,
                    "process \(pid) runs this machine's node already, and is no service; stop it first (kill \(pid)), "
                        + "its tasks go on meanwhile")
            }
            if let identity, node.isServed(by: identity), settings.agree(with: installation.text ?? "") {
                return Console.out("rondo: the node of '\(identity.clusterName)' runs already, as \(ServiceUnit.name)")
            }
        }
        try check(known, makesKey: identity == nil && node is ClusterInit)
        if known.isUp { try systemd.tell("stop", ServiceUnit.name) }
        let made: MadeNode
        do { made = try await node.make() } catch {
            if known.isUp { _ = try? systemd.tell("start", "--no-block", ServiceUnit.name) }
            throw error
        }
        do {
            try installation.install(settings, program: program)
            try await start(transport)
        } catch {
            installation.undo()
            made.undo()
            guard var error = error as? ApplianceError else { throw error }
            error.description += made.remains
            throw error
        }
        Console.out(made.text)
    }

    /// The program that the unit names.
    private func program() throws(ApplianceError) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard ServiceUnit.canName(path) else {
            throw ApplianceError(
                .failure,
                "a unit cannot name the program '\(path)'; put it into /usr/local/bin, or use --foreground")
        }
        return path
    }

    /// What stands against a service before anything is made.
    private func check(_ known: Systemd.State, makesKey: Bool) throws(ApplianceError) {
        guard known.isKnown else { return }
        guard known.load == "loaded" else {
            throw ApplianceError(
                .failure,
                "\(ServiceUnit.name) is \(known.load); `systemctl status rondo` says why, and --foreground needs none")
        }
        // Credentials are for the service alone: what is sealed with them has to be made by it.
        guard makesKey, try systemd.unit().split(separator: "\n").contains(where: Self.isCredential) else { return }
        throw ApplianceError(
            .failure,
            "\(ServiceUnit.name) is given credentials that this process has not; write RONDO_NODE=init into "
                + "\(ServiceSettings.path), then: systemctl enable --now rondo")
    }

    private static func isCredential(_ line: Substring) -> Bool {
        let line = line.drop { $0 == " " }
        return line.hasPrefix("LoadCredential") || line.hasPrefix("SetCredential")
    }

    /// Starts the service and waits until its process takes commands.
    private func start(_ transport: Transport) async throws {
        let signals = NodeEvents()
        let listening = signals.listen(to: StopSignals.listen())
        defer { listening.cancel() }
        let clock = SystemClock()
        let began = clock.now()
        let isShown = Console.isTerminal(STDERR_FILENO)
        Console.note("rondo: starting \(ServiceUnit.name)")
        try systemd.tell("start", "--no-block", ServiceUnit.name)
        let isInterrupted = Flag()
        let watching = Task.detached { for await _ in signals.stream { isInterrupted.raise() } }
        defer { watching.cancel() }
        var dots = 0
        while true {
            let state = try systemd.state()
            if state.active == "active", state.pid > 0, await LocalNode.pid(files, transport) == state.pid { break }
            let elapsed = clock.now().elapsed - began.elapsed
            if isInterrupted.isRaised { throw ApplianceError(.interrupted, "the start was broken off") }
            // The job that was asked for may not have begun yet.
            let hasFailed = state.hasFailed || (state.active == "inactive" && elapsed > .seconds(3))
            if hasFailed || elapsed > Self.patience {
                throw try await failure(hasFailed ? "did not start" : "is not ready after 30 s", since: began.wall)
            }
            if isShown, elapsed >= .seconds(dots + 1) {
                dots += 1
                Console.write(bytes: Array(".".utf8), to: STDERR_FILENO)
            }
            try await clock.sleep(until: clock.now().elapsed + .milliseconds(150))
        }
        if dots > 0 { Console.note("") }
    }

    private func failure(_ what: String, since start: UnixTime) async throws -> ApplianceError {
        // The journal gets lines a little after they were written.
        try await Pause.wait(.milliseconds(300))
        let lines = systemd.journal(since: start, lines: 10)
        let said = lines.isEmpty ? " nothing that is in the journal" : lines.map { "\n    " + $0 }.joined()
        return ApplianceError(
            .failure,
            "\(ServiceUnit.name) \(what), and what was made for it is taken back. The last that it said:\(said)")
    }

    // MARK: leaving

    /// What systemd knows of the service; nil when it does not answer.
    var state: Systemd.State? { try? systemd.state() }

    /// Has systemd start nothing any more.
    func retire(_ state: Systemd.State) {
        if state.isKnown { _ = try? systemd.tell("disable", "--now", ServiceUnit.name) }
    }

    /// Removes what was made for the service, and what systemd remembers of it.
    func remove(_ state: Systemd.State) throws(ApplianceError) {
        ServiceRecord().removeAll()
        guard state.isKnown else { return }
        try systemd.tell("daemon-reload")
        _ = try? systemd.tell("reset-failed", ServiceUnit.name)
    }
}
