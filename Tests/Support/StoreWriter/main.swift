// Writes to a store until it is killed; the crash test's victim.
//
//     store-writer DATABASE SEEN-FILE ROUND
//
// Prints "revision key" after each acknowledged commit. A watcher appends each revision it sees to SEEN-FILE, which
// starts empty.
import Glibc
import StateStore

/// What the value of a key must be; the test computes it, too.
func value(key: String, version: Int64) -> [UInt8] {
    var value = Array("\(key)=\(version);".utf8)
    let length = 20 + Int(version % 7) * 300
    while value.count < length { value.append(UInt8(truncatingIfNeeded: value.count &* 31 &+ Int(version))) }
    return value
}

/// One write call per line, so that a line is there whole or was never acknowledged.
func emit(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    _ = write(descriptor, bytes, bytes.count)
}

func work(database: String, seenFile: String, round: Int) async throws {
    let policy = CompactionPolicy(keepRevisions: 300)
    let store = try SQLiteStore(.init(path: database, compaction: policy))
    let seen = open(seenFile, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
    let watch = store.watch(prefix: "", from: nil)
    Task.detached {
        var last: Revision = 0
        for try await batch in watch {
            for event in batch.events where event.revision > last {
                last = event.revision
                emit("\(last)\n", to: seen)
            }
        }
    }
    var versions: [String: Int64] = [:]
    for entry in try store.range(prefix: "", limit: StoreLimits.pageEntries, startAfter: nil).entries {
        versions[entry.key] = entry.version
    }
    for step in 0... {
        let names = ["/key/\((step + round) % 23)", "/second/\((step + round * 7) % 11)"]
        let operations = names.map { key in
            let version = (versions[key] ?? 0) + 1
            versions[key] = version
            return StoreTransaction.Operation.put(key: key, value: value(key: key, version: version))
        }
        guard case .committed(let revision) = try await store.transact(StoreTransaction(operations: operations)) else {
            exit(2)
        }
        emit("\(revision) \(names[0])\n", to: 1)
    }
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let round = Int(arguments[3]) else {
    print("usage: store-writer DATABASE SEEN-FILE ROUND")
    exit(64)
}
let database = arguments[1]
let seenFile = arguments[2]
Task.detached {
    do {
        try await work(database: database, seenFile: seenFile, round: round)
    } catch {
        print("failed: \(error)")
    }
    exit(1)
}
while true { pause() }
