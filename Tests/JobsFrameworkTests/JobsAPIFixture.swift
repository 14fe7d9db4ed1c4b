import Access
import ClusterModel
import FoundationEssentials
import FrameworkRuntime
import HTTPGateway
import HTTPTypes
import JobsFramework
import Logging
import NIOCore
import StateStore
import Synchronization
import Testing

/// A master that turns everybody away: the interface works without one.
struct NoMaster: SchedulerConnector {
    func subscribe(_ subscription: Subscription) async throws(SchedulerCallError) -> any SchedulerSession {
        throw SchedulerCallError(status: 503, message: "no master here")
    }
}

/// Somebody with some rights.
struct TestVisitor: JobsVisitor {
    var denied: Set<String> = []

    func require(_ action: Action) throws {
        if !may(action) { throw GatewayError(.forbidden, "needs \(action.verb):\(action.object)") }
    }

    func may(_ action: Action) -> Bool {
        !denied.contains(action.verb) && !denied.contains(action.verb + ":" + action.object)
    }

    func note(_ action: String, _ object: String) {}
}

/// The jobs without a cluster.
struct JobsAPIFixture {
    let jobs: JobsFramework
    let store: MemoryStore

    static func with(store: MemoryStore = MemoryStore(), _ test: (JobsAPIFixture) async throws -> Void) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let origin = ContinuousClock.now
        let jobs = JobsFramework(
            JobsFramework.Settings(
                user: "nobody", address: "127.0.0.1:5050", version: "1.2.3", seed: 1, newID: { FrameworkID("jobs") }),
            store: store, connector: NoMaster(),
            clock: FrameworkClock(
                now: {
                    let elapsed = origin.duration(to: .now)
                    return Moment(elapsed: elapsed, wall: UnixTime(seconds: 1_700_000_000) + elapsed)
                },
                sleep: { try await ContinuousClock().sleep(until: origin + $0) }), logger: logger)
        let work = Task { try await jobs.run() }
        let result: Result<Void, any Error>
        do {
            try await test(JobsAPIFixture(jobs: jobs, store: store))
            result = .success(())
        } catch { result = .failure(error) }
        jobs.stop()
        _ = await work.result
        try result.get()
    }

    func call(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", as visitor: TestVisitor = TestVisitor()
    ) async throws -> (status: Int, body: JSON) {
        let target = try RequestTarget(parsing: path)
        let request = GatewayRequest(
            method: method, target: target, body: GatewayBody(ByteBuffer(string: body)))
        let response = try await jobs.respond(to: request, path: target.segments, visitor: visitor)
        guard case .bytes(let bytes) = response.content else { return (response.status.code, .null) }
        let data = Data(bytes.readableBytesView)
        return (response.status.code, (try? JSONDecoder().decode(JSON.self, from: data)) ?? .null)
    }
}

/// Any JSON value, to look into.
enum JSON: Decodable, Equatable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let list = try? container.decode([JSON].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    subscript(_ key: String) -> JSON? {
        guard case .object(let fields) = self else { return nil }
        return fields[key]
    }

    subscript(_ index: Int) -> JSON? {
        guard case .list(let list) = self, list.indices.contains(index) else { return nil }
        return list[index]
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var count: Int { if case .list(let list) = self { list.count } else { -1 } }

    /// The paths of a 422.
    var paths: [String] {
        guard case .list(let details)? = self["details"] else { return [] }
        return details.compactMap { $0["path"]?.text }
    }
}
