public import ClusterModel

/// One job: when it runs, what runs now, what became of its runs.
public struct JobPage: ConsolePage {
    /// A task of a run.
    public struct RunTask: Sendable {
        /// The task's id.
        public var id: String
        /// Where its page is; nil when the task is forgotten.
        public var link: Link?
        /// Where its log is.
        public var log: Link?
        /// How it is; nil for a task of a run that has ended.
        public var state: TaskState?
        /// What was said last.
        public var message: String?

        /// Makes a task.
        public init(id: String, link: Link?, log: Link?, state: TaskState? = nil, message: String? = nil) {
            self.id = id
            self.link = link
            self.log = log
            self.state = state
            self.message = message
        }
    }

    /// A run.
    public struct Run: Sendable {
        /// Its id.
        public var id: String
        /// When it was made.
        public var createdAt: UnixTime
        /// When it ended.
        public var finishedAt: UnixTime?
        /// Which time of the schedule it is for.
        public var scheduledFor: UnixTime?
        /// How it is, in a word.
        public var word: String
        /// The same as a colour.
        public var tone: Tone
        /// Its tasks, oldest first.
        public var tasks: [RunTask]
        /// Why it waits.
        public var shortage: String?
        /// Whether somebody has stopped it.
        public var isStopping: Bool

        /// Makes a run.
        public init(
            id: String, createdAt: UnixTime, finishedAt: UnixTime? = nil, scheduledFor: UnixTime? = nil, word: String,
            tone: Tone, tasks: [RunTask], shortage: String? = nil, isStopping: Bool = false
        ) {
            self.id = id
            self.createdAt = createdAt
            self.finishedAt = finishedAt
            self.scheduledFor = scheduledFor
            self.word = word
            self.tone = tone
            self.tasks = tasks
            self.shortage = shortage
            self.isStopping = isStopping
        }
    }

    /// The job's id.
    public var id: String
    /// What it is for.
    public var summary: String?
    /// When it runs.
    public var schedules: [JobTimes] = []
    /// Jobs after whose success it runs.
    public var dependencies: [String] = []
    /// Runs that go on.
    public var active: [Run] = []
    /// Runs that have ended, the newest first.
    public var history: [Run] = []
    /// How many runs ended well, and how many did not.
    public var successes = 0
    /// See ``successes``.
    public var failures = 0
    /// What runs: the name and the value.
    public var facts: [(name: String, value: String)] = []
    /// What is wrong, a sentence each.
    public var problems: [String] = []
    /// What was refused just now.
    public var refusal: String?
    /// Whether the visitor may start runs and change the job.
    public var mayRun = false
    /// Whether the visitor may stop runs and remove the job.
    public var mayStop = false

    /// Makes a page without anything but the id.
    public init(id: String) { self.id = id }

    /// The heading.
    public var title: String { id }
    /// The entry of the navigation.
    public var section: Section? { .jobs }
    /// The way to the page.
    public var crumbs: [Crumb] { [Crumb("Jobs", Section.jobs.link)] }
    /// What makes the page stale.
    public var topics: Set<Topic> { [.jobs] }

