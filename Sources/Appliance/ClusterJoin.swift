internal import AgentNode
internal import ClusterModel
internal import FoundationEssentials
internal import Gossip
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import Logging
internal import MasterNode
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
    ///   - configuration: data, runtime, token, role, advertise, the ports, seed and the agent's keys count.
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
        let (known, master) = try whereTo()
        let made = try files.prepare(forMaster: false)
        let events = NodeEvents()
        let listening = events.listen(to: signals)
        defer { listening.cancel() }
        let transport = Transport()
        let result: Result<Void, any Error>
        do {
            let (identity, trust) = try await admitted(known, made, master, transport)
            ServiceSettings.settle(configuration)
            try await run(identity, trust, master, transport, events)
            result = .success(())
        } catch {
            takeBack(known)
            result = .failure(error)
        }
        await transport.shutDown()
        try result.get()
    }

    /// What this machine is already, and the master to join.
    private func whereTo() throws(ApplianceError) -> (NodeFiles.Identity?, Endpoint) {
        let known = try files.identity()
        if let known, known.master == nil {
            throw ApplianceError(
                .failure, "\(files.root) belongs to a master; start that with `rondo cluster init`, or use --data")
        }
        let master = try master(known)
        guard case .tcp = master else {
            throw ApplianceError(.usage, "a master is joined by address and port, not by a socket")
        }
        return (known, master)
    }

    /// Leaves nothing of a node that has not joined.
    private func takeBack(_ known: NodeFiles.Identity?) {
        guard known == nil, (try? files.identity()) == nil else { return }
        files.removeIdentity()
        files.removeIfEmpty()
    }

    private func admitted(
        _ known: NodeFiles.Identity?, _ made: String?, _ master: Endpoint, _ transport: Transport
    ) async throws -> (NodeFiles.Identity, NodeTrust) {
        var (identity, trust, seen) = try await trust(known, master, transport)
        if let made, known == nil { identity.madeFolder = made }
        noteNAT(seen, isNew: known == nil, &identity)
        try files.store(identity)
        return (identity, trust)
    }

    private func master(_ known: NodeFiles.Identity?) throws(ApplianceError) -> Endpoint {
        if let asked { return asked }
        if let text = known?.master, let endpoint = try? Endpoint(parsing: text) { return endpoint }
        throw ApplianceError(
            .usage,
            "no node has joined from \(files.root) yet; name the master: rondo cluster join ADDRESS:PORT --token …")
    }

    /// The node's identity: the kept one while it is good, else a new certificate for a token. The key stays the same,
    /// so a node that was off for long is the same node again.
    private func trust(
        _ known: NodeFiles.Identity?, _ master: Endpoint, _ transport: Transport
    ) async throws -> (identity: NodeFiles.Identity, trust: NodeTrust, seenAt: String?) {
        var refusal: (any Error)?
        if var known {
            do {
                let trust = try kept()
                let seen = try await Self.ask(master, whether: trust, transport)
                known.master = "\(master)"
                Console.out("rondo: starting the agent of '\(known.clusterName)' again")
                return (known, trust, seen)
            } catch { refusal = error }
        }
        guard let text = configuration.text(.token) else {
            if let refusal {
                throw ApplianceError(
                    .notPermitted,
                    "this node cannot go on as it was: \(refusal); join again with a fresh token (--token)")
            }
            throw ApplianceError(
                .usage,
                "joining needs a token; `rondo cluster token create` on the master's machine makes one (--token)")
        }
        let token: JoinToken
        do throws(IdentityError) { token = try JoinToken(parsing: text) } catch {
            throw ApplianceError(.usage, "the join token cannot be used: \(error)")
        }
        var joined = try await Joining(configuration, files).join(master, token, transport)
        joined.identity.behindNAT = known?.behindNAT
        joined.identity.madeFolder = known?.madeFolder
        Console.out("rondo: this machine has joined the cluster '\(joined.identity.clusterName)' at \(master)")
        return joined
    }

    /// A master that answers may have shut this node out; one that does not answer changes nothing. Returns the address
    /// that it saw.
    private static func ask(
        _ master: Endpoint, whether trust: NodeTrust, _ transport: Transport
    ) async throws -> String? {
        let caller = HTTPCaller(transport: transport, security: trust.toMasters, connectTimeout: .seconds(2))
        var isRefused = false
        var seen: String?
        do throws(HTTPCallError) {
            let answer = try await caller.call(.get, master, "/rondo/v1/keys", timeout: .seconds(4))
            isRefused = answer.status.code == 401
            seen = (try? JSONDecoder().decode(Sight.self, from: Data(answer.bytes.readableBytesView)))?.seenAt
        } catch .unreachable(_, TransportError.refusedCertificate) {
            isRefused = true
        } catch {}
        await caller.shutDown()
        guard isRefused else { return seen }
        throw ApplianceError(
            .notPermitted,
            "the master refuses its certificate: it has left the cluster, or was evicted; remove its data directory")
    }

    private struct Sight: Decodable {
        var seenAt: String?
    }

    /// Finds out whether others can open connections to this machine. What its operator said counts, and is kept. Else
    /// a master that sees it at an address that is none of its own has a translation in between, which lets nothing in.
    private func noteNAT(_ seen: String?, isNew: Bool, _ identity: inout NodeFiles.Identity) {
        if configuration.isSet(.behindNAT) { identity.behindNAT = configuration.isTrue(.behindNAT) }
        guard identity.behindNAT == nil else { return }
        // Who names an address says that others reach it there.
        guard !configuration.isSet(.advertise) else { return identity.foundBehindNAT = false }
        guard let address = seen.flatMap({ MachineAddress.seen($0) }) else { return }
        let isForeign = !MachineAddress.all().contains(address)
        if isForeign, isNew || identity.foundBehindNAT != true {
            Console.out(
                "rondo: the master sees this machine at \(address), which is none of its addresses: it takes part as one "
                    + "that others cannot reach (if they can, add --no-behind-nat or --advertise ADDRESS)")
        }
        identity.foundBehindNAT = isForeign
    }

    /// What is kept of an earlier life, if it still counts.
    private func kept() throws -> NodeTrust {
        guard let authority = try files.authority(), let chain = try files.certificate(),
            let keys = try files.clusterKeys(),
            let attestation = ByteText.bytes(hex: files.gossipMemory().attestation), !attestation.isEmpty
        else { throw ApplianceError(.failure, "its certificate is missing") }
        let key = try files.nodeKey()
        let verifier = PeerVerifier(authority: authority)
        let own = try verifier.agent(chain, now: SystemClock().now().wall)
        guard own.id == key.id else { throw ApplianceError(.failure, "its certificate is for another key") }
        return try NodeTrust(key: key, verifier: verifier, chain: chain, attestation: attestation, keys: keys)
    }

    private func run(
        _ identity: NodeFiles.Identity, _ trust: NodeTrust, _ master: Endpoint, _ transport: Transport,
        _ events: NodeEvents
    ) async throws {
        let logger = NodeLog.logger("rondo", level: configuration.text(.logLevel), file: files.logPath)
        let address = configuration.address(.advertise) ?? MachineAddress.towards(master) ?? .loopback
        // A master on loopback is on this machine, and so are all others.
        let isAlone = address.isLoopback && (configuration.isSet(.advertise) || master.isLoopback)
        let home = isAlone ? address : nil
        var settings = AgentNode.Settings(
            configuration, directory: files.agentDirectory, masters: [master], trust)
        settings.logFile = files.logPath
        settings.listen(at: address, isAlone: isAlone, configuration)
        let caller = HTTPCaller(transport: transport, security: trust.toMasters)
        let line = MasterLine(
            files: files, trust: trust, masters: settings.masters, caller: caller, logger: logger, events: events)
        var daemon = NodeDaemon(files: files, transport: transport, events: events, logger: logger)
        do {
            let gossip = try await GossipPart.start(
                configuration, trust, role: "agent", port: GossipPart.port(configuration, at: home), at: home,
                files: files,
                hints: Self.hints(master, identity), isClient: identity.isBehindNAT, transport: transport,
                logger: logger, listener: line.listener(port: master.port ?? 5_050))
            daemon.gossip = gossip
            daemon.keepers = line.keepers(gossip)
            // A copy must not give up the key of the machine that it was copied from.
            daemon.depart = { if await !gossip.node.isPaused { await line.depart() } }
            settings.isCopy = { isCopy in Task { await gossip.pause(isCopy) } }
            settings.images = LocalImages(root: files.imageDirectory, transport: transport)
            daemon.agent = try RunningAgent(settings, transport: transport, logger: logger, events: events)
        } catch {
            await daemon.stopAll()
            await caller.shutDown()
            throw error
        }
        let result: Result<Void, any Error>
        do {
            try await daemon.run(
                role: "agent", behind: .remote(LocalDoor.Master(masters: settings.masters, caller: caller)))
            result = .success(())
        } catch { result = .failure(error) }
        await caller.shutDown()
        try result.get()
    }

    private static func hints(
        _ master: Endpoint, _ identity: NodeFiles.Identity
    ) -> [MemberEndpoint] {
        guard case .tcp(let address, _) = master,
            let hint = MemberEndpoint(address, port: identity.gossipPort ?? 7_946)
        else { return [] }
        return [hint]
    }
}

