public import ClusterModel

/// One task: how it is, how it came to that, where it is and what it has.
public struct TaskPage: ConsolePage {
    /// A state that the task was in.
    public struct Stage: Sendable {
        /// When.
        public var at: UnixTime
        /// Which.
        public var state: TaskState
        /// Who said so: `agent`, `executor`, `master`.
        public var source: String
        /// Why, in words.
        public var reason: String?
        /// The same for people.
        public var message: String?
        /// What the health check said then.
        public var isHealthy: Bool?

        /// Makes a stage.
        public init(
            at: UnixTime, state: TaskState, source: String, reason: String? = nil, message: String? = nil,
            isHealthy: Bool? = nil
        ) {
            self.at = at
            self.state = state
            self.source = source
            self.reason = reason
            self.message = message
            self.isHealthy = isHealthy
        }
    }

    /// A link with its text.
    public struct Reference: Sendable {
        /// What it says.
        public var text: String
        /// Where it leads; nil for nowhere.
        public var link: Link?

        /// Makes a reference.
        public init(_ text: String, _ link: Link? = nil) {
            self.text = text
            self.link = link
        }
    }

    /// What the task uses now, as its agent counts.
    public struct Usage: Sendable {
        /// Seconds on processors since its start.
        public var cpuSeconds: Double?
        /// Memory in bytes.
        public var memory: Double?
        /// Processes and threads.
        public var processes: Int?

        /// Makes a usage.
        public init(cpuSeconds: Double? = nil, memory: Double? = nil, processes: Int? = nil) {
            self.cpuSeconds = cpuSeconds
            self.memory = memory
            self.processes = processes
        }
    }

    /// Another task of the same group.
    public struct Sibling: Sendable {
        /// Which.
        public var task: Reference
        /// How it is.
        public var state: TaskState

        /// Makes a sibling.
        public init(task: Reference, state: TaskState) {
            self.task = task
            self.state = state
        }
    }

    /// Which task.
    public var place: TaskPlace
    /// Its name.
    public var name: String
    /// How it is.
    public var state: TaskState
    /// What its health check says last; nil where it has none, or has said nothing yet.
    public var isHealthy: Bool?
    /// Whether it has a health check at all.
    public var hasHealthCheck = false
    /// What its readiness check says last.
    public var isReady: Bool?
    /// Whether somebody asked to end it.
    public var isEnding = false
    /// Its states, oldest first.
    public var stages: [Stage] = []
    /// Its framework.
    public var framework = Reference("")
    /// The service or job that it belongs to.
    public var owner: (kind: String, reference: Reference)?
    /// Where it runs.
    public var node = Reference("")
    /// Its role.
    public var role = ""
    /// The account that it runs as.
    public var user = ""
    /// Its container's id.
    public var container: String?
    /// Its image, if it has one.
    public var image: String?
    /// Its command as it is shown: without variables, whose values are often secrets.
    public var command: String?
    /// Its addresses.
    public var addresses: [String] = []
    /// Its ports: the number, and what it is for.
    public var ports: [String] = []
    /// What it holds: the name and the amount.
    public var resources: [(name: String, amount: String)] = []
    /// Memory that it may use, in bytes.
    public var memoryLimit: Double?
    /// What it uses now; nil when its agent does not say.
    public var usage: Usage?
    /// The other tasks of its group.
    public var siblings: [Sibling] = []
    /// Its labels.
    public var labels: [(key: String, value: String)] = []
    /// Why it waits or failed, a sentence each.
    public var findings: [String] = []
    /// Whether the visitor may end it.
    public var mayKill = false

    /// Makes a page without anything but the state.
    public init(place: TaskPlace, name: String, state: TaskState) {
        self.place = place
        self.name = name
        self.state = state
    }

    /// The heading.
    public var title: String { place.task }
    /// The entry of the navigation.
    public var section: Section? { .tasks }
    /// The way to the page.
    public var crumbs: [Crumb] { place.crumbs }
    /// What makes the page stale.
    public var topics: Set<Topic> { [.tasks] }

