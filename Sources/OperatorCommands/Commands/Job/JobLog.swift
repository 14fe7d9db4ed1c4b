internal import Appliance
internal import ArgumentParser

/// `rondo job log`.
struct JobLog: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Print what a run of a job has written.",
        discussion: """
            rondo job log night.backup                        the newest run
            rondo job log night.backup 20261123020000AbCdE
            rondo job log -f night.backup                     until its task has ended
            rondo job log --stderr night.backup
            """)

    @Flag(name: .shortAndLong, help: "Wait for its task, and go on until that has ended.") var follow = false
    @Flag(help: "Standard error instead of standard output.") var stderr = false
    @Argument(help: "The job.") var job: String
    @Argument(help: "The run. (default: the newest)") var run: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            var found = try await task(JobClient(client))
            while found == nil, follow {
                try await Task.sleep(for: .milliseconds(300))
                found = try await task(JobClient(client))
            }
            guard let found, let directory = found.directory else {
                throw ApplianceError(
                    .failure, "the run has no task yet, so it has written nothing; -f waits for one")
            }
            let log = TaskLog(node: found.node, path: "\(directory)/\(stderr ? "stderr" : "stdout")")
            try await log.copy(client, follow: follow) { bytes in
                if !Console.write(bytes: bytes, to: 1) { throw ArgumentParser.ExitCode(141) }
            }
        }
    }

    /// The last task of the run, as soon as it has a directory.
    private func task(_ jobs: JobClient) async throws -> TaskDocument? {
        let found = try await jobs.job(job, embed: ["activeRuns", "history"]).0
        let runs =
            (found.activeRuns ?? []).map { (id: $0.id, at: $0.createdAt, tasks: $0.tasks.map(\.id), hasEnded: false) }
            + (found.history?.all ?? []).map {
                (id: $0.entry.id, at: $0.entry.createdAt, tasks: $0.entry.tasks ?? [], hasEnded: true)
            }
        guard let chosen = runs.filter({ run == nil || $0.id == run }).max(by: { ($0.at, $0.id) < ($1.at, $1.id) })
        else {
            throw ApplianceError(
                .failure,
                run.map { "there is no run '\($0)' of job '\(job)'; `rondo job history \(job)` shows those there are" }
                    ?? "job '\(job)' has not run yet; `rondo job run \(job)` runs it")
        }
        guard let task = chosen.tasks.last else {
            guard chosen.hasEnded else { return nil }
            throw ApplianceError(.failure, "run \(chosen.id) has ended before it had a task, so it has written nothing")
        }
        let path = "/rondo/v1/tasks/\(PathText.escaped(task))"
        let shown: TaskDocument
        do { shown = try await jobs.client.document(TaskDocument.self, path).0 } catch let error as ApplianceError
            where error.exitCode == .failure && chosen.hasEnded
        {
            throw ApplianceError(
                .failure, "the master has forgotten task '\(task)', which has ended; only newer runs can be read")
        }
        guard shown.directory?.isEmpty != false else { return shown }
        guard !shown.ended else {
            throw ApplianceError(.failure, "task '\(task)' has ended before it started, so it has written nothing")
        }
        return nil
    }
}
