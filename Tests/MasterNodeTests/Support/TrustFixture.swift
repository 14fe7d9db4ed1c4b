import ClusterModel
import HTTPGateway
import HTTPTypes
import Identity
import MasterNode
import Membership
import NIOCore
import StateStore
import Testing

/// A master that is a cluster's authority, and what a node says to it.
struct TrustFixture {
    static let secret = "the-administrator-of-the-admission-tests"
    static let administrator: HTTPFields = [.authorization: "Bearer \(secret)"]

    let master: MasterFixture
    let authority: ClusterAuthority
    let store: MemoryStore

    static func trust() throws -> ClusterTrust {
        let authority = try ClusterAuthority(
            clusterID: "11111111-2222-4333-8444-555555555555", name: "test", now: SystemClock().now().wall)
        return ClusterTrust(
            authority: authority, verifier: PeerVerifier(authority: authority.certificate), masterKey: MasterKey())
    }

    static func with(_ test: (TrustFixture) async throws -> Void) async throws {
        let store = MemoryStore()
        let credentials = StoredCredentials(store: store, administrator: secret)
        let trust = try trust()
        try await MasterFixture.with(
            store: store, credentials: credentials,
            change: {
                $0.trust = trust
                $0.clusterID = trust.authority.clusterID
                $0.access = .enforced
            },
            { master in
                try await test(TrustFixture(master: master, authority: trust.authority, store: store))
            })
    }

    func token(_ body: String = "{}") async throws -> JSONNode {
        let made = try await master.post("/rondo/v1/tokens", body, headers: Self.administrator)
        try #require(made.status == .created, "\(String(buffer: made.bytes))")
        return try JSONNode(made.bytes)
    }

    func join(
        _ token: String, _ key: NodeKey = NodeKey(), role: String = "agent", request: String? = nil
    ) async throws -> (status: Int, body: JSONNode) {
        let pem = try request ?? String(decoding: CertificateRequest(key: key).pem, as: UTF8.self)
        let response = try await master.post(
            "/rondo/v1/join",
            "{\"token\":\"\(token)\",\"name\":\"node-a\",\"role\":\"\(role)\",\"request\":\"\(Self.escaped(pem))\"}")
        return (response.status.code, try JSONNode(response.bytes))
    }

    static func escaped(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
    }

    /// A node that has joined.
    func node() async throws -> Node {
        let key = NodeKey()
        let text = try #require(try await token()["token"]?.text)
        let (status, body) = try await join(text, key)
        try #require(status == 201)
        let pem = try #require(body["certificate"]?.text)
        return Node(master: master.node, key: key, chain: try PEMText.certificates(in: Array(pem.utf8)))
    }

    /// Asks as the holder of a certificate, past the sockets.
    struct Node {
        let master: MasterNode
        let key: NodeKey
        var chain: [[UInt8]]

        func ask(_ method: HTTPRequest.Method, _ path: String, _ body: String = "") async throws -> (
            status: Int, body: JSONNode?
        ) {
            let request = GatewayRequest(
                method: method, target: try RequestTarget(parsing: path), headers: [.contentType: "application/json"],
                body: GatewayBody(ByteBuffer(string: body)), peerCertificates: chain)
            let response: GatewayResponse
            do { response = try await master.handle(request) } catch let error as GatewayError {
                return (error.status.code, nil)
            }
            guard case .bytes(let bytes) = response.content, bytes.readableBytes > 0 else {
                return (response.status.code, nil)
            }
            return (response.status.code, try? JSONNode(bytes))
        }
    }
}
