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
        store: MemoryStore = MemoryStore(), clock: any NodeClock = SystemClock(),
        change: (inout MasterNode.Settings) -> Void = { _ in },
        _ test: (MasterFixture) async throws -> Void
    ) async throws {
        try await MasterFixture.with(
            store: store, credentials: StoredCredentials(store: store, administrator: secret), clock: clock,
            change: { settings in
                settings.access = .enforced
                settings.accessSettings.passwordCost = .init(logRounds: 4, blockSize: 8, passes: 1)
                change(&settings)
            }, test)
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
        isLocal: Bool = false
    ) async throws -> (status: Int, headers: HTTPFields) {
        let request = GatewayRequest(
            method: method, target: try RequestTarget(parsing: path), headers: headers,
            body: GatewayBody(ByteBuffer(string: body)), remote: .tcp(.v4("192.0.2.7"), port: 1))
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
