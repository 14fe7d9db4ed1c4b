public import ClusterModel

/// A service that a package became: how it comes up, and later how it is.
public struct ProgressPage: ConsolePage {
    /// One instance.
    public struct Instance: Sendable {
        /// The id of its task.
        public var task: String
        /// Its node.
        public var host: String
        /// How it is.
        public var tone: Tone
        /// What that is called.
        public var state: String
        /// Where it is reached.
        public var addresses: [String]
        /// Since when.
        public var since: UnixTime?
        /// What was said of it last.
        public var message: String?

        /// Makes an instance.
        public init(
            task: String, host: String, tone: Tone, state: String, addresses: [String], since: UnixTime?,
            message: String?
        ) {
            self.task = task
            self.host = host
            self.tone = tone
            self.state = state
            self.addresses = addresses
            self.since = since
            self.message = message
        }
    }

    /// The deployment under way.
    public struct Deployment: Sendable {
        /// Which step, from 1 on.
        public var step: Int
        /// How many steps there are.
        public var steps: Int
        /// What is done, and what it waits for.
        public var actions: [String]

        /// Makes a deployment.
        public init(step: Int, steps: Int, actions: [String]) {
            self.step = step
            self.steps = steps
            self.actions = actions
        }
    }

    /// The service's path.
    public var id: String
    /// The package's name.
    public var package: String
    /// The package's version.
    public var version: String
    /// Newer versions that it may become, the newest first.
    public var newer: [String]
    /// How many instances there shall be.
    public var wanted: Int
    /// How many run.
    public var running: Int
    /// How many are healthy; nil where nothing checks.
    public var healthy: Int?
    /// The deployment under way; nil when there is none.
    public var deployment: Deployment?
    /// Why instances are not launched; empty when none waits.
    public var waits: [String]
    /// The instances.
    public var instances: [Instance]
    /// How many instances there are that are not among them.
    public var moreInstances: Int
    /// How an instance ended that failed last.
    public var failure: (text: String, at: UnixTime)?
    /// What to read once it runs.
    public var notes: String?
    /// Whether the visitor may change it.
    public var mayChange: Bool

    /// Makes a page.
    public init(
        id: String, package: String, version: String, newer: [String], wanted: Int, running: Int, healthy: Int?,
        deployment: Deployment?, waits: [String], instances: [Instance], moreInstances: Int,
        failure: (text: String, at: UnixTime)?, notes: String?, mayChange: Bool
    ) {
        self.id = id
        self.package = package
        self.version = version
        self.newer = newer
        self.wanted = wanted
        self.running = running
        self.healthy = healthy
        self.deployment = deployment
        self.waits = waits
        self.instances = instances
        self.moreInstances = moreInstances
        self.failure = failure
        self.notes = notes
        self.mayChange = mayChange
    }

    /// Its heading.
    public var title: String { id }
    /// Its entry in the navigation.
    public var section: Section? { .catalog }
    /// The way to it.
    public var crumbs: [Crumb] {
        [Crumb("Catalog", CatalogLinks.search), Crumb("Installed", CatalogLinks.installed)]
    }
    /// It changes with services and tasks.
    public var topics: Set<Topic> { [.services, .catalog] }

    /// How many instances are as they shall be.
    var good: Int { min(running, healthy ?? running) }

    private var standing: (tone: Tone, word: String) {
        if deployment != nil { return (waits.isEmpty ? .busy : .warn, waits.isEmpty ? "coming up" : "waiting") }
        if good >= wanted { return wanted == 0 ? (.idle, "no instances") : (.good, "running") }
        return (.bad, "\(good) of \(wanted) running")
    }

    /// Writes what stands beside the heading.
    public func writeHeading(to html: inout HTML) {
        html.tag(
            "a", .class("chip"), .href(CatalogLinks.package(package, version: version)), text: "\(package) \(version)")
    }

    /// Writes it.
    public func write(to html: inout HTML) {
        html.part("progress") { html in
            html.tag("div", .class("hero")) { html in
                html.emblem(package)
                html.tag("div", .class("grow")) { html in
                    html.tag("p", .class("standing"), .attr("role", "status")) { html in
                        html.badge(standing.tone, standing.word)
                        html.tag("span", text: words)
                    }
                    html.tag(
                        "progress", .attr("max", String(max(1, wanted))), .attr("value", String(min(good, wanted))),
                        .label("Instances that are well"), text: "\(good) of \(wanted)")
                }
            }
            if let deployment {
                html.tag("ol", .class("steps"), .label("Steps of the deployment")) { html in
                    for step in 1...max(1, min(deployment.steps, 50)) {
                        let isNow = step == deployment.step
                        html.tag(
                            "li", .class(step < deployment.step ? "past" : isNow ? "now" : ""),
                            .when(isNow, .attr("aria-current", "step"))
                        ) { html in
                            html.text("Step \(step)")
                            if isNow { for action in deployment.actions { html.tag("p", text: action) } }
                        }
                    }
                }
            }
            for wait in waits { html.message(.warn, wait) }
            if let failure {
                html.tag("p", .class("message", deployment == nil && good >= wanted ? "idle" : "bad")) { html in
                    html.mark(deployment == nil && good >= wanted ? .idle : .bad)
                    html.tag("span") { html in
                        html.text(failure.text + ", ")
                        html.time(failure.at)
                    }
                }
            }
            html.tag("p", .class("actions")) { html in
                html.buttonLink("Reload", CatalogLinks.service(id))
                html.buttonLink("Service", Link("services", String(id.dropFirst())))
                if mayChange {
                    html.buttonLink("Change options…", CatalogLinks.edit(id))
                    if let newest = newer.first {
                        html.buttonLink("Update to \(newest)…", CatalogLinks.edit(id, version: newest), .primary)
                    }
                    html.buttonLink("Uninstall…", CatalogLinks.uninstall(id), .danger)
                }
            }
        }
        writeInstances(to: &html)
        if let notes, deployment == nil, good >= wanted {
            html.part("notes", "From here on") { html in html.prose(notes) }
        }
    }

    private var words: String {
        let health = healthy.map { ", \($0) healthy" } ?? ""
        return "\(running) of \(wanted) \(wanted == 1 ? "instance runs" : "instances run")\(health)"
    }

    private func writeInstances(to html: inout HTML) {
        html.part("instances", "Instances", count: instances.count + moreInstances) { html in
            if instances.isEmpty { return html.empty("No instances", "They appear as soon as an offer fits.") }
            html.table(
                "Instances",
                [.text("Task"), .text("Node"), .text("State"), .text("Reached at"), .text("Since"), .text("")],
                instances
            ) { cells, row in
                cells.link(row.task, Link("tasks", row.task))
                cells.text(row.host)
                cells.badge(row.tone, row.state)
                cells.cell { html in
                    if row.addresses.isEmpty { return html.textOrDash(nil) }
                    for address in row.addresses.prefix(10) {
                        html.code(address)
                        html.text(" ")
                    }
                }
                cells.cell { $0.time(row.since) }
                cells.cell { html in html.text(String((row.message ?? "").prefix(300))) }
            }
            if moreInstances > 0 { html.tag("p", .class("dim"), text: "and \(Numbers.grouped(moreInstances)) more") }
        }
    }
}
