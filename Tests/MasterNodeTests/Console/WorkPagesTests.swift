import ClusterModel
import HTTPGateway
import HTTPTypes
import NIOCore
import StateStore
import Testing
import Transport

@testable import MasterNode

/// Pages of tasks, jobs, members and the audit log on a real master: what they show, whom, and what their forms take.
@Suite("The console's pages of work", .timeLimit(.minutes(3)))
struct WorkPagesTests {
    private func text(_ response: HTTPCaller.Response) -> String { String(buffer: response.bytes) }

    private func token(_ html: String) throws -> String {
        let start = try #require(html.firstRange(of: "name=\"form-token\" value=\"")).upperBound
        return String(html[start...].prefix { $0 != "\"" })
    }

    private func send(
        _ fixture: MasterFixture, _ path: String, _ fields: String, headers: HTTPFields = [:]
    ) async throws -> HTTPCaller.Response {
        try await fixture.post(path, fields, type: "application/x-www-form-urlencoded", headers: headers)
    }

    private func makeJob(_ fixture: MasterFixture, headers: HTTPFields = [:]) async throws {
        for (path, body) in [
            ("", #"{"id":"night.backup","run":{"cmd":"true","cpus":0.5,"mem":64,"disk":0}}"#),
            ("/night.backup/schedules", #"{"id":"s","cron":"30 3 * * *","timezone":"UTC","enabled":true}"#),
        ] {
            let made = try await fixture.post("/service/metronome/v1/jobs" + path, body, headers: headers)
            try #require(made.status == .created, "\(text(made))")
        }
    }

    @Test func `a job can be run, its schedule switched off, and it can be removed after a question`() async throws {
        try await MasterFixture.with(change: { $0.servesJobs = true }) { fixture in
            try await makeJob(fixture)
            let list = text(try await fixture.get("/ui/jobs"))
            #expect(list.contains("night.backup") && list.contains("every day at 03:30"))
            let job = text(try await fixture.get("/ui/jobs/night.backup"))
            let form = "form-token=" + (try token(job))
            #expect(try await send(fixture, "/ui/jobs/night.backup/run", "").status == .forbidden)
            #expect(try await send(fixture, "/ui/jobs/night.backup/run", "form-token=0").status == .forbidden)
            let run = try await send(fixture, "/ui/jobs/night.backup/run", form)
            #expect(run.status == .seeOther)
            #expect(run.headers[.location] == "/ui/jobs/night.backup?notice=started")
            let shown = text(try await fixture.get("/ui/jobs/night.backup"))
            let start = try #require(shown.firstRange(of: "/ui/jobs/night.backup/runs/")).upperBound
            let id = String(shown[start...].prefix { $0 != "/" })
            #expect(try await send(fixture, "/ui/jobs/night.backup/runs/\(id)/stop", form).status == .seeOther)
            #expect(try await send(fixture, "/ui/jobs/night.backup/runs/none/stop", form).status == .notFound)
            let off = try await send(fixture, "/ui/jobs/night.backup/schedules/s/disable", form)
            #expect(off.status == .seeOther)
            let document = try JSONNode(
                try await fixture.get("/service/metronome/v1/jobs/night.backup/schedules/s").bytes)
            #expect(document["enabled"]?.bool == false)
            let night = try await fixture.get("/ui/jobs/night.backup")
            #expect(text(night).contains("Enable the schedule"))
            let question = try await fixture.get("/ui/jobs/night.backup/remove")
            #expect(text(question).contains("Remove night.backup?"))
            #expect(try await fixture.get("/service/metronome/v1/jobs/night.backup").status == .ok)
            #expect(try await send(fixture, "/ui/jobs/night.backup/remove", form).status == .seeOther)
            #expect(try await fixture.get("/service/metronome/v1/jobs/night.backup").status == .notFound)
            #expect(try await fixture.get("/ui/jobs/night.backup").status == .notFound)
        }
    }

    @Test func `a task has pages, and is killed after a question only`() async throws {
        try await MasterFixture.with(change: { $0.servesJobs = true }) { fixture in
            try await makeJob(fixture)
            _ = try await fixture.post("/service/metronome/v1/jobs/night.backup/runs", "{}")
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            _ = try await agent.report(launch, .running)
            let path = "/ui/tasks/\(launch.frameworkID)/\(launch.task.taskID)"
            let page = text(try await fixture.get(path))
            #expect(page.contains(launch.task.taskID.value) && page.contains("/ui/jobs/night.backup"))
            #expect(page.contains("TASK") == false)
            let short = try await fixture.get("/ui/tasks/\(launch.task.taskID)")
            #expect(short.headers[.location] == path)
            #expect(try await fixture.get(path + "/nothing").status == .notFound)
            #expect(try await fixture.get("/ui/tasks/none/\(launch.task.taskID)").status == .notFound)
            let question = text(try await fixture.get(path + "/kill"))
            #expect(question.contains("Kill the task"))
            #expect(try await send(fixture, path + "/kill", "").status == .forbidden)
            let other = try await send(
                fixture, path + "/kill", "form-token=" + (try token(question)),
                headers: [.origin: "https://evil.example"])
            #expect(other.status == .forbidden)
            #expect(try await send(fixture, path + "/kill", "form-token=" + (try token(question))).status == .seeOther)
            while true {
                if case .kill(let key, _, _) = try await agent.event() {
                    #expect(key.task == launch.task.taskID)
                    break
                }
            }
        }
    }

    @Test func `terminals are nobody else's, and need a form of this session`() async throws {
        try await MasterFixture.with(change: { $0.servesJobs = true }) { fixture in
            try await makeJob(fixture)
            _ = try await fixture.post("/service/metronome/v1/jobs/night.backup/runs", "{}")
            var agent = try await FakeAgent.register(with: fixture)
            let launch = try await agent.launch()
            _ = try await agent.report(launch, .running)
            let path = "/ui/tasks/\(launch.frameworkID)/\(launch.task.taskID)/terminal"
            #expect(try await send(fixture, path, "command=sh").status == .forbidden)
            #expect(try await fixture.get(path + "/0123/output").status == .notFound)
            #expect(try await fixture.get(path + "/0123").status == .notFound)
            let now = fixture.node.clock.now().elapsed
            let terminal = ConsoleTerminal(
                id: "0123", task: launch.key, role: launch.role, owner: "user:somebody", now: now)
            #expect(fixture.node.console.terminals.add(terminal))
            #expect(try await fixture.get(path + "/0123").status == .notFound)
            terminal.finish("over")
        }
    }

    @Test func `the audit log is for those who may read it, newest first and by the page`() async throws {
        try await SecuredMaster.with { master in
            let fixture = master.fixture
            let viewer = try await master.user("vera", roles: ["viewer"])
            for number in 0..<70 { _ = try await master.put("shelf/s\(number)", "v") }
            #expect(try await fixture.get("/ui/audit", headers: viewer).status == .forbidden)
            let first = text(try await fixture.get("/ui/audit?action=secret", headers: master.administrator))
            #expect(first.contains("shelf/s69") && first.contains("shelf/s20") && !first.contains("shelf/s19"))
            let start = try #require(first.firstRange(of: "before=")).upperBound
            let place = String(first[start...].prefix { $0 != "\"" && $0 != "&" })
            let second = text(
                try await fixture.get("/ui/audit?action=secret&before=\(place)", headers: master.administrator))
            #expect(second.contains("shelf/s19") && second.contains("shelf/s0") && !second.contains("shelf/s20"))
            #expect(!second.contains("Older"))
            let found = text(try await fixture.get("/ui/audit?object=s33", headers: master.administrator))
            let entry = try #require(found.firstRange(of: "entry=")).upperBound
            let detail = String(found[entry...].prefix { $0 != "\"" && $0 != "&" })
            let page = text(try await fixture.get("/ui/audit?entry=\(detail)", headers: master.administrator))
            #expect(page.contains("shelf/s33") && page.contains("Place in the log"))
            #expect(try await fixture.get("/ui/audit?entry=9-9", headers: master.administrator).status == .notFound)
            let none = text(try await fixture.get("/ui/audit?who=nobody", headers: master.administrator))
            #expect(none.contains("No entries"))
        }
    }

    @Test func `the membership shows who was let in, and says when there is none`() async throws {
        try await MasterFixture.with { fixture in
            let page = try await fixture.get("/ui/membership")
            #expect(text(page).contains("No membership"))
        }
        try await SecuredMaster.with { master in
            let page = text(try await master.fixture.get("/ui/membership", headers: master.administrator))
            #expect(page.contains("Keys of the gossip") && page.contains("Seals"))
        }
    }
}
