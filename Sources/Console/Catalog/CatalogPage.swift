/// All packages: search, and a card for each.
public struct CatalogPage: ConsolePage {
    /// A package in its newest version.
    public struct Card: Sendable {
        /// Its name.
        public var name: String
        /// Its newest version.
        public var version: String
        /// How many versions there are.
        public var versions: Int
        /// What it is.
        public var description: String
        /// Words it is found by.
        public var tags: [String]
        /// Whether it is one of those that are shown first.
        public var isSelected: Bool
        /// Whether it brings a framework.
        public var isFramework: Bool
        /// Which repository it is from.
        public var repository: String
        /// How many services of it there are.
        public var installed: Int

        /// Makes a card.
        public init(
            name: String, version: String, versions: Int, description: String, tags: [String], isSelected: Bool,
            isFramework: Bool, repository: String, installed: Int
        ) {
            self.name = name
            self.version = version
            self.versions = versions
            self.description = description
            self.tags = tags
            self.isSelected = isSelected
            self.isFramework = isFramework
            self.repository = repository
            self.installed = installed
        }
    }

    /// The packages that match.
    public var packages: Listing<Card>
    /// The repositories' names, in order.
    public var repositories: [String]
    /// How many services of packages there are.
    public var installed: Int
    /// What is wrong with repositories, each with its name.
    public var problems: [String]

    /// Makes a page.
    public init(packages: Listing<Card>, repositories: [String], installed: Int, problems: [String]) {
        self.packages = packages
        self.repositories = repositories
        self.installed = installed
        self.problems = problems
    }

    /// Its heading.
    public var title: String { "Catalog" }
    /// Its entry in the navigation.
    public var section: Section? { .catalog }
    /// It changes with the catalog and with what is installed.
    public var topics: Set<Topic> { [.catalog, .services] }

    /// Writes it.
    public func write(to html: inout HTML) {
        html.catalogTabs(0, installed: installed)
        var choices = [
            ("kind", "Kind", [("", "All kinds"), ("selected", "Selected"), ("framework", "Frameworks")])
        ]
        if repositories.count > 1 {
            choices.append(
                ("repository", "Repository", [("", "All repositories")] + repositories.map { ($0, $0) }))
        }
        html.filter(
            packages.query, hint: "name, tag or description",
            choices: choices.map { choice in
                (name: choice.0, label: choice.1, values: choice.2.map { (value: $0.0, label: $0.1) })
            })
        html.part("packages") { html in
            for problem in problems { html.message(.warn, problem) }
            if packages.rows.isEmpty {
                return html.empty(
                    packages.all == 0 ? "No packages" : "No package matches",
                    packages.all == 0
                        ? "Add a repository; the built-in one is `rondo:built-in`."
                        : "Try another word, or * for anything: data*."
                ) {
                    $0.buttonLink(
                        packages.all == 0 ? "Repositories" : "All packages",
                        packages.all == 0 ? CatalogLinks.repositories : CatalogLinks.search)
                }
            }
            html.tag("ul", .class("packages")) { html in
                for card in packages.rows { html.tag("li") { Self.write(card, to: &$0) } }
            }
            html.pager(packages, "packages")
        }
    }

    private static func write(_ card: Card, to html: inout HTML) {
        html.tag("article", .class("package")) { html in
            html.emblem(card.name)
            html.tag("div", .class("package-body")) { html in
                html.tag("h3") { html in
                    html.tag("a", .href(CatalogLinks.package(card.name)), text: card.name)
                    html.tag("span", .class("dim"), text: card.version)
                }
                html.tag("p", .class("summary"), text: String(card.description.prefix(400)))
                html.tag("p", .class("chips")) { html in
                    if card.installed > 0 {
                        html.badge(.good, card.installed == 1 ? "installed" : "\(card.installed) installed")
                    }
                    if card.isSelected { html.tag("span", .class("chip", "selected"), text: "★ selected") }
                    if card.isFramework { html.chip("framework") }
                    for tag in card.tags.prefix(4) { html.chip(String(tag.prefix(40))) }
                }
                html.tag("p", .class("package-foot")) { html in
                    html.tag("span", .class("dim")) { html in
                        html.text(card.repository)
                        if card.versions > 1 { html.text(" · \(card.versions) versions") }
                    }
                    html.tag(
                        "a", .class("button"), .href(CatalogLinks.install(card.name, version: card.version)),
                        .label("Configure and install \(card.name)"), text: "Install…")
                }
            }
        }
    }
}
