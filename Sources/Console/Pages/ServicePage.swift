public import ClusterModel

/// One service: its instances, what is done with it, why it waits, and what it is made of.
public struct ServicePage: ConsolePage {
    /// An instance.
    public struct Instance: Sendable {
        /// Its id.
        public var id: String
        /// Its tasks: the id, whose it is, and how it is.
        public var tasks: [Task]
        /// What the framework says of it, such as `Running`.
        public var condition: String
        /// The agent's id.
        public var node: String
        /// The machine's name.
        public var hostname: String
        /// What its checks say; nil when nothing.
        public var isHealthy: Bool?
        /// Whether it is of an older definition.
        public var isOutdated: Bool
        /// When it began to run.
        public var started: UnixTime?
        /// Where it is reached.
        public var addresses: [String]
        /// Why a check fails, or what its last update said.
        public var message: String?

        /// Makes an instance.
        public init(
            id: String, tasks: [Task], condition: String, node: String, hostname: String, isHealthy: Bool?,
            isOutdated: Bool, started: UnixTime?, addresses: [String], message: String?
        ) {
            self.id = id
            self.tasks = tasks
            self.condition = condition
            self.node = node
            self.hostname = hostname
            self.isHealthy = isHealthy
            self.isOutdated = isOutdated
            self.started = started
            self.addresses = addresses
            self.message = message
        }
    }

    /// A task of an instance.
    public struct Task: Sendable {
        /// Its id.
        public var id: String
        /// The pod's container; nil for a service.
        public var container: String?

        /// Makes a task.
        public init(id: String, container: String?) {
            self.id = id
            self.container = container
        }
    }

    /// Why it waits.
    public struct Waiting: Sendable {
        /// How many instances wait.
        public var count: Int
        /// Since when.
        public var since: UnixTime
        /// How long it waits after failures, in seconds; 0 when it waits for offers.
        public var delay: Double
        /// How many offers were looked at.
        public var offers: Int
        /// The last offer of each node that could not be used: the machine's name, and what was short.
        public var reasons: [(hostname: String, text: String, at: UnixTime)]

        /// Makes it.
        public init(
            count: Int, since: UnixTime, delay: Double, offers: Int,
            reasons: [(hostname: String, text: String, at: UnixTime)]
        ) {
            self.count = count
            self.since = since
            self.delay = delay
            self.offers = offers
            self.reasons = reasons
        }
    }

    /// The last failure of one of its tasks.
    public struct Failure: Sendable {
        /// The task.
        public var task: String
        /// The state on the wire.
        public var state: String
        /// Why.
        public var message: String
        /// Where.
        public var hostname: String
        /// When.
        public var at: UnixTime

        /// Makes it.
        public init(task: String, state: String, message: String, hostname: String, at: UnixTime) {
            self.task = task
            self.state = state
            self.message = message
            self.hostname = hostname
            self.at = at
        }
    }

    /// What the visitor may do with it.
    public struct Rights: Sendable {
        /// Scale, restart, go back to a version.
        public var change: Bool
        /// Stop and remove.
        public var end: Bool

        /// Makes them.
        public init(change: Bool, end: Bool) {
            self.change = change
            self.end = end
        }
    }

    /// What lists show of it.
    public var service: ServiceRow
    /// The framework that its tasks are of.
    public var framework: String
    /// What the visitor may do.
    public var rights: Rights
    /// What was wrong with the last form.
    public var problem: String?
    /// What works on it.
    public var deployment: DeploymentRow?
    /// Why it waits; nil when it does not.
    public var waiting: Waiting?
    /// Its last failure.
    public var failure: Failure?
    /// Its instances.
    public var instances: Listing<Instance>
    /// What it is made of: names and values.
    public var facts: [(name: String, value: String?)]
    /// Its labels.
    public var labels: [(name: String, value: String)]
    /// Versions that are kept, the newest first, in the form of the interface.
    public var versions: [(text: String, at: UnixTime)]

