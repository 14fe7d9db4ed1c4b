import Access
import ClusterModel
import HTTPGateway
import HTTPTypes
import Identity
import NIOCore
import StateStore
import Testing
import Transport

@testable import MasterNode

/// Logging in, and what proves who somebody is.
@Suite("Logging in")
struct LoginTests {
    private static let password = "correct horse battery"

    @Test func `a password gives a session that works in every form`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("alice", roles: ["viewer"], password: Self.password)
            let response = try await fixture.login("{\"uid\":\"alice\",\"password\":\"\(Self.password)\"}")
            #expect(response.status == .ok)
            let token = try #require(try JSONNode(response.bytes)["token"]?.text)
            let cookie = try #require(response.headers[.setCookie])
            for word in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=432000"] {
                #expect(cookie.contains(word), "\(word)")
            }
            #expect(cookie.hasPrefix("dcos-acs-auth-cookie=\(token);"))
            let forms: [HTTPFields] = [
                [.authorization: "token=\(token)"], [.authorization: "Bearer \(token)"],
                [.authorization: "bearer \(token)"], [.cookie: "a=b; dcos-acs-auth-cookie=\(token)"],
            ]
            for headers in forms {
                for _ in 0..<2 { #expect(try await fixture.get("/state", headers: headers).status == .ok) }
                #expect(try await fixture.get("/rondo/v1/users", headers: headers).status.code == 403)
            }
            let mine = try await fixture.get("/rondo/v1/users/alice", headers: forms[0])
            #expect(try JSONNode(mine.bytes)["roles.0"]?.text == "viewer")
        }
    }

    @Test func `wrong logins all get the same answer`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("alice", password: Self.password)
            _ = try await fixture.user("bob")
            var answers: Set<String> = []
            for body in [
                "{\"uid\":\"alice\",\"password\":\"wrong password\"}", "{\"uid\":\"alice\",\"password\":\"\"}",
                "{\"uid\":\"nobody\",\"password\":\"\(Self.password)\"}", "{\"uid\":\"\",\"password\":\"x\"}",
                "{\"uid\":\"bob\",\"password\":\"\(Self.password)\"}", "{\"uid\":\"alice\",\"token\":\"a.b.c\"}",
                "{\"token\":\"x\"}", "{\"token\":\"\(AccessFixture.secret)\"}",
            ] {
                let response = try await fixture.login(body)
                #expect(response.status.code == 401, "\(body)")
                answers.insert(String(buffer: response.bytes))
                #expect(response.headers[.setCookie] == nil)
            }
            #expect(answers.count == 1)
            let answer = try JSONNode(ByteBuffer(string: try #require(answers.first)))
            #expect(answer["code"]?.text == "ERR_INVALID_CREDENTIALS")
            #expect(answer["title"]?.text == "Unauthorized")
            for body in ["{}", "[]", "{\"uid\":\"a\"}", "{\"uid\":1,\"password\":\"x\"}", "x"] {
                #expect(try await fixture.login(body).status.code == 400, "\(body)")
            }
            let long = String(repeating: "x", count: 70_000)
            #expect(try await fixture.login("{\"uid\":\"a\",\"password\":\"\(long)\"}").status.code == 413)
        }
    }

    @Test func `those who guess have to wait, wherever they try`() async throws {
        try await AccessFixture.with(change: {
            $0.accessSettings.login.userBurst = 3
            $0.accessSettings.login.userInterval = .seconds(600)
        }) { fixture in
            _ = try await fixture.user("alice", roles: ["viewer"], password: Self.password)
            let token = try await fixture.session("alice", Self.password)
            // A right one costs nothing.
            for _ in 0..<6 { _ = try await fixture.session("alice", Self.password) }
            for _ in 0..<2 {
                #expect(try await fixture.login("{\"uid\":\"alice\",\"password\":\"guess\"}").status.code == 401)
            }
            // Basic draws from the same bucket.
            let basic: HTTPFields = [.authorization: "Basic YWxpY2U6Z3Vlc3M="]
            #expect(try await fixture.get("/state", headers: basic).status.code == 401)
            let refused = try await fixture.get("/state", headers: basic)
            #expect(refused.status.code == 429)
            let right = try await fixture.login("{\"uid\":\"alice\",\"password\":\"\(Self.password)\"}")
            #expect(right.status.code == 429, "a right password must not tell itself apart")
            let wait = try #require(right.headers[.retryAfter].flatMap { Int($0) })
            #expect((1...600).contains(wait))
            // Sessions go on, and so do others.
            #expect(try await fixture.get("/state", headers: [.authorization: "token=\(token)"]).status == .ok)
            #expect(try await fixture.login("{\"uid\":\"bob\",\"password\":\"guess\"}").status.code == 401)
        }
    }

    @Test func `a service logs in with a token that it signed`() async throws {
        try await AccessFixture.with(clock: TestClock(seconds: ServiceKey.time)) { fixture in
            let pem = ServiceKey.pem.replacing("\n", with: "\\n")
            let made = try await fixture.send(
                .put, "/acs/api/v1/users/marathon", "{\"description\":\"apps\",\"public_key\":\"\(pem)\"}",
                headers: AccessFixture.root)
            #expect(made.status == .created)
            let response = try await fixture.login("{\"uid\":\"marathon\",\"token\":\"\(ServiceKey.good)\"}")
            #expect(response.status == .ok, "\(String(buffer: response.bytes))")
            let token = try #require(try JSONNode(response.bytes)["token"]?.text)
            let mine = try await fixture.get(
                "/acs/api/v1/users/marathon", headers: [.authorization: "token=\(token)"])
            #expect(try JSONNode(mine.bytes)["is_service"]?.bool == true)
            for wrong in [ServiceKey.otherKey, ServiceKey.otherUser, ServiceKey.expired, token, "x"] {
                let refused = try await fixture.login("{\"uid\":\"marathon\",\"token\":\"\(wrong)\"}")
                #expect(refused.status.code == 401)
            }
            // What it signs is for logging in, and no session by itself.
            let direct = try await fixture.get("/version", headers: [.authorization: "token=\(ServiceKey.good)"])
            #expect(direct.status == .ok)
            let state = try await fixture.get("/state", headers: [.authorization: "token=\(ServiceKey.good)"])
            #expect(state.status.code == 401)
        }
    }

    @Test func `a principal with a secret calls with Basic`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("spark", roles: ["viewer"], password: "s:e:cret with colons")
            // "spark:s:e:cret with colons"
            let right: HTTPFields = [.authorization: "Basic c3Bhcms6czplOmNyZXQgd2l0aCBjb2xvbnM="]
            for _ in 0..<30 { #expect(try await fixture.get("/state", headers: right).status == .ok) }
            let wrong: HTTPFields = [.authorization: "Basic c3Bhcms6d3Jvbmc="]
            #expect(try await fixture.get("/state", headers: wrong).status.code == 401)
            let changed = try await fixture.send(
                .patch, "/rondo/v1/users/spark", "{\"password\":\"another secret\"}", headers: AccessFixture.root)
            #expect(changed.status == .ok)
            #expect(try await fixture.get("/state", headers: right).status.code == 401, "it was remembered too long")
        }
    }

    @Test func `sessions end when their key is changed, and tokens do not`() async throws {
        let store = MemoryStore()
        try await AccessFixture.with(store: store) { fixture in
            let token = try await fixture.user("alice", roles: ["viewer"], password: Self.password)
            let session: HTTPFields = [
                .authorization: "token=\(try await fixture.session("alice", Self.password))"
            ]
            #expect(try await fixture.get("/state", headers: session).status == .ok)
            try await fixture.node.authentication.endSessions()
            #expect(try await fixture.get("/state", headers: session).status.code == 401)
            #expect(try await fixture.get("/state", headers: token).status == .ok)
            let next: HTTPFields = [.authorization: "token=\(try await fixture.session("alice", Self.password))"]
            #expect(try await fixture.get("/state", headers: next).status == .ok)
        }
    }

    @Test func `a password does not cross a network without encryption`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("spark", roles: ["viewer"], password: "secret enough")
            let basic: HTTPFields = [.authorization: "bAsIc c3Bhcms6c2VjcmV0IGVub3VnaA=="]
            #expect(try await fixture.answer(.get, "/state", headers: basic).status == 200)
            #expect(try await fixture.answer(.get, "/state", headers: basic, isProtected: false).status == 401)
            let own = try await fixture.answer(
                .get, "/state", headers: basic, from: .v4("127.0.0.1"), isProtected: false)
            #expect(own.status == 200)
            // A token can be revoked, and is no password that is used elsewhere too.
            let token = try await fixture.user("mesos", roles: ["viewer"])
            #expect(try await fixture.answer(.get, "/state", headers: token, isProtected: false).status == 200)
        }
    }

    @Test func `a token of a user is shown once, works until it is revoked, and is not in the store`() async throws {
        let store = MemoryStore()
        try await AccessFixture.with(store: store) { fixture in
            let headers = try await fixture.user("alice", roles: ["viewer"], password: Self.password)
            #expect(try await fixture.get("/state", headers: headers).status == .ok)
            let text = try #require(headers[.authorization]).dropFirst("token=".count)
            let session = try await fixture.login("{\"token\":\"\(text)\"}")
            #expect(session.status == .ok)
            let listed = try await fixture.get("/rondo/v1/users/alice/tokens", headers: headers)
            #expect(!String(buffer: listed.bytes).contains(text))
            let id = try #require(try JSONNode(listed.bytes)["tokens.0.id"]?.text)
            for entry in try store.range(prefix: "", limit: 1_000, startAfter: nil).entries {
                let value = String(decoding: entry.value, as: UTF8.self)
                for secret in [String(text), Self.password, AccessFixture.secret] {
                    #expect(!value.contains(secret), "\(entry.key)")
                }
            }
            let revoked = try await fixture.send(.delete, "/rondo/v1/users/alice/tokens/\(id)", headers: headers)
            #expect(revoked.status == .noContent)
            #expect(try await fixture.get("/state", headers: headers).status.code == 401)
            #expect(try await fixture.login("{\"token\":\"\(text)\"}").status.code == 401)
        }
    }

    @Test func `tokens have an end and are bounded`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("alice", roles: ["viewer"])
            for body in ["{\"lifetimeSeconds\":0}", "{\"lifetimeSeconds\":-1}", "{\"lifetimeSeconds\":1e300}"] {
                let bad = try await fixture.post("/rondo/v1/users/alice/tokens", body, headers: AccessFixture.root)
                #expect(bad.status.code == 400, "\(body)")
            }
            for _ in 1..<32 {
                let made = try await fixture.post(
                    "/rondo/v1/users/alice/tokens", "{\"lifetimeSeconds\":60}", headers: AccessFixture.root)
                #expect(made.status == .created)
                #expect(try JSONNode(made.bytes)["expiresAt"]?.text != nil)
            }
            let more = try await fixture.post("/rondo/v1/users/alice/tokens", "{}", headers: AccessFixture.root)
            #expect(more.status.code == 409)
            let accounts = fixture.node.accounts
            let made = try await { () async throws -> (StoredUser.Token, String) in
                _ = try await fixture.user("bob")
                let made = try await fixture.node.makeToken(for: "bob", lifetime: .seconds(10), summary: "")
                return (made.record, made.text)
            }()
            #expect(accounts.owner(ofToken: made.1, now: made.0.createdAt + .seconds(9)) != nil)
            #expect(accounts.owner(ofToken: made.1, now: made.0.createdAt + .seconds(10)) == nil)
        }
    }

    @Test func `sessions end with the password, with the user and by themselves`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("alice", roles: ["viewer"], password: Self.password)
            let first: HTTPFields = [.authorization: "token=" + (try await fixture.session("alice", Self.password))]
            #expect(try await fixture.get("/state", headers: first).status == .ok)
            let wrong = try await fixture.send(
                .patch, "/rondo/v1/users/alice", "{\"password\":\"a new password\"}", headers: first)
            #expect(wrong.status.code == 403, "without the one of now")
            let changed = try await fixture.send(
                .patch, "/rondo/v1/users/alice",
                "{\"password\":\"a new password\",\"currentPassword\":\"\(Self.password)\"}", headers: first)
            #expect(changed.status == .ok, "\(String(buffer: changed.bytes))")
            #expect(try await fixture.get("/state", headers: first).status.code == 401)
            #expect(try await fixture.login("{\"uid\":\"alice\",\"password\":\"\(Self.password)\"}").status.code == 401)
            let text = try await fixture.session("alice", "a new password")
            let second: HTTPFields = [.authorization: "token=\(text)"]
            #expect(try await fixture.get("/state", headers: second).status == .ok)
            let now = fixture.node.clock.now().wall
            #expect(fixture.node.accounts.owner(ofSession: text, now: now + .seconds(431_990)) != nil)
            #expect(fixture.node.accounts.owner(ofSession: text, now: now + .seconds(432_001)) == nil)
            let gone = try await fixture.send(.delete, "/rondo/v1/users/alice", headers: AccessFixture.root)
            #expect(gone.status == .noContent)
            #expect(try await fixture.get("/state", headers: second).status.code == 401)
            // One of the same name is another.
            _ = try await fixture.user("alice", roles: ["administrator"], password: "a new password")
            #expect(try await fixture.get("/state", headers: second).status.code == 401)
        }
    }

    @Test func `a right that is taken away is gone with the next request`() async throws {
        try await AccessFixture.with { fixture in
            let headers = try await fixture.user("alice", roles: ["administrator"])
            #expect(try await fixture.get("/rondo/v1/users", headers: headers).status == .ok)
            let changed = try await fixture.send(
                .patch, "/rondo/v1/users/alice", "{\"roles\":[\"viewer\"]}", headers: AccessFixture.root)
            #expect(changed.status == .ok)
            let refused = try await fixture.get("/rondo/v1/users", headers: headers)
            #expect(refused.status.code == 403)
            #expect(try JSONNode(refused.bytes)["message"]?.text?.contains("the role administrator") == true)
        }
    }

    @Test func `a certificate makes a node, the socket makes root, and a header comes first`() async throws {
        try await AccessFixture.with(
            isTrusted: false,
            change: {
                $0.accessSettings.verifyNode = { chain in
                    switch chain.first?.first {
                    case 1: ("n1", "agent")
                    case 2: ("n2", "agent,master")
                    case 3: ("n3", "king")
                    default: nil
                    }
                }
            }
        ) { fixture in
            func caller(
                _ chain: [[UInt8]] = [], _ headers: HTTPFields = [:], isLocal: Bool = false, remote: Endpoint? = nil
            ) async throws -> Caller {
                let request = GatewayRequest(
                    target: try RequestTarget(parsing: "/state"), headers: headers, remote: remote)
                return try await fixture.node.authentication.visitor(
                    request, certificates: chain, isLocal: isLocal, forgives: false
                ).caller
            }
            #expect(try await caller([[1]]) == .node(id: "n1", duties: .agent))
            #expect(try await caller([[2]]) == .node(id: "n2", duties: [.agent, .master]))
            #expect(try await caller([[3]]) == .node(id: "n3", duties: []))
            await #expect(throws: GatewayError.self) { try await caller([[9]]) }
            #expect(try await caller() == .anonymous)
            #expect(try await caller(isLocal: true) == .root)
            // A peer whose address could not be found out is a stranger.
            #expect(try await caller(remote: nil) == .anonymous)
            #expect(try await caller([[1]], AccessFixture.root) == .root)
            let alice = try await fixture.user("alice", roles: ["viewer"])
            #expect(try await caller([[1]], alice, isLocal: true) == .user("alice"))
            await #expect(throws: GatewayError.self) { try await caller([[1]], [.authorization: "token=x"]) }
            await #expect(throws: GatewayError.self) {
                try await caller([], [.authorization: "token=x"], isLocal: true)
            }
        }
    }

    @Test func `sessions outlive a restart when their keys can be sealed`() async throws {
        let store = MemoryStore()
        let sealing = AccessSettings.Sealing(
            seal: { value, name in value.map { $0 ^ 0x5a } + Array(name.utf8) },
            open: { value, name in
                guard value.suffix(name.utf8.count).elementsEqual(name.utf8) else { throw GatewayError.stopping }
                return value.dropLast(name.utf8.count).map { $0 ^ 0x5a }
            })
        var text = ""
        try await AccessFixture.with(store: store, isTrusted: false, change: { $0.accessSettings.sealing = sealing }) {
            (fixture: MasterFixture) async throws -> Void in
            _ = try await fixture.user("alice", roles: ["viewer"], password: Self.password)
            text = try await fixture.session("alice", Self.password)
        }
        let headers: HTTPFields = [.authorization: "token=\(text)"]
        try await AccessFixture.with(store: store, isTrusted: false, change: { $0.accessSettings.sealing = sealing }) {
            (fixture: MasterFixture) async throws -> Void in
            #expect(try await fixture.get("/state", headers: headers).status == .ok)
        }
        // Without, the keys are new ones.
        try await AccessFixture.with(store: store, isTrusted: false) { (fixture: MasterFixture) async throws -> Void in
            #expect(try await fixture.get("/state", headers: headers).status.code == 401)
            #expect(try await fixture.session("alice", Self.password) != text)
        }
    }

    @Test func `the first administrator is made once, with a token`() async throws {
        let store = MemoryStore()
        try await AccessFixture.with(store: store, isTrusted: false) { fixture in
            #expect(!fixture.node.hasUsers)
            let token = try await fixture.node.makeFirstAdministrator(name: "admin", lifetime: .seconds(3_600))
            #expect(fixture.node.hasUsers)
            let response = try await fixture.login("{\"token\":\"\(token)\"}")
            let session = try #require(try JSONNode(response.bytes)["token"]?.text)
            let users = try await fixture.get("/rondo/v1/users", headers: [.authorization: "token=\(session)"])
            #expect(try JSONNode(users.bytes)["users.0.roles.0"]?.text == "administrator")
            await #expect(throws: GatewayError.self) {
                try await fixture.node.makeFirstAdministrator(name: "second", lifetime: nil)
            }
        }
    }

    @Test(arguments: [
        ("10.1.2.3", "10.1.2.3"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::ffff:10.1.2.3", "::ffff:10.1.2.3"),
        ("local", "local"), ("unknown", "unknown"), ("x:y", "x:y"),
    ])
    func `guesses are counted by network`(source: String, network: String) {
        let same = PasswordDesk.network(of: source)
        if source.hasPrefix("2001") {
            #expect(same == PasswordDesk.network(of: "2001:db8:1:2:ffff::1"))
            #expect(same != PasswordDesk.network(of: "2001:db8:1:3::1"))
        } else {
            #expect(same == network)
        }
    }
}
