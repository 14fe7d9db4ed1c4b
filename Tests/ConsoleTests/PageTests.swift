import ClusterModel
import Testing

@testable import Console

@Suite("Pages of the cluster")
struct PageTests {
    private static let now = UnixTime(seconds: 1_700_000_000)

    static func frame(
        _ name: String = "cluster", visitor: String? = "alice", theme: Frame.Theme = .system, notice: Notice? = nil,
        alarm: String? = nil
    ) -> Frame {
        Frame(
            clusterName: name, version: "1.0", visitor: visitor, hasSession: true, theme: theme,
            assets: Frame.Assets(
                style: "/ui/assets/a/console.css", script: "/ui/assets/b/console.js", icon: "/ui/assets/c/icon.svg"),
            here: Link("nodes"), alarm: alarm, notice: notice, context: HTML.Context(now: now, formToken: "token"))
    }

    static func query(_ path: String, _ items: [(name: String, value: String)] = [], _ sorts: [String]) -> ListQuery {
        ListQuery(path: [path], items: items, sorts: sorts, choices: ["state", "framework", "role"])
    }

    static func taskRow(_ name: String, _ state: String = "TASK_RUNNING") -> TaskRow {
        TaskRow(
            id: name, name: name + "!", framework: name, frameworkName: name, state: state, isHealthy: nil, node: name,
            hostname: name, cpus: 0.5, memory: 64, changed: now, message: name)
    }

    /// Every page, with a name from outside in every place that takes one.
    static func pages(_ name: String) -> [any ConsolePage] {
        let items: [(name: String, value: String)] = [("q", name), ("state", name), ("sort", name), ("page", "2")]
        let amount = Amount(name, total: 4, used: 1, offered: 1)
        let node = NodeRow(
            id: name, hostname: name, address: name, state: name, cpus: amount, memory: amount, tasks: 3, since: now)
        let framework = FrameworkRow(
            id: name, name: name, state: name, roles: [name], tasks: 1, cpus: 1, memory: 2, offers: 1, since: now)
        let deployment = DeploymentRow(
            id: name, began: now, step: 1, steps: 2, done: 1, wanted: 3,
            actions: [.init(service: name, verb: "scale", waitsFor: name)], canCancel: true)
        let service = ServiceRow(
            id: "/" + name, isPod: false, condition: .unhealthy, wanted: 3, running: 1, healthy: 1, unhealthy: 1,
            cpus: 1,
            memory: 1, what: name, package: name, changed: now)
        let tasks = query("tasks", items, TasksPage.sorts).listing([taskRow(name), taskRow(name, name)], of: 2)
        return [
            OverviewPage(
                clusterName: name,
                problems: [.init(.bad, name, detail: name, link: .node(name), since: now), .init(.warn, name)],
                amounts: [amount, Amount("cpus", total: 0, used: 0)],
                tallies: [.init(name, Section.nodes.link, total: 3, counts: [(.good, name, 3)])],
                shares: [
                    .init(
                        role: name, weight: 1.5, dominant: 0.4, resource: name, entitled: 0.5, frameworks: 2,
                        allocated: name)
                ], moreShares: 3, deployments: [deployment],
                ended: [.init(task: name, name: name, framework: name, state: name, message: name, at: now)]),
            OverviewPage(
                clusterName: name, problems: [], amounts: [], tallies: [], shares: [], moreShares: 0, deployments: [],
                ended: []),
            NodesPage(nodes: query("nodes", items, NodesPage.sorts).listing([node], of: 1)),
            NodesPage(nodes: query("nodes", [], NodesPage.sorts).listing([], of: 0)),
            NodePage(
                node: node, version: name, registered: now, domain: name, amounts: [amount], ports: name,
                reservations: [(name, name)], attributes: [(name, name)], tasks: tasks),
            FrameworksPage(frameworks: query("frameworks", items, FrameworksPage.sorts).listing([framework], of: 1)),
            FrameworkPage(
                framework: framework, facts: [(name, name)], reasons: [name], suppressed: [name],
                offers: [.init(id: name, node: name, hostname: name, role: name, resources: name)],
                refusals: [.init(node: name, hostname: name, role: name, resources: name, at: now, until: now)],
                obstacles: query("frameworks", items, ["node"])
                    .listing([.init(node: name, hostname: name, role: name, text: name, offerable: name)], of: 1)),
            ServicesPage(
                services: query("services", items, ServicesPage.sorts).listing([service], of: 1),
                deployments: [deployment]),
            ServicePage(
                service: service, framework: name, rights: .init(change: true, end: true), problem: name,
                deployment: deployment,
                waiting: .init(count: 1, since: now, delay: 3, offers: 4, reasons: [(name, name, now)]),
                failure: .init(task: name, state: name, message: name, hostname: name, at: now),
                instances: query("services", items, ["started"]).listing(
                    [
                        .init(
                            id: name, tasks: [.init(id: name, container: name)], condition: name, node: name,
                            hostname: name, isHealthy: false, isOutdated: true, started: now, addresses: [name],
                            message: name)
                    ], of: 1), facts: [(name, name)], labels: [(name, name)],
                versions: [(name, now), (name + "2", now)]),
            TasksPage(tasks: tasks, frameworks: [(name, name)]), ErrorPage(status: 404, message: name),
            LoginPage(user: name, problem: name, next: name, isUnprotected: true),
            ConfirmPage(
                title: name, section: .services, crumbs: [Crumb(name, .service(name))], consequences: [name],
                verb: name, action: .service(name, "remove"), fields: [(name, name)], back: .service(name)),
        ]
    }

