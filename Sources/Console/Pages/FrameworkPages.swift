public import ClusterModel

/// A framework as lists show it.
public struct FrameworkRow: Sendable {
    /// Its id.
    public var id: String
    /// Its name.
    public var name: String
    /// `connected`, `disconnected` or `removed`.
    public var state: String
    /// Its roles.
    public var roles: [String]
    /// Live tasks.
    public var tasks: Int
    /// Cores that its tasks hold.
    public var cpus: Double
    /// MiB of memory that its tasks hold.
    public var memory: Double
    /// Offers that it has not answered.
    public var offers: Int
    /// When it subscribed last, or was removed.
    public var since: UnixTime?

    /// Makes a row.
    public init(
        id: String, name: String, state: String, roles: [String], tasks: Int, cpus: Double, memory: Double, offers: Int,
        since: UnixTime?
    ) {
        self.id = id
        self.name = name
        self.state = state
        self.roles = roles
        self.tasks = tasks
        self.cpus = cpus
        self.memory = memory
        self.offers = offers
        self.since = since
    }
}

/// All frameworks.
public struct FrameworksPage: ConsolePage {
    /// Which of them.
    public var frameworks: Listing<FrameworkRow>

    /// Makes a page.
    public init(frameworks: Listing<FrameworkRow>) { self.frameworks = frameworks }

    /// What the list can be sorted by; the first is usual.
    public static let sorts = ["name", "state", "tasks", "cpu", "memory", "offers", "since"]
    /// What the filter can choose.
    public static let choices = ["state", "role"]

    /// See ``ConsolePage``.
    public var title: String { "Frameworks" }
    /// See ``ConsolePage``.
    public var section: Section? { .frameworks }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.frameworks, .tasks] }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        let role = frameworks.query.choices["role"] ?? ""
        html.filter(
            frameworks.query, hint: "name or id",
            choices: [
                (
                    "state", "State",
                    [
                        ("", "Not removed"), ("all", "All states"), ("connected", "connected"),
                        ("disconnected", "disconnected"), ("removed", "removed"),
                    ]
                ),
                ("role", "Role", [("", "All roles")] + (role.isEmpty ? [] : [(role, "role " + role)])),
            ])
        html.part("frameworks") { html in
            if frameworks.rows.isEmpty {
                return html.empty(
                    "No frameworks",
                    frameworks.all == 0
                        ? "A framework subscribes at /api/v1/scheduler; services and jobs of this program are two of them."
                        : "Change the filter.")
            }
            html.table(
                "Frameworks",
                [
                    .text("Framework", sort: "name"), .text("State", sort: "state"), .text("Roles"),
                    .number("Tasks", sort: "tasks"), .number("CPU", sort: "cpu"), .number("Memory", sort: "memory"),
                    .number("Offers", sort: "offers"), .text("Since", sort: "since"),
                ], frameworks.rows, query: frameworks.query
            ) { cells, row in
                cells.cell { html in
                    html.named(row.name, id: row.id, Link("frameworks", row.id))
                }
                cells.badge(States.framework(row.state), row.state)
                cells.text(row.roles.joined(separator: ", "))
                cells.number(row.tasks)
                cells.cell { $0.text(Numbers.short(row.cpus)) }
                cells.cell { $0.text(Numbers.memory(row.memory)) }
                cells.number(row.offers)
                cells.cell { $0.time(row.since) }
            }
            html.pager(frameworks, "frameworks")
        }
    }
}

/// One framework: what it is offered, what it refused, and what stands between it and every node.
public struct FrameworkPage: ConsolePage {
    /// An offer that it has not answered.
    public struct Offer: Sendable {
        /// Its id.
        public var id: String
        /// The agent's id.
        public var node: String
        /// The machine's name.
        public var hostname: String
        /// In which role.
        public var role: String
        /// What is offered, in words.
        public var resources: String

        /// Makes an offer.
        public init(id: String, node: String, hostname: String, role: String, resources: String) {
            self.id = id
            self.node = node
            self.hostname = hostname
            self.role = role
            self.resources = resources
        }
    }

    /// An offer that it declined.
    public struct Refusal: Sendable {
        /// The agent's id.
        public var node: String
        /// The machine's name.
        public var hostname: String?
        /// In which role.
        public var role: String
        /// What was declined, in words.
        public var resources: String
        /// When.
        public var at: UnixTime
        /// Until when such resources are not offered to it again.
        public var until: UnixTime

        /// Makes a refusal.
        public init(
            node: String, hostname: String?, role: String, resources: String, at: UnixTime, until: UnixTime
        ) {
            self.node = node
            self.hostname = hostname
            self.role = role
            self.resources = resources
            self.at = at
            self.until = until
        }
    }

