public import ClusterModel

/// A task as lists show it.
public struct TaskRow: Sendable {
    /// Its id.
    public var id: String
    /// Its name.
    public var name: String
    /// Whose it is.
    public var framework: String
    /// What that is called.
    public var frameworkName: String
    /// The state on the wire.
    public var state: String
    /// What its checks say; nil when nothing.
    public var isHealthy: Bool?
    /// The agent's id.
    public var node: String
    /// The machine's name, as far as it is known.
    public var hostname: String?
    /// Cores.
    public var cpus: Double
    /// MiB of memory.
    public var memory: Double
    /// When its state changed last.
    public var changed: UnixTime?
    /// What its last status said.
    public var message: String?

    /// Makes a row.
    public init(
        id: String, name: String, framework: String, frameworkName: String, state: String, isHealthy: Bool?,
        node: String, hostname: String?, cpus: Double, memory: Double, changed: UnixTime?, message: String?
    ) {
        self.id = id
        self.name = name
        self.framework = framework
        self.frameworkName = frameworkName
        self.state = state
        self.isHealthy = isHealthy
        self.node = node
        self.hostname = hostname
        self.cpus = cpus
        self.memory = memory
        self.changed = changed
        self.message = message
    }
}

/// All tasks that the master knows, the ended ones among them.
public struct TasksPage: ConsolePage {
    /// Which of them.
    public var tasks: Listing<TaskRow>
    /// The frameworks that there are, for the filter.
    public var frameworks: [(id: String, name: String)]

    /// Makes a page.
    public init(tasks: Listing<TaskRow>, frameworks: [(id: String, name: String)]) {
        self.tasks = tasks
        self.frameworks = frameworks
    }

    /// What the list can be sorted by; the first is usual.
    public static let sorts = ["changed", "id", "state", "framework", "node", "cpu", "memory"]
    /// What the filter can choose.
    public static let choices = ["state", "framework"]

    /// See ``ConsolePage``.
    public var title: String { "Tasks" }
    /// See ``ConsolePage``.
    public var section: Section? { .tasks }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.tasks] }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        let states = [
            "running", "staging", "starting", "killing", "unreachable", "finished", "failed", "killed", "lost",
        ]
        html.filter(
            tasks.query, hint: "id, name or node",
            choices: [
                (
                    "state", "State",
                    [("", "Not ended"), ("all", "All states"), ("bad", "Ended badly")] + states.map { ($0, $0) }
                ),
                ("framework", "Framework", [("", "All frameworks")] + frameworks.map { ($0.id, $0.name) }),
            ])
        html.part("tasks") { html in
            if tasks.rows.isEmpty {
                if tasks.all == 0 {
                    html.empty("No tasks", "Start something, for example with:") { $0.code("rondo run 'sleep 60'") }
                } else {
                    html.empty(
                        "No task is like that", "Change the filter; ended tasks are shown when all states are chosen.")
                }
                return
            }
            html.taskTable(tasks, showsNode: true)
            html.pager(tasks, "tasks")
        }
    }
}

extension HTML {
    /// Tasks in a table.
    ///
    /// - Parameters:
    ///   - tasks: which.
    ///   - showsNode: whether it says where they run.
    public mutating func taskTable(_ tasks: Listing<TaskRow>, showsNode: Bool) {
        var columns: [Column] = [.text("Task", sort: "id"), .text("State", sort: "state")]
        columns.append(.text("Framework", sort: "framework"))
        if showsNode { columns.append(.text("Node", sort: "node")) }
        columns += [
            .number("CPU", sort: "cpu"), .number("Memory", sort: "memory"), .text("Changed", sort: "changed"),
        ]
        table("Tasks", columns, tasks.rows, query: tasks.query) { cells, row in
            cells.cell { html in
                html.named(row.name, id: row.id, .task(row.id, of: row.framework))
            }
            let state = States.task(row.state, isHealthy: row.isHealthy)
            cells.cell { html in html.badge(state.tone, state.word, title: row.message) }
            cells.link(row.frameworkName.isEmpty ? row.framework : row.frameworkName, Link("frameworks", row.framework))
            if showsNode { cells.link(row.hostname ?? row.node, .node(row.node)) }
            cells.cell { $0.text(Numbers.short(row.cpus)) }
            cells.cell { $0.text(Numbers.memory(row.memory)) }
            cells.cell { $0.time(row.changed) }
        }
    }
}