    /// Writes what stands beside the heading.
    public func writeHeading(to html: inout HTML) {
        html.badge(TaskWords.tone(state, isHealthy: isHealthy), TaskWords.word(state))
        if let isHealthy { html.badge(isHealthy ? .good : .bad, isHealthy ? "healthy" : "not healthy") }
        if let isReady { html.badge(isReady ? .good : .busy, isReady ? "ready" : "not ready yet") }
        if mayKill, !state.isTerminal {
            html.buttonLink(isEnding ? "Kill again" : "Kill", place.link("kill"), .danger)
        }
    }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        place.writeTabs(.details, to: &html)
        if !findings.isEmpty || isEnding {
            html.part("why") { html in
                if isEnding, !state.isTerminal { html.message(.busy, "Somebody has asked it to end.") }
                for finding in findings { html.message(TaskWords.tone(state) == .bad ? .bad : .warn, finding) }
            }
        }
        html.tag("div", .class("columns")) { html in
            writeFacts(to: &html)
            writeResources(to: &html)
        }
        writeHistory(to: &html)
        if !siblings.isEmpty { writeSiblings(to: &html) }
        if !labels.isEmpty {
            html.part("labels", "Labels", count: labels.count) { html in
                html.facts { html in for label in labels { html.fact(label.key, label.value) } }
            }
        }
        html.part("commands", "On the command line") { html in
            html.lines(
                "rondo task show \(place.framework)/\(place.task)\nrondo task logs -f \(place.framework)/\(place.task)"
                    + (place.hasTerminal ? "\nrondo task exec -it \(place.framework)/\(place.task) -- sh" : ""))
        }
    }

    private func writeFacts(to html: inout HTML) {
        html.part("facts", "What it is") { html in
            html.facts { html in
                html.fact("Name", name)
                if let owner { html.fact(owner.kind) { $0.reference(owner.reference) } }
                html.fact("Framework") { $0.reference(framework) }
                html.fact("Node") { $0.reference(node) }
                html.fact("Role", role)
                html.fact("Runs as", user)
                if let image { html.fact("Image") { $0.code(image) } }
                if let command { html.fact("Command") { $0.code(command) } }
                if !addresses.isEmpty { html.fact("Addresses", addresses.joined(separator: ", ")) }
                if !ports.isEmpty { html.fact("Ports", ports.joined(separator: ", ")) }
                if hasHealthCheck, isHealthy == nil, !state.isTerminal { html.fact("Health", "not checked yet") }
                if let container { html.fact("Container") { $0.code(container) } }
            }
        }
    }

    private func writeResources(to html: inout HTML) {
        html.part("resources", "Resources") { html in
            html.facts { html in
                for resource in resources { html.fact(resource.name, resource.amount) }
                guard let usage else { return }
                if let memory = usage.memory {
                    html.fact("Memory now") { html in
                        let used = Numbers.memory(memory / 1_048_576)
                        guard let memoryLimit, memoryLimit > 0 else { return html.text(used) }
                        html.meter(
                            [MeterPiece(.used, memory / memoryLimit)],
                            "\(used) of \(Numbers.memory(memoryLimit / 1_048_576))")
                    }
                }
                if let seconds = usage.cpuSeconds {
                    html.fact("Processor time", Numbers.short(seconds, places: 1) + " s since its start")
                }
                if let processes = usage.processes { html.fact("Processes", Numbers.grouped(processes)) }
            }
        }
    }

    private func writeHistory(to html: inout HTML) {
        html.part("history", "History", count: stages.count) { html in
            if stages.isEmpty {
                return html.empty("Nothing yet", "Its agent has not said anything of it; it was launched a moment ago.")
            }
            html.tag("ol", .class("stages")) { html in
                for (index, stage) in stages.enumerated().reversed() {
                    html.tag("li") { html in
                        html.badge(TaskWords.tone(stage.state, isHealthy: stage.isHealthy), TaskWords.word(stage.state))
                        html.time(stage.at)
                        if index > 0 {
                            let after = stage.at.seconds - stages[index - 1].at.seconds
                            if after >= 0 {
                                html.tag("span", .class("dim"), text: "after \(Self.after(after))")
                            }
                        }
                        let words = [stage.source, stage.reason].compactMap { $0 }.filter { !$0.isEmpty }
                        html.tag("span", .class("dim"), text: words.joined(separator: ": "))
                        if let message = stage.message, !message.isEmpty {
                            html.tag("p", .class("stage-text"), text: message)
                        }
                    }
                }
            }
        }
    }

    /// A span that may be shorter than a second.
    static func after(_ seconds: Double) -> String {
        seconds < 1 ? "\(Int((seconds * 1_000).rounded())) ms" : Times.span(seconds)
    }

    private func writeSiblings(to html: inout HTML) {
        html.part("group", "Tasks of its group", count: siblings.count) { html in
            html.table("Tasks of the same group", [.text("Task"), .text("State")], siblings) { cells, sibling in
                cells.cell { $0.reference(sibling.task) }
                cells.badge(TaskWords.tone(sibling.state), TaskWords.word(sibling.state))
            }
        }
    }
}

extension HTML {
    /// A text that leads somewhere, when there is something.
    mutating func reference(_ reference: TaskPage.Reference) {
        if let link = reference.link { self.link(reference.text, link) } else { textOrDash(reference.text) }
    }
}