    /// What stands between it and one node.
    public struct Obstacle: Sendable {
        /// The agent's id.
        public var node: String
        /// The machine's name.
        public var hostname: String
        /// In which role.
        public var role: String
        /// What stands in the way, and what can be done.
        public var text: String
        /// What of the node it could have, in words.
        public var offerable: String

        /// Makes an obstacle.
        public init(node: String, hostname: String, role: String, text: String, offerable: String) {
            self.node = node
            self.hostname = hostname
            self.role = role
            self.text = text
            self.offerable = offerable
        }
    }

    /// What lists show of it.
    public var framework: FrameworkRow
    /// Further names and values.
    public var facts: [(name: String, value: String?)]
    /// What is known of why it gets what it gets.
    public var reasons: [String]
    /// Roles in which it wants no offers now.
    public var suppressed: [String]
    /// Offers that it has not answered.
    public var offers: [Offer]
    /// What it declined last, the newest first.
    public var refusals: [Refusal]
    /// What stands between it and the nodes.
    public var obstacles: Listing<Obstacle>

    /// Makes a page.
    public init(
        framework: FrameworkRow, facts: [(name: String, value: String?)], reasons: [String], suppressed: [String],
        offers: [Offer], refusals: [Refusal], obstacles: Listing<Obstacle>
    ) {
        self.framework = framework
        self.facts = facts
        self.reasons = reasons
        self.suppressed = suppressed
        self.offers = offers
        self.refusals = refusals
        self.obstacles = obstacles
    }

    /// See ``ConsolePage``.
    public var title: String { framework.name.isEmpty ? framework.id : framework.name }
    /// See ``ConsolePage``.
    public var section: Section? { .frameworks }
    /// See ``ConsolePage``.
    public var crumbs: [Crumb] { [Crumb("Frameworks", Section.frameworks.link)] }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.frameworks, .nodes] }

    /// See ``ConsolePage``.
    public func writeHeading(to html: inout HTML) {
        html.badge(States.framework(framework.state), framework.state)
        for role in framework.roles.prefix(6) { html.chip(role) }
    }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        html.part("framework") { html in
            html.facts { html in
                html.fact("Id") { $0.code(framework.id) }
                html.fact("Tasks") { html in
                    html.link(
                        "\(Numbers.grouped(framework.tasks)) live",
                        Link("tasks", query: [("framework", framework.id)]))
                }
                html.fact(
                    "Holds", "\(Numbers.short(framework.cpus)) CPU, \(Numbers.memory(framework.memory)) memory")
                html.fact("Since") { $0.time(framework.since) }
                for fact in facts { html.fact(fact.name, fact.value) }
                if !suppressed.isEmpty { html.fact("Wants no offers in", suppressed.joined(separator: ", ")) }
            }
        }
        html.part("offers", "Offers it has", count: offers.count) { html in
            if offers.isEmpty {
                return html.empty("No offers now", "What stands in the way is said below, node by node.")
            }
            html.table(
                "Offers", [.text("Offer"), .text("Node"), .text("Role"), .text("Resources")], offers
            ) { cells, row in
                cells.cell { $0.code(row.id) }
                cells.link(row.hostname, .node(row.node))
                cells.text(row.role)
                cells.text(row.resources)
            }
        }
        html.part("refusals", "Declined of late", count: refusals.count) { html in
            if refusals.isEmpty {
                return html.empty(
                    "Nothing declined", "A framework that declines an offer is not asked again for a while.")
            }
            html.table(
                "Declined offers",
                [.text("Node"), .text("Role"), .text("Resources"), .text("When"), .text("Filter ends")], refusals
            ) { cells, row in
                cells.link(row.hostname ?? row.node, .node(row.node))
                cells.text(row.role)
                cells.text(row.resources)
                cells.cell { $0.time(row.at) }
                cells.cell { $0.time(row.until) }
            }
        }
        html.part("why", "Why not more", count: obstacles.all) { html in
            if !reasons.isEmpty {
                html.tag("ul", .class("plain")) { html in for reason in reasons { html.tag("li", text: reason) } }
            }
            if obstacles.rows.isEmpty { return html.empty("No nodes", "There is nothing that could be offered.") }
            html.table(
                "Nodes and what stands in the way",
                [.text("Node"), .text("Role"), .text("What stands in the way"), .text("It could have")], obstacles.rows
            ) { cells, row in
                cells.link(row.hostname.isEmpty ? row.node : row.hostname, .node(row.node))
                cells.text(row.role)
                cells.text(row.text)
                cells.text(row.offerable)
            }
            html.pager(obstacles, "lines")
        }
    }
}
