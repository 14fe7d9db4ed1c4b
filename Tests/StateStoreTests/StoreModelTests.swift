import Testing

@testable import StateStore

/// The engine does what the model does, step by step, in long random histories.
@Suite(.timeLimit(.minutes(5)))
struct StoreModelTests {
    private static let keys = ["a", "a/1", "a/2", "a/22", "b", "b/1", "b/\u{e9}", "c", "cc", "d"]
    private static let prefixes = ["", "a", "a/", "a/2", "b/", "x", "c"]

    @Test(arguments: 0..<UInt64(24))
    func `the engine and the model answer alike to everything`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let directory = TemporaryDirectory()
        // Far from the revisions at which the engine compacts by itself, which the model does not.
        let configuration = SQLiteStore.Configuration(path: directory.database)
        var store = try SQLiteStore(configuration)
        let model = MemoryStore()
        var now = Duration.seconds(1)
        for step in 0..<400 {
            let note: Comment = "seed \(seed), step \(step)"
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<60:
                let status = model.status()
                let count = Int.random(in: 1...4, using: &random)
                let transactions = (0..<count).map { _ in Self.transaction(status, using: &random) }
                #expect(try await store.commit(transactions) == model.commit(transactions), note)
            case 60..<70:
                let key = Self.keys.randomElement(using: &random)!
                #expect(try store.get(key) == model.get(key), note)
            case 70..<78:
                let prefix = Self.prefixes.randomElement(using: &random)!
                let limit = Int.random(in: 1...5, using: &random)
                let after = Bool.random(using: &random) ? Self.keys.randomElement(using: &random) : nil
                let page = try store.range(prefix: prefix, limit: limit, startAfter: after)
                #expect(try page == model.range(prefix: prefix, limit: limit, startAfter: after), note)
            case 78..<84:
                let id = LeaseID(Int64.random(in: 1...4, using: &random))
                let ttl = Duration.milliseconds(Int.random(in: 1...3000, using: &random))
                let errors = (
                    await failure { try await store.grantLease(id, ttl: ttl, now: now) },
                    await failure { try model.grantLease(id, ttl: ttl, now: now) }
                )
                #expect(errors.0 == errors.1, note)
            case 84..<87:
                let id = LeaseID(Int64.random(in: 1...4, using: &random))
                let errors = (
                    await failure { _ = try await store.revokeLease(id) },
                    await failure { _ = try model.revokeLease(id) }
                )
                #expect(errors.0 == errors.1, note)
            case 87..<92:
                now += .milliseconds(Int.random(in: 0...1500, using: &random))
                #expect(try await store.expireLeases(now: now) == model.expireLeases(now: now), note)
            case 92..<94:
                let id = LeaseID(Int64.random(in: 1...4, using: &random))
                let errors = (
                    await failure { try store.keepLeaseAlive(id, now: now) },
                    await failure { try model.keepLeaseAlive(id, now: now) }
                )
                #expect(errors.0 == errors.1, note)
            case 94..<96:
                let target = Revision(Int64.random(in: 0...(model.status().revision.number + 1), using: &random))
                let errors = (
                    await failure { try await store.compact(upTo: target) },
                    await failure { try model.compact(upTo: target) }
                )
                #expect(errors.0 == errors.1, note)
            case 96..<98:
                try await Self.expectSameHistory(store, model, using: &random, note)
            default:
                await store.close()
                store = try SQLiteStore(configuration)
                // Deadlines start anew when a store is opened; the model has to be told.
                for id in 1...4 {
                    try? store.keepLeaseAlive(LeaseID(Int64(id)), now: now)
                    try? model.keepLeaseAlive(LeaseID(Int64(id)), now: now)
                }
            }
            #expect(store.status() == model.status(), note)
        }
        #expect(try await store.everything() == model.everything(), "seed \(seed)")
        try await Self.expectSameHistory(store, model, using: &random, "seed \(seed)")
        await store.close()
    }

    private static func expectSameHistory(
        _ store: SQLiteStore, _ model: MemoryStore, using random: inout SeededGenerator, _ note: Comment
    ) async throws {
        let status = model.status()
        guard status.revision > status.compacted else { return }
        let from = Revision(Int64.random(in: status.compacted.number + 1...status.revision.number, using: &random))
        // All keys: the last revision is sure to end the watch. A prefix: what is left after choosing.
        let all = try await model.events(from: from, through: status.revision)
        #expect(try await store.events(from: from, through: status.revision) == all, note)
        let prefix = prefixes.randomElement(using: &random)!
        guard let last = all.last(where: { $0.key.utf8.starts(with: prefix.utf8) }) else { return }
        let some = try await store.events(prefix: prefix, from: from, through: last.revision)
        #expect(some == all.filter { $0.key.utf8.starts(with: prefix.utf8) }, note)
    }

    private static func transaction(_ status: StoreStatus, using random: inout SeededGenerator) -> StoreTransaction {
        let compares = (0..<Int.random(in: 0...1, using: &random)).map { _ -> StoreTransaction.Compare in
            let key = keys.randomElement(using: &random)!
            let number = Int64.random(in: max(0, status.revision.number - 6)...status.revision.number, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: return .exists(key: key)
            case 1: return .absent(key: key)
            case 2: return .modRevision(key: key, Revision(number))
            case 3: return .createRevision(key: key, Revision(number))
            case 4: return .version(key: key, Int64.random(in: 0...3, using: &random))
            default: return .value(key: key, [UInt8.random(in: 0...2, using: &random)])
            }
        }
        let operations = (0..<Int.random(in: 0...3, using: &random)).map { _ -> StoreTransaction.Operation in
            let key = keys.randomElement(using: &random)!
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                return .put(key: key, value: [UInt8.random(in: 0...2, using: &random)])
            case 5..<7:
                let lease = LeaseID(Int64.random(in: 1...4, using: &random))
                return .put(key: key, value: [9], lease: lease)
            case 7..<9:
                return .delete(key: key)
            default:
                return .deletePrefix(prefixes.dropFirst().randomElement(using: &random)!)
            }
        }
        return StoreTransaction(compares: compares, operations: operations)
    }
}