    /// Makes a page.
    public init(
        service: ServiceRow, framework: String, rights: Rights, problem: String?, deployment: DeploymentRow?,
        waiting: Waiting?, failure: Failure?, instances: Listing<Instance>, facts: [(name: String, value: String?)],
        labels: [(name: String, value: String)], versions: [(text: String, at: UnixTime)]
    ) {
        self.service = service
        self.framework = framework
        self.rights = rights
        self.problem = problem
        self.deployment = deployment
        self.waiting = waiting
        self.failure = failure
        self.instances = instances
        self.facts = facts
        self.labels = labels
        self.versions = versions
    }

    /// See ``ConsolePage``.
    public var title: String { service.id }
    /// See ``ConsolePage``.
    public var section: Section? { .services }
    /// See ``ConsolePage``.
    public var crumbs: [Crumb] { [Crumb("Services", Section.services.link)] }
    /// See ``ConsolePage``.
    public var topics: Set<Topic> { [.services] }

    /// See ``ConsolePage``.
    public func writeHeading(to html: inout HTML) {
        html.badge(service.condition.tone, service.condition.rawValue)
        if service.isPod { html.chip("pod") }
        if let package = service.package { html.chip("from " + package) }
    }

    /// See ``ConsolePage``.
    public func write(to html: inout HTML) {
        if let problem { html.message(.bad, problem) }
        html.part("now") { html in
            html.tag("div", .class("tallies")) { html in
                writeNumber("Instances", service.instances, to: &html)
                writeNumber("Health", service.health ?? "not checked", to: &html)
                writeNumber("CPU", Numbers.short(service.cpus), to: &html)
                writeNumber("Memory", Numbers.memory(service.memory), to: &html)
            }
            if let deployment { html.deployments([deployment]) }
            if let waiting { write(waiting, to: &html) }
            if let failure { write(failure, to: &html) }
        }
        html.part("actions") { html in writeActions(to: &html) }
        html.part("instances", "Instances", count: instances.all) { html in writeInstances(to: &html) }
        html.part("definition", "Definition") { html in
            html.facts { html in
                for fact in facts { html.fact(fact.name, fact.value) }
            }
            if !labels.isEmpty {
                html.tag("details") { html in
                    html.tag("summary", text: labels.count == 1 ? "1 label" : "\(labels.count) labels")
                    html.facts { html in for label in labels { html.fact(label.name, label.value) } }
                }
            }
        }
        html.part("versions", "Versions", count: versions.count) { html in writeVersions(to: &html) }
    }

    private func writeNumber(_ name: String, _ value: String, to html: inout HTML) {
        html.tag("div", .class("tally")) { html in
            html.tag("span", .class("tally-name"), text: name)
            html.tag("span", .class("tally-total"), text: value)
        }
    }

    private func writeActions(to html: inout HTML) {
        html.tag("div", .class("actions")) { html in
            if rights.change, !service.isPod {
                html.form(.service(service.id, "scale"), .class("inline", "scale")) { html in
                    html.tag("label", .attr("for", "scale-instances"), text: "Instances")
                    html.void(
                        "input", .id("scale-instances"), .name("instances"), .type("number"), .attr("min", "0"),
                        .attr("max", "100000"), .attr("step", "1"), .value(String(service.wanted)),
                        .attr("required", ""))
                    html.button("Scale", .primary)
                }
                if service.wanted > 0 { html.buttonLink("Restart…", .service(service.id, "restart")) }
            }
            if rights.change, waiting.map({ $0.delay > 0 }) == true {
                html.form(.service(service.id, "retry"), .class("inline")) { $0.button("Retry now") }
            }
            if rights.end {
                if !service.isPod, service.wanted > 0 { html.buttonLink("Stop…", .service(service.id, "stop")) }
                html.buttonLink("Remove…", .service(service.id, "remove"), .danger)
            }
            if !rights.change, !rights.end {
                html.tag("p", .class("dim"), text: "You may look at this service and not change it.")
            }
        }
    }

