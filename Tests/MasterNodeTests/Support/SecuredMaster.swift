import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import Identity
import MasterNode
import NIOCore
import StateStore
import Testing

/// A master of a secured cluster that asks who is there, and users for it.
struct SecuredMaster {
    let fixture: MasterFixture
    let store: MemoryStore
    let auditDirectory: String
    let administrator: HTTPFields

    static func with(
        store: MemoryStore = MemoryStore(), key: MasterKey = MasterKey(),
        _ test: (SecuredMaster) async throws -> Void
    ) async throws {
        let now = UnixTime(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9))
        let authority = try ClusterAuthority(clusterID: "c-1", name: "test", now: now)
        let directory = "/tmp/rondo-secrets-test-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await MasterFixture.with(
            store: store, credentials: StoredCredentials(store: store, administrator: nil),
            change: { settings in
                settings.access = .enforced
                settings.accessSettings.auditDirectory = directory
                settings.trust = ClusterTrust(
                    authority: authority, verifier: PeerVerifier(authority: authority.certificate), masterKey: key)
            },
            { fixture in
                let token =
                    fixture.node.hasUsers
                    ? "" : try await fixture.node.makeFirstAdministrator(name: "root-of-tests", lifetime: nil)
                try await test(
                    SecuredMaster(
                        fixture: fixture, store: store, auditDirectory: directory,
                        administrator: [.authorization: "token=\(token)"]))
            })
    }

    /// An agent that shows the administrator's token in place of a certificate.
    func agent() async throws -> FakeAgent {
        let token = try #require(administrator[.authorization]).dropFirst("token=".count)
        return try await FakeAgent.register(with: fixture, credential: String(token))
    }

    /// Makes a user and gives the header that shows it.
    func user(_ name: String, roles: [String] = [], rules: [String] = []) async throws -> HTTPFields {
        let list = { (texts: [String]) in "[" + texts.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
        let made = try await fixture.post(
            "/rondo/v1/users", "{\"name\":\"\(name)\",\"roles\":\(list(roles)),\"rules\":\(list(rules))}",
            headers: administrator)
        try #require(made.status == .created, "\(String(buffer: made.bytes))")
        let token = try await fixture.post("/rondo/v1/users/\(name)/tokens", "{}", headers: administrator)
        let text = try #require(try JSONNode(token.bytes)["token"]?.text)
        return [.authorization: "token=\(text)"]
    }

    func secret(
        _ method: HTTPRequest.Method, _ path: String, _ body: [UInt8]? = nil, type: String = "application/json",
        as credential: HTTPFields? = nil
    ) async throws -> HTTPCaller.Response {
        var headers = credential ?? administrator
        if body != nil { headers[.contentType] = type }
        return try await fixture.caller.call(
            method, fixture.endpoint, "/secrets/v1/secret/default/\(path)", headers: headers,
            body: body.map { ByteBuffer(bytes: $0) })
    }

    func put(_ path: String, _ value: String, as credential: HTTPFields? = nil) async throws -> Int {
        let body = try JSONEncoder().encode(["value": value])
        return try await secret(.put, path, [UInt8](body), as: credential).status.code
    }

    /// Everything that the store and the audit log hold, as text.
    func kept() throws -> String {
        var text = ""
        for entry in try store.range(prefix: "", limit: 10_000, startAfter: nil).entries {
            text += entry.key + " " + String(decoding: entry.value, as: UTF8.self) + "\n"
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: auditDirectory) {
            let data = try #require(FileManager.default.contents(atPath: auditDirectory + "/" + name))
            text += String(decoding: data, as: UTF8.self)
        }
        return text
    }
}
