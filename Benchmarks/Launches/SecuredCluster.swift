import ClusterModel
import Glibc
import Identity
import MasterNode
import Membership
import Transport

/// What makes a run one of a secured cluster: TLS on every connection, agents known by their certificates, frameworks
/// by a user's token, and an audit log. The master's process makes it; its clients read it from files of the run's
/// directory.
enum SecuredCluster {
    /// What the master's process is told to have.
    struct Office {
        let authority: ClusterAuthority
        let key = NodeKey()

        init() throws {
            authority = try ClusterAuthority(
                clusterID: "11111111-2222-4333-8444-555555555555", name: "benchmark", now: Self.now())
        }

        func apply(to settings: inout MasterNode.Settings, audit: String) throws {
            let verifier = PeerVerifier(authority: authority.certificate)
            settings.clusterID = authority.clusterID
            settings.trust = ClusterTrust(authority: authority, verifier: verifier, masterKey: MasterKey())
            let issued = try authority.issueAPI(
                key.publicKey, addresses: ["127.0.0.1"], names: ["localhost"], now: Self.now())
            settings.security = try TransportSecurity(
                identity: TLSIdentity(chain: issued.chain, key: key.der), judge: verifier.nodeJudge { Self.now() })
            settings.access = .enforced
            settings.accessSettings.auditDirectory = audit
        }

        /// Takes the agents in and writes down what they and the frameworks show.
        func write(_ node: MasterNode, agents: Int, to directory: String) async throws {
            for number in 0..<agents {
                let key = NodeKey()
                let issued = try await node.enrolItself(try CertificateRequest(key: key), roles: .agent)
                try SecuredCluster.write(key.pem, "\(directory)/agent-\(number).key")
                try SecuredCluster.write(issued.pem, "\(directory)/agent-\(number).crt")
            }
            let token = try await node.makeFirstAdministrator(name: "benchmark", lifetime: nil)
            try SecuredCluster.write(Array(token.utf8), "\(directory)/token")
        }

        private static func now() -> UnixTime { SystemClock().now().wall }
    }

    /// How an agent's connections are protected.
    static func agent(_ number: Int, in directory: String) throws -> TransportSecurity {
        let identity = TLSIdentity(
            chain: try PEMText.certificates(in: try read("\(directory)/agent-\(number).crt")),
            key: try NodeKey(pem: try read("\(directory)/agent-\(number).key")).der)
        return try TransportSecurity(identity: identity, judge: { _ in nil })
    }

    /// How a framework's connections are protected; the certificate of the master is not what is measured.
    static func framework() throws -> TransportSecurity { try TransportSecurity(identity: nil, judge: { _ in nil }) }

    /// The frameworks' credential.
    static func token(in directory: String) throws -> String {
        String(decoding: try read("\(directory)/token"), as: UTF8.self)
    }

    private static func write(_ bytes: [UInt8], _ path: String) throws {
        guard let file = fopen(path, "w") else { throw Failure("cannot write \(path)") }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw Failure("cannot write \(path)") }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw Failure("cannot read \(path)") }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }
}
