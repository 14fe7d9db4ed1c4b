import ClusterModel
import Testing

@testable import Console

@Suite("Pages of tasks, jobs, members and the audit log")
struct WorkPageTests {
    private let now = UnixTime(seconds: 1_700_000_000)

    private func html(_ page: some ConsolePage) -> String {
        var html = HTML(HTML.Context(now: now, formToken: "token"))
        page.writeHeading(to: &html)
        page.write(to: &html)
        return String(decoding: html.bytes, as: UTF8.self)
    }

    private func listing<Row>(_ rows: [Row], _ path: String) -> Listing<Row> {
        ListQuery(path: [path], items: [], sorts: ["name"]).listing(rows, of: rows.count)
    }

    private func place(_ name: String, terminal: Bool = true) -> TaskPlace {
        TaskPlace(framework: name, task: name, directory: "/w/" + name, agent: name, hasTerminal: terminal)
    }

    private func taskPage(_ name: String, _ state: TaskState = .running) -> TaskPage {
        var page = TaskPage(place: place(name), name: name, state: state)
        page.stages = [
            .init(at: now, state: .staging, source: "master"),
            .init(
                at: now + .milliseconds(250), state: state, source: name, reason: name, message: name, isHealthy: false),
        ]
        page.owner = (name, .init(name, Link("services", name)))
        page.labels = [(name, name)]
        page.findings = [name]
        page.image = name
        page.command = name
        page.siblings = [.init(task: .init(name, Link("tasks", name)), state: .failed)]
        page.usage = .init(cpuSeconds: 1.5, memory: 5e8, processes: 3)
        page.memoryLimit = 1e9
        page.mayKill = true
        return page
    }

    /// Nothing of a name becomes an element, an attribute or an address elsewhere.
    private func isHarmless(_ text: String) throws {
        let parsed = try #require(MiniParser(text))
        let allowed: Set<String> = [
            "nav", "a", "section", "div", "h2", "span", "svg", "path", "p", "dl", "dt", "dd", "ol", "li", "time",
            "code",
            "table", "caption", "thead", "tbody", "tr", "th", "td", "pre", "button", "form", "input", "label", "select",
            "option", "rect", "circle", "g", "line", "title", "text", "details", "summary",
        ]
        for element in parsed.elements {
            #expect(allowed.contains(element.name), "an element \(element.name)")
            for attribute in element.attributes {
                #expect(!attribute.name.hasPrefix("on"))
                if ["href", "action", "data-log", "data-terminal"].contains(attribute.name) {
                    #expect(attribute.value.hasPrefix("/") && !attribute.value.hasPrefix("//"))
                }
            }
        }
    }

    @Test(arguments: hostileNames) func `hostile names stay names`(name: String) throws {
        try isHarmless(html(taskPage(name)))
        try isHarmless(html(TaskTerminalPage(place: place(name), command: name)))
        try isHarmless(
            html(
                TaskFilesPage(
                    place: place(name), folder: [name, name],
                    entries: [.init(name: name, mode: "drwx", size: 1, changedAt: now, owner: name)])))
        try isHarmless(
            html(
                TaskLogPage(
                    place: place(name), file: "stdout", files: ["stdout"], bytes: Array("\u{1b}[31m\(name)\n".utf8),
                    start: 0,
                    size: 10)))
        let times = JobTimes(id: name, cron: name, zone: name, isEnabled: true, next: [(now, name)])
        var job = JobPage(id: name)
        job.schedules = [times]
        job.problems = [name]
        job.mayRun = true
        job.mayStop = true
        job.active = [
            .init(
                id: name, createdAt: now, word: name, tone: .busy,
                tasks: [.init(id: name, link: Link("tasks", name), log: nil, state: .running, message: name)],
                shortage: name)
        ]
        try isHarmless(html(job))
        try isHarmless(
            html(JobsPage(jobs: listing([.init(id: name, summary: name, times: times, problem: name)], "jobs"))))
        try isHarmless(
            html(
                MembershipPage(
                    members: listing(
                        [.init(id: name, name: name, role: name, addresses: [name], accusers: [name])], "membership"),
                    ring: [(name, .good, true)], evicted: [name])))
        let row = AuditRow(
            place: name, time: name, who: name, from: name, action: name, object: name, result: name, reason: name)
        try isHarmless(html(AuditPage(filter: AuditFilter { _ in name }, rows: [row], older: name)))
        try isHarmless(html(AuditEntryPage(row: row, filter: AuditFilter { _ in name })))
    }

    @Test func `a task shows its history newest first, with what was between`() throws {
        let text = html(taskPage("web.1", .failed))
        let failed = try #require(text.firstRange(of: "after 250 ms"))
        let staging = try #require(text.firstRange(of: "staging"))
        #expect(failed.lowerBound < staging.lowerBound)
        #expect(!text.contains("/ui/tasks/web.1/web.1/kill"))
        #expect(html(taskPage("web.1")).contains("/ui/tasks/web.1/web.1/kill"))
    }

    @Test func `a log in the middle of a file begins with a whole line and leads both ways`() {
        let page = TaskLogPage(
            place: place("t"), file: "stderr", files: ["stdout", "stderr"], bytes: Array("torn\nwhole\n".utf8),
            start: 200_000, size: 900_000)
        let text = html(page)
        #expect(!text.contains("torn") && text.contains("whole"))
        #expect(text.contains("offset=134464") && text.contains("offset=200011"))
    }

    @Test func `a schedule that is off can be switched on, and shows no next times`() {
        var page = JobPage(id: "nightly")
        page.mayRun = true
        page.schedules = [
            JobTimes(id: "s", cron: "0 3 * * *", zone: "Europe/Berlin", isEnabled: false, next: [(now, "Mon")])
        ]
        let text = html(page)
        #expect(text.contains("/ui/jobs/nightly/schedules/s/enable") && !text.contains("Next times"))
        #expect(text.contains("every day at 03:00") && text.contains("Europe/Berlin"))
        page.mayRun = false
        #expect(!html(page).contains("<form"))
    }

    @Test func `gossip and sessions that disagree are pointed at`() {
        typealias Row = MembershipPage.Row
        #expect(Row(id: "a", name: "a", role: "agent", state: "dead", hasSession: true).disagrees)
        #expect(Row(id: "a", name: "a", role: "agent", state: "alive").disagrees)
        #expect(!Row(id: "a", name: "a", role: "agent", state: "alive", hasSession: true).disagrees)
        #expect(!Row(id: "a", name: "a", role: "master", state: "alive").disagrees)
        #expect(!Row(id: "a", name: "a", role: "combined", state: "alive", isSelf: true).disagrees)
    }

    @Test func `a thousand members are a table, paged`() {
        let rows = (0..<1_000).map { MembershipPage.Row(id: "n\($0)", name: "n\($0)", role: "agent", state: "alive") }
        let page = MembershipPage(members: listing(rows, "membership"), counts: [("alive", 1_000)])
        let text = html(page)
        #expect(!text.contains("class=\"ring\"") && text.contains("Page 1 of 20"))
        #expect(text.utf8.count < 60_000)
    }
}
