internal import ClusterModel
internal import Glibc
internal import Gossip
internal import Identity
internal import Logging
internal import MasterNode
internal import Membership
internal import Synchronization
internal import Transport

/// A node's part in the gossip, as this process runs it: who is here, who leads, at which addresses.
struct GossipPart: Sendable {
    let node: GossipNode
    private let work: Task<Void, Never>

    /// What others do with what gossip learns.
    struct Listener: Sendable {
        /// Addresses at which a master answers gossip, the likeliest first.
        var mastersMoved: @Sendable ([IPAddress]) -> Void = { _ in }
        /// A node died, left, or is a gossip client that has been silent for long; by the id of its agent.
        var isGone: @Sendable (AgentID) -> Void = { _ in }
    }

    /// The port to use: the one that is set, else the usual one or the next that is free.
    static func port(_ configuration: Configuration, at home: IPAddress?) -> UInt16 {
        let port = configuration.port(.gossipPort)
        if configuration.isSet(.gossipPort) { return port }
        let place = home ?? .v4("0.0.0.0")
        // The port beside it is that of the calls to nodes nearby.
        let free = MachineAddress.freePorts(3, from: port, on: place, alsoForPackets: true)
        return free.first { $0 != 7_947 } ?? 0
    }

    /// Begins to take part. Of the configuration, `seed` counts; `home` is the loopback address that a node keeps to;
    /// `files` keep the incarnation, and where
    /// others were; `hints` say where others may be, beside those that are kept; nobody can open a connection to a
    /// client.
    static func start(
        _ configuration: Configuration, _ trust: NodeTrust, role: String, port: UInt16, at home: IPAddress?,
        files: NodeFiles, hints: [MemberEndpoint], isClient: Bool = false, transport: Transport, logger: Logger,
        listener: Listener
    ) async throws -> GossipPart {
        let roles = NodeRoles(role: role)
        var memory = files.gossipMemory()
        var settings = GossipSettings(cluster: trust.authority.clusterID, port: port)
        if let home {
            // Several nodes on one machine, each on a loopback address of its own.
            settings.listen = [home]
            settings.membership = .loopback
            settings.beacon = nil
            settings.advertised = nil
        }
        guard let ring = KeyRing(trust.keys) else {
            throw ApplianceError(.failure, "the cluster's gossip keys cannot be used; join again with a token")
        }
        let identity = GossipIdentity(
            id: trust.id, roles: roles, attestation: trust.attestation, version: Program.version,
            incarnation: memory.incarnation + 1, isGossipClient: isClient)
        memory.incarnation += 1
        try files.store(memory)
        var known = memory.hints.compactMap { MemberEndpoint(text: $0) } + hints
        if case .tcp(let address, let port)? = configuration.endpoint(.seed),
            let endpoint = MemberEndpoint(address, port: port)
        {
            known.append(endpoint)
        }
        let node = try await GossipNode.start(
            settings, identity: identity, proofs: trust.proofs.proofs, keys: ring, hints: known, transport: transport,
            security: trust.amongNodes, logger: logger)
        let work = Task.detached {
            await Self.follow(node, files, roles, logger, listener)
        }
        return GossipPart(node: node, work: work)
    }

    /// Uses newer keys from now on.
    func take(_ keys: ClusterKeys, _ trust: NodeTrust) async {
        trust.take(keys)
        if let ring = KeyRing(keys) { await node.update(ring) }
    }

    /// Tells that this node leads.
    func lead(in term: UInt64) async { await node.leadership(term: term) }

    /// Has a master's console show what the gossip says.
    func show(on master: MasterNode) {
        master.show { [node] in
            GossipView(own: await node.own.record, members: await node.members, now: await node.time)
        }
    }

    /// Shows a newer word of the authority.
    func attested(_ attestation: [UInt8], role: String) async {
        await node.attested(roles: NodeRoles(role: role), attestation: attestation)
    }

    /// Falls silent, or speaks again: who runs with a copy of another machine's key has nothing to say.
    func pause(_ isCopy: Bool) async {
        if isCopy { await node.pause() } else { await node.resume() }
    }

    /// Ends it without a word: the node is restarted soon.
    func stop() async {
        work.cancel()
        // It writes what it hears; nothing may be written once a node's files are removed.
        await work.value
        await node.stop()
    }

    /// Tells the others that the node leaves.
    func leave() async {
        await node.leave()
        await stop()
    }

    private static func follow(
        _ node: GossipNode, _ files: NodeFiles, _ roles: NodeRoles, _ logger: Logger, _ listener: Listener
    ) async {
        var moved: [NodeID: (count: Int, since: ContinuousClock.Instant)] = [:]
        for await report in node.reports {
            if Task.isCancelled { return }
            var isNews = true
            if case .addressesChanged(let id, _, _) = report {
                // Two machines with one key would fill the log with this.
                var known = moved[id] ?? (0, .now)
                if known.since.duration(to: .now) > .seconds(60) { known = (0, .now) }
                known.count += 1
                moved[id] = known
                isNews = known.count <= 6
            }
            if isNews { tell(report, logger) }
            switch report {
            case .died(let id, _), .departed(let id), .becameStale(let id): listener.isGone(AgentID(id.description))
            default: break
            }
            var memory = files.gossipMemory()
            let before = memory
            memory.incarnation = await node.incarnation
            memory.hints = await node.hints.prefix(64).map(\.text)
            if memory != before { try? files.store(memory) }
            guard !roles.contains(.master) else { continue }
            listener.mastersMoved(await node.masters)
        }
    }

    private static func tell(_ report: Membership.Report, _ logger: Logger) {
        switch report {
        case .joined(let id): logger.info("gossip: node \(id) is here")
        case .suspected(let id, let accuser): logger.info("gossip: \(accuser) gets no answer from \(id)")
        case .recovered(let id): logger.info("gossip: node \(id) answers again")
        case .died(let id, let accusers):
            logger.warning("gossip: node \(id) is dead, as \(accusers.map(\.description).joined(separator: ", ")) say")
        case .departed(let id): logger.notice("gossip: node \(id) has left")
        case .becameStale(let id): logger.warning("gossip: nothing is heard from node \(id)")
        case .addressesChanged(let id, _, let now):
            logger.notice("gossip: node \(id) is at \(now.map(\.text).joined(separator: ", ")) now")
        case .leaderChanged(let id, let term):
            logger.info("gossip: \(id.map(\.description) ?? "nobody") leads in term \(term)")
        case .updated, .forgotten, .addressContested, .refuted, .leaveCompleted, .refused,
            .duplicateIdentity, .stalled:
            break
        }
    }
}

extension KeyRing {
    /// The keys of a cluster, the one that seals first; nil when none of them is a key.
    init?(_ keys: ClusterKeys) {
        let all = keys.gossip.compactMap { GossipKey(bytes: $0) }
        guard let first = all.first else { return nil }
        self.init(first)
        for key in all.dropFirst() { try? add(key) }
    }
}

extension GossipNode {
    /// Where masters are, one that leads first.
    fileprivate var masters: [IPAddress] {
        let leader = leader.id
        return members.filter { $0.record.roles.contains(.master) && !$0.record.isLeaving }
            .sorted { ($0.record.id == leader ? 0 : 1) < ($1.record.id == leader ? 0 : 1) }
            .flatMap(\.record.addresses).compactMap(\.networkAddress)
    }
}
