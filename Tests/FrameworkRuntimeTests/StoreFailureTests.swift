import ClusterModel
import FrameworkRuntime
import StateStore
import Synchronization
import Testing

/// A store that can be told to fail.
final class FailingStore: StateStore {
    private let store: any StateStore = MemoryStore()
    private let failure = Mutex<StoreError?>(nil)

    func fail(_ error: StoreError?) { failure.withLock { $0 = error } }

    private func check() throws(StoreError) {
        if let error = failure.withLock({ $0 }) { throw error }
    }

    func status() async -> StoreStatus { await store.status() }
    func get(_ key: String) async throws(StoreError) -> StoreEntry? { try await store.get(key) }

    func range(prefix: String, limit: Int, startAfter: String?) async throws(StoreError) -> StorePage {
        try await store.range(prefix: prefix, limit: limit, startAfter: startAfter)
    }

    func commit(_ transactions: [StoreTransaction]) async throws(StoreError) -> [StoreOutcome] {
        try check()
        return try await store.commit(transactions)
    }

    func watch(prefix: String, from: Revision?) -> StoreWatch { store.watch(prefix: prefix, from: from) }

    func grantLease(_ id: LeaseID, ttl: Duration, now: Duration) async throws(StoreError) {
        try await store.grantLease(id, ttl: ttl, now: now)
    }

    func keepLeaseAlive(_ id: LeaseID, now: Duration) async throws(StoreError) {
        try await store.keepLeaseAlive(id, now: now)
    }

    func revokeLease(_ id: LeaseID) async throws(StoreError) -> Revision { try await store.revokeLease(id) }
    func expireLeases(now: Duration) async throws(StoreError) -> [LeaseID] { try await store.expireLeases(now: now) }
    func compact(upTo revision: Revision) async throws(StoreError) { try await store.compact(upTo: revision) }
    func probe() async throws(StoreError) { try check() }
    func close() async { await store.close() }
}

@Suite("Built-in frameworks and a store that fails", .timeLimit(.minutes(2)))
struct StoreFailureTests {
    @Test func `a turn that cannot be stored is undone, and goes on when the store works again`() async throws {
        let store = FailingStore()
        let master = PlayedMaster()
        let driver = DriverFixture.driver(master, store)
        let work = Task { try await driver.run() }
        var sessions = master.sessions.makeAsyncIterator()
        let first = try #require(await sessions.next())
        first.welcome()
        #expect(try await driver.ask(.add(2)) == 2)
        store.fail(.full("no space"))
        await #expect(throws: FrameworkFailure.self) { try await driver.ask(.add(5)) }
        #expect(try await driver.snapshot().total == 2)
        await #expect(throws: FrameworkFailure.self) { try await driver.ask(.add(5)) }
        store.fail(nil)
        let second = try #require(await sessions.next())
        second.welcome()
        #expect(try await driver.ask(.add(1)) == 3)
        driver.stop()
        try await work.value
    }

    @Test func `a commit that may or may not be on disk ends the work`() async throws {
        let store = FailingStore()
        let driver = DriverFixture.driver(PlayedMaster(), store)
        let work = Task { try await driver.run() }
        #expect(try await driver.ask(.add(2)) == 2)
        store.fail(.outcomeUnknown("flush"))
        await #expect(throws: FrameworkFailure.self) { try await driver.ask(.add(5)) }
        await #expect(throws: FrameworkFailure.outcomeUnknown("flush")) { try await work.value }
    }
}
