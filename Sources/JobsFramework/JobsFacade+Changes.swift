internal import Access
internal import ClusterModel
internal import FrameworkRuntime
internal import HTTPGateway
internal import HTTPTypes
internal import JobsCore
internal import NIOCore
internal import Schedules

extension JobsFacade {
    // MARK: jobs

    func create(_ request: GatewayRequest, takesSchedules: Bool) async throws -> GatewayResponse {
        let job = try JobReading.job(try await body(request), id: nil, takesSchedules: takesSchedules)
        visitor.note("job.create", job.id.value)
        try mayRun(job)
        return answer(try await ask(.create(job, try zone(of: job.schedules.first))), .created)
    }

    func replace(_ id: JobID, _ request: GatewayRequest, takesSchedules: Bool) async throws -> GatewayResponse {
        visitor.note("job.change", id.value)
        let job = try JobReading.job(try await body(request), id: id, takesSchedules: takesSchedules)
        try mayRun(job)
        return answer(
            try await ask(.replace(job, keepsSchedules: !takesSchedules, try zone(of: job.schedules.first))), .ok)
    }

    func delete(_ id: JobID, _ request: GatewayRequest) async throws -> GatewayResponse {
        visitor.note("job.delete", id.value)
        try visitor.require(.killTask(.everyone))
        let stops = request.query["stopCurrentJobRuns"]?.lowercased() == "true"
        return answer(try await ask(.delete(id, stopsRuns: stops)), .ok)
    }

    // MARK: schedules

    func addSchedule(_ id: JobID, _ request: GatewayRequest) async throws -> GatewayResponse {
        visitor.note("job.schedule", id.value)
        let schedule = try JobReading.schedule(try await body(request), id: nil)
        try await mayRunStored(id)
        guard let rules = try zone(of: schedule) else { return Self.refusal(.unknownSchedule(schedule.id)) }
        return answer(try await ask(.addSchedule(id, schedule, rules)), .created)
    }

    func replaceSchedule(_ id: JobID, _ name: String, _ request: GatewayRequest) async throws -> GatewayResponse {
        visitor.note("job.schedule", id.value)
        let schedule = try JobReading.schedule(try await body(request), id: name)
        try await mayRunStored(id)
        guard let rules = try zone(of: schedule) else { return Self.refusal(.unknownSchedule(schedule.id)) }
        return answer(try await ask(.replaceSchedule(id, schedule, rules)), .ok)
    }

    func deleteSchedule(_ id: JobID, _ name: String) async throws -> GatewayResponse {
        visitor.note("job.schedule", id.value)
        try visitor.require(.killTask(.everyone))
        return answer(try await ask(.deleteSchedule(id, name)), .ok)
    }

    /// The rules of a schedule's zone.
    private func zone(of schedule: JobSchedule?) throws -> TimeZoneRules? {
        guard let schedule else { return nil }
        guard let rules = framework.zones.rules(schedule.zone) else {
            throw InvalidBody(
                defects: [FieldDefect("/timezone", "No time zone found with this id: \(schedule.zone.prefix(64))")])
        }
        return rules
    }

    // MARK: runs

    func start(_ id: JobID) async throws -> GatewayResponse {
        visitor.note("job.run", id.value)
        try await mayRunStored(id)
        return answer(try await ask(.start(id)), .created)
    }

    func stop(_ id: JobID, _ run: RunID) async throws -> GatewayResponse {
        visitor.note("job.stop", id.value + "/" + run.value)
        try visitor.require(.killTask(.everyone))
        return answer(try await ask(.stop(id, run)), .ok)
    }

    // MARK: rights

    /// Asks for what the visitor would need to run the same tasks by a framework of its own. The jobs framework itself
    /// may run as anybody and read every secret, so it is here that this is asked.
    private func mayRun(_ job: Job) throws {
        try visitor.require(.registerFramework(.everyone))
        for account in job.run.accounts(framework: framework.user) { try visitor.require(.runAs(account)) }
        for path in job.run.secrets.values.sorted() { try visitor.require(.secret(.read, path: path)) }
    }

