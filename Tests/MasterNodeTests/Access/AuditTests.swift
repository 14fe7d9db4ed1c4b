import Access
import ClusterModel
import FoundationEssentials
import HTTPGateway
import HTTPTypes
import Logging
import NIOCore
import StateStore
import Testing

@testable import MasterNode

/// What is written down, what never is, and what becomes of the files.
@Suite("The audit log")
struct AuditTests {
    private func lines(_ folder: String, _ name: String = "audit") throws -> [JSONNode] {
        var text: [UInt8] = []
        for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        where file.hasPrefix(name + "-") {
            text += try Data(contentsOf: URL(filePath: folder + "/" + file))
        }
        return try text.split(separator: 10).map { try JSONNode(Array($0)) }
    }

    private func quiet() -> Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    @Test func `every change is written down before it is answered, with who, what and what came of it`() async throws {
        try await AccessFixture.withFolder { folder in
            try await AccessFixture.with(change: { $0.accessSettings.auditDirectory = folder }) { fixture in
                let alice = try await fixture.user("alice", roles: ["operator"], password: "long enough")
                var expected = 2
                #expect(try lines(folder).count == expected)
                let id = try #require(fixture.node.accounts.user("alice")?.tokens.first?.id)
                let weights =
                    "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":"
                    + "[{\"role\":\"web\",\"weight\":2.0}]}}"
                let changes: [(HTTPRequest.Method, String, String, HTTPFields, Int, String, String)] = [
                    (.post, "/api/v1", weights, alice, 200, "role.weight", "web=2.0"),
                    (
                        .post, "/api/v1",
                        "{\"type\":\"MARK_AGENT_GONE\",\"mark_agent_gone\":{\"agent_id\":{\"value\":\"a\"}}}", alice,
                        404, "node.mark-gone", "a"
                    ),
                    (.post, "/rondo/v1/tasks/f/t/kill", "{}", alice, 404, "task.kill", "f/t"),
                    (.post, "/rondo/v1/frameworks/f/teardown", "{}", alice, 404, "framework.tear-down", "f"),
                    (.post, "/rondo/v1/tokens", "{}", alice, 201, "tokens.create", "agent, 1 uses, 3600 s"),
                    (.delete, "/rondo/v1/tokens/x", "", alice, 404, "tokens.revoke", "x"),
                    (
                        .post, "/rondo/v1/join", "{\"token\":\"join.a.b\",\"name\":\"n\",\"role\":\"agent\"}", [:], 400,
                        "POST", "/rondo/v1/join"
                    ),
                    (.post, "/rondo/v1/users", "{\"name\":\"x\"}", AccessFixture.root, 201, "user.create", "x"),
                    (
                        .patch, "/rondo/v1/users/x", "{\"password\":\"secret password\",\"roles\":[\"viewer\"]}",
                        AccessFixture.root, 200, "user.change", "x (password, roles viewer)"
                    ),
                    (.delete, "/rondo/v1/users/x", "", AccessFixture.root, 204, "user.delete", "x"),
                    (
                        .put, "/acs/api/v1/users/y", "{\"password\":\"secret password\"}", AccessFixture.root, 201,
                        "user.create", "y"
                    ),
                    (
                        .patch, "/acs/api/v1/users/y", "{\"description\":\"y\"}", AccessFixture.root, 204,
                        "user.change", "y (description)"
                    ),
                    (.delete, "/acs/api/v1/users/y", "", AccessFixture.root, 204, "user.delete", "y"),
                    (.post, "/slave/none/api/v1", "{}", alice, 400, "task.exec", "agent none"),
                    (.post, "/rondo/v1/users", "{\"name\":\"z\"}", alice, 403, "request", "POST /rondo/v1/users"),
                    (
                        .delete, "/rondo/v1/users/alice/tokens/\(id)", "", AccessFixture.root, 204, "token.revoke",
                        "alice/\(id)"
                    ),
                ]
                for (method, path, body, headers, status, action, object) in changes {
                    let response = try await fixture.send(method, path, body, headers: headers)
                    #expect(response.status.code == status, "\(path): \(String(buffer: response.bytes))")
                    // Refusals are written a moment later.
                    if status == 401 || status == 403 { await settle(fixture) }
                    let entry = try #require(try lines(folder).last)
                    expected += 1
                    #expect(try lines(folder).count == expected, "\(path)")
                    #expect(entry["action"]?.text == action, "\(path)")
                    #expect(entry["object"]?.text == object, "\(path)")
                    let who = headers == alice ? "user:alice" : headers.isEmpty ? "nobody" : "root"
                    #expect(entry["who"]?.text == who, "\(path)")
                    #expect(entry["from"]?.text == "127.0.0.1")
                    #expect(entry["time"]?.text?.hasSuffix("Z") == true)
                    let result = status < 300 ? "done" : status == 403 ? "denied" : "failed \(status)"
                    #expect(entry["result"]?.text == result, "\(path)")
                    #expect((entry["reason"] == nil) == (status < 300))
                }
                let node = try await fixture.joined()
                expected += 2
                #expect(try lines(folder).last?["action"]?.text == "node.join")
                #expect(try await fixture.answer(.post, "/rondo/v1/leave", certificates: node.chain).status == 204)
                expected += 1
                #expect(try lines(folder).last?["action"]?.text == "node.leave")
                #expect(try lines(folder).last?["who"]?.text == "node:\(node.id)")
                // Reading leaves nothing.
                for path in ["/state", "/rondo/v1/users", "/rondo/v1/audit?lines=1", "/nothing"] {
                    _ = try await fixture.get(path, headers: AccessFixture.root)
                }
                _ = try await fixture.post("/api/v1", "{\"type\":\"GET_STATE\"}", headers: AccessFixture.root)
                _ = try await fixture.get("/state")
                await settle(fixture)
                #expect(try lines(folder).count == expected)
            }
        }
    }

