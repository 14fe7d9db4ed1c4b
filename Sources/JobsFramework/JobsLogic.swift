public import ClusterModel
internal import FoundationEssentials
public import FrameworkRuntime
public import JobsCore
internal import Schedules
internal import StateStore

/// The jobs' core in the form that a ``FrameworkDriver`` runs.
public struct JobsLogic: FrameworkLogic {
    /// What is decided.
    public internal(set) var core: JobsCore

    init(core: JobsCore) { self.core = core }

    /// See ``JobsCore/nextDeadline``.
    public var nextDeadline: Duration? { core.nextDeadline }

    /// See ``JobsCore/handle(_:now:)``.
    public mutating func handle(
        _ input: FrameworkInput<JobsCommand>, now: Moment
    ) -> FrameworkTurn<JobsReply> {
        let input: JobsInput? =
            switch input {
            case .connected(let id): .connected(id)
            case .disconnected: .disconnected
            case .removed: .removed
            case .command(let request, let command): .command(request, command)
            case .tick: .tick
            case .event(let event): Self.input(event)
            }
        guard let input else { return FrameworkTurn() }
        let turn = core.handle(input, now: now)
        var faults = turn.faults
        var transactions: [[StoreTransaction.Operation]] = []
        for group in turn.transactions {
            do { transactions.append(try group.flatMap(JobsStore.operations)) } catch { faults.append("\(error)") }
        }
        return FrameworkTurn(
            transactions: transactions,
            effects: turn.effects.map { effect in
                switch effect {
                case .call(let call): .call(call)
                case .reply(let request, let reply): .reply(request, reply)
                case .publish(let event): .note(Self.text(event))
                }
            }, faults: faults)
    }

    private static func input(_ event: SchedulerEvent) -> JobsInput? {
        switch event {
        case .offers(let offers): .offers(offers)
        case .rescind(let offer): .rescind(offer)
        case .update(let status): .update(status)
        case .subscribed, .message, .failure, .error, .operation, .heartbeat: nil
        }
    }

    private static func text(_ event: JobsEvent) -> String {
        switch event {
        case .jobChanged(let id): "job \(id) is new or changed"
        case .jobDeleted(let id): "job \(id) is deleted"
        case .runStarted(let job, let run): "run \(run) of job \(job) begins"
        case .runUpdated(let job, let run, let status): "run \(run) of job \(job) is \(status.rawValue)"
        case .runEnded(let job, let run, let status, let why):
            "run \(run) of job \(job) has ended: \(status.rawValue)" + (why.map { ", \($0)" } ?? "")
        case .skipped(let job, let time, let why):
            "no run of job \(job) for \(JobsDate.text(time)): \(why.rawValue)"
        }
    }
}

/// How jobs are stored, and under which keys.
///
/// ```
/// /rondo/jobs/<job>               Job
/// /rondo/job-marks/<job>          JobMarks
/// /rondo/job-histories/<job>      JobHistory
/// /rondo/job-runs/<job>/<run>     JobRun, while it has not ended
/// ```
/// Every value is JSON, `{"format": 1, "value": …}`. Older formats stay readable, newer ones are refused.
enum JobsStore {
    static let format = 1
    private static let jobs = "/rondo/jobs/"
    private static let marks = "/rondo/job-marks/"
    private static let histories = "/rondo/job-histories/"
    private static let runs = "/rondo/job-runs/"

    private struct Stored<Value: Codable>: Codable {
        var format: Int
        var value: Value
    }

    /// Why what is stored cannot be read.
    struct Unreadable: Error, CustomStringConvertible {
        var description: String
    }

    static func operations(_ change: JobsChange) throws -> [StoreTransaction.Operation] {
        switch change {
        case .putJob(let job): [.put(key: jobs + job.id.value, value: try encode(job))]
        case .putMarks(let id, let marks): [.put(key: Self.marks + id.value, value: try encode(marks))]
        case .putHistory(let id, let history): [.put(key: histories + id.value, value: try encode(history))]
        case .putRun(let run):
            [.put(key: runs + run.job.id.value + "/" + run.id.value, value: try encode(run))]
        case .removeRun(let job, let run): [.delete(key: runs + job.value + "/" + run.value)]
        case .removeJob(let id):
            [
                .delete(key: jobs + id.value), .delete(key: marks + id.value), .delete(key: histories + id.value),
                .deletePrefix(runs + id.value + "/"),
            ]
        }
    }

    static func load(_ store: any StateStore) async throws -> JobsRecords {
        var records = JobsRecords()
        for entry in try await all(jobs, store) { records.jobs.append(try decode(entry)) }
        for entry in try await all(marks, store) {
            records.marks[JobID(String(entry.key.dropFirst(marks.count)))] = try decode(entry)
        }
        for entry in try await all(histories, store) {
            records.histories[JobID(String(entry.key.dropFirst(histories.count)))] = try decode(entry)
        }
        for entry in try await all(runs, store) { records.runs.append(try decode(entry)) }
        return records
    }

    private static func all(_ prefix: String, _ store: any StateStore) async throws -> [StoreEntry] {
        var entries: [StoreEntry] = []
        while true {
            let page = try await store.range(prefix: prefix, limit: 1_000, startAfter: entries.last?.key)
            entries += page.entries
            if !page.more || page.entries.isEmpty { return entries }
        }
    }

    private static func encode(_ value: some Codable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(Stored(format: format, value: value)))
    }

    private struct FormatOnly: Decodable {
        var format: Int
    }

    private static func decode<Value: Codable>(_ entry: StoreEntry) throws -> Value {
        let decoder = JSONDecoder()
        let data = Data(entry.value)
        do {
            let found = try decoder.decode(FormatOnly.self, from: data).format
            guard found <= format else {
                throw Unreadable(
                    description:
                        "\(entry.key) has format \(found), which a newer release wrote; this one reads \(format)")
            }
            return try decoder.decode(Stored<Value>.self, from: data).value
        } catch let error as Unreadable {
            throw error
        } catch {
            throw Unreadable(description: "\(entry.key) cannot be read: \(error)")
        }
    }
}
