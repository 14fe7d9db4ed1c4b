import Access
import ClusterModel
import HTTPGateway
import HTTPTypes
import MasterNode
import NIOCore
import Testing

/// The way from a package to a service through the console's pages, on a real master.
@Suite("Console: installing a package", .timeLimit(.minutes(3)))
struct ConsoleCatalogTests {
    /// A repository of one package in two versions, as the program brings one along.
    private static let document: String = {
        let template = #"{"id":"{{service.name}}","cmd":"sleep 1","cpus":{{service.cpus}},"mem":32,"user":"nobody"}"#
        let encoded = base64(template)
        func package(_ number: Int) -> String {
            """
            {"packagingVersion":"4.0","name":"sleeper","version":"1.\(number)","releaseVersion":\(number),
             "maintainer":"a@b","description":"Sleeps <b>well</b>","tags":["night"],"upgradesFrom":["*"],
             "downgradesTo":["*"],"postInstallNotes":"Good night",
             "config":{"type":"object","properties":{"service":{"type":"object","properties":{
               "name":{"type":"string","default":"sleeper"},
               "cpus":{"type":"number","default":0.1,"minimum":0.01}}}}},
             "marathon":{"v2AppMustacheTemplate":"\(encoded)"}}
            """
        }
        return "{\"packages\":[\(package(0)),\(package(1))]}"
    }()