    /// Waits until what was appended is written, by writing something that must be.
    private func settle(_ fixture: MasterFixture) async {
        for log in [fixture.node.trail.audit, fixture.node.trail.work] { _ = await log?.write("") }
    }

    @Test func `logins are written down, good and bad, and no secret ever is`() async throws {
        try await AccessFixture.withFolder { folder in
            var secrets = [AccessFixture.secret, "the long password", "a wrong password", "the next password"]
            try await AccessFixture.with(change: { $0.accessSettings.auditDirectory = folder }) { fixture in
                let headers = try await fixture.user("alice", roles: ["viewer"], password: "the long password")
                secrets.append(String(try #require(headers[.authorization]).dropFirst("token=".count)))
                secrets.append(try await fixture.session("alice", "the long password"))
                _ = try await fixture.login("{\"uid\":\"alice\",\"password\":\"a wrong password\"}")
                _ = try await fixture.login("{\"uid\":\"mallory\\u000a\",\"password\":\"a wrong password\"}")
                _ = try await fixture.get("/state", headers: [.authorization: "Basic YWxpY2U6Z3Vlc3M="])
                _ = try await fixture.get("/state", headers: [.authorization: "Bearer the-secret-in-a-header"])
                _ = try await fixture.send(
                    .patch, "/rondo/v1/users/alice",
                    "{\"password\":\"the next password\",\"currentPassword\":\"a wrong password\"}", headers: headers)
                secrets += ["guess", "YWxpY2U6Z3Vlc3M=", "the-secret-in-a-header"]
                await settle(fixture)
            }
            let all = try lines(folder).filter { $0["action"]?.text == "login" }
            #expect(
                all.map { $0["who"]?.text } == [
                    "user:alice", "user:alice", "user:mallory\n", "user:alice", "nobody",
                ])
            #expect(all.map { $0["result"]?.text } == ["done", "denied", "denied", "denied", "denied"])
            for file in try FileManager.default.contentsOfDirectory(atPath: folder) {
                let text = String(decoding: try Data(contentsOf: URL(filePath: folder + "/" + file)), as: UTF8.self)
                for secret in secrets { #expect(!text.contains(secret), "\(secret) is in \(file)") }
                let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/" + file)
                #expect(attributes[.posixPermissions].map { "\($0)" } == "384", "0600")
            }
        }
    }

    @Test func `what frameworks do is in a part of its own`() async throws {
        try await AccessFixture.withFolder { folder in
            try await AccessFixture.with(change: { $0.accessSettings.auditDirectory = folder }) { fixture in
                var agent = try await FakeAgent.register(
                    with: fixture, credential: try await fixture.nodeCredential().credential)
                let alice = try await fixture.user("alice", roles: ["user:web"])
                var framework = try await FakeFramework.subscribe(
                    to: fixture,
                    FrameworkInfo(user: "nobody", name: "shop", roles: ["web"].map { RoleName($0) }), headers: alice)
                let offer = try #require(try await framework.offers().first)
                try await framework.send(
                    .accept(
                        offers: [offer.id], operations: [.launch([.sleeping("one", on: offer)])],
                        filters: .standard))
                _ = try await agent.launch()
                try await framework.send(.kill(task: TaskID("one"), agent: nil, gracePeriod: nil))
                try await framework.send(.revive(roles: []))
                try await framework.send(.teardown)
                await settle(fixture)
                let work = try lines(folder, "work")
                #expect(
                    work.map { $0["action"]?.text } == [
                        "framework.subscribe", "task.launch", "task.kill", "framework.teardown",
                    ])
                #expect(work.allSatisfy { $0["who"]?.text == "user:alice" })
                #expect(work[0]["object"]?.text == "shop (new) in web")
                #expect(work[1]["object"]?.text == "\(framework.id): 1 tasks: one")
                let part = try await fixture.get("/rondo/v1/audit?log=work&lines=2", headers: AccessFixture.root)
                #expect(part.bytes.readableBytesView.split(separator: 10).count == 2)
            }
        }
    }

    @Test func `the log is followed as it grows`() async throws {
        try await AccessFixture.withFolder { folder in
            try await AccessFixture.with(change: { $0.accessSettings.auditDirectory = folder }) { fixture in
                for name in ["a", "b", "c"] {
                    _ = try await fixture.post(
                        "/rondo/v1/users", "{\"name\":\"\(name)\"}", headers: AccessFixture.root)
                }
                let response = try await fixture.caller.stream(
                    .get, fixture.endpoint, "/rondo/v1/audit?follow=true&lines=2", headers: AccessFixture.root,
                    idleTimeout: .seconds(20))
                #expect(response.headers[.contentType] == "application/x-ndjson")
                var objects: [String] = []
                var rest: [UInt8] = []
                var made = 0
                for try await piece in response.body {
                    rest += Array(piece.readableBytesView)
                    while let end = rest.firstIndex(of: 10) {
                        objects.append(try JSONNode(Array(rest[..<end]))["object"]?.text ?? "")
                        rest.removeSubrange(...end)
                    }
                    if objects.count == 2 + made, made < 3 {
                        made += 1
                        _ = try await fixture.post(
                            "/rondo/v1/users", "{\"name\":\"new\(made)\"}", headers: AccessFixture.root)
                    }
                    if objects.count == 5 { break }
                }
                #expect(objects == ["b", "c", "new1", "new2", "new3"])
                for query in ["log=x", "lines=-1", "lines=x", "lines=10001"] {
                    let bad = try await fixture.get("/rondo/v1/audit?\(query)", headers: AccessFixture.root)
                    #expect(bad.status.code == 400)
                }
            }
        }
    }

    @Test func `segments are bounded in length and number, and readers pass from one to the next`() async throws {
        try await AccessFixture.withFolder { folder in
            let log = try AuditLog(
                directory: folder, name: "audit", segmentBytes: 1_024, segmentLimit: 4, logger: quiet())
            for number in 0..<500 {
                let line = "{\"object\":\"\(number)\",\"fill\":\"\(String(repeating: "x", count: 80))\"}\n"
                if number.isMultiple(of: 7) { #expect(await log.write(line)) } else { log.append(line) }
                if number.isMultiple(of: 5) { #expect(await log.write("")) }
            }
            #expect(await log.write(""))
            let files = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(files.count == 4)
            for file in files {
                #expect(try Data(contentsOf: URL(filePath: folder + "/" + file)).count <= 2_048)
            }
            let kept = try lines(folder).compactMap { $0["object"]?.text.flatMap { Int($0) } }
            #expect(kept.last == 499)
            #expect(kept == Array((500 - kept.count)..<500), "lines are whole and in order")
            // A reader from long ago goes on with the oldest that is left.
            var position = AuditLog.Position(segment: 1, offset: 0)
            var bytes: [UInt8] = []
            while let (piece, next) = log.read(at: position) {
                bytes += piece
                position = next
            }
            #expect(bytes.split(separator: 10).count == kept.count)
            for count in [0, 1, 2, 9] {
                let start = log.start(ofLast: count)
                var position = start
                var last: [UInt8] = []
                while let (piece, next) = log.read(at: position) {
                    last += piece
                    position = next
                }
                #expect(last.split(separator: 10).count == count)
            }
            log.close()
            #expect(await log.write("x\n") == false)
        }
    }

    @Test func `a log that was cut off in a line goes on with the next`() async throws {
        try await AccessFixture.withFolder { folder in
            let first = try AuditLog(
                directory: folder, name: "audit", segmentBytes: 4_096, segmentLimit: 4, logger: quiet())
            #expect(await first.write("{\"object\":\"1\"}\n"))
            #expect(await first.write("{\"object\":\"2"))
            first.close()
            let second = try AuditLog(
                directory: folder, name: "audit", segmentBytes: 4_096, segmentLimit: 4, logger: quiet())
            #expect(await second.write("{\"object\":\"3\"}\n"))
            let data = try Data(contentsOf: URL(filePath: folder + "/audit-000000000001.jsonl"))
            #expect(
                String(decoding: data, as: UTF8.self) == "{\"object\":\"1\"}\n{\"object\":\"2\n{\"object\":\"3\"}\n")
        }
    }

    @Test func `while the log cannot be written nothing is changed, and work goes on`() async throws {
        try await AccessFixture.withFolder { folder in
            let inner = folder + "/inner"
            try await AccessFixture.with(change: {
                $0.accessSettings.auditDirectory = inner
                $0.accessSettings.auditSegmentBytes = 1_024
            }) { fixture in
                _ = try await fixture.user("alice", roles: ["viewer"])
                try FileManager.default.removeItem(atPath: inner)
                // Fills the segment that is open, after which another cannot be made.
                var statuses: [Int] = []
                for number in 0..<12 {
                    let response = try await fixture.post(
                        "/rondo/v1/users", "{\"name\":\"user-\(number)\"}", headers: AccessFixture.root)
                    statuses.append(response.status.code)
                }
                #expect(statuses.first == 201)
                #expect(statuses.last == 507)
                #expect(statuses == statuses.sorted())
                let weights =
                    "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":"
                    + "[{\"role\":\"web\",\"weight\":2.0}]}}"
                #expect(try await fixture.post("/api/v1", weights, headers: AccessFixture.root).status.code == 507)
                #expect(try await fixture.get("/rondo/v1/users", headers: AccessFixture.root).status == .ok)
                let count = fixture.node.accounts.count
                try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
                let response = try await fixture.post(
                    "/rondo/v1/users", "{\"name\":\"later\"}", headers: AccessFixture.root)
                #expect(response.status == .created)
                #expect(fixture.node.accounts.count == count + 1)
            }
        }
    }

    @Test func `a stranger's refusals are written with restraint`() async throws {
        try await AccessFixture.withFolder { folder in
            try await AccessFixture.with(change: { $0.accessSettings.auditDirectory = folder }) { fixture in
                for _ in 0..<300 { _ = try await fixture.answer(.post, "/teardown") }
                await settle(fixture)
                #expect((1...40).contains(try lines(folder).count))
            }
        }
    }

    @Test func `a folder that cannot be used stops the start`() async throws {
        await #expect(throws: MasterNodeError.self) {
            try await AccessFixture.with(change: { $0.accessSettings.auditDirectory = "/proc/nothing/audit" }) { _ in }
        }
    }
}
