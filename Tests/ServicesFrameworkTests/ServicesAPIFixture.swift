import Access
import ClusterModel
import FrameworkRuntime
import HTTPGateway
import HTTPTypes
import Logging
import NIOCore
import ServicesFramework
import StateStore
import Testing

/// A master that turns everybody away: the interface works without one.
struct NoMaster: SchedulerConnector {
    func subscribe(_ subscription: Subscription) async throws(SchedulerCallError) -> any SchedulerSession {
        throw SchedulerCallError(status: 503, message: "no master here")
    }
}

/// Somebody with some rights.
struct TestVisitor: ServicesVisitor {
    var denied: Set<String> = []

    func require(_ action: Action) throws {
        if !may(action) { throw GatewayError(.forbidden, "needs \(action.verb):\(action.object)") }
    }

    func may(_ action: Action) -> Bool {
        !denied.contains(action.verb) && !denied.contains(action.verb + ":" + action.object)
    }

    func note(_ action: String, _ object: String) {}
}

/// The services without a cluster.
struct ServicesAPIFixture {
    let services: ServicesFramework
    let store: MemoryStore

    static func with(
        store: MemoryStore = MemoryStore(), abilities: Set<ServicesFramework.Settings.Ability> = [],
        _ test: (ServicesAPIFixture) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let origin = ContinuousClock.now
        let services = ServicesFramework(
            ServicesFramework.Settings(
                user: "nobody",
                master: MasterInfo(
                    id: MasterID("m"), hostname: "here", address: "127.0.0.1", port: 5_050, version: "1.11.0"),
                version: "1.2.3", abilities: abilities, newSeed: { (1, 2) }, newID: { FrameworkID("services") }),
            store: store, connector: NoMaster(),
            clock: FrameworkClock(
                now: {
                    let elapsed = origin.duration(to: .now)
                    return Moment(elapsed: elapsed, wall: UnixTime(seconds: 1_700_000_000) + elapsed)
                },
                sleep: { try await ContinuousClock().sleep(until: origin + $0) }), logger: logger)
        let work = Task { try await services.run() }
        let result: Result<Void, any Error>
        do {
            try await test(ServicesAPIFixture(services: services, store: store))
            result = .success(())
        } catch { result = .failure(error) }
        services.stop()
        _ = await work.result
        try result.get()
    }

    func call(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", as visitor: TestVisitor = TestVisitor()
    ) async throws -> (status: Int, body: JSONValue, headers: HTTPFields) {
        let target = try RequestTarget(parsing: path)
        let request = GatewayRequest(
            method: method, target: target, body: GatewayBody(ByteBuffer(string: body)))
        let response = try await services.respond(to: request, path: target.segments, visitor: visitor)
        guard case .bytes(let bytes) = response.content else { return (response.status.code, .null, response.headers) }
        let document = JSONValue(parsing: Array(bytes.readableBytesView)) ?? .null
        return (response.status.code, document, response.headers)
    }
}

extension JSONValue {
    subscript(_ key: String) -> JSONValue? {
        guard case .object(let fields) = self else { return nil }
        return fields[key]
    }

    subscript(_ index: Int) -> JSONValue? {
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
