public import ClusterModel

/// The whole cluster at a glance: what is wrong, who has how much, what happens.
public struct OverviewPage: ConsolePage {
    /// Something that is wrong now.
    public struct Problem: Sendable {
        /// How bad it is.
        public var tone: Tone
        /// What is wrong.
        public var text: String
        /// What is known of the cause, and what can be done.
        public var detail: String?
        /// Where more of it is.
        public var link: Link?
        /// Since when.
        public var since: UnixTime?

        /// Makes a problem.
        public init(
            _ tone: Tone, _ text: String, detail: String? = nil, link: Link? = nil, since: UnixTime? = nil
        ) {
            self.tone = tone
            self.text = text
            self.detail = detail
            self.link = link
            self.since = since
        }
    }

    /// How many of something are how.
    public struct Tally: Sendable {
        /// What they are called.
        public var title: String
        /// Where they are listed.
        public var link: Link
        /// How many there are.
        public var total: Int
        /// How many are how, with the word for it; those of which there are none are left out.
        public var counts: [(tone: Tone, word: String, count: Int)]

        /// Makes a tally.
        public init(
            _ title: String, _ link: Link, total: Int, counts: [(tone: Tone, word: String, count: Int)]
        ) {
            self.title = title
            self.link = link
            self.total = total
            self.counts = counts
        }
    }

    /// What a role has of the cluster.
    public struct Share: Sendable {
        /// The role.
        public var role: String
        /// Its weight.
        public var weight: Double
        /// The largest fraction it has of any resource, from 0 to 1.
        public var dominant: Double
        /// Which resource that is.
        public var resource: String?
        /// What its weight gives it when every role wants more, from 0 to 1.
        public var entitled: Double
        /// How many frameworks it has.
        public var frameworks: Int
        /// What it has, in words.
        public var allocated: String

        /// Makes a share.
        public init(
            role: String, weight: Double, dominant: Double, resource: String?, entitled: Double, frameworks: Int,
            allocated: String
        ) {
            self.role = role
            self.weight = weight
            self.dominant = dominant
            self.resource = resource
            self.entitled = entitled
            self.frameworks = frameworks
            self.allocated = allocated
        }
    }

    /// A task that ended badly.
    public struct Ended: Sendable {
        /// Its id.
        public var task: String
        /// Its name.
        public var name: String
        /// Whose it was.
        public var framework: String
        /// The state on the wire.
        public var state: String
        /// What its last status said.
        public var message: String?
        /// When it ended.
        public var at: UnixTime?

        /// Makes a row.
        public init(
            task: String, name: String, framework: String, state: String, message: String?, at: UnixTime?
        ) {
            self.task = task
            self.name = name
            self.framework = framework
            self.state = state
            self.message = message
            self.at = at
        }
    }

    /// The cluster's name.
    public var clusterName: String
    /// What is wrong, the worst first.
    public var problems: [Problem]
    /// How much there is.
    public var amounts: [Amount]
    /// How many nodes, services and so on.
    public var tallies: [Tally]
    /// Who has how much, the neediest first.
    public var shares: [Share]
    /// How many roles there are beyond those of `shares`.
    public var moreShares: Int
    /// What is being deployed.
    public var deployments: [DeploymentRow]
    /// What ended badly last.
    public var ended: [Ended]

    /// Makes a page.
    public init(
        clusterName: String, problems: [Problem], amounts: [Amount], tallies: [Tally], shares: [Share],
        moreShares: Int, deployments: [DeploymentRow], ended: [Ended]
    ) {
        self.clusterName = clusterName
        self.problems = problems
        self.amounts = amounts
        self.tallies = tallies
        self.shares = shares
        self.moreShares = moreShares
        self.deployments = deployments
        self.ended = ended
    }

