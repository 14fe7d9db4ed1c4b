internal import Access
internal import ClusterModel
internal import Console
internal import HTTPGateway
internal import HTTPTypes
internal import JobsCore
internal import JobsFramework
internal import NIOCore
internal import Schedules

/// `/ui/jobs…`
extension ConsoleDesk {
    func jobs(_ path: [String]) async throws -> GatewayResponse {
        guard let framework = node.builtIns?.jobs else {
            throw GatewayError(.notFound, "this master has no jobs; they are served where `frameworks.jobs` is on")
        }
        let core: JobsCore
        do { core = try await framework.view() } catch {
            throw GatewayError(.serviceUnavailable, "the jobs framework is not at work yet; try again")
        }
        guard let name = path.first else { return page(list(core)) }
        let reads = request.method != .post
        guard let state = core.jobs[JobID(name)] else {
            throw GatewayError(.notFound, "there is no job '\(name.prefix(255))'; it may have been removed")
        }
        switch (Array(path.dropFirst()), reads) {
        case ([], true): return page(job(state, core))
        case (["remove"], true): return page(removal(state))
        case (["remove"], false): return try await remove(state)
        case (["run"], false): return try await change(state, core, .post, ["runs"], notice: .started)
        case (let rest, false) where rest.count == 3 && rest[0] == "runs" && rest[2] == "stop":
            return try await change(state, core, .post, ["runs", rest[1], "actions", "stop"], notice: .stopped)
        case (let rest, false)
        where rest.count == 3 && rest[0] == "schedules" && ["enable", "disable"].contains(rest[2]):
            return try await enable(rest[1], rest[2] == "enable", state, core)
        default: throw GatewayError(.notFound, "a job has no such page")
        }
    }

    // MARK: the list

    private func list(_ core: JobsCore) -> JobsPage {
        let query = listQuery(
            ["jobs"], sorts: ["id", "next", "last", "running"], choices: ["state"], descending: ["last", "running"])
        let waiting = Dictionary(core.waiting.map { ($0.run.job.id, $0.shortage) }) { first, _ in first }
        let rows = core.jobs.values.filter { state in
            guard query.matches(state.job.id.value, state.job.summary) else { return false }
            switch query.choices["state"] {
            case "running": return !state.active.isEmpty
            case "failed": return Self.last(state.history)?.isSuccess == false
            case "scheduled": return !state.job.schedules.isEmpty
            default: return true
            }
        }
        let far = UnixTime(nanoseconds: .max)
        let old = UnixTime(nanoseconds: .min)
        let listing = query.listing(rows, of: core.jobs.count) { first, second in
            let (left, right) = (first.job.id, second.job.id)
            switch query.sort {
            case "next": return (first.next ?? far, left) < (second.next ?? far, right)
            case "last":
                let times = (Self.last(first.history)?.at ?? old, Self.last(second.history)?.at ?? old)
                return (times.0, left) < (times.1, right)
            case "running": return (first.active.count, left) < (second.active.count, right)
            default: return left < right
            }
        }
        return JobsPage(
            jobs: listing.map { state in
                JobsPage.Row(
                    id: state.job.id.value, summary: state.job.summary,
                    times: state.job.schedules.first.map { times($0, core, count: 1) }, last: Self.last(state.history),
                    running: state.active.count, problem: waiting[state.job.id].flatMap { $0 }.map { "waits: " + $0 })
            })
    }

    private static func last(_ history: JobHistory) -> JobResult? {
        switch (history.lastSuccessAt, history.lastFailureAt) {
        case (nil, nil): nil
        case (let success?, nil): JobResult(isSuccess: true, at: success)
        case (nil, let failure?): JobResult(isSuccess: false, at: failure)
        case (let success?, let failure?): JobResult(isSuccess: success > failure, at: max(success, failure))
        }
    }

    private func times(_ schedule: JobSchedule, _ core: JobsCore, count: Int) -> JobTimes {
        JobTimes(
            id: schedule.id, cron: schedule.cron.text, zone: schedule.zone, isEnabled: schedule.isEnabled,
            next: core.nextTimes(of: schedule, count).map { ($0.at, Self.text($0.local)) },
            deadline: schedule.startingDeadline, allowsMany: schedule.concurrency == .allow)
    }

