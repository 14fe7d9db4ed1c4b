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

/// The console of a real master: who gets in, what forms take, what pages are sent with.
@Suite("The console", .timeLimit(.minutes(3)))
struct ConsoleTests {
    private static let password = "correct horse battery"
    private static let pages = ["/ui", "/ui/nodes", "/ui/frameworks", "/ui/services", "/ui/tasks"]
    private static let html: HTTPFields = [.accept: "text/html,application/xhtml+xml"]

    private func text(_ response: HTTPCaller.Response) -> String { String(buffer: response.bytes) }

    /// The token in the forms of a page.
    private func token(_ html: String) throws -> String {
        let start = try #require(html.firstRange(of: "name=\"form-token\" value=\"")).upperBound
        return String(html[start...].prefix { $0 != "\"" })
    }

    private func send(
        _ fixture: MasterFixture, _ path: String, _ fields: String, headers: HTTPFields = [:]
    ) async throws -> HTTPCaller.Response {
        try await fixture.post(path, fields, type: "application/x-www-form-urlencoded", headers: headers)
    }

    /// Logs in as a browser does.
    private func login(_ fixture: MasterFixture, _ fields: String) async throws -> HTTPCaller.Response {
        let page = try await fixture.get("/ui/login")
        return try await send(fixture, "/ui/login", "form-token=\(try token(text(page)))&" + fields)
    }

    private func cookie(_ response: HTTPCaller.Response) throws -> HTTPFields {
        let header = try #require(response.headers[.setCookie])
        return [.cookie: String(header.prefix { $0 != ";" })]
    }

    @Test func `every page has a policy that lets nothing in`() async throws {
        try await MasterFixture.with(change: { $0.servesServices = true }) { fixture in
            for path in Self.pages + ["/ui/login", "/ui/nodes/nobody", "/ui/nothing", "/ui/services/%2Fx"] {
                let response = try await fixture.get(path)
                #expect([200, 404].contains(response.status.code), "\(path) \(response.status)")
                let policy = try #require(response.headers[HTTPField.Name("Content-Security-Policy")!], "\(path)")
                for word in ["default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"]
                {
                    #expect(policy.contains(word))
                }
                #expect(!policy.contains("unsafe"))
                #expect(response.headers[HTTPField.Name("X-Content-Type-Options")!] == "nosniff")
                #expect(response.headers[.cacheControl] == "no-store")
                let html = text(response)
                #expect(html.hasPrefix("<!doctype html>"))
                #expect(!html.contains(" style=") && !html.contains("<style"))
                #expect(html.ranges(of: "<script").count == 1)
            }
        }
    }

