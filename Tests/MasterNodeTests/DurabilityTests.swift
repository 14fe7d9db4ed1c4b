import ClusterModel
import HTTPGateway
import HTTPTypes
import MasterCore
import MasterNode
import NIOCore
import StateStore
import Synchronization
import Testing

/// A store whose commits wait until the test lets them go, and then succeed or fail.
final class HeldStore: StateStore {
    private struct State {
        var isHolding = false
        var error: StoreError?
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watchers: [CheckedContinuation<Void, Never>] = []
    }

    let inner = MemoryStore()
    private let state = Mutex(State())

    /// From now on commits wait.
    func hold() { state.withLock { $0.isHolding = true } }

    /// Lets all commits go on.
    func release(failing error: StoreError? = nil) {
        let waiting = state.withLock { state in
            state.isHolding = false
            state.error = error
            defer { state.waiting = [] }
            return state.waiting
        }
        for one in waiting { one.resume() }
    }

    func fail(_ error: StoreError?) { state.withLock { $0.error = error } }

    /// Returns when a commit waits.
    func commitArrived() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if !state.waiting.isEmpty { return true }
                state.watchers.append(continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    func commit(_ transactions: [StoreTransaction]) async throws(StoreError) -> [StoreOutcome] {
        await withCheckedContinuation { continuation in
            let (goOn, watchers) = state.withLock { state in
                guard state.isHolding else { return (true, [CheckedContinuation<Void, Never>]()) }
                state.waiting.append(continuation)
                defer { state.watchers = [] }
                return (false, state.watchers)
            }
            if goOn { continuation.resume() }
            for watcher in watchers { watcher.resume() }
        }
        if let error = state.withLock({ $0.error }) { throw error }
        return try inner.commit(transactions)
    }

    func probe() async throws(StoreError) {
        if let error = state.withLock({ $0.error }) { throw error }
        try inner.probe()
    }

    func status() async -> StoreStatus { inner.status() }
    func get(_ key: String) async throws(StoreError) -> StoreEntry? { try inner.get(key) }
    func range(prefix: String, limit: Int, startAfter: String?) async throws(StoreError) -> StorePage {
        try inner.range(prefix: prefix, limit: limit, startAfter: startAfter)
    }
    func watch(prefix: String, from: Revision?) -> StoreWatch { inner.watch(prefix: prefix, from: from) }
    func grantLease(_ id: LeaseID, ttl: Duration, now: Duration) async throws(StoreError) {
        try inner.grantLease(id, ttl: ttl, now: now)
    }
    func keepLeaseAlive(_ id: LeaseID, now: Duration) async throws(StoreError) {
        try inner.keepLeaseAlive(id, now: now)
    }
    func revokeLease(_ id: LeaseID) async throws(StoreError) -> Revision { try inner.revokeLease(id) }
    func expireLeases(now: Duration) async throws(StoreError) -> [LeaseID] { try inner.expireLeases(now: now) }
    func compact(upTo revision: Revision) async throws(StoreError) { try inner.compact(upTo: revision) }
    func close() async { inner.close() }
}

/// "Commit, then speak", and what happens when the commit fails.
@Suite struct DurabilityTests {
    private static let weights =
        "{\"type\":\"UPDATE_WEIGHTS\",\"update_weights\":{\"weight_infos\":[{\"role\":\"web\",\"weight\":2}]}}"

    @Test func `nothing is said before the write behind it is durable`() async throws {
        let store = HeldStore()
        try await MasterFixture.with(store: store) { fixture in
            store.hold()
            let answered = Mutex(false)
            async let subscribed = { () async throws -> FakeFramework in
                let framework = try await FakeFramework.subscribe(to: fixture, .named("early"))
                answered.withLock { $0 = true }
                return framework
            }()
            await store.commitArrived()
            // The driver is inside the commit; whatever it would say early would have been said by now.
            for _ in 0..<100 { await Task.yield() }
            #expect(!answered.withLock { $0 })
            #expect(try store.inner.range(prefix: "/rondo/frameworks/", limit: 10, startAfter: nil).entries.isEmpty)
            store.release()
            let framework = try await subscribed
            let key = "/rondo/frameworks/\(framework.id)"
            #expect(try store.inner.get(key) != nil)
        }
    }