    /// See ``ConsolePage``.
    public var title: String { "Overview" }
    /// See ``ConsolePage``.
    public var section: Section? { .overview }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.nodes, .frameworks, .tasks, .services] }

    /// See ``ConsolePage``.
    public func writeHeading(to html: inout HTML) {
        if problems.isEmpty {
            html.badge(.good, "all is well")
        } else {
            let worst: Tone = problems.contains { $0.tone == .bad } ? .bad : .warn
            html.badge(worst, problems.count == 1 ? "1 thing needs a look" : "\(problems.count) things need a look")
        }
    }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        html.part("problems") { html in if !problems.isEmpty { writeProblems(to: &html) } }
        html.part("tallies") { html in writeTallies(to: &html) }
        html.part("resources", "Resources") { html in
            if amounts.contains(where: { $0.total > 0 }) {
                html.gauges(amounts)
                html.tag("p", .class("legend")) { html in
                    for (name, text) in [("used", "used by tasks"), ("offered", "offered now")] {
                        html.tag("span", .class("key", name == "used" ? "key-used" : "key-offered"), text: text)
                    }
                }
            } else {
                html.empty("No resources yet", "A node brings them. On a machine that shall take part:") { html in
                    html.code("rondo cluster join")
                }
            }
        }
        html.part("shares", "Shares of roles", count: shares.count + moreShares) { html in writeShares(to: &html) }
        if !deployments.isEmpty {
            html.part("deployments", "Deployments under way", count: deployments.count) { html in
                html.deployments(deployments)
            }
        }
        html.part("ended", "Ended badly of late") { html in writeEnded(to: &html) }
    }

    private func writeProblems(to html: inout HTML) {
        html.tag("ul", .class("problems"), .label("What is wrong now")) { html in
            for problem in problems {
                html.tag("li", .class(problem.tone == .bad ? "bad" : "warn")) { html in
                    html.mark(problem.tone)
                    html.tag("div") { html in
                        html.tag("p", .class("problem-text")) { html in
                            if let link = problem.link {
                                html.link(problem.text, link)
                            } else {
                                html.text(problem.text)
                            }
                            if let since = problem.since {
                                html.text(" ")
                                html.tag("span", .class("dim")) { $0.time(since) }
                            }
                        }
                        if let detail = problem.detail { html.tag("p", .class("dim"), text: detail) }
                    }
                }
            }
        }
    }

    private func writeTallies(to html: inout HTML) {
        html.tag("div", .class("tallies")) { html in
            for tally in tallies {
                html.tag("a", .class("tally"), .href(tally.link)) { html in
                    html.tag("span", .class("tally-name"), text: tally.title)
                    html.tag("span", .class("tally-total"), text: Numbers.grouped(tally.total))
                    html.tag("span", .class("tally-counts")) { html in
                        for part in tally.counts where part.count > 0 {
                            html.badge(part.tone, "\(Numbers.grouped(part.count)) \(part.word)")
                        }
                    }
                }
            }
        }
    }

    private func writeShares(to html: inout HTML) {
        if shares.isEmpty {
            return html.empty("Nobody has a share", "Roles appear here when a framework subscribes in them.")
        }
        html.tag("div", .class("shares")) { html in
            for share in shares {
                html.tag("div", .class("share"), .title(share.allocated)) { html in
                    html.tag("span", .class("share-name")) { html in
                        html.link(share.role, Link("frameworks", query: [("role", share.role)]))
                        html.tag(
                            "span", .class("dim"),
                            text: " weight \(Numbers.short(share.weight)), "
                                + (share.frameworks == 1 ? "1 framework" : "\(share.frameworks) frameworks"))
                    }
                    html.bar([MeterPiece(.used, share.dominant)], ticks: [share.entitled])
                    html.tag("span", .class("share-number")) { html in
                        html.text(Numbers.percent(share.dominant))
                        if let resource = share.resource {
                            html.tag("span", .class("dim"), text: " of " + Amount(resource, total: 1, used: 0).label)
                        }
                    }
                }
            }
        }
        html.tag("p", .class("legend")) { html in
            html.tag("span", .class("key", "key-used"), text: "largest share of any resource (DRF)")
            html.tag("span", .class("key", "key-tick"), text: "what its weight gives it when every role wants more")
        }
        if moreShares > 0 {
            html.tag("p", .class("dim"), text: "And \(Numbers.grouped(moreShares)) more roles, with smaller shares.")
        }
    }

    private func writeEnded(to html: inout HTML) {
        if ended.isEmpty { return html.empty("Nothing", "No task has failed as far as this master remembers.") }
        html.table(
            "Tasks that ended badly", [.text("Task"), .text("State"), .text("Why"), .text("When")], ended
        ) { cells, row in
            cells.cell { $0.named(row.name, id: row.task, .task(row.task, of: row.framework)) }
            let state = States.task(row.state)
            cells.badge(state.tone, state.word)
            cells.cell { html in
                html.tag("span", .class("clip"), .title(row.message ?? "")) { $0.textOrDash(row.message) }
            }
            cells.cell { $0.time(row.at) }
        }
    }
}
