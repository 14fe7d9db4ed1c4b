import Appliance
import ArgumentParser
import Testing

@testable import OperatorCommands

/// What `rondo job` sends, and how it shows what comes back.
struct JobCommandTests {
    private func body(_ words: [String]) throws -> String {
        let command = try #require(try RondoCommand.parseAsRoot(["job", "add"] + words) as? JobAdd)
        return String(decoding: try command.body().encoded(), as: UTF8.self)
    }

    @Test func `words after two dashes are one line for the shell, each as it was`() throws {
        let text = try body(["night.backup", "--", "sh", "-c", "echo \"$A\" 'b'", ""])
        #expect(
            text
                == #"{"id":"night.backup","run":{"cmd":"sh -c 'echo \"$A\" '\\''b'\\''' ''","cpus":0.1,"disk":0,"mem":32}}"#
        )
    }

    @Test func `a job in an image has its words as arguments, its variables, its schedule`() throws {
        let text = try body([
            "import", "--image", "tools:3", "--cpus", "2", "--mem", "64", "--env", "A=b=c", "--restart", "--user",
            "web",
            "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--description", "all", "--", "/bin/import", "--all",
        ])
        let run =
            #"{"args":["/bin/import","--all"],"cpus":2,"disk":0,"docker":{"image":"tools:3"},"env":{"A":"b=c"},"mem":64,"#
            + #""restart":{"policy":"ON_FAILURE"},"user":"web"}"#
        let schedule = #"{"cron":"30 2 * * *","id":"default","timezone":"Europe/Berlin"}"#
        #expect(text == #"{"description":"all","id":"import","run":\#(run),"schedules":[\#(schedule)]}"#)
    }

    @Test(
        arguments: [
            (["x"], "what job 'x' runs"), (["x.yaml", "--cpus", "2"], "a file says all"),
            (["x", "--cmd", "a", "--", "b"], "not both"), (["x", "--cmd", "a", "--env", "b"], "--env"),
            (["x", "--cmd", "a", "--timezone", "UTC"], "--cron"), (["/nowhere/x.json"], "cannot read"),
        ])
    func `what cannot be a job is refused with what to do`(words: [String], reason: String) throws {
        let error = #expect(throws: (any Error).self) { try body(words) }
        #expect(RondoCommand.fullMessage(for: try #require(error)).contains(reason))
    }

    @Test func `a description in YAML is the same as in JSON`() throws {
        let yaml = """
            # of the night
            id: night.backup
            run:
              cpus: 0.5
              mem: 64
              cmd: |
                one
                two
              env: {A: '1', B: "true", C: on, D: 2026-11-23, E: 1.2.3, F: 0x10, G: ~, H: -7, I: 1e3}
              args: [yes, true, null, 12]
            """
        let json =
            #"{"id":"night.backup","run":{"args":["yes",true,null,12],"cmd":"one\ntwo\n","cpus":0.5,"env":{"A":"1","B":"true","#
            + #""C":"on","D":"2026-11-23","E":"1.2.3","F":"0x10","G":null,"H":-7,"I":1000},"mem":64}}"#
        let value = try DescriptionFile.value(Array(yaml.utf8))
        #expect(String(decoding: try value.encoded(), as: UTF8.self) == json)
        #expect(try DescriptionFile.value(Array(json.utf8)).encoded() == Array(json.utf8))
    }

    @Test func `what is wrong in a description is said with its line`() throws {
        for text in ["{\"id\": \"a\",\n\"run\": ]}", "id: a\nrun: [}", "id: a\nid: b", "a: *x", "[a: 1"] {
            let error = #expect(throws: (any Error).self, "\(text)") { try DescriptionFile.value(Array(text.utf8)) }
            let words = "\(try #require(error))"
            #expect(words.contains("line "), "\(words)")
        }
    }

    private static let job = #"""
        {"id":"night.backup","description":"saves","labels":{"team":"ops"},"run":{"cpus":0.5,"mem":64,"disk":0,
        "cmd":"tar cf x /etc","restart":{"policy":"ON_FAILURE"}},
        "schedules":[{"id":"default","cron":"30 2 * * *","timezone":"Europe/Berlin","startingDeadlineSeconds":900,
        "concurrencyPolicy":"FORBID","enabled":true,"nextRunAt":"2026-11-24T01:30:00.000+0000"}],
        "activeRuns":[{"id":"R3","jobId":"night.backup","status":"STARTING","createdAt":"2026-11-23T01:30:00.000+0000",
        "completedAt":null,"tasks":[]}],
        "history":{"successCount":1,"failureCount":1,"lastSuccessAt":"2026-11-23T02:30:00.000+0000",
        "lastFailureAt":"2026-11-22T01:35:10.250+0000","successfulFinishedRuns":[{"id":"R2",
        "createdAt":"2026-11-23T01:30:00.000+0000","finishedAt":"2026-11-23T02:30:00.000+0000","tasks":["t2"]}],
        "failedFinishedRuns":[{"id":"R1","createdAt":"2026-11-22T01:30:00.000+0000",
        "finishedAt":"2026-11-22T01:35:10.250+0000","tasks":["t1","t1b"]}]},
        "historySummary":{"successCount":1,"failureCount":1,"lastSuccessAt":"2026-11-23T02:30:00.000+0000",
        "lastFailureAt":"2026-11-22T01:35:10.250+0000"}}
        """#

    @Test func `jobs, one job and its history as people see them`() throws {
        let job = try JSONValueDecoding.decode(JobDocument.self, Self.job)
        #expect(
            JobList.table([job]) == """
                JOB           RUNNING  SUCCEEDED  FAILED  LAST                  SCHEDULE                  NEXT
                night.backup        1          1       1  2026-11-23T02:30:00Z  30 2 * * * Europe/Berlin  2026-11-24T01:30:00Z
                """)
        #expect(
            JobHistory.table(job) == """
                RUN  RESULT    BEGUN                 ENDED                       TOOK  TASKS
                R3   starting  2026-11-23T01:30:00Z  -                              -      0
                R2   success   2026-11-23T01:30:00Z  2026-11-23T02:30:00Z   1 h 0 min      1
                R1   failed    2026-11-22T01:30:00Z  2026-11-22T01:35:10Z  5 min 10 s      2
                """)
        let waiting = [JobQueueDocument.Waiting(runId: "R3", shortage: "cpus: 1 wanted, 0 offered")]
        #expect(
            JobShow.details(job, waiting) == """
                job            night.backup
                description    saves
                command        tar cf x /etc
                resources      cpus 0.5, mem 64
                when it fails  another task
                schedule       30 2 * * * Europe/Berlin
                while it runs  no other run
                next run       2026-11-24T01:30:00Z
                label          team=ops
                succeeded      1
                failed         1

                RUN  STATE     BEGUN                 TASK  WAITS FOR
                R3   starting  2026-11-23T01:30:00Z  -     cpus: 1 wanted, 0 offered
                """)
    }

    @Test func `a change of a schedule keeps what is not said`() throws {
        let job = try JSONValueDecoding.decode(JobDocument.self, Self.job)
        let command = try #require(
            try RondoCommand.parseAsRoot(["job", "schedule", "j", "--disable", "--deadline", "60"]) as? JobScheduling)
        #expect(
            String(decoding: try command.body(job.schedules?.first).encoded(), as: UTF8.self)
                == #"{"concurrencyPolicy":"FORBID","cron":"30 2 * * *","enabled":false,"id":"default","#
                + #""startingDeadlineSeconds":60,"timezone":"Europe/Berlin"}"#)
        #expect(throws: ApplianceError.self) { try command.body(nil) }
    }

    @Test func `times of jobs have lengths`() {
        #expect(JobTime.between("2026-11-22T23:59:59.900+0000", "2026-11-23T00:00:01.150+0000") == "1.3 s")
        #expect(JobTime.between("2026-11-22T23:59:59.900+0000", nil) == nil)
        #expect(JobTime.seconds("nonsense of nineteen letters") == nil)
        #expect(JobTime.seconds("1970-01-01T00:00:01.500+0000") == 1.5)
        #expect(JobTime.length(61) == "1 min 1 s")
    }

    @Test func `a refusal names each path`() {
        let answer =
            #"{"message":"Object is not valid","details":[{"path":"/id","errors":["a","b"]},{"path":"/","errors":["c"]}]}"#
        #expect(ClusterClient.refusal(422, Array(answer.utf8)).description == "Object is not valid: /id a, b; c")
    }
}