    @Test func `requests that wait together are committed together`() async throws {
        let store = HeldStore()
        try await MasterFixture.with(store: store) { fixture in
            store.hold()
            async let first = fixture.post("/api/v1", Self.weights)
            await store.commitArrived()
            async let second = fixture.post(
                "/api/v1", Self.weights.replacing("web", with: "batch"))
            store.release()
            let statuses = [try await first.status, try await second.status]
            #expect(statuses == [.ok, .ok])
            #expect(try store.inner.get("/rondo/weights/web") != nil)
            #expect(try store.inner.get("/rondo/weights/batch") != nil)
        }
    }

    @Test(arguments: [(StoreError.full("no space"), 507), (.io("bad sector"), 503)])
    func `a failed write refuses its request, ends streams and forgets what was not stored`(
        error: StoreError, status: Int
    ) async throws {
        let store = HeldStore()
        try await MasterFixture.with(store: store) { fixture in
            var framework = try await FakeFramework.subscribe(to: fixture, .named("cut"))
            store.fail(error)
            let refused = try await fixture.post("/api/v1", Self.weights)
            #expect(refused.status.code == status)
            #expect(!String(buffer: refused.bytes).isEmpty)
            // The stream ends with a reason.
            guard case .error = try await framework.event() else {
                Issue.record("no ERROR at the end of the stream")
                return
            }
            #expect(try await framework.reader.next() == nil)
            // Reads go on, with what is stored; writes and new streams are refused at once.
            let state = try await fixture.json("/state")
            #expect(state["frameworks.0.id"]?.text == framework.id.value)
            #expect(state["frameworks.0.connected"]?.bool == false)
            #expect(try await fixture.post("/api/v1", Self.weights).status.code == status)
            let body = "{\"type\":\"SUBSCRIBE\",\"subscribe\":{\"framework_info\":{\"user\":\"u\",\"name\":\"n\"}}}"
            #expect(try await fixture.post("/api/v1/scheduler", body).status.code == status)
            let health = try await fixture.json("/rondo/v1/health")
            #expect(health["writable"]?.bool == false)
            // A probe succeeds, and the same framework comes back.
            store.fail(nil)
            while try await fixture.json("/rondo/v1/health")["writable"]?.bool == false { await Task.yield() }
            var info = FrameworkInfo.named("cut")
            info.id = framework.id
            let again = try await FakeFramework.subscribe(to: fixture, info)
            #expect(again.id == framework.id)
        }
    }

    @Test func `a commit whose outcome is unknown ends the master with its exit code`() async throws {
        let store = HeldStore()
        try await MasterFixture.with(store: store) { fixture in
            store.fail(.outcomeUnknown("fsync failed"))
            async let refused = fixture.post("/api/v1", Self.weights)
            let error = await #expect(throws: MasterNodeError.self) { try await fixture.node.run() }
            #expect(error?.exitCode == 74)
            _ = try? await refused
        }
    }

    @Test func `a restarted master knows its agents, frameworks, weights and its cluster`() async throws {
        let store = MemoryStore()
        let (cluster, framework, agent) = try await MasterFixture.with(store: store) { fixture in
            let agent = try await FakeAgent.register(with: fixture)
            let framework = try await FakeFramework.subscribe(to: fixture, .named("stays"))
            #expect(try await fixture.post("/api/v1", Self.weights).status == .ok)
            return (fixture.node.cluster, framework.id, agent.id)
        }
        try await MasterFixture.with(store: store) { fixture in
            #expect(fixture.node.cluster == cluster)
            #expect(cluster.id.count == 36)
            let core = try await fixture.node.snapshot()
            #expect(core.frameworks[framework] != nil)
            #expect(core.agents[agent]?.session == .recovered)
            let again = try await FakeAgent.register(with: fixture, FakeAgent.info(id: agent))
            #expect(again.id == agent)
        }
    }

    @Test func `a newer format is refused`() async throws {
        let store = MemoryStore()
        let value = Array("{\"format\":2,\"value\":{}}".utf8)
        _ = try store.commit([StoreTransaction(operations: [.put(key: "/rondo/agents/x", value: value)])])
        let error = await #expect(throws: MasterNodeError.self) {
            try await MasterFixture.with(store: store) { _ in }
        }
        #expect(error?.code == "master.format-newer")
    }
}
