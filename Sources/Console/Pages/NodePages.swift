public import ClusterModel

/// A node as lists show it.
public struct NodeRow: Sendable {
    /// The agent's id.
    public var id: String
    /// The machine's name.
    public var hostname: String
    /// Address and port.
    public var address: String
    /// `connected`, `unreachable` …
    public var state: String
    /// Cores.
    public var cpus: Amount
    /// Memory.
    public var memory: Amount
    /// Tasks that hold something there.
    public var tasks: Int
    /// When it registered last.
    public var since: UnixTime?

    /// Makes a row.
    public init(
        id: String, hostname: String, address: String, state: String, cpus: Amount, memory: Amount, tasks: Int,
        since: UnixTime?
    ) {
        self.id = id
        self.hostname = hostname
        self.address = address
        self.state = state
        self.cpus = cpus
        self.memory = memory
        self.tasks = tasks
        self.since = since
    }
}

/// All nodes.
public struct NodesPage: ConsolePage {
    /// Which of them.
    public var nodes: Listing<NodeRow>

    /// Makes a page.
    public init(nodes: Listing<NodeRow>) { self.nodes = nodes }

    /// What the list can be sorted by; the first is usual.
    public static let sorts = ["name", "state", "cpu", "memory", "tasks", "since"]

    /// See ``ConsolePage``.
    public var title: String { "Nodes" }
    /// See ``ConsolePage``.
    public var section: Section? { .nodes }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.nodes, .tasks] }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        let states = ["connected", "disconnected", "recovered", "unreachable", "gone"]
        html.filter(
            nodes.query, hint: "name, address or id",
            choices: [("state", "State", [("", "All states")] + states.map { ($0, $0) })])
        html.part("nodes") { html in
            if nodes.rows.isEmpty {
                if nodes.all == 0 {
                    html.empty("No nodes yet", "On a machine that shall take part, with a token of this cluster:") {
                        $0.code("rondo cluster join")
                    }
                } else {
                    html.empty("No node is like that", "Change the filter.")
                }
                return
            }
            html.table(
                "Nodes",
                [
                    .text("Node", sort: "name"), .text("State", sort: "state"), .text("CPU", sort: "cpu"),
                    .text("Memory", sort: "memory"), .number("Tasks", sort: "tasks"), .text("Address"),
                    .text("Registered", sort: "since"),
                ], nodes.rows, query: nodes.query
            ) { cells, row in
                cells.link(row.hostname, .node(row.id))
                cells.badge(States.node(row.state), row.state)
                cells.cell { $0.meter(row.cpus) }
                cells.cell { $0.meter(row.memory) }
                cells.number(row.tasks)
                cells.text(row.address)
                cells.cell { $0.time(row.since) }
            }
            html.pager(nodes, "nodes")
        }
    }
}

/// One node.
public struct NodePage: ConsolePage {
    /// What lists show of it.
    public var node: NodeRow
    /// The release of its agent.
    public var version: String
    /// When it registered first.
    public var registered: UnixTime
    /// Where it is: region and zone.
    public var domain: String?
    /// All scalars.
    public var amounts: [Amount]
    /// Ports that it gives away, and those in use.
    public var ports: String?
    /// What is reserved there, by role.
    public var reservations: [(role: String, resources: String)]
    /// What it says of itself.
    public var attributes: [(name: String, value: String)]
    /// Its tasks.
    public var tasks: Listing<TaskRow>

    /// Makes a page.
    public init(
        node: NodeRow, version: String, registered: UnixTime, domain: String?, amounts: [Amount], ports: String?,
        reservations: [(role: String, resources: String)], attributes: [(name: String, value: String)],
        tasks: Listing<TaskRow>
    ) {
        self.node = node
        self.version = version
        self.registered = registered
        self.domain = domain
        self.amounts = amounts
        self.ports = ports
        self.reservations = reservations
        self.attributes = attributes
        self.tasks = tasks
    }

    /// See ``ConsolePage``.
    public var title: String { node.hostname }
    /// See ``ConsolePage``.
    public var section: Section? { .nodes }
    /// See ``ConsolePage``.
    public var crumbs: [Crumb] { [Crumb("Nodes", Section.nodes.link)] }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.nodes, .tasks] }

    /// See ``ConsolePage``.
    public func writeHeading(to html: inout HTML) { html.badge(States.node(node.state), node.state) }

    /// What the state means, where it is not as it should be.
    private var advice: String? {
        switch node.state {
        case "recovered": "The master was started anew and waits for this node to come back."
        case "disconnected": "Its connection is broken. Nothing is offered; its tasks are waited for."
        case "unreachable":
            "It was silent for too long. Its tasks may still run there; they are known again when it comes back."
        case "gone": "It was declared dead for good and may not come back."
        default: nil
        }
    }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        html.part("node") { html in
            if let advice { html.message(States.node(node.state), advice) }
            html.gauges(amounts)
            html.facts { html in
                html.fact("Address", node.address)
                html.fact("Agent's id") { $0.code(node.id) }
                html.fact("Release", version)
                html.fact("Registered") { $0.time(registered) }
                html.fact("Came back") { $0.time(node.since == registered ? nil : node.since) }
                if let domain { html.fact("Domain", domain) }
                if let ports { html.fact("Ports", ports) }
                for attribute in attributes { html.fact(attribute.name, attribute.value) }
            }
        }
        if !reservations.isEmpty {
            html.part("reservations", "Reserved", count: reservations.count) { html in
                html.table("Reservations", [.text("Role"), .text("Resources")], reservations) { cells, row in
                    cells.text(row.role)
                    cells.text(row.resources)
                }
            }
        }
        html.part("tasks", "Tasks", count: tasks.all) { html in
            if tasks.rows.isEmpty { return html.empty("No tasks", "Nothing runs on this node.") }
            html.taskTable(tasks, showsNode: false)
            html.pager(tasks, "tasks")
        }
    }
}