    private static func document(_ page: any ConsolePage, _ frame: Frame) -> String {
        func write(_ page: some ConsolePage) -> [UInt8] { Layout.document(page, frame) }
        return String(decoding: write(page), as: UTF8.self)
    }

    @Test(arguments: hostileNames) func `names from outside add no elements, scripts, styles or ways out`(
        name: String
    ) throws {
        for (page, plain) in zip(Self.pages(name), Self.pages("x")) {
            let frame = Self.frame(name, visitor: name, alarm: name)
            let parsed = try #require(MiniParser(Self.document(page, frame)), "\(type(of: page))")
            for element in parsed.elements {
                for attribute in element.attributes {
                    #expect(!attribute.name.hasPrefix("on") && attribute.name != "style")
                    guard ["href", "src", "action", "formaction"].contains(attribute.name) else { continue }
                    #expect(attribute.value.hasPrefix("/") && !attribute.value.hasPrefix("//"), "\(attribute.value)")
                    #expect(attribute.value.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") })
                }
                #expect(element.name != "style" && element.name != "iframe")
                if element.name == "script" { #expect(element["src"] == "/ui/assets/b/console.js") }
            }
            #expect(parsed.elements.count { $0.name == "script" } == 1)
            if !name.isEmpty, name != " ", type(of: page) != OverviewPage.self {
                let plainParsed = try #require(MiniParser(Self.document(plain, Self.frame())))
                let names = Set(parsed.elements.map(\.name)).subtracting(plainParsed.elements.map(\.name))
                #expect(names.isSubset(of: ["p", "div", "span", "svg", "path", "option", "a"]), "\(names)")
            }
        }
    }

    @Test func `pages are well made for those who do not see them`() throws {
        for page in Self.pages("x") {
            let html = Self.document(page, Self.frame())
            let elements = try #require(MiniParser(html), "\(type(of: page))").elements
            let name = "\(type(of: page))"
            #expect(elements.count { $0.name == "h1" } == 1, "\(name)")
            #expect(elements.count { $0.name == "main" } == 1, "\(name)")
            let ids = elements.compactMap { $0["id"] }
            #expect(Set(ids).count == ids.count, "\(name): \(ids)")
            let labelled = Set(elements.filter { $0.name == "label" }.compactMap { $0["for"] })
            for field in elements where ["input", "select", "textarea"].contains(field.name) {
                if field["type"] == "hidden" || field["type"] == "checkbox" { continue }
                #expect(field["aria-label"] != nil || field["id"].map(labelled.contains) == true, "\(name): \(field)")
            }
            for described in elements.compactMap({ $0["aria-describedby"] }) {
                for id in described.split(separator: " ") { #expect(ids.contains(String(id))) }
            }
            for form in elements where form.name == "form" && form["method"] == "post" {
                #expect(html.contains("name=\"form-token\" value=\"token\""), "\(form)")
            }
        }
    }

    @Test func `the navigation says where one is, and strangers see none`() throws {
        let page = NodesPage(nodes: Self.query("nodes", [], NodesPage.sorts).listing([], of: 0))
        let html = Self.document(page, Self.frame())
        let elements = try #require(MiniParser(html)).elements
        #expect(elements.filter { $0["aria-current"] == "page" }.compactMap { $0["href"] } == ["/ui/nodes"])
        for section in Section.allCases { #expect(html.contains("href=\"\(section.link.text)\"")) }
        let stranger = Self.document(LoginPage(), Self.frame(visitor: nil))
        #expect(!stranger.contains("/ui/nodes\"><svg"))
        #expect(!stranger.contains("Metrics"))
    }

    @Test(arguments: Frame.Theme.allCases) func `the colours are those that were chosen`(theme: Frame.Theme) throws {
        let html = Self.document(LoginPage(), Self.frame(theme: theme))
        #expect(html.contains("data-theme=\"\(theme.rawValue)\"") == (theme != .system))
        #expect(html.contains("value=\"\(theme.rawValue)\" aria-pressed=\"true\""))
    }

    @Test func `the fragment is the page alone`() throws {
        let page = TasksPage(
            tasks: Self.query("tasks", [], TasksPage.sorts).listing([Self.taskRow("x")], of: 1), frameworks: [])
        let fragment = String(decoding: Layout.fragment(page, Self.frame()), as: UTF8.self)
        #expect(fragment.hasPrefix("<main"))
        #expect(Self.document(page, Self.frame()).contains(fragment))
        #expect(fragment.contains("data-topics=\"tasks\""))
    }
}

@Suite("Lists")
struct ListQueryTests {
    private func query(_ items: [(name: String, value: String)]) -> ListQuery {
        ListQuery(path: ["x"], items: items, sorts: ["id", "size"], choices: ["state"], descending: ["size"])
    }

    @Test func `what makes no sense is as if it were not there`() {
        let odd = query([("sort", "evil"), ("page", "-7"), ("desc", "maybe"), ("other", "1")])
        #expect(odd == query([]))
        #expect(query([("page", "99999999999999999999")]).page == 1)
        #expect(query([("sort", "size")]).isDescending)
        #expect(!query([("sort", "size"), ("desc", "0")]).isDescending)
        #expect(query([("q", String(repeating: "x", count: 5_000))]).text.count == ListQuery.textLimit)
    }

    @Test func `pages together are the list`() {
        let rows = Array(0..<1_234)
        for isDescending in [false, true] {
            var seen: [Int] = []
            var page = 1
            while true {
                let listing = query([("page", "\(page)"), ("desc", isDescending ? "1" : "0")])
                    .listing(rows, of: 2_000, by: <)
                seen += listing.rows
                #expect(listing.rows.count <= ListQuery.pageSize)
                #expect(listing.pages == 25)
                if page == listing.pages { break }
                page += 1
            }
            #expect(seen == (isDescending ? rows.reversed() : rows))
        }
        #expect(query([("page", "500")]).listing(rows, of: 1_234).query.page == 25)
        #expect(query([]).listing([Int](), of: 0).pages == 1)
    }

    @Test(arguments: hostileNames) func `what was asked for is in every link of the list`(name: String) {
        let asked = query([("q", name), ("state", name), ("page", "3")])
        for link in [
            asked.link, asked.link(toPage: 4), asked.link(sortedBy: "size"), asked.link(choosing: "state", "a"),
        ] {
            #expect(link.text.hasPrefix("/ui/x?"))
            if !name.isEmpty { #expect(link.text.contains("q=" + Link.escaped(asked.text))) }
        }
    }

    @Test func `filters look at all fields whatever the case`() {
        let asked = query([("q", "WeB")])
        #expect(asked.matches("a", "/shop/web"))
        #expect(!asked.matches("a", nil, "b"))
        #expect(query([]).matches(nil))
    }
}
