import Glibc
import Testing

@testable import StateStore

/// SplitMix64, so that a failure can be replayed from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// A directory that goes away with the test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/state-store-XXXXXX\0".utf8).map { CChar(bitPattern: $0) }
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    var database: String { path + "/state.db" }

    func size(_ suffix: String = "") -> Int {
        var information = stat()
        return stat(database + suffix, &information) == 0 ? Int(information.st_size) : 0
    }

    deinit {
        for suffix in ["", "-wal", "-shm", ".lock"] { unlink(database + suffix) }
        rmdir(path)
    }
}

enum Engine: CaseIterable, Sendable, CustomTestStringConvertible {
    case memory
    case sqlite

    var testDescription: String { self == .memory ? "memory model" : "SQLite" }

    /// An empty store; its directory goes with the test.
    func makeStore() throws -> (any StateStore, TemporaryDirectory) {
        let directory = TemporaryDirectory()
        switch self {
        case .memory: return (MemoryStore(), directory)
        case .sqlite: return (try SQLiteStore(path: directory.database), directory)
        }
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func put(_ key: String, _ value: String, lease: LeaseID? = nil) -> StoreTransaction {
    StoreTransaction(operations: [.put(key: key, value: bytes(value), lease: lease)])
}

extension StateStore {
    /// The whole content, page by page.
    func everything(prefix: String = "", pageSize: Int = 7) async throws(StoreError) -> [StoreEntry] {
        var entries: [StoreEntry] = []
        while true {
            let page = try await range(prefix: prefix, limit: pageSize, startAfter: entries.last?.key)
            entries += page.entries
            if !page.more { return entries }
        }
    }

    /// The events from a revision up to the current one.
    func events(prefix: String = "", from: Revision, through: Revision) async throws(StoreError) -> [StoreEvent] {
        var events: [StoreEvent] = []
        var iterator = watch(prefix: prefix, from: from).makeAsyncIterator()
        while let batch = try await iterator.next() {
            events += batch.events
            if batch.through >= through { break }
        }
        return events.filter { $0.revision <= through }
    }
}

/// The error that `body` throws.
func failure(_ body: () async throws -> Void) async -> StoreError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? StoreError
    }
}
