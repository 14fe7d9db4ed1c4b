import ClusterModel
import Packages
import Testing

@testable import Console

/// The pages of the catalog, whose texts packages bring along.
@Suite("Console: the catalog")
struct CatalogPagesTests {
    private func html(_ write: (inout HTML) -> Void) throws -> (text: String, parsed: MiniParser) {
        var html = HTML(HTML.Context(now: UnixTime(seconds: 1_700_000_000), formToken: "token"))
        write(&html)
        let text = String(decoding: html.bytes, as: UTF8.self)
        return (text, try #require(MiniParser(text)))
    }

    private func object(_ text: String) throws -> JSONObject {
        try #require(try JSON(parsing: Array(text.utf8), limits: JSONLimits(bytes: 1 << 20)).object)
    }

    private func schema(_ name: String) -> OptionSchema {
        let field = JSON.object(
            JSONObject([
                "type": .text("string"), "title": .text(name), "description": .text(name), "default": .text(name),
                "pattern": .text(name),
            ]))
        let group = JSON.object(
            JSONObject([
                "type": .text("object"), "title": .text(name), "description": .text(name),
                "properties": .object(
                    JSONObject([name: field, "pick": .object(JSONObject(["enum": .list([.text(name)])]))])),
            ]))
        return OptionSchema(JSONObject(["properties": .object(JSONObject(["group": group, "plain": field]))]))
    }

    @Test(arguments: hostileNames) func `texts of packages stay texts`(name: String) throws {
        let link = Link("x")
        let form = OptionForm(schema(name))
        let options = OptionsPage(
            name: name, version: name, purpose: .install, entry: .form(form), id: name, base: name,
            faults: [.init("/group/" + name, name), .init("", name)], action: link)
        let app = JSONObject([
            "id": .text(name), "cmd": .text(name), "labels": .object(JSONObject([name: .text(name)])),
        ])
        let query = ListQuery(path: ["catalog"], items: [("q", name)], sorts: ["best"])
        let card = CatalogPage.Card(
            name: name, version: name, versions: 2, description: name, tags: [name], isSelected: true,
            isFramework: true,
            repository: name, installed: 1)
        let pages: [any ConsolePage] = [
            options,
            ReviewPage(
                options: options, fields: [(name, name)], app: app, asked: app, problems: [name],
                rights: [.init(name, isHeld: false)], notes: name, image: name),
            CatalogPage(
                packages: query.listing([card], of: 1), repositories: [name, "b"], installed: 1, problems: [name]),
            ProgressPage(
                id: "/" + name, package: name, version: name, newer: [name], wanted: 1, running: 0, healthy: 0,
                deployment: .init(step: 1, steps: 2, actions: [name]), waits: [name],
                instances: [
                    .init(
                        task: name, host: name, tone: .bad, state: name, addresses: [name], since: nil, message: name)
                ], moreInstances: 1, failure: (name, UnixTime(seconds: 1)), notes: name, mayChange: true),
            RepositoriesPage(
                repositories: [
                    .init(
                        name: name, address: name, packages: 1, versions: 1, key: name, fetchedAt: nil, problem: name)
                ], mayChange: true, problem: name),
        ]
        for page in pages {
            let (_, parsed) = try html { html in
                page.writeHeading(to: &html)
                page.write(to: &html)
            }
            for element in parsed.elements {
                #expect(!["script", "img", "style", "iframe"].contains(element.name))
                #expect(!element.attributes.contains { $0.name.hasPrefix("on") || $0.name == "style" })
                for attribute in element.attributes where ["href", "action", "formaction"].contains(attribute.name) {
                    #expect(attribute.value.hasPrefix("/ui/") || attribute.value.hasPrefix("#"), "\(attribute.value)")
                }
            }
        }
    }

    @Test func `addresses in texts become links only when they are of the web`() throws {
        let (text, parsed) = try html {
            $0.prose("See https://a.example/x?y=1. Or (http://b.example),\njavascript:alert(1) https://<b>\n\nNext")
        }
        let links = parsed.elements.filter { $0.name == "a" }
        #expect(links.map { $0["href"] } == ["https://a.example/x?y=1", "http://b.example"])
        #expect(links.allSatisfy { $0["rel"]?.contains("noopener") == true })
        #expect(text.contains("javascript:alert(1)"))
        #expect(parsed.elements.count { $0.name == "p" } == 2)
        for wrong in ["javascript:alert(1)", "//x", "https://", "https://a b", "https://a\"b", "ftp://x", "http://é"] {
            #expect(WebLink(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `a form shows defaults, what is wrong beside its field, and no secrets`() throws {
        let config = try object(
            """
            {"properties": {"service": {"type": "object", "required": ["who"], "properties": {
              "name": {"type": "string", "default": "redis"}, "who": {"type": "string"},
              "cpus": {"type": "number", "default": 1, "minimum": 0.1}, "on": {"type": "boolean", "default": true},
              "password": {"type": "string", "default": "hunter2"}}}}}
            """)
        let form = OptionForm(OptionSchema(config))
        let faults = form.reading(["/service/cpus": "many"]).faults
        let page = OptionsPage(
            name: "redis", version: "7", purpose: .install, entry: .form(form), inputs: ["/service/cpus": "many"],
            faults: faults, action: Link("catalog", "redis", "install"))
        let (text, parsed) = try html { page.write(to: &$0) }
        func input(_ name: String) -> MiniParser.Element? {
            parsed.elements.first { $0["name"] == "o/service/" + name }
        }
        #expect(input("name")?["value"] == "redis")
        #expect(input("cpus")?["value"] == "many")
        #expect(input("cpus")?["aria-invalid"] == "true")
        #expect(input("who")?["aria-invalid"] == "true")
        #expect(input("on")?["checked"] != nil)
        #expect(input("password")?["type"] == "password")
        #expect(!text.contains("hunter2"))
        #expect(parsed.elements.contains { $0["href"] == "#field-o-service-cpus" })
        #expect(parsed.elements.contains { $0["name"] == "form-token" })
    }

    @Test func `a summary says what an app takes`() throws {
        let summary = AppSummary(
            try object(
                """
                {"id": "/db", "instances": 3, "cpus": 0.5, "mem": 1024, "user": "nobody",
                 "container": {"docker": {"image": "rondo/db:1", "parameters": [{"key": "volume", "value": "/srv:/data"}]},
                   "portMappings": [{"name": "db", "containerPort": 5432, "hostPort": 0}]},
                 "secrets": {"p": {"source": "db/password"}}, "healthChecks": [{"protocol": "TCP"}]}
                """))
        let facts = Dictionary(summary.facts.map { ($0.name, $0.values) }) { first, _ in first }
        #expect(facts["Processors"] == ["0.5 each, 1.5 in all"])
        #expect(facts["Memory"] == ["1 GiB each, 3 GiB in all"])
        #expect(facts["Ports"] == ["db: 5432/tcp at any free port of the node"])
        #expect(facts["Volumes"] == ["/data: /srv of the node"])
        #expect(facts["Secrets"] == ["db/password"])
        #expect(facts["Image"] == ["rondo/db:1"])
        #expect(AppSummary(JSONObject()).facts.map(\.name) == ["Instances"])
    }

    @Test func `packages named as pages are found, too`() {
        #expect(CatalogLinks.package("redis").text == "/ui/catalog/redis")
        #expect(CatalogLinks.package("installed").text == "/ui/catalog/package/installed")
        #expect(CatalogLinks.service("/shop/db").text == "/ui/catalog/installed/shop%2Fdb")
    }
}
