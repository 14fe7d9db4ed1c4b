public import ClusterModel

/// The services that packages became.
public struct InstalledPage: ConsolePage {
    /// One of them.
    public struct Row: Sendable {
        /// The service's path.
        public var id: String
        /// The package's name.
        public var package: String
        /// The package's version.
        public var version: String
        /// The newest version that it may become; nil when there is none.
        public var newer: String?
        /// How it is.
        public var tone: Tone
        /// What that is called.
        public var state: String

        /// Makes a row.
        public init(id: String, package: String, version: String, newer: String?, tone: Tone, state: String) {
            self.id = id
            self.package = package
            self.version = version
            self.newer = newer
            self.tone = tone
            self.state = state
        }
    }

    /// What is installed.
    public var services: Listing<Row>
    /// Whether the visitor may change them.
    public var mayChange: Bool

    /// Makes a page.
    public init(services: Listing<Row>, mayChange: Bool) {
        self.services = services
        self.mayChange = mayChange
    }

    /// Its heading.
    public var title: String { "Installed packages" }
    /// Its entry in the navigation.
    public var section: Section? { .catalog }
    /// The way to it.
    public var crumbs: [Crumb] { [Crumb("Catalog", CatalogLinks.search)] }
    /// It changes with services and the catalog.
    public var topics: Set<Topic> { [.services, .catalog] }

    /// Writes it.
    public func write(to html: inout HTML) {
        html.catalogTabs(1, installed: services.all)
        html.filter(services.query, hint: "service or package")
        html.part("installed") { html in
            if services.rows.isEmpty {
                return html.empty("Nothing is installed", "Packages become services with one click.") { html in
                    html.buttonLink("Packages", CatalogLinks.search, .primary)
                }
            }
            html.table(
                "Installed packages",
                [
                    .text("Service", sort: "id"), .text("Package", sort: "package"), .text("Version"), .text("State"),
                    .text(""),
                ], services.rows, query: services.query
            ) { cells, row in
                cells.link(row.id, CatalogLinks.service(row.id))
                cells.link(row.package, CatalogLinks.package(row.package))
                cells.cell { html in
                    html.text(row.version)
                    if let newer = row.newer {
                        html.text(" ")
                        html.tag(
                            "a", .class("chip", "selected"), .href(CatalogLinks.edit(row.id, version: newer)),
                            text: "\(newer) available")
                    }
                }
                cells.badge(row.tone, row.state)
                cells.cell { html in
                    guard mayChange else { return }
                    html.tag("span", .class("actions", "inline")) { html in
                        html.buttonLink("Change…", CatalogLinks.edit(row.id))
                        html.buttonLink("Uninstall…", CatalogLinks.uninstall(row.id), .danger)
                    }
                }
            }
            html.pager(services, "services")
        }
    }
}

/// Where packages come from.
public struct RepositoriesPage: ConsolePage {
    /// A repository.
    public struct Row: Sendable {
        /// What people call it.
        public var name: String
        /// Where it comes from.
        public var address: String
        /// How many packages it has.
        public var packages: Int
        /// How many when each version counts.
        public var versions: Int
        /// The key that its packages are signed with; nil when anybody's are taken.
        public var key: String?
        /// When it was fetched last.
        public var fetchedAt: UnixTime?
        /// What is wrong with it.
        public var problem: String?

        /// Makes a row.
        public init(
            name: String, address: String, packages: Int, versions: Int, key: String?, fetchedAt: UnixTime?,
            problem: String?
        ) {
            self.name = name
            self.address = address
            self.packages = packages
            self.versions = versions
            self.key = key
            self.fetchedAt = fetchedAt
            self.problem = problem
        }
    }

    /// What somebody put into the form.
    public struct Entry: Sendable {
        /// The fields.
        public var name = "", address = "", key = "", index = ""

        /// Nothing yet.
        public init() {}
    }

    /// The repositories, in the order in which they are looked through.
    public var repositories: [Row]
    /// Whether the visitor may change the list.
    public var mayChange: Bool
    /// What stands in the form.
    public var entry: Entry
    /// Why it was refused.
    public var problem: String?

    /// Makes a page.
    public init(repositories: [Row], mayChange: Bool, entry: Entry = Entry(), problem: String? = nil) {
        self.repositories = repositories
        self.mayChange = mayChange
        self.entry = entry
        self.problem = problem
    }

    /// Its heading.
    public var title: String { "Repositories" }
    /// Its entry in the navigation.
    public var section: Section? { .catalog }
    /// The way to it.
    public var crumbs: [Crumb] { [Crumb("Catalog", CatalogLinks.search)] }
    /// It changes with the catalog.
    public var topics: Set<Topic> { [.catalog] }

    /// Writes it.
    public func write(to html: inout HTML) {
        html.catalogTabs(2)
        html.part("repositories") { html in
            html.table(
                "Repositories, in the order in which they are looked through",
                [
                    .text("Name"), .text("Address"), .number("Packages"), .number("Versions"), .text("Fetched"),
                    .text(""),
                ],
                repositories
            ) { cells, row in
                cells.text(row.name)
                cells.cell { html in
                    html.code(row.address)
                    if let key = row.key { html.tag("p", .class("dim"), text: "signed with \(key)") }
                    if let problem = row.problem { html.message(.warn, problem) }
                }
                cells.number(row.packages)
                cells.number(row.versions)
                cells.cell { html in
                    if row.fetchedAt == nil { html.textOrDash(nil) } else { html.time(row.fetchedAt) }
                }
                cells.cell { html in
                    guard mayChange else { return }
                    html.buttonLink(
                        "Remove…", Link("catalog", "repositories", "remove", query: [("name", row.name)]), .danger)
                }
            }
            if mayChange {
                html.form(Link("catalog", "repositories", "refresh"), .class("actions")) { html in
                    html.button("Fetch all again")
                }
            }
        }
        if mayChange { writeForm(to: &html) }
    }

    private func writeForm(to html: inout HTML) {
        html.part("add", "Add a repository") { html in
            if let problem { html.message(.bad, problem) }
            html.form(CatalogLinks.repositories, .class("add")) { html in
                html.input(FormField("name", "Name", isRequired: true), value: entry.name)
                html.input(
                    FormField(
                        "uri", "Address",
                        help: "https://… or http://… of a document or zip archive, oci://HOST/NAME:TAG, file:///… of a "
                            + "folder on the master's machine, or rondo:built-in",
                        isRequired: true), value: entry.address)
                html.input(
                    FormField(
                        "key", "Key",
                        help: "In base64. Only packages that it has signed are taken; empty: all are."),
                    value: entry.key)
                html.input(
                    FormField(
                        "index", "Place",
                        help: "0 is the first. A package that several have is taken from the first. Empty: the last."),
                    value: entry.index, .attr("inputmode", "numeric"))
                html.button("Add", .primary)
            }
        }
    }
}
