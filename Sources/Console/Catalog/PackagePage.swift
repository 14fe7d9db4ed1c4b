public import Packages

/// One version of a package: what it is, what it brings, which versions there are.
public struct PackagePage: ConsolePage {
    /// The package.
    public var package: PackageDefinition
    /// Where its repository comes from.
    public var source: String
    /// All versions, newest first.
    public var versions: [String]
    /// The paths of the services that it became.
    public var installed: [String]
    /// Whether the visitor may install it.
    public var mayInstall: Bool

    /// Makes a page.
    public init(
        package: PackageDefinition, source: String, versions: [String], installed: [String], mayInstall: Bool
    ) {
        self.package = package
        self.source = source
        self.versions = versions
        self.installed = installed
        self.mayInstall = mayInstall
    }

    /// Its heading.
    public var title: String { package.name }
    /// Its entry in the navigation.
    public var section: Section? { .catalog }
    /// The way to it.
    public var crumbs: [Crumb] { [Crumb("Catalog", CatalogLinks.search)] }
    /// It changes with what is installed.
    public var topics: Set<Topic> { [.catalog, .services] }

    /// Writes what stands beside the heading.
    public func writeHeading(to html: inout HTML) {
        html.chip(package.version)
        if package.isSelected == true { html.tag("span", .class("chip", "selected"), text: "★ selected") }
        if package.isFramework { html.chip("framework") }
        if package.json["hasKnownIssues"] == .flag(true) { html.badge(.warn, "known issues") }
    }

    /// Writes it.
    public func write(to html: inout HTML) {
        html.part("package") { html in
            html.tag("div", .class("hero")) { html in
                html.emblem(package.name)
                html.tag("div") { html in
                    html.prose(package.description)
                    html.tag("p", .class("chips")) { html in
                        for tag in package.tags.prefix(30) { html.chip(String(tag.prefix(60))) }
                    }
                    html.tag("p", .class("actions")) { html in
                        if package.template == nil {
                            html.message(.warn, "This package is a command line only; there is no service to install.")
                        } else if mayInstall {
                            html.buttonLink(
                                "Configure and install", CatalogLinks.install(package.name, version: package.version),
                                .primary)
                        } else {
                            html.message(.idle, "Installing takes the right catalog.install, which you do not have.")
                        }
                    }
                }
            }
            if let notes = package.preInstallNotes {
                html.tag("div", .class("notes")) { html in
                    html.tag("h3", text: "Before you install")
                    html.prose(notes)
                }
            }
        }
        if !installed.isEmpty {
            html.part("installed", "Installed", count: installed.count) { html in
                html.tag("ul", .class("plain")) { html in
                    for id in installed.prefix(100) { html.tag("li") { $0.link(id, CatalogLinks.service(id)) } }
                }
            }
        }
        writeFacts(to: &html)
        writeResources(to: &html)
    }

    private func writeFacts(to html: inout HTML) {
        html.part("about", "About") { html in
            html.facts { html in
                html.fact("Versions") { html in
                    html.tag("span", .class("chips")) { html in
                        for version in versions.prefix(100) {
                            if version == package.version {
                                html.tag("span", .class("chip", "selected"), text: version)
                            } else {
                                html.tag(
                                    "a", .class("chip"), .href(CatalogLinks.package(package.name, version: version)),
                                    text: version)
                            }
                        }
                    }
                }
                html.fact("Repository", source)
                html.fact("Maintainer", package.json["maintainer"]?.text)
                for (name, field) in [("Website", "website"), ("Source", "scm")] {
                    guard let text = package.json[field]?.text else { continue }
                    html.fact(name) { html in
                        if let link = WebLink(text) { html.link(text, link) } else { html.text(text) }
                    }
                }
                if let licences = package.json["licenses"]?.list, !licences.isEmpty {
                    html.fact("Licences") { html in
                        for (index, licence) in licences.prefix(20).enumerated() {
                            if index > 0 { html.text(", ") }
                            let name = licence["name"]?.text ?? "unnamed"
                            if let link = licence["url"]?.text.flatMap(WebLink.init) {
                                html.link(name, link)
                            } else {
                                html.text(name)
                            }
                        }
                    }
                }
                if let least = package.minimumRelease { html.fact("Needs DC/OS", "\(least) or newer") }
                html.fact("Format", package.packagingVersion.rawValue)
            }
        }
    }

    private func writeResources(to html: inout HTML) {
        let images = package.resource?["assets"]?["container"]?["docker"]?.object
        let files = package.resource?["assets"]?["uris"]?.object
        guard images?.isEmpty == false || files?.isEmpty == false else { return }
        html.part("resources", "What it brings") { html in
            for (title, items) in [("Images", images), ("Files that tasks fetch", files)] {
                guard let items, !items.isEmpty else { continue }
                html.tag("h3", text: title)
                html.facts { html in
                    for (name, value) in zip(items.names, items.values).prefix(100) { html.fact(name, value.text) }
                }
            }
        }
    }
}
