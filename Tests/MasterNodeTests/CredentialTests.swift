import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import Identity
import Membership
import NIOCore
import StateStore
import Testing
import Transport

@testable import MasterNode

/// Who may take part: join tokens, nodes' certificates and credentials, the administrator.
@Suite struct CredentialTests {
    private struct Subscribe: Encodable {
        var type = "SUBSCRIBE"
        var subscribe: AgentRegistration
    }

    private static func subscription(_ info: AgentInfo = FakeAgent.info()) throws -> String {
        String(decoding: try JSONEncoder().encode(Subscribe(subscribe: AgentRegistration(info: info))), as: UTF8.self)
    }

    private static let json: HTTPFields = [.contentType: "application/json"]

    @Test func `a token lets a node join once, and its certificate lets it register`() async throws {
        let store = MemoryStore()
        try await AccessFixture.with(store: store) { fixture in
            let text = try await fixture.joinToken().text
            let key = NodeKey()
            let (status, joined) = try await fixture.join(text, key: key)
            #expect(status == 201)
            #expect(joined["clusterID"]?.text == fixture.node.cluster.id)
            #expect(joined["nodeID"]?.text == key.publicKey.id.description)
            #expect(try await fixture.join(text).0 == 403, "the token was good for one use")
            let node = try await fixture.joined()
            let answer = try await fixture.answer(
                .post, "/api/v1/agent", headers: Self.json, body: try Self.subscription(), certificates: node.chain)
            #expect(answer.status == 200)
            #expect(answer.headers[.session] != nil)
            #expect(fixture.node.directory.nodes.map(\.description) == [node.id])
            // The store has no secret, and keys only sealed.
            let keys = try #require(fixture.node.clusterKeys?.gossip.first)
            for entry in try store.range(prefix: "", limit: 100, startAfter: nil).entries {
                let value = String(decoding: entry.value, as: UTF8.self)
                #expect(!value.contains(text))
                #expect(!value.contains(keys.map { String($0) }.joined(separator: ",")))
            }
        }
    }

    @Test func `a certificate that is evicted, expired or another cluster's opens nothing`() async throws {
        try await AccessFixture.with { fixture in
            let node = try await fixture.joined()
            func status(_ chain: [[UInt8]], _ path: String = "/rondo/v1/cluster") async throws -> Int {
                try await fixture.answer(.get, path, certificates: chain).status
            }
            #expect(try await status(node.chain) == 200)
            #expect(try await status(node.chain, "/rondo/v1/users") == 403)
            #expect(try await status([]) == 401)
            #expect(try await status([[1, 2, 3]]) == 401)
            #expect(try await status(Array(node.chain.dropFirst())) == 401, "the authority is no node")
            let now = fixture.node.clock.now().wall
            let other = try AccessFixture.trust(now: now)
            let stranger = try other.authority.issueNode(CertificateRequest(key: NodeKey()), roles: .agent, now: now)
            #expect(try await status(stranger.chain) == 401)
            let trust = try #require(fixture.node.settings.trust)
            let old = try trust.authority.issueNode(
                CertificateRequest(key: NodeKey()), roles: .agent, now: now + .seconds(-7_200),
                lifetime: .seconds(3_600))
            #expect(try await status(old.chain) == 401)
            let operators = try await fixture.user("oscar", roles: ["operator"])
            let viewer = try await fixture.user("vera", roles: ["viewer"])
            let path = "/rondo/v1/members/\(node.id)/evict"
            #expect(try await fixture.answer(.post, path, headers: viewer).status == 403)
            #expect(try await fixture.answer(.post, path, certificates: node.chain).status == 403)
            #expect(try await fixture.answer(.post, path, headers: operators).status == 204)
            #expect(try await status(node.chain) == 401)
        }
    }

    @Test func `a node renews and leaves for itself, and only with its certificate`() async throws {
        try await AccessFixture.with { fixture in
            let key = NodeKey()
            let node = try await fixture.joined(key: key)
            let request = { (key: NodeKey) throws -> String in
                let pem = String(decoding: try CertificateRequest(key: key).pem, as: UTF8.self)
                return "{\"request\":\"\(pem.replacing("\n", with: "\\n"))\"}"
            }
            let path = "/rondo/v1/certificate"
            let mine = try await fixture.answer(
                .post, path, headers: Self.json, body: try request(key), certificates: node.chain)
            #expect(mine.status == 200)
            let others = try await fixture.answer(
                .post, path, headers: Self.json, body: try request(NodeKey()), certificates: node.chain)
            #expect(others.status == 403)
            let alice = try await fixture.user("alice", roles: ["viewer"])
            for (path, method) in [
                (path, HTTPRequest.Method.post), ("/rondo/v1/leave", .post), ("/rondo/v1/keys", .get),
            ] {
                #expect(try await fixture.answer(method, path, headers: alice).status == 403, "\(path)")
                #expect(try await fixture.answer(method, path).status == 401, "\(path)")
            }
            #expect(try await fixture.answer(.post, "/rondo/v1/leave", certificates: node.chain).status == 204)
            #expect(try await fixture.answer(.get, "/rondo/v1/cluster", certificates: node.chain).status == 401)
        }
    }