    private func write(_ waiting: Waiting, to html: inout HTML) {
        let who = waiting.count == 1 ? "1 instance waits" : "\(waiting.count) instances wait"
        if waiting.delay > 0 {
            html.message(
                .warn, "\(who) for \(Times.span(waiting.delay)) before the next try, because the last ones failed.")
        } else {
            html.message(.warn, "\(who) for an offer that fits. Looked at so far: \(waiting.offers).")
        }
        if waiting.reasons.isEmpty { return }
        html.table(
            "Why offers did not fit", [.text("Node"), .text("What was missing"), .text("When")], waiting.reasons
        ) { cells, row in
            cells.text(row.hostname)
            cells.text(row.text)
            cells.cell { $0.time(row.at) }
        }
    }

    private func write(_ failure: Failure, to html: inout HTML) {
        html.tag("div", .class("message", "bad")) { html in
            html.mark(.bad)
            html.tag("div") { html in
                html.tag("p") { html in
                    html.text("Last failure ")
                    html.time(failure.at)
                    html.text(" on \(failure.hostname): \(States.task(failure.state).word). ")
                    html.link("Task", .task(failure.task, of: framework))
                }
                if !failure.message.isEmpty { html.tag("p", .class("dim"), text: failure.message) }
            }
        }
    }

    private func writeInstances(to html: inout HTML) {
        if instances.rows.isEmpty {
            return html.empty(
                "No instances",
                service.wanted == 0
                    ? "The service is stopped. Scale it to start it." : "They appear when an offer fits.")
        }
        html.table(
            "Instances",
            [
                .text("Instance"), .text("State"), .text("Node"), .text("Reached at"), .text("Started"), .text("Says"),
            ], instances.rows
        ) { cells, row in
            cells.cell { html in
                for (index, task) in row.tasks.enumerated() {
                    if index > 0 { html.void("br") }
                    html.link(task.container ?? row.id, .task(task.id, of: framework))
                }
                if row.tasks.isEmpty { html.text(row.id) }
            }
            cells.cell { html in
                let state = Self.state(row)
                html.badge(state.tone, state.word)
                if row.isOutdated { html.chip("old version") }
            }
            cells.link(row.hostname, .node(row.node))
            cells.cell { html in
                html.tag("span", .class("mono")) { $0.textOrDash(row.addresses.joined(separator: " ")) }
            }
            cells.cell { $0.time(row.started) }
            cells.cell { html in
                html.tag("span", .class("clip"), .title(row.message ?? "")) { $0.textOrDash(row.message) }
            }
        }
        html.pager(instances, "instances")
    }

    /// How an instance looks.
    static func state(_ instance: Instance) -> (tone: Tone, word: String) {
        switch instance.condition {
        case "Running":
            instance.isHealthy.map { $0 ? (.good, "healthy") : (.bad, "unhealthy") } ?? (.good, "running")
        case "Provisioned", "Staging", "Starting": (.busy, instance.condition.lowercased())
        case "Killing": (.busy, "ending")
        case "Unreachable", "UnreachableInactive": (.warn, "unreachable")
        case "Finished", "Killed": (.idle, instance.condition.lowercased())
        default: (.bad, instance.condition.lowercased())
        }
    }

    private func writeVersions(to html: inout HTML) {
        html.table("Versions", [.text("Version"), .text("Made"), .text("")], versions) { cells, row in
            cells.cell { $0.code(row.text) }
            cells.cell { $0.time(row.at) }
            cells.cell { html in
                if row.text == versions.first?.text {
                    html.chip("present")
                } else if rights.change, !service.isPod {
                    html.link(
                        "Go back to it…", .service(service.id, "version", query: [("version", row.text)]))
                }
            }
        }
    }
}
