internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo job`.
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Work that ends: run it when you ask, by a schedule, or after other work.",
        discussion: """
            Jobs are served unless the master was started with --no-jobs.

              rondo job add night.backup --cron '30 2 * * *' --timezone Europe/Berlin -- tar cf /backup/etc.tar /etc
              rondo job run night.backup        and wait until it has ended
              rondo job history night.backup
              rondo job log night.backup
            """,
        subcommands: [
            JobAdd.self, JobStart.self, JobList.self, JobShow.self, JobHistory.self, JobLog.self, JobStop.self,
            JobScheduling.self, JobRemove.self,
        ])
}

/// `rondo job stop`.
struct JobStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "End the runs of a job: SIGTERM, then SIGKILL when the grace period is over.",
        discussion: """
            rondo job stop night.backup                        all that have not ended
            rondo job stop night.backup 20261123020000AbCdE    one
            """)

    @Argument(help: "The job.") var job: String
    @Argument(help: "One run. (default: all)") var run: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let jobs = JobClient(client)
            let bytes = try await jobs.ask(.get, job: job, "/runs")
            let active = try jobs.read([JobRunDocument].self, bytes).map(\.id)
            if let run, !active.contains(run) {
                throw ApplianceError(
                    .failure, "no run '\(run)' of job '\(job)' is active; `rondo job show \(job)` shows those that are")
            }
            let runs = run.map { [$0] } ?? active
            if runs.isEmpty { throw ApplianceError(.failure, "no run of job '\(job)' is active") }
            for run in runs {
                // One that has ended meanwhile is none to stop.
                let path = JobClient.path(job, "/runs/\(PathText.escaped(run))/actions/stop")
                if try await jobs.ask(.post, path, body: [:]) != nil {
                    Console.note("run \(run) of job '\(job)' is being ended")
                }
            }
        }
    }
}

/// `rondo job rm`.
struct JobRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Forget a job with its schedule and its history.",
        discussion: """
            rondo job rm night.backup
            rondo job rm night.backup --force      also while it runs: its runs are ended
            """)

    @Argument(help: "The job.") var job: String
    @Flag(help: "End its runs, too.") var force = false
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let jobs = JobClient(client)
            do {
                _ = try await jobs.ask(.delete, job: job, force ? "?stopCurrentJobRuns=true" : "")
            } catch let error as ApplianceError where error.description.contains("active job runs") {
                throw ApplianceError(
                    .failure,
                    "job '\(job)' runs; end its runs with `rondo job stop \(job)`, or remove it with them by --force")
            }
        }
    }
}