extension ClusterJoin: ServedNode {
    /// Joins if need be, and has systemd run the agent from now on.
    ///
    /// - Throws: as ``run(until:)``, and ``ApplianceError`` when the service does not start. The machine has joined then
    ///   all the same: its token may be spent.
    public func serve() async throws { try await NodeService(configuration).begin(self) }

    func isServed(by identity: NodeFiles.Identity) -> Bool {
        guard let master = identity.master else { return false }
        return asked.map { "\($0)" == master } ?? true
    }

    func make() async throws -> MadeNode {
        let (known, master) = try whereTo()
        let made = try files.prepare(forMaster: false)
        let transport = Transport()
        let result: Result<NodeFiles.Identity, any Error>
        do { result = .success(try await admitted(known, made, master, transport).0) } catch {
            takeBack(known)
            result = .failure(error)
        }
        await transport.shutDown()
        let identity = try result.get()
        return MadeNode(
            text:
                "rondo: the agent of '\(identity.clusterName)' runs as \(ServiceUnit.name): `systemctl stop rondo` stops "
                + "it, and its tasks go on; `journalctl -u rondo` shows what it says",
            remains: "\n  The machine has joined all the same: `rondo cluster start` runs its agent in the foreground, "
                + "`rondo cluster leave --purge` removes what it has")
    }
}
