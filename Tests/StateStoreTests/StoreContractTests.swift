import Testing

@testable import StateStore

@Suite(.timeLimit(.minutes(5)))
struct StoreContractTests {
    @Test(arguments: Engine.allCases)
    func `a put is read back with its place in the history`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        #expect(try await store.transact(put("/a", "1")) == .committed(1))
        #expect(try await store.transact(put("/b", "2")) == .committed(2))
        #expect(try await store.transact(put("/a", "3")) == .committed(3))
        #expect(
            try await store.get("/a")
                == StoreEntry(key: "/a", value: bytes("3"), createRevision: 1, modRevision: 3, version: 2))
        #expect(try await store.get("/c") == nil)
        #expect(await store.status().revision == 3)
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `a key created again starts a new life`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        _ = try await store.commit([put("k", "1"), put("k", "2")])
        _ = try await store.transact(StoreTransaction(operations: [.delete(key: "k")]))
        #expect(try await store.get("k") == nil)
        _ = try await store.transact(put("k", ""))
        #expect(
            try await store.get("k")
                == StoreEntry(key: "k", value: [], createRevision: 4, modRevision: 4, version: 1))
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `every compare holds where it should and reports what is there where it does not`(
        engine: Engine
    ) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        _ = try await store.commit([put("k", "1"), put("other", "x"), put("k", "2")])
        let entry = StoreEntry(key: "k", value: bytes("2"), createRevision: 1, modRevision: 3, version: 2)
        let holding: [StoreTransaction.Compare] = [
            .exists(key: "k"), .absent(key: "none"), .modRevision(key: "k", 3), .createRevision(key: "k", 1),
            .version(key: "k", 2), .value(key: "k", bytes("2")),
        ]
        #expect(try await store.transact(.init(compares: holding, operations: [])) == .committed(3))
        let failing: [(StoreTransaction.Compare, StoreEntry?)] = [
            (.exists(key: "none"), nil), (.absent(key: "k"), entry), (.modRevision(key: "k", 1), entry),
            (.createRevision(key: "k", 3), entry), (.version(key: "k", 1), entry),
            (.value(key: "k", bytes("1")), entry), (.value(key: "none", []), nil),
            (.modRevision(key: "none", 0), nil), (.version(key: "none", 0), nil),
        ]
        for (compare, actual) in failing {
            let transaction = StoreTransaction(
                compares: holding + [compare], operations: [.put(key: "k", value: bytes("never"))])
            #expect(
                try await store.transact(transaction)
                    == .conflict(StoreConflict(failed: 6, actual: actual, revision: 3)))
        }
        #expect(try await store.get("k") == entry)
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `transactions of one call are atomic one by one and see each other`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        let outcomes = try await store.commit([
            put("a", "1"),
            .init(compares: [.absent(key: "a")], operations: [.put(key: "b", value: [])]),
            .init(compares: [.value(key: "a", bytes("1"))], operations: [.deletePrefix("a")]),
            .init(compares: [.absent(key: "a")], operations: [.put(key: "b", value: []), .put(key: "c", value: [])]),
            .init(operations: [.put(key: "d", value: []), .put(key: "d", value: [])]),
            .init(operations: [.delete(key: "nothing")]),
        ])
        let actual = StoreEntry(key: "a", value: bytes("1"), createRevision: 1, modRevision: 1, version: 1)
        #expect(
            outcomes == [
                .committed(1), .conflict(StoreConflict(failed: 0, actual: actual, revision: 1)), .committed(2),
                .committed(3), .rejected(.duplicateKey("d")), .committed(3),
            ])
        #expect(try await store.everything().map(\.key) == ["b", "c"])
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `keys are compared and ordered by their bytes`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        // One accent in two spellings, which Swift's strings call equal.
        let keys = ["e\u{301}", "\u{e9}", "z", "a/b", "a", "a!", "\u{1F600}", "\u{FFFD}"]
        for key in keys { _ = try await store.transact(put(key, key)) }
        let sorted = keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let read = try await store.everything(pageSize: 1)
        #expect(read.map { Array($0.key.utf8) } == sorted.map { Array($0.utf8) })
        #expect(try await store.everything(prefix: "a").map(\.key) == ["a", "a!", "a/b"])
        #expect(try await store.range(prefix: "a", limit: 1, startAfter: "z").entries.isEmpty)
        #expect(try await store.range(prefix: "a", limit: 2, startAfter: nil).more)
        #expect(try await store.range(prefix: "a", limit: 3, startAfter: nil).more == false)
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `what is above a limit is refused and leaves no trace`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        let long = String(repeating: "k", count: StoreLimits.keyBytes)
        let large = [UInt8](repeating: 7, count: StoreLimits.valueBytes)
        let many = (0..<StoreLimits.operations).map { StoreTransaction.Operation.put(key: "m\($0)", value: []) }
        #expect(try await store.transact(.init(operations: [.put(key: long, value: large)])) == .committed(1))
        #expect(try await store.transact(.init(operations: many)) == .committed(2))
        #expect(try await store.get(long)?.value == large)
        let refused: [(StoreTransaction, String)] = [
            (put("", ""), "store.key-invalid"), (put(long + "k", ""), "store.key-invalid"),
            (put("a\0b", ""), "store.key-invalid"),
            (.init(operations: [.put(key: "v", value: large + [1])]), "store.value-too-large"),
            (.init(operations: many + [.delete(key: "x")]), "store.operations-too-many"),
            (
                .init(operations: [.put(key: "v", value: large), .put(key: "w", value: large)]),
                "store.transaction-too-large"
            ),
            (
                .init(compares: Array(repeating: .absent(key: "q"), count: 129), operations: []),
                "store.operations-too-many"
            ),
            (.init(operations: [.deletePrefix("m"), .put(key: "m1", value: [])]), "store.key-duplicate"),
            (.init(operations: [.deletePrefix("m"), .deletePrefix("m1")]), "store.key-duplicate"),
            (put("l", "", lease: 9), "store.lease-not-found"),
        ]
        for (transaction, code) in refused {
            let error = await failure { _ = try await store.transact(transaction) }
            #expect(error?.code == code)
        }
        for limit in [Int.min, 0, StoreLimits.pageEntries + 1] {
            let error = await failure { _ = try await store.range(prefix: "", limit: limit, startAfter: nil) }
            #expect(error == .invalidLimit(limit))
        }
        #expect(await store.status().revision == 2)
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `a page ends at its byte limit`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        let large = [UInt8](repeating: 7, count: StoreLimits.valueBytes)
        for key in 0..<10 {
            _ = try await store.transact(.init(operations: [.put(key: "\(key)", value: large)]))
        }
        let page = try await store.range(prefix: "", limit: 100, startAfter: nil)
        #expect(page.entries.count == 8)
        #expect(page.more)
        #expect(try await store.everything(pageSize: 100).count == 10)
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `a lease takes its keys with it when its time is over, not before`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        try await store.grantLease(5, ttl: .seconds(10), now: .seconds(100))
        try await store.grantLease(6, ttl: .seconds(5), now: .seconds(100))
        _ = try await store.commit([put("a", "", lease: 5), put("b", "", lease: 6), put("c", "", lease: 5)])
        _ = try await store.commit([put("c", "free")])
        #expect(try await store.get("a")?.lease == 5)
        #expect(try await store.expireLeases(now: .milliseconds(104_999)) == [])
        try await store.keepLeaseAlive(6, now: .milliseconds(104_999))
        #expect(try await store.expireLeases(now: .seconds(109)) == [])
        #expect(try await store.expireLeases(now: .seconds(110)) == [5, 6])
        #expect(try await store.everything().map(\.key) == ["c"])
        #expect(await store.status().leases == 0)
        let events = try await store.events(from: 5, through: 6)
        #expect(events == [.deleted(key: "a", 5), .deleted(key: "b", 6)])
        #expect(await failure { try await store.keepLeaseAlive(5, now: .seconds(1)) } == .leaseNotFound(5))
        #expect(await failure { _ = try await store.revokeLease(5) } == .leaseNotFound(5))
        #expect(
            await failure { try await store.grantLease(0, ttl: .seconds(1), now: .zero) }?.code
                == "store.lease-invalid")
        #expect(
            await failure { try await store.grantLease(1, ttl: .zero, now: .zero) }?.code == "store.lease-invalid")
        try await store.grantLease(5, ttl: .seconds(1), now: .seconds(200))
        let again = await failure { try await store.grantLease(5, ttl: .seconds(1), now: .zero) }
        #expect(again == .leaseExists(5))
        #expect(try await store.revokeLease(5) == 6)
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `compaction forgets history and keeps the present`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        for round in 0..<10 { _ = try await store.commit([put("a", "\(round)"), put("b", "\(round)")]) }
        try await store.compact(upTo: 15)
        try await store.compact(upTo: 3)
        #expect(await store.status().compacted == 15)
        #expect(try await store.get("a")?.value == bytes("9"))
        #expect(try await store.events(from: 16, through: 20).count == 5)
        for from: Revision in [0, 1, 15] {
            let error = await failure { _ = try await store.events(from: from, through: 20) }
            #expect(error == .compacted(oldest: 16))
        }
        let error = await failure { try await store.compact(upTo: 21) }
        #expect(error == .futureRevision(requested: 21, current: 20))
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `a cancelled watch ends and a closed store ends all watches`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        let waiting = Task {
            for try await _ in store.watch(prefix: "x", from: nil) {}
            return true
        }
        waiting.cancel()
        #expect(try await waiting.value)
        let other = Task {
            await failure { for try await _ in store.watch(prefix: "x", from: nil) {} }
        }
        await store.close()
        #expect(await other.value == .closed)
        #expect(await failure { _ = try await store.get("a") } == .closed)
        #expect(await failure { _ = try await store.transact(put("a", "")) } == .closed)
        await store.close()
        await store.close()
    }
}
