internal import Access
internal import ClusterModel
internal import FrameworkRuntime
public import HTTPGateway
public import HTTPTypes
internal import JobsCore
internal import NIOCore
internal import Schedules

extension JobsFramework {
    /// The methods that a path takes.
    ///
    /// - Parameter path: the segments after `/service/metronome`.
    /// - Returns: nil when nothing is there.
    public static func methods(of path: [String]) -> [HTTPRequest.Method]? { JobsRoute(path)?.methods }

    /// Answers one request to Metronome's interface.
    ///
    /// - Parameters:
    ///   - request: what is asked for.
    ///   - path: the segments after `/service/metronome`.
    ///   - visitor: who asks.
    /// - Returns: the answer; refusals of this interface are answers, too.
    /// - Throws: ``GatewayError`` for what is refused before it gets here: bodies that are too long, missing rights.
    public func respond(
        to request: GatewayRequest, path: [String], visitor: any JobsVisitor
    ) async throws -> GatewayResponse {
        guard let route = JobsRoute(path) else { return Self.failure(Self.nothing) }
        do {
            return try await JobsFacade(framework: self, visitor: visitor).respond(route, request)
        } catch FrameworkFailure.storeFull(let reason) {
            throw GatewayError(HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage"), reason)
        } catch let failure as FrameworkFailure {
            throw GatewayError(.serviceUnavailable, failure.description)
        }
    }

    /// A refusal in the form of this interface.
    public static func failure(_ error: GatewayError) -> GatewayResponse {
        var response = JobsFacade.json(error.status) { $0.field("message", error.message) }
        for field in error.headers { response.headers.append(field) }
        return response
    }

    static let nothing = GatewayError(
        .notFound, "there is nothing here; Metronome's interface has /v1/jobs, /v1/queue, /v1/info and /ping")
}

/// One request to Metronome's interface.
struct JobsFacade: Sendable {
    let framework: JobsFramework
    let visitor: any JobsVisitor

    /// The longest body: jobs are stored with each of their runs.
    static let bodyLimit = 256 << 10

    /// An answer that ends the work on a request early.
    struct Answer: Error {
        var response: GatewayResponse
    }

    func respond(_ route: JobsRoute, _ request: GatewayRequest) async throws -> GatewayResponse {
        do {
            return try await answer(route, request)
        } catch let answer as Answer {
            return answer.response
        } catch let invalid as InvalidBody {
            return Self.invalid(invalid.defects)
        }
    }

    private func answer(_ route: JobsRoute, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch (route, request.method) {
        case (.ping, _): return .text(.ok, "pong")
        case (.info, _):
            return Self.json { json in
                json.field("version", framework.version)
                json.field("libVersion", framework.version)
            }
        case (.leader, _): return Self.json { $0.field("leader", framework.address) }
        case (.queue, _): return try await queue()
        case (.jobs, .post): return try await create(request, takesSchedules: false)
        case (.scheduledJobs, _): return try await create(request, takesSchedules: true)
        case (.job(let id), .put): return try await replace(id, request, takesSchedules: false)
        case (.scheduledJob(let id), _): return try await replace(id, request, takesSchedules: true)
        case (.job(let id), .delete): return try await delete(id, request)
        case (.jobs, _): return try await list(request)
        case (.job(let id), _): return try await one(id, request)
        case (.schedules(let id), .post): return try await addSchedule(id, request)
        case (.schedule(let id, let name), .put): return try await replaceSchedule(id, name, request)
        case (.schedule(let id, let name), .delete): return try await deleteSchedule(id, name)
        case (.schedules(let id), _): return try await schedules(id)
        case (.schedule(let id, let name), _): return try await schedule(id, name)
        case (.runs(let id), .post): return try await start(id)
        case (.runs(let id), _): return try await runs(id)
        case (.run(let id, let run), _): return try await self.run(id, run)
        case (.stop(let id, let run), _): return try await stop(id, run)
        }
    }

    // MARK: reading

    /// What belongs to a job and is shown when it is asked for.
    private struct Embeds {
        var runs = false
        var schedules = false
        var history = false
        var summary = false

