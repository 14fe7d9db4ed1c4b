// Store commits against raw SQLite on the same disk, in interleaved rounds of one run, so that the ratio means
// something on a machine that others use too. Prints one JSON object per line.
//
//     store-commits [DIRECTORY] [SECONDS-PER-ROUND] [ROUNDS]
//
// Raw SQLite: a prepared upsert of one 200-byte value into a key-value table, WAL, synchronous=FULL, 1, 10 or 100
// rows per commit. The store: the same upserts, each a transaction with its own revision and history, 1, 10 or 100
// transactions per call, from a task on the writer's thread, as the master's driver is. Both overwrite 100,000 random
// keys. The last rounds have a watcher of everything attached, which raw SQLite has nothing like.
import Glibc
import StateStore

let arguments = CommandLine.arguments
let directory = arguments.count > 1 ? arguments[1] : "."
let seconds = arguments.count > 2 ? Double(arguments[2]) ?? 1 : 1
let rounds = arguments.count > 3 ? Int(arguments[3]) ?? 5 : 5

let work = Task.detached {
    do {
        try await Comparison(directory: directory, seconds: seconds, rounds: rounds).run()
        exit(0)
    } catch {
        print("failed: \(error)")
        exit(1)
    }
}
while true { pause() }
