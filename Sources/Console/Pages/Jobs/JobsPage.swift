public import ClusterModel

/// When a job runs.
public struct JobTimes: Sendable {
    /// The schedule's id.
    public var id: String
    /// The cron expression.
    public var cron: String
    /// The time zone's name.
    public var zone: String
    /// Whether it counts.
    public var isEnabled: Bool
    /// Its next times, and what clocks show there then.
    public var next: [(at: UnixTime, local: String)]
    /// How late a run may begin, in seconds.
    public var deadline: Int
    /// Whether a run may begin while another one goes on.
    public var allowsMany: Bool

    /// Makes times.
    public init(
        id: String, cron: String, zone: String, isEnabled: Bool, next: [(at: UnixTime, local: String)],
        deadline: Int = 900, allowsMany: Bool = true
    ) {
        self.id = id
        self.cron = cron
        self.zone = zone
        self.isEnabled = isEnabled
        self.next = next
        self.deadline = deadline
        self.allowsMany = allowsMany
    }
}

/// How a job's last run ended.
public struct JobResult: Sendable {
    /// Whether well.
    public var isSuccess: Bool
    /// When.
    public var at: UnixTime

    /// Makes a result.
    public init(isSuccess: Bool, at: UnixTime) {
        self.isSuccess = isSuccess
        self.at = at
    }
}

/// All jobs.
public struct JobsPage: ConsolePage {
    /// A job.
    public struct Row: Sendable {
        /// Its id.
        public var id: String
        /// What it is for.
        public var summary: String?
        /// When it runs; nil without a schedule.
        public var times: JobTimes?
        /// How its last run ended.
        public var last: JobResult?
        /// Runs that go on.
        public var running: Int
        /// What is wrong with it.
        public var problem: String?

        /// Makes a row.
        public init(
            id: String, summary: String? = nil, times: JobTimes? = nil, last: JobResult? = nil, running: Int = 0,
            problem: String? = nil
        ) {
            self.id = id
            self.summary = summary
            self.times = times
            self.last = last
            self.running = running
            self.problem = problem
        }
    }

    /// The page of the list.
    public var jobs: Listing<Row>

    /// Makes a page.
    public init(jobs: Listing<Row>) { self.jobs = jobs }

    /// The heading.
    public var title: String { "Jobs" }
    /// The entry of the navigation.
    public var section: Section? { .jobs }
    /// What makes the page stale.
    public var topics: Set<Topic> { [.jobs] }

    /// Writes what stands below the heading.
    public func write(to html: inout HTML) {
        html.filter(
            jobs.query, hint: "name",
            choices: [
                (
                    "state", "State",
                    [
                        ("", "All"), ("running", "Running now"), ("failed", "Failed last"),
                        ("scheduled", "With a schedule"),
                    ]
                )
            ])
        html.part("jobs", "Jobs", count: jobs.matching) { html in
            if jobs.rows.isEmpty {
                return html.empty(
                    jobs.all == 0 ? "No jobs" : "No such jobs",
                    jobs.all == 0
                        ? "A job is a command that runs at certain times, or when you say." : "Change the filter."
                ) { html in
                    if jobs.all == 0 { html.lines("rondo job add FILE\nrondo job run NAME") }
                }
            }
            html.table(
                "Jobs",
                [
                    .text("Job", sort: "id"), .text("Runs"), .text("Next", sort: "next"),
                    .text("Last result", sort: "last"), .number("Running", sort: "running"),
                ], jobs.rows, query: jobs.query
            ) { cells, row in
                cells.cell { html in
                    html.link(row.id, Link("jobs", row.id))
                    if let summary = row.summary, !summary.isEmpty {
                        html.tag("div", .class("dim"), text: String(summary.prefix(200)))
                    }
                    if let problem = row.problem {
                        html.tag("div") { $0.badge(.warn, problem) }
                    }
                }
                cells.cell { html in html.times(row.times) }
                cells.cell { html in
                    if let times = row.times, !times.isEnabled { return html.badge(.idle, "disabled") }
                    html.time(row.times?.next.first?.at)
                }
                cells.cell { $0.result(row.last) }
                cells.number(row.running)
            }
            html.pager(jobs, "jobs")
        }
    }
}

extension HTML {
    /// When a job runs, in words.
    mutating func times(_ times: JobTimes?) {
        guard let times else { return tag("span", .class("dim"), text: "when somebody starts it") }
        text(CronWords.text(times.cron))
        tag("div", .class("dim")) { html in
            html.code(times.cron)
            html.text(" " + times.zone)
        }
    }

    /// How a run ended.
    mutating func result(_ result: JobResult?) {
        guard let result else { return textOrDash(nil) }
        badge(result.isSuccess ? .good : .bad, result.isSuccess ? "succeeded" : "failed")
        text(" ")
        time(result.at)
    }
}
