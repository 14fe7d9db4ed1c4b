internal import ClusterModel
internal import Identity
internal import LinuxSystem
internal import Logging
internal import MasterNode
internal import Membership
internal import Synchronization
internal import Transport

/// A master as its cluster's authority: makes it on the first start, and keeps the certificates of the master itself.
struct AuthorityOffice: Sendable {
    let authority: ClusterAuthority
    let trust: ClusterTrust
    /// Protects the API; its certificate names this machine's addresses, for browsers.
    let api: TransportSecurity
    private let key: NodeKey
    private let files: NodeFiles
    private let shown: Shown

    /// What the certificate of the API says at present.
    private final class Shown: Sendable {
        let state: Mutex<(names: Names, times: (UnixTime, UnixTime))>
        init(_ names: Names, _ times: (UnixTime, UnixTime)) { state = Mutex((names, times)) }
    }

    /// What people may type to get here.
    private struct Names: Equatable {
        var addresses: [String]
        var hosts: [String]

        init(_ configuration: Configuration, _ advertised: IPAddress) {
            var all = MachineAddress.all().map(\.description)
            if !all.contains(advertised.description) { all.append(advertised.description) }
            addresses = Array(all.prefix(ClusterAuthority.nameLimit)).sorted()
            hosts = ["localhost"]
            let own = configuration.text(.hostname) ?? ((try? HostFacts.hostname()) ?? "")
            if !own.isEmpty, own != "localhost" { hosts.append(own) }
        }
    }

    private let names: @Sendable () -> Names

    /// Opens the authority of the data directory, or makes it.
    init(_ files: NodeFiles, _ configuration: Configuration, _ address: IPAddress) throws {
        let now = SystemClock().now().wall
        let masterKey = try files.masterKey(named: configuration.text(.keyFile))
        if let found = try files.clusterAuthority(masterKey) {
            authority = found
        } else {
            authority = try ClusterAuthority(
                clusterID: MasterPart.newClusterID(), name: configuration.text(.name) ?? "rondo", now: now)
            try files.store(authority, masterKey)
        }
        self.files = files
        key = try files.nodeKey()
        let verifier = PeerVerifier(authority: authority.certificate)
        trust = ClusterTrust(
            authority: authority, verifier: verifier, masterKey: masterKey,
            nodeLifetime: configuration.duration(.certificateLifetime) ?? ClusterAuthority.nodeLifetime)
        names = { Names(configuration, address) }
        let (issued, names) = try Self.issueAPI(authority, key, names(), now)
        shown = Shown(names, (issued.notBefore, issued.notAfter))
        api = try TransportSecurity(
            identity: TLSIdentity(chain: issued.chain, key: key.der),
            judge: verifier.nodeJudge { SystemClock().now().wall })
    }

    /// A host name that fits into no certificate is left out rather than keeping the master from starting.
    private static func issueAPI(
        _ authority: ClusterAuthority, _ key: NodeKey, _ names: Names, _ now: UnixTime
    ) throws -> (IssuedCertificate, Names) {
        do throws(IdentityError) {
            return (
                try authority.issueAPI(key.publicKey, addresses: names.addresses, names: names.hosts, now: now), names
            )
        } catch {
            return (
                try authority.issueAPI(key.publicKey, addresses: names.addresses, names: ["localhost"], now: now), names
            )
        }
    }

    /// Takes the master's own node into the cluster.
    func enrol(_ master: MasterNode, as role: String) async throws -> NodeTrust {
        let issued = try await master.enrolItself(try CertificateRequest(key: key), roles: NodeRoles(role: role))
        guard let keys = master.clusterKeys else { throw ApplianceError(.software, "the cluster has no keys") }
        return try NodeTrust(
            key: key, verifier: trust.verifier, chain: issued.chain, attestation: issued.attestation, keys: keys)
    }

    /// What renews the node's certificate and the API's while the master runs.
    func keepers(
        _ master: MasterNode, _ own: NodeTrust, role: String, _ gossip: GossipPart, logger: Logger
    ) -> [@Sendable () async -> Void] {
        let roles = NodeRoles(role: role)
        let node = CertificateKeeper(
            name: "this node's certificate", logger: logger, times: { try own.validity() },
            renew: { [key] in
                let issued = try await master.enrolItself(try CertificateRequest(key: key), roles: roles)
                try own.take(issued.chain, issued.attestation)
                await gossip.attested(issued.attestation, role: role)
            })
        let api = CertificateKeeper(
            name: "the certificate of the API", logger: logger,
            times: { [shown] in shown.state.withLock { CertificateTimes(notBefore: $0.times.0, notAfter: $0.times.1) }
            },
            renew: { [authority, key, api, names, shown] in
                let wanted = names()
                let (issued, names) = try Self.issueAPI(authority, key, wanted, SystemClock().now().wall)
                try api.replace(identity: TLSIdentity(chain: issued.chain, key: key.der))
                shown.state.withLock { $0 = (names, (issued.notBefore, issued.notAfter)) }
                logger.info("the certificate of the API is made anew for \(names.addresses.joined(separator: ", "))")
            },
            isOutdated: { [names, shown] in
                let now = names()
                return shown.state.withLock { $0.names != now }
            })
        return [{ await node.run() }, { await api.run() }]
    }

    /// Tells the cluster where the master's machine has moved to.
    func places(of master: MasterNode) -> @Sendable () async -> Void {
        {
            while (try? await Pause.wait(.seconds(2))) != nil {
                let now = MachineAddress.main()
                // A machine without a network is where it was.
                if !now.isLoopback { master.move(to: now.description) }
            }
        }
    }

    /// Follows the cluster's keys, which this process changes itself.
    func keys(of master: MasterNode, _ own: NodeTrust, _ gossip: GossipPart) -> @Sendable () async -> Void {
        {
            while let keys = await master.clusterKeys(after: own.keys.revision) { await gossip.take(keys, own) }
        }
    }
}

extension NodeRoles {
    /// What a node of a role does: `combined`, `master` or `agent`.
    init(role: String) {
        switch role {
        case "combined": self = [.master, .agent]
        case "master": self = .master
        default: self = .agent
        }
    }
}
