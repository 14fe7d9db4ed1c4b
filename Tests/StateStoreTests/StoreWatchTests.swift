import Testing

@testable import StateStore

@Suite(.timeLimit(.minutes(5)))
struct StoreWatchTests {
    /// Eight writers at once, three kinds of watchers: from the start, from now, and slow ones that stop at times and
    /// find their place in the history again.
    @Test(arguments: Engine.allCases)
    func `watchers see every revision once and in order while many write`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        let writers = 8
        let each = 250
        let total = Int64(writers * each)
        let followers = (0..<3).map { _ in
            Task { try await store.events(from: 1, through: Revision(total)) }
        }
        let slow = Task {
            var events: [StoreEvent] = []
            var iterator = store.watch(prefix: "", from: 0).makeAsyncIterator()
            while let batch = try await iterator.next() {
                events += batch.events
                if batch.through.number >= total { break }
                // Falls behind by an eighth of the writes, without a clock.
                let goal = min(batch.through.number + total / 8, total)
                for try await later in store.watch(prefix: "", from: Revision(goal)) {
                    if later.through.number >= goal { break }
                }
            }
            return events
        }
        let even = Task { () -> [StoreEvent] in
            var events: [StoreEvent] = []
            for try await batch in store.watch(prefix: "even/", from: 1) {
                events += batch.events
                if events.count == Int(total) / 2 { break }
            }
            return events
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for step in 0..<each {
                        let key = (writer % 2 == 0 ? "even/" : "odd/") + "\(writer)/\(step % 10)"
                        _ = try await store.transact(put(key, "\(step)"))
                    }
                }
            }
            try await group.waitForAll()
        }
        let expected = (1...total).map { Revision($0) }
        for follower in followers { #expect(try await follower.value.map(\.revision) == expected) }
        let seen = try await slow.value
        #expect(seen.map(\.revision) == expected)
        #expect(try await even.value == seen.filter { $0.key.utf8.starts(with: "even/".utf8) })
        await store.close()
    }

    @Test(arguments: Engine.allCases)
    func `a batch never splits a revision`(engine: Engine) async throws {
        let (store, directory) = try engine.makeStore()
        defer { withExtendedLifetime(directory) {} }
        for step in 0..<40 {
            let operations = (0..<100).map {
                StoreTransaction.Operation.put(key: "\($0)", value: bytes("\(step)"))
            }
            _ = try await store.transact(.init(operations: operations))
        }
        var through: Revision = 0
        for try await batch in store.watch(prefix: "", from: 1) {
            #expect(batch.events.count % 100 == 0)
            #expect(batch.events.first?.revision == through.next)
            #expect(batch.events.last?.revision == batch.through)
            through = batch.through
            if through == 40 { break }
        }
        await store.close()
    }

    @Test func `a watcher that fell behind what is in memory reads the file, and learns when that is compacted`()
        async throws
    {
        let directory = TemporaryDirectory()
        let store = try SQLiteStore(path: directory.database)
        var iterator = store.watch(prefix: "", from: 1).makeAsyncIterator()
        let transactions = (0..<100).map { put("k\($0)", "v") }
        for _ in 0..<25 { _ = try await store.commit(transactions) }
        // The memory keeps 1,024 revisions, so this comes from the file.
        #expect(try await iterator.next()?.events.map(\.revision.number) == Array(1...1000))
        for _ in 0..<25 { _ = try await store.commit(transactions) }
        try await store.compact(upTo: 1500)
        await #expect(throws: StoreError.compacted(oldest: 1501)) { _ = try await iterator.next() }
        #expect(try await store.events(from: 1501, through: 5000).map(\.revision.number) == Array(1501...5000))
        await store.close()
    }
}