    private static func text(_ time: CivilTime) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let day = ((time.date.daysSinceEpoch + 4) % 7 + 7) % 7
        return
            "\(days[day]) \(time.date.year)-\(two(time.date.month))-\(two(time.date.day)) \(two(time.hour)):\(two(time.minute))"
    }

    // MARK: one job

    private func job(_ state: JobsCore.JobState, _ core: JobsCore, refusal: String? = nil) -> JobPage {
        let job = state.job
        var page = JobPage(id: job.id.value)
        page.refusal = refusal
        page.summary = job.summary
        page.schedules = job.schedules.map { times($0, core, count: 5) }
        page.dependencies = job.dependencies.map(\.value)
        page.active = core.inOrder(state.active).map { run(of: $0, core) }
        page.history = ended(state.history, core)
        page.successes = state.history.successCount
        page.failures = state.history.failureCount
        page.facts = Self.facts(job.run)
        page.problems = problems(state, core)
        page.mayRun = visitor.may(.registerFramework(.everyone))
        page.mayStop = visitor.may(.killTask(.everyone))
        return page
    }

    private func problems(_ state: JobsCore.JobState, _ core: JobsCore) -> [String] {
        var problems: [String] = []
        for waiting in core.waiting where waiting.run.job.id == state.job.id {
            problems.append(
                "Run \(waiting.run.id) waits for a node" + (waiting.shortage.map { ": " + $0 } ?? "."))
        }
        for schedule in state.job.schedules where schedule.isEnabled && core.nextTimes(of: schedule, 1).isEmpty {
            problems.append(
                "The schedule never comes again, or its time zone '\(schedule.zone)' is not known on this master.")
        }
        if Self.last(state.history)?.isSuccess == false {
            problems.append("The last run failed. Its tasks' logs, below, say more as long as they are kept.")
        }
        return problems
    }

    private func run(of run: JobRun, _ core: JobsCore) -> JobPage.Run {
        let tone: Tone
        switch run.status {
        case .initial, .starting: tone = .busy
        case .active: tone = .good
        case .success: tone = .idle
        case .failed: tone = .bad
        }
        return JobPage.Run(
            id: run.id.value, createdAt: run.createdAt, finishedAt: run.completedAt, scheduledFor: run.scheduledFor,
            word: run.status.rawValue.lowercased(), tone: tone,
            tasks: run.tasks.map { task in
                let link = core.framework.map { Link("tasks", $0.value, task.id.value) }
                return JobPage.RunTask(
                    id: task.id.value, link: link,
                    log: core.framework.map { Link("tasks", $0.value, task.id.value, "log") }, state: task.state,
                    message: task.message)
            },
            shortage: core.waiting.first { $0.run.id == run.id }?.shortage, isStopping: run.isStopping)
    }

    /// The last runs of both kinds, the newest first.
    private func ended(_ history: JobHistory, _ core: JobsCore) -> [JobPage.Run] {
        let all = history.successes.map { ($0, true) } + history.failures.map { ($0, false) }
        return all.sorted { $0.0.finishedAt > $1.0.finishedAt }.prefix(30).map { entry, isSuccess in
            JobPage.Run(
                id: entry.id.value, createdAt: entry.createdAt, finishedAt: entry.finishedAt,
                word: isSuccess ? "succeeded" : "failed", tone: isSuccess ? .good : .bad,
                tasks: entry.tasks.map { task in
                    JobPage.RunTask(
                        id: task.value, link: core.framework.map { Link("tasks", $0.value, task.value) },
                        log: core.framework.map { Link("tasks", $0.value, task.value, "log") })
                })
        }
    }

    private static func facts(_ plan: RunPlan) -> [(name: String, value: String)] {
        var facts: [(name: String, value: String)] = []
        if let command = plan.command { facts.append(("Command", String(command.prefix(2_000)))) }
        if let arguments = plan.arguments { facts.append(("Arguments", arguments.joined(separator: " "))) }
        if let image = plan.docker?.image ?? plan.ucr?.image { facts.append(("Image", image)) }
        if let user = plan.user { facts.append(("Runs as", user)) }
        facts.append(("Processors", Numbers.short(plan.cpus.value)))
        facts.append(("Memory", Numbers.memory(plan.memory.value)))
        if plan.disk.value > 0 { facts.append(("Disk", Numbers.memory(plan.disk.value))) }
        facts.append(("Restarts", plan.restart.policy.rawValue.lowercased().replacing("_", with: " ")))
        return facts
    }

    // MARK: changes

    /// Sends a form on to the jobs' own interface, which asks for the right and tells the audit log.
    private func change(
        _ state: JobsCore.JobState, _ core: JobsCore, _ method: HTTPRequest.Method, _ rest: [String],
        json: [UInt8] = [], notice: Notice
    ) async throws -> GatewayResponse {
        _ = try await form(upTo: 16 << 10)
        let path = ["v1", "jobs", state.job.id.value] + rest
        let answer = try await call(method, Link(absolute: ["service", "metronome"] + path).text, json: json) {
            try await node.jobs(path, $0, visitor)
        }
        guard answer.isSuccess else {
            return page(job(state, core, refusal: answer.message), status: answer.status)
        }
        return redirect(to: Link("jobs", state.job.id.value), notice: notice)
    }

    private func enable(
        _ id: String, _ isEnabled: Bool, _ state: JobsCore.JobState, _ core: JobsCore
    ) async throws -> GatewayResponse {
        guard let schedule = state.job.schedules.first(where: { $0.id == id }) else {
            throw GatewayError(.notFound, "the job has no schedule '\(id.prefix(255))' any more")
        }
        var json = JSONWriter()
        json.object { json in
            json.field("id", schedule.id)
            json.field("cron", schedule.cron.text)
            json.field("timezone", schedule.zone)
            json.field("startingDeadlineSeconds", schedule.startingDeadline)
            json.field("concurrencyPolicy", schedule.concurrency.rawValue)
            json.field("enabled", isEnabled)
        }
        return try await change(
            state, core, .put, ["schedules", id], json: Array(json.buffer.readableBytesView), notice: .saved)
    }

    private func removal(_ state: JobsCore.JobState) -> ConfirmPage {
        let id = state.job.id.value
        let running = state.active.count
        return ConfirmPage(
            title: "Remove \(id)?", section: .jobs,
            crumbs: [Crumb("Jobs", Section.jobs.link), Crumb(id, Link("jobs", id))],
            consequences: [
                "The job, its schedule and its history are removed.",
                running == 0
                    ? "Nothing of it runs now."
                    : "\(running) of its runs go on now; they are stopped and their tasks killed.",
            ],
            verb: "Remove the job", action: Link("jobs", id, "remove"), back: Link("jobs", id))
    }

    private func remove(_ state: JobsCore.JobState) async throws -> GatewayResponse {
        _ = try await form(upTo: 16 << 10)
        let path = ["v1", "jobs", state.job.id.value]
        let target = Link(absolute: ["service", "metronome"] + path, query: [("stopCurrentJobRuns", "true")])
        let answer = try await call(.delete, target.text) { try await node.jobs(path, $0, visitor) }
        guard answer.isSuccess else { throw GatewayError(answer.status, answer.message) }
        return redirect(to: Section.jobs.link, notice: .removed)
    }
}

extension ConsoleChanges {
    /// Differs when the jobs' pages differ.
    func jobs() async -> Int? {
        guard let core = try? await node.builtIns?.jobs?.view() else { return nil }
        var hasher = Hasher()
        for (id, state) in core.jobs.sorted(by: { $0.key < $1.key }) {
            hasher.combine(id)
            hasher.combine(state.next)
            hasher.combine(state.job.schedules.first?.isEnabled)
            hasher.combine(state.history.successCount)
            hasher.combine(state.history.failureCount)
            for run in core.inOrder(state.active) { hasher.combine(run) }
        }
        for waiting in core.waiting { hasher.combine(waiting.shortage) }
        return hasher.finalize()
    }
}
