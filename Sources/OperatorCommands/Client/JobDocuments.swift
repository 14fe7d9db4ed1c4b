internal import Appliance
internal import FoundationEssentials
internal import Glibc
internal import HTTPTypes

/// A job as Metronome's interface shows it, as far as people look at it.
struct JobDocument: Decodable {
    struct Run: Decodable {
        struct Docker: Decodable { var image: String }
        struct Universal: Decodable {
            struct Image: Decodable { var id: String }
            var image: Image
        }
        struct Restart: Decodable { var policy: String }

        var cpus: Double
        var mem: Double
        var disk: Double
        var cmd: String?
        var args: [String]?
        var user: String?
        var docker: Docker?
        var ucr: Universal?
        var restart: Restart?
    }

    struct Parent: Decodable { var id: String }

    var id: String
    var description: String?
    var labels: [String: String]?
    var dependencies: [Parent]?
    var run: Run
    var schedules: [JobScheduleDocument]?
    var activeRuns: [JobRunDocument]?
    var history: JobHistoryDocument?
    var historySummary: JobHistoryDocument?
}

struct JobScheduleDocument: Decodable {
    var id: String
    var cron: String
    var timezone: String
    var concurrencyPolicy: String
    var startingDeadlineSeconds: Int
    var enabled: Bool
    var nextRunAt: String?
}

struct JobRunDocument: Decodable {
    struct Attempt: Decodable {
        var id: String
        var status: String
        var startedAt: String?
        var completedAt: String?
    }

    var id: String
    var jobId: String
    var status: String
    var createdAt: String
    var completedAt: String?
    var tasks: [Attempt]
}

struct JobHistoryDocument: Decodable {
    struct Entry: Decodable {
        var id: String
        var createdAt: String
        var finishedAt: String
        var tasks: [String]?
    }

    var successCount: Int
    var failureCount: Int
    var lastSuccessAt: String?
    var lastFailureAt: String?
    var successfulFinishedRuns: [Entry]?
    var failedFinishedRuns: [Entry]?

    /// The runs that are described, newest first.
    var all: [(entry: Entry, succeeded: Bool)] {
        let runs =
            (successfulFinishedRuns ?? []).map { ($0, true) } + (failedFinishedRuns ?? []).map { ($0, false) }
        return runs.sorted { ($0.0.createdAt, $0.0.id) > ($1.0.createdAt, $1.0.id) }
    }
}

/// What waits for offers, and what it lacks.
struct JobQueueDocument: Decodable {
    struct Waiting: Decodable {
        var runId: String
        var shortage: String?
    }

    var jobId: String
    var runs: [Waiting]
}

/// Asks for jobs.
struct JobClient: Sendable {
    static let service = "/service/metronome"

    let client: ClusterClient

    init(_ client: ClusterClient) { self.client = client }

    static func path(_ job: String, _ rest: String = "") -> String { "/v1/jobs/\(PathText.escaped(job))\(rest)" }

    /// Makes a request.
    ///
    /// - Returns: nil when there is no such job, run or schedule.
    func ask(_ method: HTTPRequest.Method, _ path: String, body: JSONValue? = nil) async throws -> [UInt8]? {
        let answer = try await client.exchange(
            method, Self.service + path, try body?.encoded(), type: body == nil ? nil : "application/json")
        if (200..<300).contains(answer.status) { return answer.bytes }
        let refusal = ClusterClient.refusal(answer.status, answer.bytes)
        if answer.status == 404, refusal.description.hasSuffix("not found") { return nil }
        throw refusal
    }

    /// As ``ask(_:_:body:)`` for a job that must be there.
    func ask(_ method: HTTPRequest.Method, job: String, _ rest: String = "", body: JSONValue? = nil) async throws
        -> [UInt8]
    {
        guard let answer = try await ask(method, Self.path(job, rest), body: body) else { throw Self.missing(job) }
        return answer
    }

    func document<Document: Decodable>(_ type: Document.Type, _ path: String) async throws -> Document? {
        try await ask(.get, path).map { try read(type, $0) }
    }

    func read<Document: Decodable>(_ type: Document.Type, _ bytes: [UInt8]) throws -> Document {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw ApplianceError(
                .failure,
                "\(client.endpoint) does not answer as a master of release \(Program.version) does; check --master")
        }
    }

    /// A job with what is asked for, and the same as it came.
    func job(_ name: String, embed: [String]) async throws -> (JobDocument, [UInt8]) {
        let query = embed.map { "embed=\($0)" }.joined(separator: "&")
        let bytes = try await ask(.get, job: name, "?" + query)
        return (try read(JobDocument.self, bytes), bytes)
    }

    static func missing(_ job: String) -> ApplianceError {
        ApplianceError(.failure, "there is no job '\(job)'; `rondo job list` shows those there are")
    }
}

/// Times as jobs have them: `2017-03-30T15:50:16.187+0000`.
enum JobTime {
    /// Seconds since 1970; nil for another form.
    static func seconds(_ text: String?) -> Double? {
        guard let text, text.utf8.count >= 19 else { return nil }
        let parts = text.split(whereSeparator: { !("0"..."9").contains($0) }).map { Int32($0) }
        guard parts.count >= 6, let year = parts[0], let month = parts[1], let day = parts[2], let hour = parts[3],
            let minute = parts[4], let second = parts[5]
        else { return nil }
        var civil = tm()
        (civil.tm_year, civil.tm_mon, civil.tm_mday) = (year &- 1_900, month &- 1, day)
        (civil.tm_hour, civil.tm_min, civil.tm_sec) = (hour, minute, second)
        let milliseconds = parts.count > 6 ? Double(parts[6] ?? 0) / 1_000 : 0
        return Double(timegm(&civil)) + milliseconds
    }

    /// `45.2 s`, `3 min 20 s`, `2 h 5 min`.
    static func length(_ seconds: Double) -> String {
        let seconds = max(0, min(seconds, 1e9))
        if seconds < 60 { return "\(Words.number((seconds * 10).rounded() / 10)) s" }
        let whole = Int(seconds)
        if whole < 3_600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3_600) h \(whole % 3_600 / 60) min"
    }

    static func between(_ begin: String?, _ end: String?) -> String? {
        guard let begin = seconds(begin), let end = seconds(end) else { return nil }
        return length(end - begin)
    }
}
