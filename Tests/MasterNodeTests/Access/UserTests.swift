import Access
import ClusterModel
import HTTPGateway
import HTTPTypes
import NIOCore
import StateStore
import Testing

@testable import MasterNode

/// The interfaces for users: ours and DC/OS'.
@Suite("Users over HTTP")
struct UserTests {
    @Test func `a user is made, shown, changed and deleted`() async throws {
        let store = MemoryStore()
        try await AccessFixture.with(store: store) { fixture in
            let made = try await fixture.post(
                "/rondo/v1/users",
                "{\"name\":\"alice\",\"description\":\"A.\",\"roles\":[\"viewer\",\"user:web\"],"
                    + "\"rules\":[\"task.kill:db/**\"],\"password\":\"long enough\"}", headers: AccessFixture.root)
            #expect(made.status == .created)
            let user = try JSONNode(made.bytes)
            #expect(user["kind"]?.text == "person")
            #expect(user["roles"]?.items == [.text("user:web"), .text("viewer")])
            #expect(user["rules"]?.items == [.text("task.kill:db/**")])
            #expect(user["hasPassword"]?.bool == true)
            #expect(!String(buffer: made.bytes).contains("scrypt"))
            let twice = try await fixture.post("/rondo/v1/users", "{\"name\":\"alice\"}", headers: AccessFixture.root)
            #expect(twice.status.code == 409)
            let changed = try await fixture.send(
                .patch, "/rondo/v1/users/alice", "{\"rules\":[],\"description\":\"B.\"}", headers: AccessFixture.root)
            #expect(try JSONNode(changed.bytes)["rules"]?.items == [])
            #expect(try JSONNode(changed.bytes)["roles"]?.items.count == 2)
        }
        // It is in the store, and the next master knows it.
        try await AccessFixture.with(store: store) { fixture in
            let user = try await fixture.json("/rondo/v1/users/alice", headers: AccessFixture.root)
            #expect(user["description"]?.text == "B.")
            #expect(
                try await fixture.send(.delete, "/rondo/v1/users/alice", headers: AccessFixture.root).status
                    == .noContent)
            for method in [HTTPRequest.Method.get, .delete] {
                let gone = try await fixture.send(method, "/rondo/v1/users/alice", headers: AccessFixture.root)
                #expect(gone.status.code == 404)
            }
            let list = try await fixture.json("/rondo/v1/users", headers: AccessFixture.root)
            #expect(list["users"]?.items == [])
        }
    }

    @Test(arguments: [
        "{}", "[]", "{\"name\":\"\"}", "{\"name\":\"a b\"}", "{\"name\":\"a/b\"}", "{\"name\":\"../x\"}",
        "{\"name\":\"a\",\"kind\":\"king\"}", "{\"name\":\"a\",\"roles\":[\"king\"]}",
        "{\"name\":\"a\",\"roles\":\"viewer\"}", "{\"name\":\"a\",\"rules\":[\"x\"]}",
        "{\"name\":\"a\",\"rules\":[\"task.kill:a*\"]}", "{\"name\":\"a\",\"password\":\"short\"}",
        "{\"name\":\"a\",\"password\":\"with\\u0000zero and more\"}", "{\"name\":\"a\",\"publicKey\":\"x\"}",
        "{\"name\":\"a\",\"description\":\"x\\n\"}", "{\"name\":1}", "not json",
    ])
    func `what makes no user is refused with a message`(body: String) async throws {
        try await AccessFixture.with { fixture in
            let response = try await fixture.post("/rondo/v1/users", body, headers: AccessFixture.root)
            #expect(response.status.code == 400, "\(String(buffer: response.bytes))")
            #expect(try JSONNode(response.bytes)["message"]?.text?.isEmpty == false)
            #expect(fixture.node.accounts.count == 0)
        }
    }

    @Test func `nobody gives rights to oneself`() async throws {
        try await AccessFixture.with { fixture in
            let alice = try await fixture.user("alice", roles: ["operator"], password: "long enough")
            for body in [
                "{\"roles\":[\"administrator\"]}", "{\"rules\":[\"*:**\"]}", "{\"description\":\"x\"}",
                "{\"publicKey\":\"x\"}", "{\"password\":\"another long one\"}",
                "{\"password\":\"another long one\",\"currentPassword\":\"wrong\"}",
                "{\"password\":\"another long one\",\"currentPassword\":\"long enough\",\"roles\":[\"administrator\"]}",
            ] {
                let response = try await fixture.send(.patch, "/rondo/v1/users/alice", body, headers: alice)
                #expect(response.status.code == 403, "\(body)")
            }
            #expect(fixture.node.accounts.user("alice")?.user.grants.roles == [.operator])
            #expect(try await fixture.send(.delete, "/rondo/v1/users/alice", headers: alice).status.code == 403)
            _ = try await fixture.user("bob")
            let others = try await fixture.send(
                .patch, "/rondo/v1/users/bob", "{\"password\":\"another long one\"}", headers: alice)
            #expect(others.status.code == 403)
            #expect(try await fixture.post("/rondo/v1/users/bob/tokens", "{}", headers: alice).status.code == 403)
        }
    }

    @Test func `users have the shapes of DC slash OS`() async throws {
        try await AccessFixture.with { fixture in
            let pem = ServiceKey.pem.replacing("\n", with: "\\n")
            let path = "/acs/api/v1/users"
            for (name, body) in [
                ("alice", "{\"description\":\"A.\",\"password\":\"long enough\"}"),
                ("marathon", "{\"description\":\"apps\",\"public_key\":\"\(pem)\"}"),
            ] {
                let made = try await fixture.send(.put, "\(path)/\(name)", body, headers: AccessFixture.root)
                #expect(made.status == .created, "\(String(buffer: made.bytes))")
                let again = try await fixture.send(.put, "\(path)/\(name)", body, headers: AccessFixture.root)
                #expect(again.status.code == 409)
                #expect(try JSONNode(again.bytes)["code"]?.text == "ERR_USER_EXISTS")
            }
            let all = try await fixture.json(path, headers: AccessFixture.root)
            #expect(all["array"]?.items.count == 2)
            #expect(all["array.0.uid"]?.text == "alice")
            #expect(all["array.0.url"]?.text == "/acs/api/v1/users/alice")
            #expect(all["array.0.is_remote"]?.bool == false)
            let services = try await fixture.json(path + "?type=service", headers: AccessFixture.root)
            #expect(services["array"]?.items.count == 1)
            #expect(services["array.0.public_key"]?.text == ServiceKey.pem)
            let people = try await fixture.json(path + "?type=user", headers: AccessFixture.root)
            #expect(people["array.0.uid"]?.text == "alice")
            let changed = try await fixture.send(
                .patch, path + "/alice", "{\"description\":\"B.\",\"password\":\"even longer\"}",
                headers: AccessFixture.root)
            #expect(changed.status == .noContent)
            #expect(try await fixture.json(path + "/alice", headers: AccessFixture.root)["description"]?.text == "B.")
            _ = try await fixture.session("alice", "even longer")
            #expect(
                try await fixture.send(.delete, path + "/alice", headers: AccessFixture.root).status == .noContent)
            let gone = try await fixture.get(path + "/alice", headers: AccessFixture.root)
            #expect(gone.status.code == 404)
            #expect(try JSONNode(gone.bytes)["code"]?.text == "ERR_UNKNOWN_USER_ID")
        }
    }

    @Test func `many changes at once are all made`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("alice")
            let accounts = fixture.node.accounts
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<200 {
                    group.addTask { _ = try? await accounts.change("alice") { $0.version += 1 } }
                }
            }
            let before = try #require(accounts.user("alice"))
            #expect(before.version - Int(before.createdAt.nanoseconds / 1_000_000) == 200)
        }
    }

    @Test func `a store that takes no writes changes no user`() async throws {
        let store = MemoryStore()
        try await AccessFixture.with(store: store) { fixture in
            let alice = try await fixture.user("alice", roles: ["viewer"])
            store.breakDisk(with: .full("no room"))
            let response = try await fixture.send(
                .patch, "/rondo/v1/users/alice", "{\"roles\":[]}", headers: AccessFixture.root)
            #expect(response.status.code == 507)
            let deleted = try await fixture.send(.delete, "/rondo/v1/users/alice", headers: AccessFixture.root)
            #expect(deleted.status.code == 507)
            #expect(try await fixture.get("/state", headers: alice).status == .ok)
            store.breakDisk(with: nil)
        }
    }
}
