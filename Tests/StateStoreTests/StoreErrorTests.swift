import Testing

@testable import StateStore

struct StoreErrorTests {
    @Test func `every error has a code of its own and a message in the house's form`() {
        let errors: [StoreError] = [
            .invalidKey("a key is empty"), .invalidLimit(0), .invalidLease("lease id 0"),
            .valueTooLarge(key: "k", bytes: 1), .tooManyOperations(1), .transactionTooLarge(bytes: 1),
            .tooManyChanges(1), .duplicateKey("k"), .leaseNotFound(1), .leaseExists(1), .compacted(oldest: 1),
            .futureRevision(requested: 2, current: 1), .overloaded(waiting: 1), .busy("r"), .full("r"), .io("r"),
            .readOnly("r"), .outcomeUnknown("r"), .locked(path: "/p", pid: 1), .newerFormat(found: 2, supported: 1),
            .notAStore(path: "/p"), .cannotOpen(path: "/p", reason: "r"), .corrupt("r"), .closed,
        ]
        #expect(Set(errors.map(\.code)).count == errors.count)
        for error in errors {
            #expect(error.code.hasPrefix("store."))
            #expect(error.description.first?.isUppercase == false)
            #expect(error.description.last != ".")
        }
    }

    @Test func `a memory store told that its disk is broken behaves as one on a broken disk`() async throws {
        let store = MemoryStore()
        _ = try await store.transact(put("a", "1"))
        store.breakDisk(with: .full("no space left"))
        #expect(await failure { _ = try await store.transact(put("a", "2")) } == .full("no space left"))
        #expect(await failure { try store.probe() } == .full("no space left"))
        #expect(store.status().isReadOnly)
        store.breakDisk(with: nil)
        #expect(await failure { _ = try await store.transact(put("a", "2")) }?.code == "store.read-only")
        try store.probe()
        #expect(try await store.transact(put("a", "2")) == .committed(2))
    }
}
