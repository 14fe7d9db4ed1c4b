/// Who is in the cluster: what the gossip says, what the sessions say, and which keys there are.
public struct MembershipPage: ConsolePage {
    /// A member.
    public struct Row: Sendable {
        /// The node's id.
        public var id: String
        /// Its name.
        public var name: String
        /// `master`, `agent`, `combined`.
        public var role: String
        /// What the gossip says: `alive`, `suspect`, `dead`, `left`, `stale`; nil when it does not know it.
        public var state: String?
        /// Since when, in seconds before now.
        public var since: Double?
        /// Its incarnation.
        public var incarnation: UInt64?
        /// Where it says that it can be reached.
        public var addresses: [String]
        /// Its release.
        public var version: String?
        /// Who accuses it.
        public var accusers: [String]
        /// Whether it has an open session with this master.
        public var hasSession: Bool
        /// Whether it is this node.
        public var isSelf: Bool
        /// Whether it leads.
        public var isLeader: Bool
        /// Whether it knows the newest keys.
        public var isLate: Bool
        /// Its page; nil when it runs no tasks.
        public var link: Link?

        /// Makes a row.
        public init(
            id: String, name: String, role: String, state: String? = nil, since: Double? = nil,
            incarnation: UInt64? = nil, addresses: [String] = [], version: String? = nil, accusers: [String] = [],
            hasSession: Bool = false, isSelf: Bool = false, isLeader: Bool = false, isLate: Bool = false,
            link: Link? = nil
        ) {
            self.id = id
            self.name = name
            self.role = role
            self.state = state
            self.since = since
            self.incarnation = incarnation
            self.addresses = addresses
            self.version = version
            self.accusers = accusers
            self.hasSession = hasSession
            self.isSelf = isSelf
            self.isLeader = isLeader
            self.isLate = isLate
            self.link = link
        }

        /// How it is.
        var tone: Tone {
            switch state {
            case "alive": .good
            case "suspect": .warn
            case "dead": .bad
            case "stale": .warn
            default: .idle
            }
        }

        /// Whether gossip and sessions disagree.
        public var disagrees: Bool { disagreement != nil }

        /// Where gossip and sessions disagree; nil where they do not.
        var disagreement: String? {
            if isSelf { return nil }
            switch (state, hasSession) {
            case ("dead", true), ("left", true): return "the gossip misses it, and its session is open"
            case ("suspect", true): return "suspected, and its session is open"
            case ("alive", false) where role != "master": return "alive in the gossip, and without a session"
            case (nil, true): return "has a session, and the gossip does not know it"
            default: return nil
            }
        }
    }

    /// A key of the gossip, by its name.
    public struct Key: Sendable {
        /// The beginning of its hash.
        public var name: String
        /// Whether new packets are sealed with it.
        public var seals: Bool

        /// Makes a key.
        public init(name: String, seals: Bool) {
            self.name = name
            self.seals = seals
        }
    }

    /// The members of this page of the list.
    public var members: Listing<Row>
    /// All members for the ring: how each is, in order, with its name; empty when there are too many to draw.
    public var ring: [(name: String, tone: Tone, isSelf: Bool)]
    /// How many are in each state.
    public var counts: [(state: String, count: Int)]
    /// The gossip's keys.
    public var keys: [Key]
    /// The revision of the keys.
    public var revision: Int?
    /// How many nodes do not know the newest keys yet.
    public var late: Int
    /// Nodes that were shut out.
    public var evicted: [String]
    /// What there is instead of a membership; nil when there is one.
    public var absence: String?

    /// More members than these are not drawn.
    public static let ringLimit = 120

    /// Makes a page.
    public init(
        members: Listing<Row>, ring: [(name: String, tone: Tone, isSelf: Bool)] = [],
        counts: [(state: String, count: Int)] = [], keys: [Key] = [], revision: Int? = nil, late: Int = 0,
        evicted: [String] = [], absence: String? = nil
    ) {
        self.members = members
        self.ring = ring
        self.counts = counts
        self.keys = keys
        self.revision = revision
        self.late = late
        self.evicted = evicted
        self.absence = absence
    }

    /// What a state looks like.
    ///
    /// - Parameter state: as ``Row/state``.
    /// - Returns: the tone.
    public static func tone(_ state: String?) -> Tone { Row(id: "", name: "", role: "", state: state).tone }

