internal import Appliance
internal import ArgumentParser
internal import HTTPTypes

/// `rondo job schedule`.
struct JobScheduling: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract: "Show or change when a job runs by itself.",
        discussion: """
            A job has at most one schedule: minute, hour, day of month, month and day of week.

              rondo job schedule night.backup
              rondo job schedule night.backup --cron '30 2 * * *' --timezone Europe/Berlin
              rondo job schedule night.backup --cron '*/5 * * * *' --no-overlap
              rondo job schedule night.backup --disable
              rondo job schedule night.backup --rm
            """)

    @Argument(help: "The job.") var job: String
    @Option(help: ArgumentHelp("When it runs.", valueName: "times")) var cron: String?
    @Option(help: ArgumentHelp("Whose clocks, such as Europe/Berlin. (default: UTC)", valueName: "zone"))
    var timezone: String?
    @Flag(inversion: .prefixedNo, help: "Whether a run may begin while another one has not ended. (default: it may)")
    var overlap: Bool?
    @Option(help: ArgumentHelp("How long after its time a run may still begin. (default: 900)", valueName: "seconds"))
    var deadline: Int?
    @Flag(help: "Count again.") var enable = false
    @Flag(help: "Do not count for now.") var disable = false
    @Flag(help: "Take the schedule away.") var rm = false
    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard !enable || !disable else { throw ValidationError("either --enable or --disable, but not both") }
        guard !rm || !isChange else {
            throw ValidationError("--rm takes the schedule away; it goes with no other option")
        }
    }

    private var isChange: Bool {
        cron != nil || timezone != nil || overlap != nil || deadline != nil || enable || disable
    }

    func run() async throws {
        try await client.withClient { client in
            let jobs = JobClient(client)
            let bytes = try await jobs.ask(.get, job: job, "/schedules")
            let old = try jobs.read([JobScheduleDocument].self, bytes).first
            if rm { return try await remove(old, jobs) }
            guard isChange else {
                if client.isJSON { return Console.out(String(decoding: bytes, as: UTF8.self)) }
                return Console.out(Self.details(old) ?? "job '\(job)' has no schedule; --cron gives it one")
            }
            let changed = try await jobs.ask(
                old == nil ? .post : .put, job: job, "/schedules" + (old.map { "/" + PathText.escaped($0.id) } ?? ""),
                body: try body(old))
            if client.isJSON { return Console.out(String(decoding: changed, as: UTF8.self)) }
            Console.out(Self.details(try jobs.read(JobScheduleDocument.self, changed)) ?? "")
        }
    }

    private func remove(_ old: JobScheduleDocument?, _ jobs: JobClient) async throws {
        guard let old else { throw ApplianceError(.failure, "job '\(job)' has no schedule") }
        _ = try await jobs.ask(.delete, job: job, "/schedules/" + PathText.escaped(old.id))
    }

    /// The schedule as it shall be: what is not said stays.
    func body(_ old: JobScheduleDocument?) throws -> JSONValue {
        guard let cron = cron ?? old?.cron else {
            throw ApplianceError(.usage, "job '\(job)' has no schedule; say with --cron when it runs")
        }
        let overlaps = overlap ?? (old?.concurrencyPolicy != "FORBID")
        return [
            "id": .text(old?.id ?? "default"), "cron": .text(cron),
            "timezone": .text(timezone ?? old?.timezone ?? "UTC"),
            "concurrencyPolicy": overlaps ? "ALLOW" : "FORBID",
            "startingDeadlineSeconds": .integer(Int64(deadline ?? old?.startingDeadlineSeconds ?? 900)),
            "enabled": .bool(enable || (!disable && old?.enabled ?? true)),
        ]
    }

    static func details(_ schedule: JobScheduleDocument?) -> String? {
        guard let schedule else { return nil }
        var facts = TextFacts()
        facts.add("times", schedule.cron)
        facts.add("clocks", schedule.timezone)
        facts.add("while it runs", schedule.concurrencyPolicy == "FORBID" ? "no other run" : "another run beside it")
        facts.add("may begin late", JobTime.length(Double(schedule.startingDeadlineSeconds)))
        facts.add("enabled", schedule.enabled ? "yes" : "no")
        facts.add("next run", schedule.enabled ? Words.time(schedule.nextRunAt) : nil)
        return facts.text
    }
}
