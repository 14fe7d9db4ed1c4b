/// Where the pages of the catalog are.
public enum CatalogLinks {
    /// Names of pages, under which no package is found at once.
    private static let pages: Set<String> = ["installed", "repositories", "package"]

    /// The search.
    public static let search = Link("catalog")
    /// What is installed.
    public static let installed = Link("catalog", "installed")
    /// Where packages come from.
    public static let repositories = Link("catalog", "repositories")

    private static func segments(_ name: String) -> [String] {
        pages.contains(name) ? ["catalog", "package", name] : ["catalog", name]
    }

    /// A package.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - version: its version; the newest when nil.
    /// - Returns: the page.
    public static func package(_ name: String, version: String? = nil) -> Link {
        Link(path: segments(name), query: version.map { [("version", $0)] } ?? [])
    }

    /// The form by which it is installed.
    ///
    /// - Parameters:
    ///   - name: its name.
    ///   - version: its version.
    /// - Returns: the page.
    public static func install(_ name: String, version: String) -> Link {
        Link(path: segments(name) + ["install"], query: [("version", version)])
    }

    /// What is installed as a service.
    ///
    /// - Parameter id: the service's path.
    /// - Returns: the page.
    public static func service(_ id: String) -> Link { Link("catalog", "installed", bare(id)) }

    /// The form by which it is changed.
    ///
    /// - Parameters:
    ///   - id: the service's path.
    ///   - version: the version it shall become; nil to stay.
    /// - Returns: the page.
    public static func edit(_ id: String, version: String? = nil) -> Link {
        Link(path: ["catalog", "installed", bare(id), "edit"], query: version.map { [("version", $0)] } ?? [])
    }

    /// The question before it is uninstalled.
    ///
    /// - Parameter id: the service's path.
    /// - Returns: the page.
    public static func uninstall(_ id: String) -> Link { Link("catalog", "installed", bare(id), "uninstall") }

    private static func bare(_ id: String) -> String { id.hasPrefix("/") ? String(id.dropFirst()) : id }
}

extension HTML {
    /// The ways between the pages of the catalog.
    ///
    /// - Parameters:
    ///   - page: which one this is: 0 the search, 1 what is installed, 2 the repositories.
    ///   - installed: how many are installed.
    mutating func catalogTabs(_ page: Int, installed: Int? = nil) {
        tag("nav", .class("tabs"), .label("Catalog")) { html in
            let tabs = [
                ("Packages", CatalogLinks.search), ("Installed", CatalogLinks.installed),
                ("Repositories", CatalogLinks.repositories),
            ]
            for (index, tab) in tabs.enumerated() {
                html.tag("a", .href(tab.1), .when(index == page, .attr("aria-current", "page"))) { html in
                    html.text(tab.0)
                    if index == 1, let installed {
                        html.tag("span", .class("count"), text: Numbers.grouped(installed))
                    }
                }
            }
        }
    }

    /// A picture of a package, drawn from its name: pictures of packages are elsewhere, and nothing is loaded from there.
    ///
    /// - Parameter name: the package's name.
    mutating func emblem(_ name: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        // The low bits of such a sum change the most.
        hash ^= hash >> 29
        let tones: [StaticString] = ["tone0", "tone1", "tone2", "tone3", "tone4", "tone5", "tone6", "tone7"]
        let first = name.first { $0.isLetter || $0.isNumber }.map { String($0).uppercased() } ?? "?"
        tag(
            "svg", .class("emblem", tones[Int(hash % 8)]), .attr("viewBox", "0 0 40 40"), .hidden
        ) { html in
            html.tag("rect", .attr("width", "40"), .attr("height", "40"), .attr("rx", "9"))
            var pattern = ""
            for row in 0..<5 {
                for column in 0..<3 where hash >> UInt64(8 + row * 3 + column) & 1 == 1 {
                    for place in Set([column, 4 - column]).sorted() { pattern += "M\(place * 8) \(row * 8)h8v8h-8z" }
                }
            }
            html.tag("path", .class("weave"), .attr("d", pattern))
            html.tag("text", .attr("x", "20"), .attr("y", "27.500"), .attr("text-anchor", "middle"), text: first)
        }
    }
}
