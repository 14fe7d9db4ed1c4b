internal import Appliance
internal import ArgumentParser
internal import Glibc
internal import HTTPTypes

/// `rondo job run`.
struct JobStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Start a run of a job now and wait until it has ended.",
        discussion: """
            Says what the run waits for, and ends with code 0 when it has succeeded and 1 when it has failed. Ctrl-C ends
            the waiting, not the run.

              rondo job run night.backup
              rondo job run night.backup --detach      prints the name of the run at once
              rondo job run night.backup --output json
            """)

    @Argument(help: "The job.") var job: String
    @Flag(name: .shortAndLong, help: "Do not wait.") var detach = false
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let jobs = JobClient(client)
            let bytes = try await jobs.ask(.post, job: job, "/runs", body: [:])
            let begun = try jobs.read(JobRunDocument.self, bytes)
            if detach {
                return Console.out(client.isJSON ? String(decoding: bytes, as: UTF8.self) : begun.id)
            }
            let signals = StopSignals.listen()
            let leaving = Task {
                for await signal in signals {
                    Console.note("run \(begun.id) goes on; `rondo job stop \(job) \(begun.id)` ends it")
                    Glibc.exit(128 + signal)
                }
            }
            defer { leaving.cancel() }
            var watch = JobRunWatch(jobs: jobs, job: job, run: begun.id)
            let end = try await watch.end()
            if client.isJSON {
                Console.out(String(decoding: try end.document(of: job).encoded(), as: UTF8.self))
            }
            guard end.succeeded else {
                let reason = await watch.lastWords().map { ": \($0)" } ?? ""
                throw ApplianceError(.failure, "run \(begun.id) of job '\(job)' has failed\(reason)")
            }
            let took = JobTime.between(end.entry.createdAt, end.entry.finishedAt).map { " after \($0)" } ?? ""
            Console.note("run \(begun.id) has succeeded\(took)")
        }
    }
}

/// Watches one run, says what changes, and learns how it ends.
struct JobRunWatch {
    struct End {
        var entry: JobHistoryDocument.Entry
        var succeeded: Bool

        func document(of job: String) -> JSONValue {
            [
                "id": .text(entry.id), "jobId": .text(job), "status": succeeded ? "SUCCESS" : "FAILED",
                "createdAt": .text(entry.createdAt), "completedAt": .text(entry.finishedAt),
                "tasks": .list((entry.tasks ?? []).map { .text($0) }),
            ]
        }
    }

    /// How long a master may be away. Runs go on without it, and it comes back where it was.
    private static let patience = Duration.seconds(120)

    let jobs: JobClient
    let job: String
    let run: String
    private var said = ""
    private var task: String?
    private var silentSince: ContinuousClock.Instant?
    private let begin = ContinuousClock.now

    init(jobs: JobClient, job: String, run: String) {
        self.jobs = jobs
        self.job = job
        self.run = run
    }

    /// Waits until the run has ended.
    mutating func end() async throws -> End {
        while true {
            do {
                if let end = try await look() { return end }
                silentSince = nil
            } catch let error as ApplianceError where error.exitCode == .unavailable {
                let since = silentSince ?? .now
                guard ContinuousClock.now - since < Self.patience else { throw error }
                silentSince = since
                say("no master answers; the run goes on")
            }
            // Short runs are seen at once, long ones are not asked for often.
            let pause = min(.seconds(1), max(.milliseconds(50), (ContinuousClock.now - begin) / 8))
            try await Task.sleep(for: pause)
        }
    }

    private mutating func look() async throws -> End? {
        let path = JobClient.path(job, "/runs/\(PathText.escaped(run))")
        guard let found = try await jobs.document(JobRunDocument.self, path) else {
            let history = try await jobs.job(job, embed: ["history"]).0.history
            guard let (entry, succeeded) = history?.all.first(where: { $0.entry.id == run }) else {
                throw ApplianceError(.failure, "run \(run) is neither active nor in the history of job '\(job)'")
            }
            task = entry.tasks?.last ?? task
            return End(entry: entry, succeeded: succeeded)
        }
        if let last = found.tasks.last, last.completedAt == nil {
            try await report(last)
        } else {
            let waiting = try await jobs.document([JobQueueDocument].self, "/v1/queue") ?? []
            let shortage = waiting.flatMap(\.runs).first { $0.runId == run }?.shortage
            let again = found.tasks.isEmpty ? "" : "its task has failed, another one follows; "
            // What fits gets an offer within a second: no news.
            if shortage != nil || !again.isEmpty || ContinuousClock.now - begin > .seconds(2) {
                say("\(again)waits for resources" + (shortage.map { ": \($0)" } ?? ""))
            }
        }
        return nil
    }

    private mutating func report(_ attempt: JobRunDocument.Attempt) async throws {
        task = attempt.id
        let state = Words.state(attempt.status)
        guard state == "running" else { return say("task \(attempt.id) is \(state)") }
        guard said != attempt.id else { return }
        let shown = try? await jobs.client.document(
            TaskDocument.self, "/rondo/v1/tasks/\(PathText.escaped(attempt.id))"
        ).0
        say("runs as task \(attempt.id)" + (shown.map { " on \($0.hostname ?? $0.node)" } ?? ""), key: attempt.id)
    }

    private mutating func say(_ text: String, key: String? = nil) {
        guard said != key ?? text else { return }
        said = key ?? text
        Console.note("run \(run): \(TextTable.clean(text))")
    }

    /// What became of its last task, in words.
    func lastWords() async -> String? {
        guard let task else { return "it was stopped, or no offer was enough for it in time" }
        let path = "/rondo/v1/tasks/\(PathText.escaped(task))"
        guard let found = try? await jobs.client.document(TaskDocument.self, path).0 else { return nil }
        return found.message ?? found.reason ?? Words.state(found.state)
    }
}
