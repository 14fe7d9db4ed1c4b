internal import ClusterModel
internal import FoundationEssentials
internal import Gossip
internal import HTTPGateway
internal import HTTPTypes
internal import Identity
internal import LinuxSystem
internal import MasterNode
internal import NIOCore
internal import Synchronization
internal import Transport

/// How a machine that trusts nobody yet becomes a node: it knows the cluster by the pin in its token, looks at who
/// answers before it sends a byte, shows the token, and gets a certificate for its key.
struct Joining: Sendable {
    private let configuration: Configuration
    private let files: NodeFiles

    init(_ configuration: Configuration, _ files: NodeFiles) {
        self.configuration = configuration
        self.files = files
    }

    /// What the master answers; the same shape for a renewal, which leaves the rest out.
    struct Admission: Decodable {
        struct Keys: Decodable {
            var revision: Int
            var gossip: [String]
            var evicted: [String]
        }

        var clusterID: String?
        var clusterName: String?
        var gossipPort: UInt16?
        /// The address that the request came from, as the master saw it.
        var seenAt: String?
        var certificate: String
        var attestation: String
        var keys: Keys
    }

    private struct Wish: Encodable {
        var token: String
        var request: String
        var name: String
        var role: String
    }

    private struct Refusal: Decodable {
        var message: String
    }

    func join(
        _ master: Endpoint, _ token: JoinToken, _ transport: Transport
    ) async throws -> (identity: NodeFiles.Identity, trust: NodeTrust, seenAt: String?) {
        let key = try files.nodeKey()
        let name = try configuration.text(.hostname) ?? HostFacts.hostname()
        let wish = Wish(
            token: token.text, request: String(decoding: try CertificateRequest(key: key).pem, as: UTF8.self),
            name: name, role: token.role.rawValue)
        let found = Mutex<AuthorityCertificate?>(nil)
        let security = try TransportSecurity(identity: nil) { chain in
            do throws(IdentityError) {
                let authority = try PinCheck.check(chain, pin: token.pin, now: SystemClock().now().wall).authority
                found.withLock { $0 = authority }
                return nil
            } catch { return error.description }
        }
        let caller = HTTPCaller(transport: transport, security: security)
        let answer: Result<Admission, any Error>
        do {
            answer = .success(try await Self.ask(caller, master, "/rondo/v1/join", wish, expecting: 201))
        } catch { answer = .failure(error) }
        await caller.shutDown()
        let admission = try answer.get()
        guard let authority = found.withLock({ $0 }), let clusterID = admission.clusterID,
            clusterID == authority.clusterID, let name = admission.clusterName
        else { throw ApplianceError(.failure, "\(master) does not answer as a master of this release does") }
        let verifier = PeerVerifier(authority: authority)
        let trust = try Self.trust(admission, key, verifier)
        try files.store(authority)
        try Self.store(admission, trust.keys, files)
        let identity = NodeFiles.Identity(
            role: "agent", clusterID: clusterID, clusterName: name, master: "\(master)",
            gossipPort: admission.gossipPort)
        try files.store(identity)
        return (identity, trust, admission.seenAt)
    }

    private static func trust(_ admission: Admission, _ key: NodeKey, _ verifier: PeerVerifier) throws -> NodeTrust {
        let chain = try PEMText.certificates(in: Array(admission.certificate.utf8))
        _ = try verifier.agent(chain, now: SystemClock().now().wall)
        guard let attestation = ByteText.bytes(hex: admission.attestation) else {
            throw ApplianceError(.failure, "the master's answer has no attestation")
        }
        return try NodeTrust(
            key: key, verifier: verifier, chain: chain, attestation: attestation, keys: ClusterKeys(admission.keys))
    }

    /// Keeps what a master gave.
    static func store(_ admission: Admission, _ keys: ClusterKeys, _ files: NodeFiles) throws(ApplianceError) {
        try files.store(certificate: Array(admission.certificate.utf8))
        try files.store(keys)
        var memory = files.gossipMemory()
        memory.attestation = admission.attestation
        try files.store(memory)
    }

    /// Posts a document and reads the answer, in the words of the master when it refuses.
    static func ask(
        _ caller: HTTPCaller, _ master: Endpoint, _ path: String, _ body: some Encodable, expecting status: Int
    ) async throws -> Admission {
        let response = try await caller.call(
            .post, master, path, headers: [.contentType: "application/json"],
            body: ByteBuffer(bytes: try JSONEncoder().encode(body)))
        let bytes = Data(response.bytes.readableBytesView)
        guard response.status.code == status, let answer = try? JSONDecoder().decode(Admission.self, from: bytes) else {
            let reason =
                (try? JSONDecoder().decode(Refusal.self, from: bytes))?.message ?? "status \(response.status.code)"
            throw ApplianceError(
                [401, 403].contains(response.status.code) ? .notPermitted : .failure,
                "\(master) does not let this machine in: \(reason)")
        }
        return answer
    }
}

extension ClusterKeys {
    init(_ keys: Joining.Admission.Keys) {
        self.init(gossip: keys.gossip.compactMap { ByteText.bytes(hex: $0) })
        revision = keys.revision
        evicted = keys.evicted
    }
}
