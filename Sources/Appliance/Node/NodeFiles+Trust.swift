internal import FoundationEssentials
internal import Glibc
internal import Identity
internal import LinuxSystem
internal import MasterNode

/// What a node keeps of who it is and whom it believes.
extension NodeFiles {
    var keyPath: String { "\(root)/node.key" }
    var certificatePath: String { "\(root)/node.crt" }
    var authorityPath: String { "\(root)/authority.crt" }
    private var keysPath: String { "\(root)/keys.json" }
    private var gossipPath: String { "\(root)/gossip.json" }
    private var masterKeyPath: String { "\(root)/master.key" }
    private var authorityKeyPath: String { "\(root)/master/authority.key" }

    /// What gossip must remember over a restart.
    struct GossipMemory: Codable, Equatable {
        /// The incarnation that was announced last; the next life begins above it.
        var incarnation: UInt64 = 0
        /// Where others were, `ADDRESS:PORT`.
        var hints: [String] = []
        /// The authority's word for this node's roles, in hexadecimal.
        var attestation = ""
    }

    private func bytes(_ path: String) throws(ApplianceError) -> [UInt8]? {
        do throws(SystemError) { return try readFile(path, limit: 1 << 20) } catch {
            if error.errno == ENOENT { return nil }
            throw ApplianceError(.failure, "cannot read \(path): \(error); run as root")
        }
    }

    private func damaged(_ path: String, _ error: IdentityError) -> ApplianceError {
        ApplianceError(.failure, "\(path) is damaged (\(error)); restore it, or remove \(root) to begin as a new node")
    }

    /// The node's key; made on the first call.
    func nodeKey() throws(ApplianceError) -> NodeKey {
        if let pem = try bytes(keyPath) {
            do throws(IdentityError) { return try NodeKey(pem: pem) } catch { throw damaged(keyPath, error) }
        }
        let key = NodeKey()
        try write(key.pem, keyPath)
        return key
    }

    /// The cluster's authority, once the node has joined.
    func authority() throws(ApplianceError) -> AuthorityCertificate? {
        guard let pem = try bytes(authorityPath) else { return nil }
        do throws(IdentityError) { return try AuthorityCertificate(pem: pem) } catch {
            throw damaged(authorityPath, error)
        }
    }

    func store(_ authority: AuthorityCertificate) throws(ApplianceError) { try write(authority.pem, authorityPath) }

    /// The node's own certificate and what comes with it.
    func certificate() throws(ApplianceError) -> [[UInt8]]? {
        guard let pem = try bytes(certificatePath) else { return nil }
        do throws(IdentityError) { return try PEMText.certificates(in: pem) } catch {
            throw damaged(certificatePath, error)
        }
    }

    func store(certificate pem: [UInt8]) throws(ApplianceError) { try write(pem, certificatePath) }

    func clusterKeys() throws(ApplianceError) -> ClusterKeys? {
        guard let bytes = try bytes(keysPath) else { return nil }
        guard let keys = try? JSONDecoder().decode(ClusterKeys.self, from: Data(bytes)) else {
            throw ApplianceError(.failure, "\(keysPath) is damaged; join again with a token")
        }
        return keys
    }

    func store(_ keys: ClusterKeys) throws(ApplianceError) {
        guard let data = try? JSONEncoder().encode(keys) else { return }
        try write([UInt8](data), keysPath)
    }

    /// A damaged memory is no harm: gossip begins anew.
    func gossipMemory() -> GossipMemory {
        guard let bytes = try? bytes(gossipPath),
            let memory = try? JSONDecoder().decode(GossipMemory.self, from: Data(bytes))
        else { return GossipMemory() }
        return memory
    }

    func store(_ memory: GossipMemory) throws(ApplianceError) {
        guard let data = try? JSONEncoder().encode(memory) else { return }
        try write([UInt8](data), gossipPath)
    }

    // MARK: masters

    /// What secrets are sealed with: from systemd (`LoadCredential=rondo.master-key:…`), a named file, or one beside the
    /// store, which protects copies of the store and nothing else.
    func masterKey(named file: String?) throws(ApplianceError) -> MasterKey {
        var path = file
        if path == nil, let directory = getenv("CREDENTIALS_DIRECTORY").map({ String(cString: $0) }) {
            let credential = "\(directory)/rondo.master-key"
            if access(credential, R_OK) == 0 { path = credential }
        }
        if let path {
            guard let text = try bytes(path) else {
                throw ApplianceError(
                    .failure, "there is no key file \(path); make one with 32 random bytes in hexadecimal")
            }
            do throws(IdentityError) { return try MasterKey(parsing: text) } catch {
                throw ApplianceError(.failure, "the key file \(path) cannot be used: \(error)")
            }
        }
        if let text = try bytes(masterKeyPath) {
            do throws(IdentityError) { return try MasterKey(parsing: text) } catch {
                throw damaged(masterKeyPath, error)
            }
        }
        let key = MasterKey()
        try write(key.text, masterKeyPath)
        return key
    }

    private static let authorityPurpose = "authority-key"

    /// The authority with its key; nil before there is one.
    func clusterAuthority(_ key: MasterKey) throws(ApplianceError) -> ClusterAuthority? {
        guard let sealed = try bytes(authorityKeyPath), let certificate = try authority() else { return nil }
        do throws(IdentityError) {
            let pem = try KeyEnvelope.open(
                sealed, purpose: Self.authorityPurpose, name: certificate.clusterID, with: key)
            return try ClusterAuthority(certificate: certificate, privateKey: pem)
        } catch {
            throw ApplianceError(.failure, "the authority's key in \(authorityKeyPath) cannot be opened: \(error)")
        }
    }

    /// The certificate last: without it there is no authority, and a new one may be made.
    func store(_ authority: ClusterAuthority, _ key: MasterKey) throws(ApplianceError) {
        let sealed: [UInt8]
        do throws(IdentityError) {
            sealed = try KeyEnvelope.seal(
                authority.privateKey, purpose: Self.authorityPurpose, name: authority.clusterID, with: key)
        } catch { throw ApplianceError(.failure, "the authority's key cannot be sealed: \(error)") }
        try write(sealed, authorityKeyPath)
        try store(authority.certificate)
    }

    /// Forgets who the node was: it has left, and its key with it.
    func removeIdentity() {
        for path in [keyPath, certificatePath, authorityPath, keysPath, gossipPath, "\(root)/node.json"] {
            unlink(path)
        }
    }
}
