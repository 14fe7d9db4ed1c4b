import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import Identity
import MasterNode
import NIOCore
import StateStore
import Testing

/// The secrets of a cluster over HTTP.
@Suite struct SecretTests {
    private func json(_ text: String) -> [UInt8] { Array("{\"value\":\"\(text)\"}".utf8) }

    @Test func `a secret is put, read, changed, listed and deleted`() async throws {
        try await SecuredMaster.with { master in
            #expect(try await master.put("web/database/password", "hunter2") == 201)
            #expect(try await master.put("web/database/password", "other") == 409)
            let read = try await master.secret(.get, "web/database/password")
            #expect(read.status == .ok)
            #expect(try JSONNode(read.bytes) == .object(["value": .text("hunter2")]))
            #expect(read.headers[.cacheControl] == "no-store")
            #expect(try await master.secret(.patch, "web/database/password", json("new")).status == .noContent)
            #expect(try JSONNode(try await master.secret(.get, "web/database/password").bytes)["value"]?.text == "new")
            #expect(try await master.put("web/key", "k") == 201)
            #expect(try await master.put("webber", "k") == 201)
            #expect(
                try JSONNode(try await master.secret(.get, "web?list=true").bytes)
                    == .object(["array": .list([.text("database/password"), .text("key")])]))
            #expect(
                try JSONNode(try await master.secret(.get, "?list=true").bytes)["array"]?.items.count == 3)
            #expect(try await master.secret(.delete, "web/key").status == .noContent)
            #expect(try await master.secret(.delete, "web/key").status == .notFound)
            #expect(try await master.secret(.get, "web/key").status == .notFound)
            #expect(try await master.secret(.patch, "web/key", json("x")).status == .notFound)
            #expect(try await master.put("web/key", "again") == 201)
        }
    }

    @Test func `bytes come back as they were`() async throws {
        try await SecuredMaster.with { master in
            let bytes = (0...255).map { UInt8($0) }
            let put = try await master.secret(.put, "a/key.der", bytes, type: "application/octet-stream")
            #expect(put.status == .created)
            let read = try await master.secret(.get, "a/key.der")
            #expect(read.headers[.contentType] == "application/octet-stream")
            #expect(Array(read.bytes.readableBytesView) == bytes)
        }
    }

    @Test func `what is too long, empty or of another kind is refused without repeating it`() async throws {
        try await SecuredMaster.with { master in
            let limit = 256 << 10
            let longest = [UInt8](repeating: 7, count: limit)
            let octets = "application/octet-stream"
            #expect(try await master.secret(.put, "a/longest", longest, type: octets).status == .created)
            #expect(try await master.secret(.put, "a/b", longest + [7], type: octets).status == .contentTooLarge)
            #expect(try await master.secret(.put, "a/b", [], type: octets).status == .badRequest)
            #expect(try await master.secret(.put, "a/b", [1], type: "text/plain").status == .unsupportedMediaType)
            for body in [
                "{\"value\":7,\"hunter2\":1}", "{\"hunter2\":\"x\"}", "hunter2", "{\"value\":\"hunter2\"", "[]",
            ] {
                let refused = try await master.secret(.put, "a/b", Array(body.utf8))
                #expect(refused.status == .badRequest)
                #expect(!String(buffer: refused.bytes).contains("hunter2"))
            }
        }
    }

    @Test(arguments: [
        ".hidden/a", "a/.b", "a/-b", "a%2F..%2Fb", "a/b%20c", "a%00b", "a/%C3%A4", "a/%2E%2E", "a*b", "**",
        String(repeating: "a/", count: 17) + "a", String(repeating: "x", count: 129), "",
        Array(repeating: String(repeating: "y", count: 100), count: 6).joined(separator: "/"),
    ])
    func `hostile paths are refused`(path: String) async throws {
        try await SecuredMaster.with { master in
            for method in [HTTPRequest.Method.put, .patch, .get, .delete] {
                let body = method == .put || method == .patch ? json("v") : nil
                let status = try await master.secret(method, path, body).status.code
                #expect(status == 400 || status == 404 && path.contains("%00"), "\(method) \(path): \(status)")
            }
            #expect(try !master.kept().contains("/rondo/secrets/"))
        }
    }

    @Test func `the store and the audit log have no value`() async throws {
        try await SecuredMaster.with { master in
            let value = "correct-horse-battery-staple"
            #expect(try await master.put("web/password", value) == 201)
            #expect(try await master.secret(.patch, "web/password", json(value + "2")).status == .noContent)
            _ = try await master.secret(.get, "web/password")
            let kept = try master.kept()
            #expect(kept.contains("/rondo/secrets/web/password"))
            #expect(kept.contains("\"action\":\"secret.create\",\"object\":\"web/password\""))
            #expect(kept.contains("\"action\":\"secret.read\",\"object\":\"web/password\""))
            #expect(!kept.contains(value))
            #expect(!kept.contains(Data(value.utf8).base64EncodedString().prefix(30)))
        }
    }

    @Test func `an envelope opens only under its own name and with the same key`() async throws {
        let store = MemoryStore()
        let key = MasterKey()
        let prefix = "/rondo/secrets/"
        try await SecuredMaster.with(store: store, key: key) { master in
            #expect(try await master.put("a/one", "1") == 201)
            let entry = try #require(try store.get(prefix + "a/one"))
            _ = try await store.commit([
                StoreTransaction(operations: [.put(key: prefix + "a/two", value: entry.value)])
            ])
            let moved = try await master.secret(.get, "a/two")
            #expect(moved.status == .internalServerError)
            #expect(try await master.secret(.get, "a/one").status == .ok)
        }
    }

    @Test func `rights go by role, rule and path`() async throws {
        try await SecuredMaster.with { master in
            #expect(try await master.put("web/password", "w") == 201)
            #expect(try await master.put("other/password", "o") == 201)
            let web = try await master.user("web", roles: ["user:web"])
            let reader = try await master.user("reader", rules: ["secret.read:other/password"])
            let keeper = try await master.user("keeper", roles: ["operator"])
            let viewer = try await master.user("viewer", roles: ["viewer"])
            #expect(try await master.secret(.get, "web/password", as: web).status == .ok)
            #expect(try await master.put("web/new", "x", as: web) == 201)
            #expect(try await master.secret(.get, "other/password", as: web).status == .forbidden)
            #expect(try await master.put("other/new", "x", as: web) == 403)
            #expect(try await master.put("webber/new", "x", as: web) == 403)
            #expect(try await master.secret(.get, "web%2F..%2Fother/password", as: web).status.code >= 400)
            #expect(try await master.secret(.get, "other/password", as: reader).status == .ok)
            #expect(try await master.secret(.delete, "other/password", as: reader).status == .forbidden)
            #expect(try await master.secret(.get, "web/password", as: keeper).status == .forbidden)
            #expect(try await master.secret(.get, "web/password", as: viewer).status == .forbidden)
            #expect(try await master.secret(.get, "web/password", as: [:]).status == .unauthorized)
            #expect(try await master.secret(.get, "?list=true", as: [:]).status == .unauthorized)
            let lists: [(HTTPFields, [String])] = [
                (web, ["web/new", "web/password"]), (reader, ["other/password"]),
                (keeper, ["other/password", "web/new", "web/password"]), (viewer, []),
            ]
            for (credential, expected) in lists {
                let list = try JSONNode(try await master.secret(.get, "?list=true", as: credential).bytes)
                #expect(list["array"] == .list(expected.map { .text($0) }))
            }
        }
    }

    @Test func `other stores do not exist, and the one that does is not sealed`() async throws {
        try await SecuredMaster.with { master in
            let status = try await master.fixture.get(
                "/secrets/v1/seal-status/default", headers: master.administrator)
            #expect(try JSONNode(status.bytes)["sealed"]?.bool == false)
            for path in ["/secrets/v1/secret/vault/a/b", "/secrets/v1/seal-status/vault", "/secrets/v1/secret"] {
                let refused = try await master.fixture.get(path, headers: master.administrator)
                #expect(refused.status == .notFound, "\(path)")
            }
        }
    }

    @Test func `a master without a key keeps no secret and says how to get one`() async throws {
        let store = MemoryStore()
        let secret = "the-administrator-of-the-secret-tests"
        let credentials = StoredCredentials(store: store, administrator: secret)
        try await MasterFixture.with(store: store, credentials: credentials) { fixture in
            let headers: HTTPFields = [.authorization: "Bearer \(secret)", .contentType: "application/json"]
            let refused = try await fixture.caller.call(
                .put, fixture.endpoint, "/secrets/v1/secret/default/a/b", headers: headers,
                body: ByteBuffer(bytes: json("v")))
            #expect(refused.status == .notImplemented)
            #expect(String(buffer: refused.bytes).contains("rondo cluster init"))
            let stranger = try await fixture.caller.call(.get, fixture.endpoint, "/secrets/v1/secret/default/a/b")
            #expect(stranger.status == .unauthorized)
        }
    }
}
