import HTTPTypes
import Testing

/// A wrong job: what replaces which part of a good one, and where the error is.
struct BadJob: Sendable, CustomTestStringConvertible {
    var body: String
    var path: String
    var testDescription: String { "\(path): \(body.prefix(80))" }

    /// A good run with one field replaced or added.
    static func run(_ field: String, _ value: String, at path: String? = nil) -> BadJob {
        var fields = ["cmd": #""x""#, "cpus": "1", "mem": "32", "disk": "0"]
        fields[field] = value
        let text = fields.sorted { $0.key < $1.key }.map { "\"\($0)\":\($1)" }.joined(separator: ",")
        return BadJob(body: "{\"id\":\"a\",\"run\":{\(text)}}", path: path ?? "/run/" + field)
    }

    static func job(_ field: String, _ value: String, at path: String? = nil) -> BadJob {
        var fields = ["id": #""a""#, "run": #"{"cmd":"x","cpus":1,"mem":32,"disk":0}"#]
        fields[field] = value
        let text = fields.sorted { $0.key < $1.key }.map { "\"\($0)\":\($1)" }.joined(separator: ",")
        return BadJob(body: "{\(text)}", path: path ?? "/" + field)
    }

    static let wrongTypes: [BadJob] = {
        let others = ["\"x\"", "1", "true", "[]", "{}", "[1]"]
        let fits: [String: Set<String>] = [
            "cmd": ["\"x\""], "cpus": ["1"], "mem": ["1"], "disk": ["1"], "gpus": ["1"], "user": ["\"x\""],
            "args": ["[]"], "env": ["{}"], "artifacts": ["[]"], "maxLaunchDelay": ["1"], "volumes": ["[]"],
            "taskKillGracePeriodSeconds": ["1"], "secrets": ["{}"], "networks": ["[]"], "placement": ["{}"],
        ]
        return fits.sorted { $0.key < $1.key }.flatMap { field, good in
            others.filter { !good.contains($0) && !($0 == "[1]" && good.contains("[]")) }.map { .run(field, $0) }
        }
    }()

    static let others: [BadJob] = [
        .job("id", #""""#), .job("id", #""A""#), .job("id", #""a..b""#), .job("id", #""-a""#), .job("id", #""a-""#),
        .job("id", #""a_b""#), .job("id", #"".a""#), .job("id", #""a/b""#), .job("id", "1"), .job("id", "null"),
        .job("id", "\"" + String(repeating: "a", count: 128) + "\""), .job("run", "null"), .job("run", "[]"),
        .job("run", "{}", at: "/run/cpus"), .job("description", "1"), .job("labels", "[]"),
        .job("labels", #"{"a":1}"#, at: "/labels/a"), .job("dependencies", "{}"),
        .job("dependencies", #"["b"]"#, at: "/dependencies(0)"),
        .job("dependencies", "[{}]", at: "/dependencies(0)/id"),
        .job("dependencies", #"[{"id":"B"}]"#, at: "/dependencies(0)/id"),
        .job("dependencies", #"[{"id":"b"},{"id":"b"}]"#), .job("dependencies", #"[{"id":"a"}]"#),
        .job("more", "1"), .job("schedules", "1"), .job("schedules", #"[{"id":"a","cron":"* * * * *"}]"#),
        .run("cpus", "0"), .run("cpus", "0.001"), .run("cpus", "-1"), .run("cpus", "null"), .run("mem", "31"),
        .run("mem", "-5"), .run("disk", "-1"), .run("cpus", "1e300"), .run("gpus", "-1"), .run("gpus", "0.5"),
        .run("gpus", "99999"), .run("cmd", #""""#), .run("cmd", "null", at: "/run"),
        .run("args", #"["y"]"#, at: "/run"),
        .run("args", "[1]", at: "/run/args(0)"), .run("cmd", #""a\u0000b""#, at: "/run"), .run("more", "1"),
        .run("maxLaunchDelay", "0"), .run("maxLaunchDelay", "1.5"), .run("maxLaunchDelay", "99999999999999"),
        .run("taskKillGracePeriodSeconds", "-1"), .run("taskKillGracePeriodSeconds", "1e18"),
        .run("restart", "{}", at: "/run/restart/policy"),
        .run("restart", #"{"policy":"ALWAYS"}"#, at: "/run/restart/policy"),
        .run("restart", #"{"policy":"NEVER","activeDeadlineSeconds":-1}"#, at: "/run/restart/activeDeadlineSeconds"),
        .run("restart", #"{"policy":"NEVER","x":1}"#, at: "/run/restart/x"),
        .run("env", #"{"A":1}"#, at: "/run/env/A"), .run("env", #"{"A":{"secret":1}}"#, at: "/run/env/A"),
        .run("env", #"{"A=B":"1"}"#, at: "/run/env"), .run("env", #"{"":"1"}"#, at: "/run/env"),
        .run("env", #"{"A":{"secret":"k"}}"#, at: "/run"), .run("secrets", #"{"k":{"source":"p"}}"#, at: "/run"),
        .run("secrets", #"{"k":"p"}"#, at: "/run/secrets/k"), .run("secrets", #"{"k":{}}"#, at: "/run/secrets/k"),
        .run("placement", #"{"constraints":[{}]}"#, at: "/run/placement/constraints(0)/attribute"),
        .run(
            "placement", #"{"constraints":[{"attribute":"a","operator":"X","value":"1"}]}"#,
            at: "/run/placement/constraints(0)/operator"),
        .run(
            "placement", #"{"constraints":[{"attribute":"a","operator":"IS"}]}"#,
            at: "/run/placement/constraints(0)/value"),
        .run(
            "placement", #"{"constraints":[{"attribute":"a","operator":"LIKE","value":"("}]}"#,
            at: "/run/placement/constraints(0)/value"),
        .run(
            "placement", #"{"constraints":[{"attribute":"","operator":"IS","value":"1"}]}"#,
            at: "/run/placement/constraints(0)/attribute"),
        .run("placement", #"{"constraints":1}"#, at: "/run/placement/constraints"),
        .run("placement", #"{"x":1}"#, at: "/run/placement/x"),
        .run("artifacts", "[{}]", at: "/run/artifacts(0)/uri"),
        .run("artifacts", #"[{"uri":""}]"#, at: "/run/artifacts(0)/uri"),
        .run("artifacts", #"[{"uri":"a","extract":1}]"#, at: "/run/artifacts(0)/extract"),
        .run("artifacts", #"[{"uri":"a"},{"uri":"b","x":1}]"#, at: "/run/artifacts(1)/x"),
        .run("docker", "{}", at: "/run/docker/image"),
        .run("docker", #"{"image":"a","privileged":1}"#, at: "/run/docker/privileged"),
        .run("docker", #"{"image":"a","parameters":[{"key":"a"}]}"#, at: "/run/docker/parameters(0)/value"),
        .run("ucr", "{}", at: "/run/ucr/image"), .run("ucr", #"{"image":{}}"#, at: "/run/ucr/image/id"),
        .run("ucr", #"{"image":{"id":"a","kind":"x"}}"#, at: "/run/ucr/image/kind"),
        .run("volumes", "[{}]", at: "/run/volumes(0)/containerPath"),
        .run("volumes", #"[{"containerPath":"a"}]"#, at: "/run/volumes(0)"),
        .run("volumes", #"[{"containerPath":"a","hostPath":"b","mode":"XX"}]"#, at: "/run/volumes(0)"),
        .run("volumes", #"[{"containerPath":"","hostPath":"b","mode":"RO"}]"#, at: "/run/volumes(0)/containerPath"),
        .run("networks", "[{}]", at: "/run/networks(0)/mode"),
        .run("networks", #"[{"mode":"x"}]"#, at: "/run/networks(0)/mode"),
        .run("networks", #"[{"mode":"container/bridge"}]"#, at: "/run/networks"),
        .run("networks", #"[{"mode":"host"},{"mode":"host"}]"#, at: "/run/networks"),
        .run("networks", #"[{"mode":"host","name":"n"}]"#, at: "/run/networks(0)/name"),
    ]

    static let schedules: [BadJob] = [
        BadJob(body: "{}", path: "/id"), BadJob(body: #"{"id":"a"}"#, path: "/cron"),
        BadJob(body: #"{"id":"A","cron":"* * * * *"}"#, path: "/id"),
        BadJob(body: #"{"id":"a.b","cron":"* * * * *"}"#, path: "/id"),
        BadJob(body: #"{"id":"a","cron":"x"}"#, path: "/cron"), BadJob(body: #"{"id":"a","cron":1}"#, path: "/cron"),
        BadJob(body: #"{"id":"a","cron":"0 0 30 2 *"}"#, path: "/cron"),
        BadJob(body: #"{"id":"a","cron":"* * * * *","timezone":"../x"}"#, path: "/timezone"),
        BadJob(body: #"{"id":"a","cron":"* * * * *","timezone":1}"#, path: "/timezone"),
        BadJob(body: #"{"id":"a","cron":"* * * * *","timezone":""}"#, path: "/timezone"),
        BadJob(body: #"{"id":"a","cron":"* * * * *","startingDeadlineSeconds":59}"#, path: "/startingDeadlineSeconds"),
        BadJob(
            body: #"{"id":"a","cron":"* * * * *","startingDeadlineSeconds":"60"}"#, path: "/startingDeadlineSeconds"),
        BadJob(body: #"{"id":"a","cron":"* * * * *","concurrencyPolicy":"MAYBE"}"#, path: "/concurrencyPolicy"),
        BadJob(body: #"{"id":"a","cron":"* * * * *","enabled":"yes"}"#, path: "/enabled"),
        BadJob(body: "[]", path: "/"), BadJob(body: "1", path: "/"),
    ]
}

@Suite("Wrong jobs", .timeLimit(.minutes(2)))
struct BadJobTests {
    @Test func `each is refused with the path of what is wrong`() async throws {
        try await JobsAPIFixture.with { api in
            let jobs = BadJob.wrongTypes + BadJob.others
            #expect(jobs.count > 140)
            for job in jobs {
                let answer = try await api.call(.post, "/v1/jobs", job.body)
                #expect(answer.status == 422, "\(job.testDescription) \(answer.body)")
                #expect(answer.body["message"] == .text("Object is not valid"), "\(job.testDescription)")
                #expect(answer.body.paths.contains(job.path), "\(job.testDescription): \(answer.body)")
            }
            #expect(try await api.call(.get, "/v1/jobs").body == .list([]))
            _ = try await api.call(.post, "/v1/jobs", JobsAPITests.minimal)
            for schedule in BadJob.schedules {
                let answer = try await api.call(.post, "/v1/jobs/prod.app/schedules", schedule.body)
                #expect(answer.status == 422, "\(schedule.testDescription)")
                #expect(answer.body.paths.contains(schedule.path), "\(schedule.testDescription): \(answer.body)")
            }
        }
    }

    @Test func `everything that is wrong is said at once`() async throws {
        try await JobsAPIFixture.with { api in
            let answer = try await api.call(
                .post, "/v1/jobs", #"{"id":1,"run":{"cpus":"x","mem":true,"foo":1},"bar":2}"#)
            #expect(Set(answer.body.paths) == ["/id", "/run/cpus", "/run/mem", "/run/disk", "/run/foo", "/bar"])
        }
    }

    @Test(arguments: [
        "", "{", "nope", "{\"id\":}", "\u{0}", "[[[[", "{\"id\":\"a\",}", "{\"a\":1e999}",
        String(repeating: "[", count: 10_000), String(repeating: "{\"a\":", count: 5_000),
    ])
    func `what is not JSON is a bad request`(body: String) async throws {
        try await JobsAPIFixture.with { api in
            await #expect(throws: (any Error).self) { try await api.call(.post, "/v1/jobs", body) }
        }
    }

    @Test func `a body that is too long is refused`() async throws {
        try await JobsAPIFixture.with { api in
            let long = #"{"id":"a","description":""# + String(repeating: "x", count: 300_000) + #""}"#
            await #expect(throws: (any Error).self) { try await api.call(.post, "/v1/jobs", long) }
        }
    }
}
