internal import AgentNode
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import Logging
internal import NIOCore
internal import Transport

/// `rondo cluster join`: makes this machine an agent of a cluster, or starts it again.
public struct ClusterJoin: Sendable {
    private let configuration: Configuration
    private let files: NodeFiles
    private let asked: Endpoint?

    /// Checks what was asked for.
    ///
    /// - Parameters:
    ///   - configuration: data, runtime, token, role, advertise, insecure_plain_http and the agent's keys count.
    ///   - master: `ADDRESS` or `ADDRESS:PORT`; nil for a node that has joined before.
    /// - Throws: ``ApplianceError`` with exit code 64, or 1 for a second master.
    public init(_ configuration: Configuration, master: String?) throws(ApplianceError) {
        self.configuration = configuration
        files = NodeFiles(configuration)
        switch configuration.text(.role) ?? "agent" {
        case "agent": break
        case let role:
            throw ApplianceError(
                .failure,
                "cannot join as \(role): this cluster has one master (SQLite); several need etcd; join with --role agent"
            )
        }
        guard let master else {
            asked = nil
            return
        }
        do throws(EndpointError) {
            if let address = try? IPAddress(parsing: master) {
                asked = .tcp(address, port: 5_050)
            } else {
                asked = try Endpoint(parsing: master)
            }
        } catch { throw ApplianceError(.usage, "the master's address cannot be used: \(error)") }
    }

    /// Joins if need be, and runs the agent until a signal comes, it leaves, or the master sends it away.
    ///
    /// - Parameter signals: from ``StopSignals/listen()``.
    /// - Throws: ``ApplianceError``, and what the parts throw when they cannot start or go on.
    public func run(until signals: AsyncStream<Int32>) async throws {
        MachineAddress.raiseFileLimit()
        var known = try files.identity()
        if known != nil, known?.master == nil {
            throw ApplianceError(
                .failure, "\(files.root) belongs to a master; start that with `rondo cluster init`, or use --data")
        }
        let master = try master(known)
        guard case .tcp(let masterAddress, _) = master else {
            throw ApplianceError(.usage, "a master is joined by address and port, not by a socket")
        }
        let address = configuration.address(.advertise) ?? MachineAddress.towards(master) ?? .loopback
        try PlainHTTP.check(masterAddress, configuration)
        if configuration.isSet(.advertise) { try PlainHTTP.check(address, configuration) }
        PlainHTTP.warn(masterAddress)
        try files.prepare(forMaster: false)
        let events = NodeEvents()
        let listening = events.listen(to: signals)
        defer { listening.cancel() }
        let transport = Transport()
        let caller = HTTPCaller(transport: transport)
        let result: Result<Void, any Error>
        do {
            if known == nil {
                known = try await join(master, caller)
                Console.out("rondo: this machine has joined the cluster '\(known?.clusterName ?? "")' at \(master)")
            } else {
                Console.out("rondo: starting the agent of '\(known?.clusterName ?? "")' at \(master) again")
            }
            if var identity = known, identity.master != "\(master)" {
                identity.master = "\(master)"
                try files.store(identity)
                known = identity
            }
            try await run(known?.credential, master, address, transport, events, caller)
            result = .success(())
        } catch {
            if known == nil { files.removeIfEmpty() }
            result = .failure(error)
        }
        await caller.shutDown()
        await transport.shutDown()
        try result.get()
    }

    private func master(_ known: NodeFiles.Identity?) throws(ApplianceError) -> Endpoint {
        if let asked { return asked }
        if let text = known?.master, let endpoint = try? Endpoint(parsing: text) { return endpoint }
        throw ApplianceError(
            .usage,
            "no node has joined from \(files.root) yet; name the master: rondo cluster join ADDRESS:PORT --token …")
    }

    private struct Joined: Decodable {
        var credential: String
        var clusterID: String
        var clusterName: String
    }

    private struct Refusal: Decodable {
        var message: String
    }

    private struct Wish: Encodable {
        var token: String
        var name: String
        var role = "agent"
    }

    private func join(_ master: Endpoint, _ caller: HTTPCaller) async throws -> NodeFiles.Identity {
        guard let token = configuration.text(.token) else {
            throw ApplianceError(
                .usage,
                "joining needs a token; `rondo cluster token create` on the master's machine makes one (--token)")
        }
        let name = try configuration.text(.hostname) ?? HostFacts.hostname()
        let body = try JSONEncoder().encode(Wish(token: token, name: name))
        let response = try await caller.call(
            .post, master, "/rondo/v1/join", headers: [.contentType: "application/json"],
            body: ByteBuffer(bytes: body))
        let bytes = Data(response.bytes.readableBytesView)
        guard response.status.code == 201, let joined = try? JSONDecoder().decode(Joined.self, from: bytes) else {
            let reason =
                (try? JSONDecoder().decode(Refusal.self, from: bytes))?.message ?? "status \(response.status.code)"
            throw ApplianceError(
                response.status.code == 403 ? .notPermitted : .failure,
                "\(master) does not let this machine in: \(reason)")
        }
        let identity = NodeFiles.Identity(
            role: "agent", clusterID: joined.clusterID, clusterName: joined.clusterName,
            credential: joined.credential, master: "\(master)")
        try files.store(identity)
        return identity
    }

    private func run(
        _ credential: String?, _ master: Endpoint, _ address: IPAddress, _ transport: Transport, _ events: NodeEvents,
        _ caller: HTTPCaller
    ) async throws {
        let logger = NodeLog.logger("rondo", level: configuration.text(.logLevel), file: files.logPath)
        var settings = AgentNode.Settings(
            configuration, directory: files.agentDirectory, master: master, credential: credential)
        settings.logFile = files.logPath
        settings.listen(at: address, configuration)
        let agent = try RunningAgent(settings, transport: transport, logger: logger, events: events)
        let daemon = NodeDaemon(files: files, transport: transport, events: events, logger: logger, agent: agent)
        try await daemon.run(
            role: "agent",
            behind: .remote(LocalDoor.Master(endpoint: master, caller: caller, credential: credential)))
    }
}