    private static func base64(_ text: String) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var bits = text.utf8.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        while bits.count % 6 != 0 { bits.append(0) }
        var result = ""
        for start in stride(from: 0, to: bits.count, by: 6) {
            result.append(alphabet[Int(bits[start..<start + 6].reduce(0) { $0 << 1 | $1 })])
        }
        while result.utf8.count % 4 != 0 { result += "=" }
        return result
    }

    private static func change(_ settings: inout MasterNode.Settings, _ directory: String) {
        settings.servesServices = true
        settings.catalogDirectory = directory
        settings.builtInCatalog = { Array(document.utf8) }
    }

    private static let path = "/ui/catalog/sleeper/install?version=1.0"

    private static func text(_ response: HTTPCaller.Response) -> String { String(buffer: response.bytes) }

    /// The token of the forms of a page.
    private static func token(_ page: String) throws -> String {
        let rest = try #require(page.split(separator: "name=\"form-token\" value=\"").dropFirst().first)
        return String(rest.prefix { $0 != "\"" })
    }

    /// The catalog is read beside the start of the master.
    private static func page(_ fixture: MasterFixture, _ path: String, headers: HTTPFields = [:]) async throws -> String
    {
        while true {
            let answer = try await fixture.get(path, headers: headers)
            if answer.status == .ok { return text(answer) }
            try #require(answer.status == .notFound, "\(text(answer))")
            await Task.yield()
        }
    }

    private static func send(
        _ fixture: MasterFixture, _ path: String, _ body: String, headers: HTTPFields = [:]
    ) async throws -> HTTPCaller.Response {
        try await fixture.post(path, body, type: "application/x-www-form-urlencoded", headers: headers)
    }

    @Test func `a package is configured, reviewed, installed, changed and uninstalled`() async throws {
        try await AccessFixture.withFolder { folder in
            try await MasterFixture.with(change: { Self.change(&$0, folder) }) { fixture in
                let found = try await Self.page(fixture, "/ui/catalog/sleeper")
                #expect(found.contains("Sleeps &lt;b&gt;well&lt;/b&gt;"))
                let search = try await fixture.get("/ui/catalog?q=night")
                #expect(Self.text(search).contains("sleeper"))
                let token = try Self.token(try await Self.page(fixture, Self.path))
                let fields = "form-token=\(token)&o/service/name=shop/nap&o/service/cpus=0.2"

                let review = Self.text(try await Self.send(fixture, Self.path, fields + "&step=review"))
                #expect(review.contains("/shop/nap") && review.contains("0.2") && review.contains(">Install<"))
                #expect(try await fixture.get("/service/marathon/v2/apps//shop/nap").status == .notFound)

                let done = try await Self.send(fixture, Self.path, fields + "&step=done")
                #expect(done.status == .seeOther)
                #expect(done.headers[.location]?.hasPrefix("/ui/catalog/installed/shop%2Fnap") == true)
                let app = try await fixture.json("/service/marathon/v2/apps//shop/nap")
                #expect(app["app.cpus"]?.number == 0.2)
                #expect(app["app.labels.DCOS_PACKAGE_VERSION"]?.text == "1.0")
                let progress = try await Self.page(fixture, "/ui/catalog/installed/shop%2Fnap")
                #expect(progress.contains("0 of 1") && progress.contains("Update to 1.1"))
                #expect(try await Self.page(fixture, "/ui/catalog/installed").contains("1.1 available"))

                let again = try await Self.send(fixture, Self.path, fields + "&step=done")
                #expect(again.status == .conflict)

                let change = "/ui/catalog/installed/shop%2Fnap/edit?version=1.1"
                #expect(try await Self.page(fixture, change).contains("value=\"shop/nap\""))
                let changed = try await Self.send(
                    fixture, change, "form-token=\(token)&o/service/cpus=0.3&step=done")
                #expect(changed.status == .seeOther, "\(Self.text(changed))")
                let next = try await fixture.json("/service/marathon/v2/apps//shop/nap")
                #expect(next["app.cpus"]?.number == 0.3)
                #expect(next["app.labels.DCOS_PACKAGE_VERSION"]?.text == "1.1")

                let end = "/ui/catalog/installed/shop%2Fnap/uninstall"
                #expect(try await Self.page(fixture, end).contains("Uninstall"))
                #expect(try await Self.send(fixture, end, "form-token=\(token)").status == .seeOther)
                #expect(try await fixture.get("/service/marathon/v2/apps//shop/nap").status == .notFound)
            }
        }
    }

    @Test func `what is wrong stands beside its field, and nothing is made`() async throws {
        try await AccessFixture.withFolder { folder in
            try await MasterFixture.with(change: { Self.change(&$0, folder) }) { fixture in
                let token = try Self.token(try await Self.page(fixture, Self.path))
                for (fields, words) in [
                    ("o/service/cpus=0", "expected at least"), ("o/service/cpus=x%3Cb%3E", "is no number"),
                    ("json=%7B", "not JSON"), ("json=[]", "expected object"),
                    ("json=%7B%22service%22:%7B%22cpus%22:%22x%22%7D%7D", "expected number"),
                ] {
                    for step in ["review", "done"] {
                        let answer = try await Self.send(
                            fixture, Self.path, "form-token=\(token)&\(fields)&step=\(step)")
                        #expect(answer.status == .unprocessableContent, "\(fields)")
                        #expect(Self.text(answer).contains(words), "\(fields)")
                        #expect(!Self.text(answer).contains("<b>x") && !Self.text(answer).contains("x<b>"))
                    }
                }
                // The form has what was put in, and goes over to JSON and back.
                let kept = Self.text(
                    try await Self.send(fixture, Self.path, "form-token=\(token)&o/service/cpus=0.7&step=json"))
                #expect(kept.contains("&quot;cpus&quot;: 0.7"))
                let back = Self.text(
                    try await Self.send(
                        fixture, Self.path,
                        "form-token=\(token)&json=%7B%22service%22:%7B%22cpus%22:0.9%7D%7D&step=form"))
                #expect(back.contains("value=\"0.9\""))
                #expect(try await fixture.json("/service/marathon/v2/apps")["apps"]?.items.isEmpty == true)
            }
        }
    }

    @Test func `forms of others are refused, and so are those without rights`() async throws {
        try await AccessFixture.withFolder { folder in
            try await AccessFixture.with(change: { Self.change(&$0, folder) }) { fixture in
                let viewer = try await fixture.user("viewer", roles: ["viewer"])
                let page = try await Self.page(fixture, Self.path, headers: viewer)
                let token = try Self.token(page)
                let fields = "o/service/name=nap&step=done"
                #expect(try await Self.send(fixture, Self.path, fields, headers: viewer).status == .forbidden)
                #expect(
                    try await Self.send(fixture, Self.path, fields + "&form-token=x", headers: viewer).status
                        == .forbidden)
                let refused = try await Self.send(
                    fixture, Self.path, fields + "&form-token=\(token)", headers: viewer)
                #expect(refused.status == .forbidden)
                #expect(Self.text(refused).contains("catalog.install"))
                // The token of one is nothing for another.
                let root = try await Self.send(
                    fixture, Self.path, fields + "&form-token=\(token)", headers: AccessFixture.root)
                #expect(root.status == .forbidden)
                let added = try await Self.send(
                    fixture, "/ui/catalog/repositories", "form-token=\(token)&name=x&uri=file:///x", headers: viewer)
                #expect(added.status == .forbidden)
                #expect(try await fixture.get("/ui/catalog/repositories", headers: viewer).status == .ok)
            }
        }
    }
}