    /// The heading.
    public var title: String { "Membership" }
    /// The entry of the navigation.
    public var section: Section? { .membership }
    /// What makes the page stale.
    public var topics: Set<Topic> { [.membership, .nodes] }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        if let absence { return html.part("members") { $0.empty("No membership", absence) } }
        html.tag("div", .class("columns")) { html in
            writeRing(to: &html)
            writeKeys(to: &html)
        }
        html.filter(
            members.query, hint: "name, id or address",
            choices: [
                (
                    "state", "State",
                    [("", "All"), ("alive", "Alive"), ("suspect", "Suspect"), ("dead", "Dead"), ("left", "Left")]
                ),
                ("odd", "Agreement", [("", "All"), ("1", "Gossip and session disagree")]),
            ])
        writeTable(to: &html)
    }

    private func writeRing(to html: inout HTML) {
        html.part("ring", "Gossip") { html in
            html.tag("div", .class("ring-box")) { html in
                if !ring.isEmpty { drawRing(to: &html) }
                html.facts { html in
                    for count in counts {
                        html.fact(count.state) { html in
                            html.mark(Self.tone(count.state))
                            html.text(" " + Numbers.grouped(count.count))
                        }
                    }
                }
            }
            html.tag(
                "p", .class("dim"),
                text:
                    "As this node sees it. Gossip only raises doubts: whether tasks are given up is decided by sessions."
            )
        }
    }

    /// Dots on a circle; turned, not calculated, so that nothing but numbers of degrees is written.
    private func drawRing(to html: inout HTML) {
        let words = counts.map { "\($0.count) \($0.state)" }.joined(separator: ", ")
        html.tag(
            "svg", .class("ring"), .attr("viewBox", "0 0 200 200"), .attr("role", "img"), .label("Members: " + words)
        ) { html in
            html.tag("circle", .class("orbit"), .attr("cx", "100"), .attr("cy", "100"), .attr("r", "80"))
            let size = ring.count > 60 ? "3" : ring.count > 24 ? "4.5" : "7"
            for (index, member) in ring.enumerated() {
                let turn = "rotate(\(HTML.coordinate(360 * Double(index) / Double(ring.count))) 100 100)"
                html.tag("g", .attr("transform", turn)) { html in
                    if ring.count <= 24 {
                        html.tag(
                            "line", .class("spoke"), .attr("x1", "100"), .attr("y1", "100"), .attr("x2", "100"),
                            .attr("y2", "20"))
                    }
                    html.tag(
                        "circle", .class("dot", member.tone.className, member.isSelf ? "own" : ""), .attr("cx", "100"),
                        .attr("cy", "20"), .attr("r", size)
                    ) { html in html.tag("title", text: member.name) }
                }
            }
            let alive = counts.first { $0.state == "alive" }?.count ?? 0
            html.tag(
                "text", .attr("x", "100"), .attr("y", "103"), .attr("text-anchor", "middle"),
                text: "\(Numbers.grouped(alive)) alive")
        }
    }

    private func writeKeys(to html: inout HTML) {
        html.part("keys", "Keys of the gossip", count: keys.count) { html in
            html.facts { html in
                for key in keys {
                    html.fact(key.seals ? "Seals" : "Still opens") { $0.code(key.name) }
                }
                if let revision { html.fact("Revision", String(revision)) }
                html.fact("Nodes without the newest") { html in
                    html.badge(late == 0 ? .good : .busy, late == 0 ? "none" : Numbers.grouped(late))
                }
                if !evicted.isEmpty {
                    html.fact("Shut out") { html in
                        for id in evicted.prefix(20) { html.tag("div") { $0.code(id) } }
                        if evicted.count > 20 { html.text("and \(Numbers.grouped(evicted.count - 20)) more") }
                    }
                }
            }
            html.lines("rondo keys list\nrondo keys rotate gossip")
        }
    }

    private func writeTable(to html: inout HTML) {
        html.part("members", "Members", count: members.matching) { html in
            if members.rows.isEmpty { return html.empty("No such members", "Change the filter.") }
            html.table(
                "Members",
                [
                    .text("Node", sort: "name"), .text("Gossip", sort: "state"), .text("Session"), .text("Role"),
                    .number("Incarnation"), .text("Addresses"), .text("Release"),
                ], members.rows, query: members.query
            ) { cells, row in
                cells.cell { html in
                    if let link = row.link { html.link(row.name, link) } else { html.text(row.name) }
                    html.tag("div", .class("dim")) { $0.code(row.id) }
                }
                cells.cell { html in
                    html.badge(row.tone, row.state ?? "unknown")
                    if let since = row.since {
                        html.tag("div", .class("dim"), text: "for " + Times.span(max(0, since)))
                    }
                    if !row.accusers.isEmpty {
                        html.tag(
                            "div", .class("dim"),
                            text: "says " + row.accusers.prefix(3).joined(separator: ", ")
                                + (row.accusers.count > 3 ? " and \(row.accusers.count - 3) more" : ""))
                    }
                }
                cells.cell { html in
                    if row.isSelf {
                        html.badge(.good, "this node")
                    } else {
                        html.badge(row.hasSession ? .good : .idle, row.hasSession ? "open" : "none")
                    }
                    if let disagreement = row.disagreement {
                        html.tag("div") { $0.badge(.warn, disagreement) }
                    }
                }
                cells.cell { html in
                    html.text(row.role)
                    if row.isLeader { html.chip("leads") }
                    if row.isLate { html.chip("old keys") }
                }
                cells.text(row.incarnation.map { String($0) })
                cells.text(row.addresses.prefix(4).joined(separator: ", "))
                cells.text(row.version)
            }
            html.pager(members, "members")
        }
    }
}
