/// A page: a value with all that it shows, which writes itself.
public protocol ConsolePage: Sendable {
    /// The page's heading and the window's title.
    var title: String { get }
    /// Which entry of the navigation it belongs to.
    var section: Section? { get }
    /// The way to it, from the section on, without the page itself.
    var crumbs: [Crumb] { get }
    /// What makes it stale when it changes; empty for a page that stays as it is.
    var topics: Set<Topic> { get }
    /// Writes what stands beside the heading: badges, buttons.
    func writeHeading(to html: inout HTML)
    /// Writes what stands below the heading.
    func write(to html: inout HTML)
}

extension ConsolePage {
    /// No way: a page of the navigation itself.
    public var crumbs: [Crumb] { [] }
    /// Stays as it is.
    public var topics: Set<Topic> { [] }
    /// Nothing.
    public func writeHeading(to html: inout HTML) {}
}

/// A step on the way to a page.
public struct Crumb: Sendable {
    /// What it is called.
    public var text: String
    /// Where it leads.
    public var link: Link

    /// Makes a step.
    ///
    /// - Parameters:
    ///   - text: what it is called.
    ///   - link: where it leads.
    public init(_ text: String, _ link: Link) {
        self.text = text
        self.link = link
    }
}

/// An entry of the navigation.
public enum Section: String, Hashable, Sendable, CaseIterable {
    case overview, nodes, frameworks, services, tasks, jobs, catalog, membership, audit

    /// What it is called.
    public var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
    /// Where it leads.
    public var link: Link { self == .overview ? .overview : Link(rawValue) }
}

/// What can change, so that pages that show it are read again.
public enum Topic: String, Hashable, Sendable, CaseIterable {
    case nodes, frameworks, tasks, services, jobs, catalog, membership, audit
}

/// What all pages have around them.
public struct Frame: Sendable {
    /// Which colours.
    public enum Theme: String, Hashable, Sendable, CaseIterable {
        /// As the browser says.
        case system
        case light, dark
    }

    /// Where the console's own files are.
    public struct Assets: Hashable, Sendable {
        /// The path of the style sheet.
        public var style: String
        /// The path of the script.
        public var script: String
        /// The path of the icon.
        public var icon: String

        /// Makes a set of paths, each of which begins with a slash.
        public init(style: String, script: String, icon: String) {
            self.style = style
            self.script = script
            self.icon = icon
        }
    }

    /// The cluster's name.
    public var clusterName: String
    /// The release of the program.
    public var version: String
    /// Who looks at it; nil for somebody unknown, who sees no navigation.
    public var visitor: String?
    /// Whether there is a session that can be ended.
    public var hasSession: Bool
    /// Sections that the visitor may see.
    public var sections: [Section]
    /// Which colours.
    public var theme: Theme
    /// The console's own files.
    public var assets: Assets
    /// The page's own address, to come back to.
    public var here: Link
    /// What is wrong with the master itself; nil for nothing.
    public var alarm: String?
    /// What was done by the last form; nil for nothing.
    public var notice: Notice?
    /// What the page is about.
    public var context: HTML.Context

    /// Makes a frame.
    public init(
        clusterName: String, version: String, visitor: String?, hasSession: Bool = false,
        sections: [Section] = Section.allCases, theme: Theme = .system, assets: Assets, here: Link,
        alarm: String? = nil, notice: Notice? = nil, context: HTML.Context
    ) {
        self.clusterName = clusterName
        self.version = version
        self.visitor = visitor
        self.hasSession = hasSession
        self.sections = sections
        self.theme = theme
        self.assets = assets
        self.here = here
        self.alarm = alarm
        self.notice = notice
        self.context = context
    }
}

/// What the page says after a form was sent. A fixed set, because it comes back in the address.
public enum Notice: String, Hashable, Sendable, CaseIterable {
    case saved, started, scaled, restarted, stopped, destroyed, killed, cancelled, installed, uninstalled, updated,
        added, removed, retried

    /// The sentence.
    public var text: String {
        switch self {
        case .saved: "Saved."
        case .started: "Started."
        case .scaled: "The number of instances was changed; the deployment is under way."
        case .restarted: "The instances are being replaced one after the other."
        case .stopped: "It is being stopped."
        case .destroyed: "It is being removed with all of its instances."
        case .killed: "The task was asked to end."
        case .cancelled: "The deployment was cancelled."
        case .installed: "The package is being installed."
        case .uninstalled: "The package is being uninstalled."
        case .updated: "The change is under way."
        case .added: "Added."
        case .removed: "Removed."
        case .retried: "It is tried again at once."
        }
    }
}
