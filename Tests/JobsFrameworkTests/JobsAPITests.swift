import ClusterModel
import HTTPTypes
import JobsFramework
import StateStore
import Testing

@Suite("Metronome's interface", .timeLimit(.minutes(2)))
struct JobsAPITests {
    static let minimal = #"{"id":"prod.app","run":{"cmd":"sleep 1","cpus":0.1,"mem":32,"disk":0}}"#

    @Test func `a job is made, shown with defaults, changed and deleted`() async throws {
        try await JobsAPIFixture.with { api in
            let made = try await api.call(.post, "/v1/jobs", Self.minimal)
            #expect(made.status == 201)
            #expect(made.body["id"] == .text("prod.app"))
            // Earlier clients know none of these.
            for field in ["dependencies", "schedules"] { #expect(made.body[field] == nil) }
            for field in ["gpus", "secrets", "networks", "ucr", "docker"] { #expect(made.body["run"]?[field] == nil) }
            #expect(made.body["labels"] == .object([:]))
            #expect(made.body["description"] == nil)
            let run = try #require(made.body["run"])
            #expect(run["maxLaunchDelay"] == .number(3_600))
            #expect(run["restart"] == .object(["policy": .text("NEVER")]))
            #expect(run["placement"] == .object(["constraints": .list([])]))
            let again = try await api.call(.post, "/v1/jobs", Self.minimal)
            #expect(again.status == 409)
            #expect(again.body["message"] == .text("Job with this id already exists"))
            let one = try await api.call(.get, "/v1/jobs/prod.app")
            #expect(one.status == 200)
            #expect(one.body["historySummary"] == nil && one.body["schedules"] == nil && one.body["activeRuns"] == nil)
            // The id of the path counts.
            let changed = try await api.call(
                .put, "/v1/jobs/prod.app",
                #"{"id":"other","description":"x","run":{"cmd":"true","cpus":1,"mem":64,"disk":1}}"#)
            #expect(changed.status == 200)
            #expect(changed.body["id"] == .text("prod.app"))
            #expect(changed.body["description"] == .text("x"))
            #expect(try await api.call(.get, "/v1/jobs").body.count == 1)
            #expect(try await api.call(.delete, "/v1/jobs/prod.app").status == 200)
            let gone = try await api.call(.get, "/v1/jobs/prod.app")
            #expect(gone.status == 404)
            #expect(gone.body == .object(["id": .text("prod.app"), "message": .text("Job not found")]))
            #expect(try await api.call(.put, "/v1/jobs/prod.app", Self.minimal).status == 404)
            #expect(try await api.call(.delete, "/v1/jobs/prod.app").status == 404)
        }
    }

    @Test func `schedules come and go, and say when they come next`() async throws {
        try await JobsAPIFixture.with { api in
            _ = try await api.call(.post, "/v1/jobs", Self.minimal)
            let path = "/v1/jobs/prod.app/schedules"
            #expect(try await api.call(.get, path).body == .list([]))
            let made = try await api.call(
                .post, path, #"{"id":"default","cron":"0 12 * * *","timezone":"Europe/Berlin"}"#)
            #expect(made.status == 201)
            #expect(
                made.body
                    == .object([
                        "id": .text("default"), "cron": .text("0 12 * * *"), "timezone": .text("Europe/Berlin"),
                        "startingDeadlineSeconds": .number(900), "concurrencyPolicy": .text("ALLOW"),
                        "enabled": .flag(true), "nextRunAt": .text("2023-11-15T11:00:00.000+0000"),
                    ]))
            #expect(try await api.call(.post, path, #"{"id":"default","cron":"0 1 * * *"}"#).status == 409)
            #expect(try await api.call(.post, path, #"{"id":"second","cron":"0 1 * * *"}"#).status == 409)
            let changed = try await api.call(.put, path + "/default", #"{"cron":"30 1 * * *","enabled":false}"#)
            #expect(changed.status == 200)
            #expect(changed.body["nextRunAt"] == .text("2023-11-15T01:30:00.000+0000"))
            #expect(try await api.call(.put, path + "/none", #"{"cron":"30 1 * * *"}"#).status == 404)
            #expect(try await api.call(.get, path + "/default").body["enabled"] == .flag(false))
            #expect(try await api.call(.get, path).body.count == 1)
            let shown = try await api.call(.get, "/v1/jobs/prod.app?embed=schedules&embed=historySummary")
            #expect(shown.body["schedules"]?.count == 1)
            #expect(shown.body["historySummary"]?["lastSuccessAt"] == .null)
            // A change of the job keeps it.
            _ = try await api.call(.put, "/v1/jobs/prod.app", Self.minimal)
            #expect(try await api.call(.get, path).body.count == 1)
            #expect(try await api.call(.delete, path + "/default").status == 200)
            #expect(try await api.call(.delete, path + "/default").status == 404)
            #expect(try await api.call(.get, path + "/default").body["message"] == .text("Schedule not found"))
            let zone = try await api.call(
                .post, path, #"{"id":"default","cron":"0 1 * * *","timezone":"Mars/Olympus"}"#)
            #expect(zone.status == 422)
            #expect(zone.body.paths == ["/timezone"])
        }
    }

    @Test func `runs start, wait in the queue, and are stopped`() async throws {
        try await JobsAPIFixture.with { api in
            _ = try await api.call(.post, "/v1/jobs", Self.minimal)
            let started = try await api.call(.post, "/v1/jobs/prod.app/runs")
            #expect(started.status == 201)
            let id = try #require(started.body["id"]?.text)
            #expect(id.hasPrefix("20231114"))
            #expect(started.body["jobId"] == .text("prod.app"))
            #expect(started.body["status"] == .text("STARTING"))
            #expect(started.body["completedAt"] == .null)
            #expect(started.body["tasks"] == .list([]))
            #expect(started.body["createdAt"]?.text?.hasSuffix("+0000") == true)
            #expect(started.body["createdAt"]?.text?.utf8.count == 28)
            #expect(try await api.call(.get, "/v1/jobs/prod.app/runs").body.count == 1)
            #expect(try await api.call(.get, "/v1/jobs/prod.app/runs/\(id)").body["id"] == .text(id))
            let queue = try await api.call(.get, "/v1/queue")
            #expect(queue.body[0]?["jobId"] == .text("prod.app"))
            #expect(queue.body[0]?["runs"]?[0]?["runId"] == .text(id))
            #expect(try await api.call(.get, "/v1/jobs?embed=activeRuns").body[0]?["activeRuns"]?.count == 1)
            #expect(try await api.call(.delete, "/v1/jobs/prod.app").status == 409)
            let stopped = try await api.call(.post, "/v1/jobs/prod.app/runs/\(id)/actions/stop")
            #expect(stopped.status == 200)
            #expect(stopped.body["status"] == .text("FAILED"))
            let gone = try await api.call(.get, "/v1/jobs/prod.app/runs/\(id)")
            #expect(gone.status == 404)
            #expect(gone.body["message"] == .text("Job Run not found"))
            let shown = try await api.call(.get, "/v1/jobs/prod.app?embed=history&embed=activeRuns")
            #expect(shown.body["activeRuns"] == nil)
            #expect(shown.body["history"]?["failureCount"] == .number(1))
            #expect(shown.body["history"]?["failedFinishedRuns"]?[0]?["id"] == .text(id))
            #expect(shown.body["history"]?["successfulFinishedRuns"] == .list([]))
            _ = try await api.call(.post, "/v1/jobs/prod.app/runs")
            #expect(try await api.call(.delete, "/v1/jobs/prod.app?stopCurrentJobRuns=True").status == 200)
            #expect(try await api.call(.post, "/v1/jobs/prod.app/runs").status == 404)
        }
    }

    @Test func `version 0 takes jobs with their schedules`() async throws {
        try await JobsAPIFixture.with { api in
            let body =
                #"{"id":"a","schedules":[{"id":"default","cron":"0 1 * * *"}],"run":{"cmd":"x","cpus":1,"mem":32,"disk":0}}"#
            #expect(try await api.call(.post, "/v1/jobs", body).status == 422)
            let made = try await api.call(.post, "/v0/scheduled-jobs", body)
            #expect(made.status == 201)
            #expect(made.body["schedules"]?.count == 1)
            #expect(try await api.call(.put, "/v0/scheduled-jobs/a", Self.minimal).body["schedules"] == nil)
        }
    }

    @Test func `what is answered is there after a restart`() async throws {
        let store = MemoryStore()
        var id = ""
        try await JobsAPIFixture.with(store: store) { api in
            _ = try await api.call(.post, "/v1/jobs", Self.minimal)
            _ = try await api.call(.post, "/v1/jobs/prod.app/schedules", #"{"id":"default","cron":"0 1 * * *"}"#)
            id = try #require(try await api.call(.post, "/v1/jobs/prod.app/runs").body["id"]?.text)
        }
        try await JobsAPIFixture.with(store: store) { api in
            let shown = try await api.call(.get, "/v1/jobs/prod.app?embed=schedules&embed=activeRuns")
            #expect(shown.body["schedules"]?.count == 1)
            #expect(shown.body["activeRuns"]?[0]?["id"] == .text(id))
        }
    }

    @Test func `there is nothing elsewhere, and the small routes answer`() async throws {
        try await JobsAPIFixture.with { api in
            let nothing = try await api.call(.get, "/v1/nothing")
            #expect(nothing.status == 404)
            #expect(try await api.call(.get, "/v1/jobs?embed=everything").status == 400)
            #expect(try await api.call(.get, "/v1/info").body["version"] == .text("1.2.3"))
            #expect(try await api.call(.get, "/leader").body["leader"] == .text("127.0.0.1:5050"))
            #expect(try await api.call(.get, "/ping").status == 200)
            #expect(JobsFramework.methods(of: ["v1", "jobs"])?.contains(.post) == true)
            #expect(JobsFramework.methods(of: ["v1", "jobs", "a", "runs", "b", "actions", "stop"]) == [.post])
            #expect(JobsFramework.methods(of: []) == nil)
        }
    }

    @Test func `who makes or starts a job needs what it would need to run it`() async throws {
        try await JobsAPIFixture.with { api in
            let secret =
                #"{"id":"s","run":{"cmd":"x","cpus":1,"mem":32,"disk":0,"user":"root","env":{"A":{"secret":"k"}},"secrets":{"k":{"source":"web/key"}}}}"#
            for right in ["task.run-as:root", "secret.read:web/key", "framework.register:*"] {
                await #expect(throws: (any Error).self) {
                    try await api.call(.post, "/v1/jobs", secret, as: TestVisitor(denied: [right]))
                }
            }
            #expect(try await api.call(.post, "/v1/jobs", secret).status == 201)
            await #expect(throws: (any Error).self) {
                try await api.call(.post, "/v1/jobs/s/runs", as: TestVisitor(denied: ["task.run-as"]))
            }
            await #expect(throws: (any Error).self) {
                try await api.call(.delete, "/v1/jobs/s", as: TestVisitor(denied: ["task.kill"]))
            }
            let hidden = try await api.call(.get, "/v1/jobs/s", as: TestVisitor(denied: ["view.environments"]))
            #expect(hidden.body["run"]?["env"] == .object([:]))
        }
    }
}
