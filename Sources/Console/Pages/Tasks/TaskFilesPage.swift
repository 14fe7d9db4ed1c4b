public import ClusterModel

/// The files of a task's work directory.
public struct TaskFilesPage: ConsolePage {
    /// A file or folder.
    public struct Entry: Sendable {
        /// Its name.
        public var name: String
        /// As `ls -l` writes it.
        public var mode: String
        /// In bytes.
        public var size: Int
        /// When it was changed.
        public var changedAt: UnixTime
        /// The account that it belongs to.
        public var owner: String

        /// Makes an entry.
        public init(name: String, mode: String, size: Int, changedAt: UnixTime, owner: String) {
            self.name = name
            self.mode = mode
            self.size = size
            self.changedAt = changedAt
            self.owner = owner
        }

        var isFolder: Bool { mode.hasPrefix("d") }
        var isFile: Bool { mode.hasPrefix("-") }
    }

    /// Which task.
    public var place: TaskPlace
    /// The folder below the work directory; empty for the work directory itself.
    public var folder: [String]
    /// What is in it.
    public var entries: [Entry]
    /// What is wrong with it.
    public var problem: String?

    /// The most rows.
    static let limit = 1_000

    /// Makes a page.
    public init(place: TaskPlace, folder: [String], entries: [Entry], problem: String? = nil) {
        self.place = place
        self.folder = folder
        self.entries = entries
        self.problem = problem
    }

    /// The heading.
    public var title: String { folder.last ?? "Files" }
    /// The entry of the navigation.
    public var section: Section? { .tasks }
    /// The way to the page.
    public var crumbs: [Crumb] {
        var crumbs = place.inner
        if !folder.isEmpty { crumbs.append(Crumb("Files", place.link("files"))) }
        for index in folder.indices.dropLast() {
            crumbs.append(Crumb(folder[index], link(to: Array(folder[...index]))))
        }
        return crumbs
    }

    private func link(to folder: [String]) -> Link {
        place.link("files", query: [("folder", folder.joined(separator: "/"))])
    }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        place.writeTabs(.files, to: &html)
        if let problem { return html.message(.warn, problem) }
        html.part("files", "Files", count: entries.count) { html in
            if entries.isEmpty { return html.empty("Empty", "There is nothing in this folder.") }
            let base = ([place.directory ?? ""] + folder).joined(separator: "/")
            let shown = entries.sorted { ($0.isFolder ? 0 : 1, $0.name) < ($1.isFolder ? 0 : 1, $1.name) }
            html.table(
                "Files", [.text("Name"), .number("Size"), .text("Changed"), .text("Owner"), .text("Mode")],
                Array(shown.prefix(Self.limit))
            ) { cells, entry in
                cells.cell { html in
                    if entry.isFolder {
                        html.link(entry.name + "/", link(to: folder + [entry.name]))
                    } else if entry.isFile {
                        html.link(entry.name, place.agentLink(["files", "download"], path: base + "/" + entry.name))
                    } else {
                        html.text(entry.name)
                    }
                }
                cells.text(entry.isFile ? Self.size(entry.size) : "")
                cells.cell { $0.time(entry.changedAt) }
                cells.text(entry.owner)
                cells.cell { $0.code(entry.mode) }
            }
            if entries.count > Self.limit {
                html.tag("p", .class("dim"), text: "And \(Numbers.grouped(entries.count - Self.limit)) more.")
            }
        }
    }

    /// A number of bytes in a unit that fits.
    static func size(_ bytes: Int) -> String {
        switch bytes {
        case ..<1_024: "\(bytes) B"
        case ..<1_048_576: Numbers.short(Double(bytes) / 1_024, places: 1) + " KiB"
        default: Numbers.memory(Double(bytes) / 1_048_576)
        }
    }
}
