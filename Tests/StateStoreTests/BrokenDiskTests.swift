import CSQLite
import Testing

@testable import StateStore

/// A file layer that fails when told to.
private final class FaultyDisk: @unchecked Sendable {
    let name: String
    private let faults: OpaquePointer

    init(_ name: String) {
        self.name = name
        faults = csqlite_faults_register(name)!
    }

    func failWrite(nth: Int, _ code: Int32, lasting: Bool = false) {
        csqlite_faults_arm(faults, Int32(CSQLITE_FAULT_WRITE.rawValue), Int32(nth), code, lasting ? 1 : 0)
    }

    func failSync(nth: Int) {
        csqlite_faults_arm(faults, Int32(CSQLITE_FAULT_SYNC.rawValue), Int32(nth), SQLITE_IOERR | (4 << 8), 0)
    }

    func repair() { csqlite_faults_disarm(faults) }

    var syncs: Int { Int(csqlite_faults_seen(faults, Int32(CSQLITE_FAULT_SYNC.rawValue))) }

    /// Only when every store on it is closed.
    func remove() { csqlite_faults_unregister(faults) }
}

@Suite(.timeLimit(.minutes(5)))
struct BrokenDiskTests {
    private static let writeError: Int32 = SQLITE_IOERR | (3 << 8)

    @Test(arguments: [SQLITE_FULL, writeError])
    func `a write that fails is undone, reads go on, and a probe ends the read-only state`(code: Int32) async throws {
        let disk = FaultyDisk("full-\(code)")
        let directory = TemporaryDirectory()
        let store = try SQLiteStore(.init(path: directory.database, fileLayer: disk.name))
        _ = try await store.transact(put("a", "1"))
        let before = store.status()
        disk.failWrite(nth: 1, code, lasting: true)
        let first = await failure { _ = try await store.commit([put("a", "2"), put("b", "2")]) }
        #expect(first?.code == (code == SQLITE_FULL ? "store.full" : "store.io"))
        #expect(store.status().isReadOnly)
        #expect(try store.get("a")?.value == bytes("1"))
        #expect(try store.get("b") == nil)
        #expect(await failure { _ = try await store.transact(put("a", "3")) }?.code == "store.read-only")
        #expect(await failure { try await store.probe() }?.code == first?.code)
        #expect(store.status().isReadOnly)
        disk.repair()
        #expect(await failure { _ = try await store.transact(put("a", "3")) }?.code == "store.read-only")
        try await store.probe()
        #expect(store.status() == before)
        #expect(try await store.transact(put("a", "4")) == .committed(2))
        await store.close()
        let again = try SQLiteStore(path: directory.database)
        #expect(try again.get("a")?.value == bytes("4"))
        #expect(try await again.events(from: 1, through: 2).count == 2)
        await again.close()
        disk.remove()
    }

    /// One failure at each write in turn: after repair and probe the content is what was acknowledged, also after
    /// opening again, whichever page of log or file it hit.
    @Test func `one failed write anywhere loses nothing that was acknowledged`() async throws {
        let disk = FaultyDisk("sweep")
        for nth in stride(from: 1, through: 160, by: 3) {
            let directory = TemporaryDirectory()
            let policy = CompactionPolicy(keepRevisions: 20)
            let store = try SQLiteStore(.init(path: directory.database, compaction: policy, fileLayer: disk.name))
            disk.failWrite(nth: nth, nth % 2 == 0 ? SQLITE_FULL : Self.writeError)
            var acknowledged: [String: [UInt8]] = [:]
            for step in 0..<60 {
                let key = "k\(step % 7)"
                let value = [UInt8](repeating: UInt8(step), count: step % 5 == 0 ? 9000 : 10)
                do {
                    _ = try await store.transact(.init(operations: [.put(key: key, value: value)]))
                    acknowledged[key] = value
                } catch {
                    try await store.probe()
                }
            }
            disk.repair()
            for (key, value) in acknowledged { #expect(try store.get(key)?.value == value, "write \(nth)") }
            await store.close()
            let again = try SQLiteStore(path: directory.database)
            for (key, value) in acknowledged { #expect(try again.get(key)?.value == value, "write \(nth)") }
            #expect(again.status().keys == acknowledged.count)
            await again.close()
        }
        disk.remove()
    }

    @Test func `a flush that fails leaves the outcome unknown for good`() async throws {
        let disk = FaultyDisk("flush")
        let directory = TemporaryDirectory()
        let store = try SQLiteStore(.init(path: directory.database, fileLayer: disk.name))
        _ = try await store.transact(put("a", "1"))
        disk.failSync(nth: 1)
        #expect(await failure { _ = try await store.transact(put("a", "2")) }?.code == "store.outcome-unknown")
        #expect(await failure { _ = try await store.transact(put("a", "3")) }?.code == "store.outcome-unknown")
        #expect(await failure { try await store.probe() }?.code == "store.outcome-unknown")
        #expect(try store.get("a")?.value == bytes("1"))
        #expect(StoreError.outcomeUnknownExitCode == 74)
        await store.close()
        let again = try SQLiteStore(path: directory.database)
        let found = try again.get("a")?.value
        #expect(found == bytes("1") || found == bytes("2"))
        await again.close()
        disk.remove()
    }

    @Test func `one call is one flush, and concurrent calls share theirs`() async throws {
        let disk = FaultyDisk("count")
        let directory = TemporaryDirectory()
        let store = try SQLiteStore(.init(path: directory.database, fileLayer: disk.name))
        _ = try await store.transact(put("a", "1"))
        let before = disk.syncs
        _ = try await store.commit((0..<100).map { put("k\($0)", "1") })
        #expect(disk.syncs == before + 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for key in 0..<200 { group.addTask { _ = try await store.transact(put("c\(key)", "1")) } }
            try await group.waitForAll()
        }
        #expect(disk.syncs < before + 1 + 150)
        await store.close()
        disk.remove()
    }
}