        init(_ query: QueryParameters) throws {
            for value in query.values(of: "embed").flatMap({ $0.split(separator: ",").map(String.init) }) {
                switch value {
                case "activeRuns": runs = true
                case "schedules": schedules = true
                case "history": history = true
                case "historySummary": summary = true
                default:
                    throw Answer(
                        response: JobsFramework.failure(
                            GatewayError(
                                .badRequest,
                                "Unknown embed option: \(value.prefix(64)). Valid options are: "
                                    + "activeRuns, schedules, history, historySummary")))
                }
            }
        }
    }

    private func list(_ request: GatewayRequest) async throws -> GatewayResponse {
        let embeds = try Embeds(request.query)
        let core = try await framework.driver.snapshot().core
        let jobs = core.jobs.values.sorted { $0.job.id < $1.job.id }
        return Self.list { json in for state in jobs { json.object { write(state, of: core, embeds, &$0) } } }
    }

    private func one(_ id: JobID, _ request: GatewayRequest) async throws -> GatewayResponse {
        let embeds = try Embeds(request.query)
        let core = try await framework.driver.snapshot().core
        let state = try found(id, core)
        return Self.json { write(state, of: core, embeds, &$0) }
    }

    private func write(_ state: JobsCore.JobState, of core: JobsCore, _ embeds: Embeds, _ json: inout JSONText) {
        json.job(shown(state.job))
        if embeds.schedules {
            json.list("schedules") { json in
                for schedule in state.job.schedules {
                    json.object { $0.schedule(schedule, next: core.nextTime(of: schedule)) }
                }
            }
        }
        // Clients take an empty list for a job that runs.
        if embeds.runs, !state.active.isEmpty {
            json.list("activeRuns") { json in
                for run in core.inOrder(state.active) { json.object { $0.run(run) } }
            }
        }
        if embeds.history { json.object("history") { $0.history(state.history) } }
        if embeds.summary || embeds.history || embeds.runs || embeds.schedules {
            json.object("historySummary") { $0.summary(state.history) }
        }
    }

    /// The job without its environment for those who may not see any.
    private func shown(_ job: Job) -> Job {
        var job = job
        if !visitor.may(.view(.environments, of: .everyone)) { job.run.environment = [:] }
        return job
    }

    private func found(_ id: JobID, _ core: JobsCore) throws -> JobsCore.JobState {
        guard let state = core.jobs[id] else { throw Answer(response: Self.refusal(.unknownJob(id))) }
        return state
    }

    private func queue() async throws -> GatewayResponse {
        let waiting = try await framework.driver.snapshot().core.waiting
        let byJob = Dictionary(grouping: waiting) { $0.run.job.id }
        return Self.list { json in
            for (id, runs) in byJob.sorted(by: { $0.key < $1.key }) {
                json.object { json in
                    json.field("jobId", id.value)
                    json.list("runs") { json in
                        for run in runs {
                            json.object { json in
                                json.field("runId", run.run.id.value)
                                json.field("shortage", run.shortage)
                            }
                        }
                    }
                }
            }
        }
    }

    private func schedules(_ id: JobID) async throws -> GatewayResponse {
        let core = try await framework.driver.snapshot().core
        let state = try found(id, core)
        return Self.list { json in
            for schedule in state.job.schedules {
                json.object { $0.schedule(schedule, next: core.nextTime(of: schedule)) }
            }
        }
    }

    private func schedule(_ id: JobID, _ name: String) async throws -> GatewayResponse {
        let core = try await framework.driver.snapshot().core
        guard let schedule = try found(id, core).job.schedules.first(where: { $0.id == name }) else {
            return Self.refusal(.unknownSchedule(name))
        }
        return Self.json { $0.schedule(schedule, next: core.nextTime(of: schedule)) }
    }

    private func runs(_ id: JobID) async throws -> GatewayResponse {
        let core = try await framework.driver.snapshot().core
        let state = try found(id, core)
        return Self.list { json in for run in core.inOrder(state.active) { json.object { $0.run(run) } } }
    }

    private func run(_ id: JobID, _ run: RunID) async throws -> GatewayResponse {
        let core = try await framework.driver.snapshot().core
        guard let found = core.runs[run], found.job.id == id else { return Self.refusal(.unknownRun(id, run)) }
        return Self.json { $0.run(found) }
    }
}