    /// Writes what stands beside the heading.
    public func writeHeading(to html: inout HTML) {
        if !active.isEmpty { html.badge(.busy, active.count == 1 ? "running" : "\(active.count) runs") }
        if mayRun {
            html.form(Link("jobs", id, "run"), .class("inline")) { $0.button("Run now", .primary) }
        }
        if mayStop { html.buttonLink("Remove…", Link("jobs", id, "remove"), .danger) }
    }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        if let refusal { html.message(.bad, refusal) }
        if !problems.isEmpty {
            html.part("why") { html in for problem in problems { html.message(.warn, problem) } }
        }
        if let summary, !summary.isEmpty { html.tag("p", text: summary) }
        writeRuns("active", "Running now", active, to: &html)
        html.tag("div", .class("columns")) { html in
            writeSchedules(to: &html)
            html.part("facts", "What runs") { html in
                html.facts { html in
                    for fact in facts { html.fact(fact.name, fact.value) }
                    if !dependencies.isEmpty {
                        html.fact("After") { html in
                            for (index, parent) in dependencies.enumerated() {
                                if index > 0 { html.text(", ") }
                                html.link(parent, Link("jobs", parent))
                            }
                        }
                    }
                }
            }
        }
        writeRuns("history", "History", history, to: &html)
    }

    private func writeSchedules(to html: inout HTML) {
        html.part("schedules", "Schedule") { html in
            if schedules.isEmpty {
                return html.empty(
                    "No schedule",
                    dependencies.isEmpty
                        ? "It runs when somebody starts it."
                        : "It runs when all jobs that it depends on have succeeded.")
            }
            for times in schedules {
                html.facts { html in
                    html.fact("Runs") { $0.times(times) }
                    html.fact("Is") { html in
                        html.badge(times.isEnabled ? .good : .idle, times.isEnabled ? "enabled" : "disabled")
                    }
                    html.fact("Begins at most", Times.span(Double(times.deadline)) + " late")
                    html.fact(
                        "Beside others",
                        times.allowsMany
                            ? "runs also while an earlier run goes on" : "leaves a time out while a run goes on")
                }
                if times.isEnabled, !times.next.isEmpty {
                    html.tag("p", .class("dim"), text: "Next times (\(times.zone))")
                    html.tag("ol", .class("next-times")) { html in
                        for next in times.next {
                            html.tag("li") { html in
                                html.text(next.local + " – ")
                                html.time(next.at)
                            }
                        }
                    }
                }
                if mayRun {
                    let verb = times.isEnabled ? "disable" : "enable"
                    html.form(Link("jobs", id, "schedules", times.id, verb), .class("actions")) { html in
                        html.button(times.isEnabled ? "Disable the schedule" : "Enable the schedule")
                    }
                }
            }
        }
    }

    private func writeRuns(_ part: String, _ title: String, _ runs: [Run], to html: inout HTML) {
        let isHistory = part == "history"
        html.part(part, title, count: isHistory ? successes + failures : runs.count) { html in
            if isHistory, successes + failures > 0 {
                html.tag(
                    "p", .class("dim"),
                    text: "\(Numbers.grouped(successes)) succeeded, \(Numbers.grouped(failures)) failed; the last runs:"
                )
            }
            if runs.isEmpty {
                return html.empty(
                    isHistory ? "No run has ended yet" : "Nothing runs",
                    isHistory ? "What became of runs is kept here." : "Start a run to see it here.")
            }
            html.table(
                title,
                [
                    .text("Run"), .text("State"), .text(isHistory ? "Ended" : "Began"), .text("Took"), .text("Tasks"),
                    .text(""),
                ],
                runs
            ) { cells, run in
                cells.cell { $0.code(run.id) }
                cells.cell { html in
                    html.badge(run.isStopping ? .busy : run.tone, run.isStopping ? "stopping" : run.word)
                    if let shortage = run.shortage { html.tag("div", .class("dim"), text: shortage) }
                }
                cells.cell { $0.time(run.finishedAt ?? run.createdAt) }
                cells.text(
                    run.finishedAt.map { TaskPage.after(max(0, $0.seconds - run.createdAt.seconds)) })
                cells.cell { html in writeTasks(run, to: &html) }
                cells.cell { html in
                    guard !isHistory, mayStop, !run.isStopping else { return }
                    html.form(Link("jobs", id, "runs", run.id, "stop"), .class("inline")) { $0.button("Stop", .danger) }
                }
            }
        }
    }

    private func writeTasks(_ run: Run, to html: inout HTML) {
        if run.tasks.isEmpty { return html.textOrDash(nil) }
        for task in run.tasks.suffix(5) {
            html.tag("div") { html in
                if let state = task.state { html.badge(TaskWords.tone(state), TaskWords.word(state)) }
                html.reference(.init(task.id, task.link))
                if let log = task.log {
                    html.text(" ")
                    html.link("log", log)
                }
                if let message = task.message, !message.isEmpty {
                    html.tag("div", .class("dim"), text: String(message.prefix(500)))
                }
            }
        }
    }
}