    @Test func `an agent without a credential, or with another one, is refused`() async throws {
        let store = MemoryStore()
        let credentials = StoredCredentials(store: store, administrator: AccessFixture.secret)
        try await MasterFixture.with(store: store, credentials: credentials) {
            (fixture: MasterFixture) async throws -> Void in
            let body = "{\"type\":\"SUBSCRIBE\",\"subscribe\":{}}"
            let refused = try await fixture.post("/api/v1/agent", body)
            #expect(refused.status.code == 401)
            #expect(refused.headers[.wwwAuthenticate] == "Bearer")
            for wrong in ["Bearer x", "Bearer node.a.b", "Basic dXNlcjpwYXNz", "Bearer ", "Bearer join.a.b"] {
                let response = try await fixture.post("/api/v1/agent", body, headers: [.authorization: wrong])
                #expect(response.status.code == 401, "\(wrong)")
            }
        }
        try await AccessFixture.with { fixture in
            // A token authorises joining only.
            let text = try await fixture.joinToken().text
            let withToken = try await fixture.post(
                "/api/v1/agent", "{\"type\":\"SUBSCRIBE\",\"subscribe\":{}}",
                headers: [.authorization: "Bearer \(text)"])
            #expect(withToken.status.code == 401)
        }
    }

    @Test(arguments: [AccessMode.open, .enforced])
    func `a session is good only with the credential that opened it`(mode: AccessMode) async throws {
        try await AccessFixture.with(change: { $0.access = mode }) { fixture in
            let first = try await fixture.nodeCredential("a").credential
            let second = try await fixture.nodeCredential("b").credential
            let agent = try await FakeAgent.register(with: fixture, credential: first)
            #expect(try await agent.post(.heartbeat).status == .accepted)
            for stolen: HTTPFields in [[.authorization: "Bearer \(second)"], [:]] {
                let response = try await fixture.post(
                    "/api/v1/agent", "{\"type\":\"CALLS\",\"calls\":[{\"heartbeat\":{}}]}",
                    headers: stolen + [.session: agent.session])
                #expect(response.status.code == 401)
            }
        }
    }

    @Test func `tokens are listed without their secrets and can be revoked`() async throws {
        try await AccessFixture.with { fixture in
            let made = try await fixture.joinToken("{\"lifetimeSeconds\":60,\"uses\":3}")
            let listed = try await fixture.get("/rondo/v1/tokens", headers: AccessFixture.root)
            #expect(!String(buffer: listed.bytes).contains(made.text))
            #expect(try JSONNode(listed.bytes)["tokens.0.usesLeft"]?.number == 3)
            let revoked = try await fixture.send(
                .delete, "/rondo/v1/tokens/\(made.id)", headers: AccessFixture.root)
            #expect(revoked.status == .noContent)
            #expect(try await fixture.join(made.text).0 == 403)
        }
    }

    @Test func `an expired token is refused`() async throws {
        try await AccessFixture.with { fixture in
            let admission = try #require(fixture.node.admission)
            let begin = fixture.node.clock.now().wall
            let made = try await admission.makeToken(role: .agent, lifetime: .seconds(60), uses: 1, now: begin)
            let token = try JoinToken(parsing: made.text)
            let request = try CertificateRequest(key: NodeKey())
            await #expect(throws: GatewayError.self) {
                _ = try await admission.join(token, request, name: "n", now: begin + .seconds(60))
            }
            _ = try await admission.join(token, request, name: "n", now: begin + .seconds(59))
        }
    }

    @Test func `a token that many use at once lets in as many as it is for`() async throws {
        try await AccessFixture.with { fixture in
            let text = try await fixture.joinToken("{\"uses\":3}").text
            let admitted = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<12 { group.addTask { (try? await fixture.join(text).0) == 201 } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(admitted == 3)
            #expect(try await fixture.node.admission?.nodes().count == 3)
        }
    }

    @Test func `nodes without certificates have a credential of their own`() async throws {
        let credentials = StoredCredentials(store: MemoryStore(), administrator: AccessFixture.secret)
        let node = try await credentials.issue(name: "n", role: "agent", now: UnixTime(seconds: 1_000))
        #expect(try await credentials.caller(authorization: "Bearer \(node.credential)") == .node(node.id))
        #expect(try await credentials.caller(authorization: "token=\(node.credential)") == .node(node.id))
        #expect(try await credentials.caller(authorization: "Bearer \(AccessFixture.secret)") == .administrator)
        #expect(try await credentials.caller(authorization: nil) == .anonymous)
    }
}
