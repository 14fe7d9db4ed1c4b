import Access
import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import Identity
import NIOCore
import StateStore
import Testing
import Transport

@testable import MasterNode

/// A master that asks everybody who it is, with an administrator.
enum AccessFixture {
    static let secret = "the-administrator-of-the-access-tests"
    static let root: HTTPFields = [.authorization: "Bearer \(secret)"]

    static func with(
        store: MemoryStore = MemoryStore(), clock: any NodeClock = SystemClock(), isTrusted: Bool = true,
        change: (inout MasterNode.Settings) -> Void = { _ in },
        _ test: (MasterFixture) async throws -> Void
    ) async throws {
        try await MasterFixture.with(
            store: store, credentials: StoredCredentials(store: store, administrator: secret), clock: clock,
            change: { settings in
                settings.access = .enforced
                settings.clusterID = cluster
                if isTrusted { settings.trust = try? trust(now: clock.now().wall) }
                settings.accessSettings.passwordCost = .init(logRounds: 4, blockSize: 8, passes: 1)
                change(&settings)
            }, test)
    }

    static let cluster = "6d1f5a52-3c0c-4f0e-9f0e-0b7a7c1d2e3f"

    /// A new authority for the cluster.
    static func trust(now: UnixTime) throws -> ClusterTrust {
        let authority = try ClusterAuthority(clusterID: cluster, name: "test", now: now + .seconds(-86_400))
        return ClusterTrust(
            authority: authority, verifier: PeerVerifier(authority: authority.certificate), masterKey: MasterKey())
    }

    /// A folder for the audit log, gone afterwards.
    static func withFolder(_ test: (String) async throws -> Void) async throws {
        var generator = SystemRandomNumberGenerator()
        let path = FileManager.default.temporaryDirectory.path + "/rondo-audit-\(generator.next() as UInt64)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await test(path)
    }
}

extension MasterFixture {
    /// Makes a user and a token for it.
    func user(
        _ name: String, roles: [String] = [], rules: [String] = [], password: String? = nil
    ) async throws -> HTTPFields {
        let list = { (texts: [String]) in "[" + texts.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
        var body = "{\"name\":\"\(name)\",\"roles\":\(list(roles)),\"rules\":\(list(rules))"
        if let password { body += ",\"password\":\"\(password)\"" }
        let made = try await post("/rondo/v1/users", body + "}", headers: AccessFixture.root)
        try #require(made.status == .created, "\(String(buffer: made.bytes))")
        let token = try await post("/rondo/v1/users/\(name)/tokens", "{}", headers: AccessFixture.root)
        try #require(token.status == .created, "\(String(buffer: token.bytes))")
        let text = try #require(try JSONNode(token.bytes)["token"]?.text)
        return [.authorization: "token=\(text)"]
    }

    /// A node with a credential, as nodes without certificates have it.
    func nodeCredential(_ name: String = "node-a") async throws -> (id: String, credential: String) {
        let credentials = try #require(node.credentials as? StoredCredentials)
        return try await credentials.issue(name: name, role: "agent", now: node.clock.now().wall)
    }

    func joinToken(_ body: String = "{}") async throws -> (id: String, text: String) {
        let made = try await post("/rondo/v1/tokens", body, headers: AccessFixture.root)
        try #require(made.status == .created, "\(String(buffer: made.bytes))")
        let token = try JSONNode(made.bytes)
        return (try #require(token["id"]?.text), try #require(token["token"]?.text))
    }

    /// Joins with a key of its own.
    func join(_ token: String, key: NodeKey = NodeKey(), role: String = "agent") async throws -> (Int, JSONNode) {
        let pem = String(decoding: try CertificateRequest(key: key).pem, as: UTF8.self).replacing("\n", with: "\\n")
        let response = try await post(
            "/rondo/v1/join",
            "{\"token\":\"\(token)\",\"name\":\"node-a\",\"role\":\"\(role)\",\"request\":\"\(pem)\"}")
        return (response.status.code, try JSONNode(response.bytes))
    }

    /// A node that has joined, with the certificates that it shows.
    func joined(key: NodeKey = NodeKey()) async throws -> (id: String, chain: [[UInt8]]) {
        let (status, node) = try await join(try await joinToken().text, key: key)
        try #require(status == 201, "\(node)")
        let pem = try #require(node["certificate"]?.text)
        let chain = pem.split(separator: "-----BEGIN CERTIFICATE-----").compactMap { part -> [UInt8]? in
            let body = part.prefix { $0 != "-" }.filter { !$0.isWhitespace }
            return Data(base64Encoded: String(body)).map(Array.init)
        }
        return (try #require(node["nodeID"]?.text), chain)
    }

    func login(_ body: String, headers: HTTPFields = [:]) async throws -> HTTPCaller.Response {
        try await post("/acs/api/v1/auth/login", body, headers: headers)
    }

    func session(_ name: String, _ password: String) async throws -> String {
        let response = try await login("{\"uid\":\"\(name)\",\"password\":\"\(password)\"}")
        try #require(response.status == .ok, "\(String(buffer: response.bytes))")
        return try #require(try JSONNode(response.bytes)["token"]?.text)
    }

    /// What a request is answered with, without a connection.
    func answer(
        _ method: HTTPRequest.Method, _ path: String, headers: HTTPFields = [:], body: String = "",
        isLocal: Bool = false, certificates: [[UInt8]] = [], from: IPAddress = .v4("192.0.2.7"),
        isProtected: Bool = true
    ) async throws -> (status: Int, headers: HTTPFields) {
        let request = GatewayRequest(
            method: method, target: try RequestTarget(parsing: path), headers: headers,
            body: GatewayBody(ByteBuffer(string: body)), remote: .tcp(from, port: 1),
            peerCertificates: certificates, isProtected: isProtected)
        do {
            let response = try await node.handle(request, isLocal: isLocal)
            return (response.status.code, response.headers)
        } catch let error as GatewayError {
            return (error.status.code, error.headers)
        }
    }
}

/// A clock whose time of day began when a test says and goes on as the test says.
final class TestClock: NodeClock {
    private let system = SystemClock()
    private let begin: Int64

    init(seconds: Int64) { begin = seconds * 1_000_000_000 }

    func now() -> Moment {
        let elapsed = system.now().elapsed
        return Moment(elapsed: elapsed, wall: UnixTime(nanoseconds: begin) + elapsed)
    }

    func sleep(until elapsed: Duration) async throws { try await system.sleep(until: elapsed) }
}