    @Test func `strangers' browsers are led to where one logs in, and back`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("alice", roles: ["viewer"], password: Self.password)
            let away = try await fixture.get("/ui/tasks?q=a%20b", headers: Self.html)
            #expect(away.status == .seeOther)
            #expect(away.headers[.location] == "/ui/login?next=%2Fui%2Ftasks%3Fq%3Da%2520b")
            #expect(try await fixture.get("/ui/tasks").status == .unauthorized)
            let root = try await fixture.get("/", headers: Self.html)
            #expect(root.headers[.location] == "/ui/login")
            let back = try await login(fixture, "user=alice&password=correct+horse+battery&next=%2Fui%2Ftasks")
            #expect(back.status == .seeOther)
            #expect(back.headers[.location] == "/ui/tasks")
            let page = try await fixture.get("/ui/tasks", headers: try cookie(back))
            #expect(page.status == .ok)
            #expect(text(page).contains(">alice</span>"))
        }
    }

    @Test(arguments: [
        "//evil.example", "https://evil.example/ui", "/uix", "/state", "ui", "/ui/../state", "/ui\\evil",
        "/ui/%2e%2e/x",
        "javascript:alert(1)", "",
    ]) func `logging in leads to a page of the console only`(next: String) {
        #expect(ConsoleDesk.safe(next) == "")
    }

    @Test func `a session's cookie is kept from scripts and other sites, and ends with logging out`() async throws {
        let store = MemoryStore()
        try await AccessFixture.with(store: store) { fixture in
            _ = try await fixture.user("alice", roles: ["operator"], password: Self.password)
            let response = try await login(fixture, "user=alice&password=correct+horse+battery")
            let header = try #require(response.headers[.setCookie])
            for word in ["HttpOnly", "SameSite=Strict", "Path=/"] { #expect(header.contains(word)) }
            let cookie = try cookie(response)
            let page = text(try await fixture.get("/ui", headers: cookie))
            #expect(try await fixture.get("/state", headers: cookie).status == .ok)
            // Without the token nobody is logged out.
            #expect(try await send(fixture, "/ui/logout", "", headers: cookie).status == .forbidden)
            let out = try await send(fixture, "/ui/logout", "form-token=\(try token(page))", headers: cookie)
            #expect(out.status == .seeOther)
            #expect(out.headers[.setCookie]?.contains("Max-Age=0") == true)
            for path in ["/ui", "/state"] {
                #expect(try await fixture.get(path, headers: cookie).status == .unauthorized, "\(path)")
            }
            let text = try #require(cookie[.cookie]).split(separator: "=", maxSplits: 1)[1]
            #expect(try await fixture.get("/state", headers: [.authorization: "token=\(text)"]).status == .unauthorized)
            // A new one of the same user is another.
            let other = try self.cookie(try await login(fixture, "user=alice&password=correct+horse+battery"))
            #expect(other != cookie)
            #expect(try await fixture.get("/ui", headers: other).status == .ok)
        }
    }

    @Test func `wrong logins get no session, and say nothing of what was wrong`() async throws {
        try await AccessFixture.with { fixture in
            _ = try await fixture.user("alice", password: Self.password)
            for fields in [
                "user=alice&password=wrong", "user=nobody&password=correct+horse+battery", "user=&password=", "token=x",
            ] {
                let response = try await login(fixture, fields)
                #expect(response.status == .unauthorized, "\(fields)")
                #expect(response.headers[.setCookie] == nil)
                #expect(text(response).contains("The user, the password or the token is wrong."))
            }
        }
    }

    @Test func `the administrator's token logs in`() async throws {
        try await SecuredMaster.with { master in
            let token = try #require(master.administrator[.authorization]).dropFirst("token=".count)
            let response = try await login(master.fixture, "token=\(token)")
            #expect(response.status == .seeOther, "\(text(response))")
            #expect(try await master.fixture.get("/ui", headers: try cookie(response)).status == .ok)
        }
    }

    @Test func `forms of other sites, other sessions and other masters are refused`() async throws {
        try await AccessFixture.with(change: { $0.servesServices = true }) { fixture in
            _ = try await fixture.user("alice", roles: ["operator"], password: Self.password)
            _ = try await fixture.user("bob", roles: ["operator"], password: Self.password)
            let alice = try cookie(try await login(fixture, "user=alice&password=correct+horse+battery"))
            let bob = try cookie(try await login(fixture, "user=bob&password=correct+horse+battery"))
            let mine = try token(text(try await fixture.get("/ui", headers: alice)))
            let theirs = try token(text(try await fixture.get("/ui", headers: bob)))
            #expect(mine != theirs)
            func theme(_ token: String, _ extra: HTTPFields = [:]) async throws -> Int {
                var headers = alice
                for field in extra { headers[field.name] = field.value }
                return try await send(fixture, "/ui/theme", "form-token=\(token)&theme=dark", headers: headers).status
                    .code
            }
            #expect(try await theme(mine) == 303)
            #expect(try await theme(theirs) == 403)
            #expect(try await theme("") == 403)
            #expect(try await theme(mine, [.origin: "https://evil.example"]) == 403)
            #expect(try await theme(mine, [.origin: "null"]) == 403)
            #expect(try await theme(mine, [HTTPField.Name("Sec-Fetch-Site")!: "cross-site"]) == 403)
            #expect(try await theme(mine, [HTTPField.Name("Sec-Fetch-Site")!: "same-site"]) == 403)
            #expect(try await theme(mine, [HTTPField.Name("Sec-Fetch-Site")!: "same-origin"]) == 303)
            let json = try await fixture.post("/ui/theme", "{}", headers: alice)
            #expect(json.status.code == 415)
        }
    }

    @Test func `a form does what its visitor may, and no more`() async throws {
        try await AccessFixture.with(change: { $0.servesServices = true }) { fixture in
            _ = try await fixture.user("alice", roles: ["administrator"], password: Self.password)
            _ = try await fixture.user("vera", roles: ["viewer"], password: Self.password)
            let made = try await fixture.post(
                ServicesTests.path, ServicesTests.app, headers: AccessFixture.root)
            try #require(made.status == .created)
            let page = "/ui/services/shop%2Fweb"
            let alice = try cookie(try await login(fixture, "user=alice&password=correct+horse+battery"))
            let vera = try cookie(try await login(fixture, "user=vera&password=correct+horse+battery"))
            let look = try await fixture.get(page, headers: vera)
            #expect(text(look).contains("You may look at this service and not change it."))
            let hers = try token(text(look))
            for verb in ["scale", "stop", "restart", "remove"] {
                let refused = try await send(
                    fixture, "\(page)/\(verb)", "form-token=\(hers)&instances=3", headers: vera)
                #expect(refused.status == .forbidden, "\(verb)")
            }
            let mine = try token(text(try await fixture.get(page, headers: alice)))
            let bad = try await send(fixture, page + "/scale", "form-token=\(mine)&instances=-1", headers: alice)
            #expect(bad.status == .badRequest)
            // Its first deployment waits for an agent, so that it is locked; what is answered is shown.
            let locked = try await send(fixture, page + "/scale", "form-token=\(mine)&instances=3", headers: alice)
            #expect(locked.status == .conflict)
            #expect(text(locked).contains("locked"))
            let stopped = try await send(fixture, page + "/stop", "form-token=\(mine)", headers: alice)
            #expect(stopped.status == .seeOther)
            #expect(stopped.headers[.location] == page + "?notice=stopped")
            let app = try await fixture.json(ServicesTests.path + "/shop/web", headers: AccessFixture.root)
            #expect(app["app.instances"]?.number == 0)
            let question = try await fixture.get(page + "/remove", headers: alice)
            #expect(text(question).contains("Remove /shop/web?"))
            let removed = try await send(fixture, page + "/remove", "form-token=\(mine)", headers: alice)
            #expect(removed.status == .seeOther)
            #expect(try await fixture.get(page, headers: alice).status == .notFound)
        }
    }

    @Test func `files of the console are kept by browsers for good, and are small`() async throws {
        try await AccessFixture.with { fixture in
            let html = text(try await fixture.get("/ui/login"))
            let paths = html.matches(of: /\/ui\/assets\/[0-9a-f]+\/[a-z.]+/).map { String($0.output) }
            #expect(Set(paths).count == 3)
            var size = html.utf8.count
            for path in Set(paths) {
                let file = try await fixture.get(path)
                #expect(file.status == .ok)
                #expect(file.headers[.cacheControl]?.contains("immutable") == true)
                size += file.bytes.readableBytes
                let tag = try #require(file.headers[.eTag])
                #expect(try await fixture.get(path, headers: [.ifNoneMatch: tag]).status.code == 304)
            }
            #expect(size < 150_000)
            #expect(try await fixture.get("/ui/assets/0/console.css").status == .notFound)
        }
    }

    @Test func `those who follow hear what has changed, and nothing else`() async throws {
        try await MasterFixture.with { fixture in
            #expect(try await fixture.get("/ui/events").status == .badRequest)
            // Somebody else follows other things: what nobody followed before is told all the same, from the beginning.
            let other = try await fixture.caller.stream(.get, fixture.endpoint, "/ui/events?topics=nodes")
            var others = other.body.makeAsyncIterator()
            _ = try await others.next()
            let stream = try await fixture.caller.stream(
                .get, fixture.endpoint, "/ui/events?topics=frameworks,nonsense")
            #expect(stream.headers[.contentType] == "text/event-stream")
            var iterator = stream.body.makeAsyncIterator()
            var heard = ""
            while !heard.contains("retry:") { heard += try await iterator.next().map { String(buffer: $0) } ?? "" }
            let framework = try await FakeFramework.subscribe(to: fixture, .named("one"))
            while !heard.contains("event: changed\ndata: frameworks\n\n") {
                let piece = try #require(try await iterator.next())
                heard += String(buffer: piece)
            }
            #expect(!heard.contains("nodes"))
            _ = framework
        }
    }

    @Test func `lists are paged and filtered by the master`() async throws {
        try await MasterFixture.with { fixture in
            _ = try await FakeFramework.subscribe(to: fixture, .named("first<&>"))
            let all = text(try await fixture.get("/ui/frameworks?q=FIRST"))
            #expect(all.contains("first&lt;&amp;&gt;"))
            let none = text(try await fixture.get("/ui/frameworks?q=nothing-like-it"))
            #expect(!none.contains("first&lt;"))
            #expect(none.contains("Change the filter."))
            let odd = try await fixture.get("/ui/frameworks?sort=evil&page=-3&desc=7&state=%00")
            #expect(odd.status == .badRequest)
            #expect(try await fixture.get("/ui/frameworks?sort=evil&page=-3&desc=7").status == .ok)
        }
    }
}
