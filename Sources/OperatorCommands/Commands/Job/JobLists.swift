internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo job list`.
struct JobList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List jobs, how their runs went, and when they run next.",
        discussion: """
            rondo job list
            rondo job list --output json
            """)

    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let jobs = JobClient(client)
            let path = "/v1/jobs?embed=activeRuns&embed=schedules&embed=historySummary"
            let bytes = try await jobs.ask(.get, path) ?? []
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            Console.out(Self.table(try jobs.read([JobDocument].self, bytes)))
        }
    }

    static func table(_ jobs: [JobDocument]) -> String {
        var table = TextTable("JOB", "RUNNING#", "SUCCEEDED#", "FAILED#", "LAST", "SCHEDULE", "NEXT")
        for job in jobs {
            let summary = job.historySummary
            let last = [summary?.lastSuccessAt, summary?.lastFailureAt].compactMap { $0 }.max()
            let schedule = job.schedules?.first
            table.add(
                job.id, "\(job.activeRuns?.count ?? 0)", "\(summary?.successCount ?? 0)",
                "\(summary?.failureCount ?? 0)", Words.time(last), schedule.map(JobText.times),
                schedule?.enabled == true ? Words.time(schedule?.nextRunAt) : nil)
        }
        return table.text
    }
}

/// `rondo job show`.
struct JobShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a job in detail, with the runs that have not ended.",
        discussion: "rondo job show night.backup", aliases: ["inspect"])

    @Argument(help: "The job.") var job: String
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let jobs = JobClient(client)
            let (found, bytes) = try await jobs.job(job, embed: ["activeRuns", "schedules", "historySummary"])
            if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
            let waiting = try await jobs.document([JobQueueDocument].self, "/v1/queue") ?? []
            Console.out(Self.details(found, waiting.first { $0.jobId == found.id }?.runs ?? []))
        }
    }

    static func details(_ job: JobDocument, _ waiting: [JobQueueDocument.Waiting]) -> String {
        var facts = TextFacts()
        facts.add("job", job.id)
        facts.add("description", job.description)
        facts.add("command", job.run.cmd ?? job.run.args?.joined(separator: " "))
        facts.add("image", job.run.docker?.image ?? job.run.ucr?.image.id)
        facts.add("user", job.run.user)
        facts.add(
            "resources",
            "cpus \(Words.number(job.run.cpus)), mem \(Words.number(job.run.mem))"
                + (job.run.disk > 0 ? ", disk \(Words.number(job.run.disk))" : ""))
        facts.add("when it fails", job.run.restart?.policy == "ON_FAILURE" ? "another task" : "no other task")
        facts.add("runs after", (job.dependencies ?? []).map(\.id).joined(separator: ", "))
        for schedule in job.schedules ?? [] {
            facts.add("schedule", JobText.times(schedule))
            facts.add(
                "while it runs", schedule.concurrencyPolicy == "FORBID" ? "no other run" : "another run beside it")
            facts.add("next run", schedule.enabled ? Words.time(schedule.nextRunAt) : nil)
        }
        for (key, value) in (job.labels ?? [:]).sorted(by: { $0.key < $1.key }) {
            facts.add("label", "\(key)=\(value)")
        }
        if let history = job.historySummary {
            facts.add("succeeded", "\(history.successCount)")
            facts.add("failed", "\(history.failureCount)")
        }
        let active = job.activeRuns ?? []
        if active.isEmpty { return facts.text }
        var table = TextTable("RUN", "STATE", "BEGUN", "TASK", "WAITS FOR")
        for run in active {
            let lacks = waiting.first { $0.runId == run.id }
            table.add(
                run.id, run.status.lowercased(), Words.time(run.createdAt), run.tasks.last?.id,
                lacks.map { $0.shortage ?? "offers" })
        }
        return facts.text + "\n\n" + table.text
    }
}

/// `rondo job history`.
struct JobHistory: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "List the runs of a job and how they ended, newest first.",
        discussion: """
            All runs are counted; the last 100 that succeeded and the last 100 that failed are described.

              rondo job history night.backup
              rondo job history night.backup --output json
            """)

    @Argument(help: "The job.") var job: String
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let jobs = JobClient(client)
            let (found, bytes) = try await jobs.job(job, embed: ["history", "activeRuns"])
            if client.isJSON {
                let history = try JSONValue(parsing: bytes)["history"] ?? [:]
                return Console.out(String(decoding: try history.encoded(), as: UTF8.self))
            }
            Console.out(Self.table(found))
        }
    }

    static func table(_ job: JobDocument) -> String {
        var table = TextTable("RUN", "RESULT", "BEGUN", "ENDED", "TOOK#", "TASKS#")
        for run in (job.activeRuns ?? []).reversed() {
            table.add(run.id, run.status.lowercased(), Words.time(run.createdAt), nil, nil, "\(run.tasks.count)")
        }
        for (run, succeeded) in job.history?.all ?? [] {
            table.add(
                run.id, succeeded ? "success" : "failed", Words.time(run.createdAt), Words.time(run.finishedAt),
                JobTime.between(run.createdAt, run.finishedAt), "\(run.tasks?.count ?? 0)")
        }
        return table.text
    }
}

/// How parts of jobs are written for people.
enum JobText {
    static func times(_ schedule: JobScheduleDocument) -> String {
        let zone = schedule.timezone == "UTC" ? "" : " \(schedule.timezone)"
        return "\(schedule.cron)\(zone)\(schedule.enabled ? "" : " (off)")"
    }
}
