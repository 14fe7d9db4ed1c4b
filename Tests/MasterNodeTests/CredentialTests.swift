import ClusterModel
import HTTPGateway
import HTTPTypes
import MasterNode
import NIOCore
import StateStore
import Testing
import Transport

/// Who may take part: join tokens, nodes' credentials, the administrator.
@Suite struct CredentialTests {
    private static let secret = "the-administrator-of-the-credential-tests"
    private static let administrator: HTTPFields = [.authorization: "Bearer \(secret)"]

    private func withMaster(_ test: (MasterFixture, MemoryStore) async throws -> Void) async throws {
        let store = MemoryStore()
        let credentials = StoredCredentials(store: store, administrator: Self.secret)
        try await MasterFixture.with(store: store, credentials: credentials) { try await test($0, store) }
    }

    private func token(_ fixture: MasterFixture, _ body: String = "{}") async throws -> JSONNode {
        let made = try await fixture.post("/rondo/v1/tokens", body, headers: Self.administrator)
        try #require(made.status == .created, "\(String(buffer: made.bytes))")
        return try JSONNode(made.bytes)
    }

    private func join(_ fixture: MasterFixture, _ token: String) async throws -> (Int, JSONNode) {
        let response = try await fixture.post(
            "/rondo/v1/join", "{\"token\":\"\(token)\",\"name\":\"node-a\",\"role\":\"agent\"}")
        return (response.status.code, try JSONNode(response.bytes))
    }

    @Test func `a token lets a node join once, and its credential lets it register`() async throws {
        try await withMaster { fixture, store in
            let text = try #require(try await token(fixture)["token"]?.text)
            let (status, joined) = try await join(fixture, text)
            #expect(status == 201)
            #expect(joined["clusterID"]?.text == fixture.node.cluster.id)
            #expect(joined["nodeID"]?.text != nil)
            #expect(joined["master.port"]?.number == Double(fixture.endpoint.port ?? 0))
            let credential = try #require(joined["credential"]?.text)
            #expect(try await join(fixture, text).0 == 403, "the token was good for one use")
            let agent = try await FakeAgent.register(with: fixture, credential: credential)
            #expect(try await agent.post(.heartbeat).status == .accepted)
            // The store has neither secret.
            for entry in try store.range(prefix: "", limit: 100, startAfter: nil).entries {
                let value = String(decoding: entry.value, as: UTF8.self)
                #expect(!value.contains(credential))
                #expect(!value.contains(text))
            }
        }
    }

    @Test func `an agent without a credential, or with another one, is refused`() async throws {
        try await withMaster { fixture, _ in
            let body = "{\"type\":\"SUBSCRIBE\",\"subscribe\":{}}"
            let refused = try await fixture.post("/api/v1/agent", body)
            #expect(refused.status.code == 401)
            #expect(refused.headers[.wwwAuthenticate] == "Bearer")
            for wrong in ["Bearer x", "Bearer node.a.b", "Basic dXNlcjpwYXNz", "Bearer ", "Bearer join.a.b"] {
                let response = try await fixture.post("/api/v1/agent", body, headers: [.authorization: wrong])
                #expect(response.status.code == 401, "\(wrong)")
            }
            // A token authorises joining only.
            let text = try #require(try await token(fixture)["token"]?.text)
            let withToken = try await fixture.post(
                "/api/v1/agent", body, headers: [.authorization: "Bearer \(text)"])
            #expect(withToken.status.code == 401)
        }
    }

    @Test func `a session is good only with the credential that opened it`() async throws {
        try await withMaster { fixture, _ in
            let text = try #require(try await token(fixture, "{\"uses\":2}")["token"]?.text)
            let first = try #require(try await join(fixture, text).1["credential"]?.text)
            let second = try #require(try await join(fixture, text).1["credential"]?.text)
            let agent = try await FakeAgent.register(with: fixture, credential: first)
            let stolen = try await fixture.post(
                "/api/v1/agent", "{\"type\":\"CALLS\",\"calls\":[{\"heartbeat\":{}}]}",
                headers: [.session: agent.session, .authorization: "Bearer \(second)"])
            #expect(stolen.status.code == 401)
        }
    }

    @Test func `tokens are listed without their secrets and can be revoked`() async throws {
        try await withMaster { fixture, _ in
            let made = try await token(fixture, "{\"lifetimeSeconds\":60,\"uses\":3}")
            let text = try #require(made["token"]?.text)
            let listed = try await fixture.get("/rondo/v1/tokens", headers: Self.administrator)
            #expect(!String(buffer: listed.bytes).contains(text))
            #expect(try JSONNode(listed.bytes)["tokens.0.usesLeft"]?.number == 3)
            let id = try #require(made["id"]?.text)
            let revoked = try await fixture.caller.call(
                .delete, fixture.endpoint, "/rondo/v1/tokens/\(id)", headers: Self.administrator)
            #expect(revoked.status == .noContent)
            #expect(try await join(fixture, text).0 == 403)
        }
    }

    @Test func `an expired token is refused`() async throws {
        let store = MemoryStore()
        let credentials = StoredCredentials(store: store, administrator: nil)
        let begin = UnixTime(seconds: 1_000)
        let made = try await credentials.makeToken(role: "agent", lifetime: .seconds(60), uses: 1, now: begin)
        await #expect(throws: (any Error).self) {
            try await credentials.join(
                token: made.text, name: "n", role: "agent", now: begin + .seconds(60))
        }
        let joined = try await credentials.join(
            token: made.text, name: "n", role: "agent", now: begin + .seconds(59))
        #expect(try await credentials.caller(authorization: "Bearer \(joined.credential)") == .node(joined.id))
        #expect(try await credentials.caller(authorization: "token=\(joined.credential)") == .node(joined.id))
        #expect(try await credentials.caller(authorization: nil) == .anonymous)
    }

    @Test func `a token that many use at once lets in as many as it is for`() async throws {
        let store = MemoryStore()
        let credentials = StoredCredentials(store: store, administrator: nil)
        let now = UnixTime(seconds: 1_000)
        let made = try await credentials.makeToken(role: "agent", lifetime: .seconds(60), uses: 3, now: now)
        let admitted = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<12 {
                group.addTask {
                    (try? await credentials.join(token: made.text, name: "n\(index)", role: "agent", now: now)) != nil
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(admitted == 3)
        #expect(try await credentials.nodes().count == 3)
    }
}