    private func mayRunStored(_ id: JobID) async throws {
        let core = try await framework.driver.snapshot().core
        guard let job = core.jobs[id]?.job else {
            try visitor.require(.registerFramework(.everyone))
            return
        }
        try mayRun(job)
    }

    // MARK: bodies and answers

    private func ask(_ command: JobsCommand) async throws -> JobsReply {
        try await framework.driver.ask(command)
    }

    private func body(_ request: GatewayRequest) async throws -> JSONValue {
        let body = try await request.body.collect(upTo: Self.bodyLimit)
        guard let value = JSONValue(parsing: Array(body.readableBytesView)) else {
            throw GatewayError(.badRequest, "the body is not JSON; send an object")
        }
        return value
    }

    private func answer(_ reply: JobsReply, _ status: HTTPResponse.Status) -> GatewayResponse {
        switch reply {
        case .job(let job):
            return Self.json(status) { json in
                json.job(job)
                if job.schedules.isEmpty { return }
                json.list("schedules") { json in
                    for schedule in job.schedules {
                        let next = framework.zones.rules(schedule.zone).flatMap {
                            schedule.cron.next(after: framework.driver.clock.now().wall, in: $0)
                        }
                        json.object { $0.schedule(schedule, next: next) }
                    }
                }
            }
        case .schedule(let schedule, let next): return Self.json(status) { $0.schedule(schedule, next: next) }
        case .run(let run): return Self.json(status) { $0.run(run) }
        case .done: return Self.json(status) { _ in }
        case .refused(let refusal): return Self.refusal(refusal)
        }
    }

    /// Refusals with the statuses and words of Metronome.
    static func refusal(_ refusal: JobsRefusal) -> GatewayResponse {
        switch refusal {
        case .unknownJob(let id):
            return json(.notFound) { json in
                json.field("id", id.value)
                json.field("message", "Job not found")
            }
        case .unknownSchedule(let id):
            return json(.notFound) { json in
                json.field("id", id)
                json.field("message", "Schedule not found")
            }
        case .unknownRun(let job, let id):
            return json(.notFound) { json in
                json.field("jobSpec", job.value)
                json.field("id", id.value)
                json.field("message", "Job Run not found")
            }
        case .jobExists: return message(.conflict, "Job with this id already exists")
        case .scheduleExists(let id): return message(.conflict, "A schedule with id \(id) already exists")
        case .oneSchedule: return message(.conflict, "Only one schedule supported at the moment")
        case .activeRuns:
            return message(.conflict, "There are active job runs. Override with stopCurrentJobRuns=true")
        case .dependents(let id, let children):
            let names = children.map(\.value).joined(separator: ", ")
            return message(.conflict, "There are jobs with a dependency on \(id). children=[\(names)]")
        case .invalid(let text): return message(.unprocessableContent, text)
        case .limit(let text): return message(.conflict, text)
        }
    }

    private static func message(_ status: HTTPResponse.Status, _ text: String) -> GatewayResponse {
        json(status) { $0.field("message", text) }
    }

    /// 422 with everything that is wrong and where.
    static func invalid(_ defects: [FieldDefect]) -> GatewayResponse {
        json(.unprocessableContent) { $0.invalid(defects) }
    }

    static func json(
        _ status: HTTPResponse.Status = .ok, _ fields: (inout JSONText) -> Void
    ) -> GatewayResponse {
        var text = JSONText()
        text.object(fields)
        return .complete(
            status, headers: [.contentType: "application/json"], bytes: ByteBuffer(bytes: text.bytes))
    }

    static func list(_ elements: (inout JSONText) -> Void) -> GatewayResponse {
        var text = JSONText()
        text.list(elements)
        return .complete(.ok, headers: [.contentType: "application/json"], bytes: ByteBuffer(bytes: text.bytes))
    }
}
