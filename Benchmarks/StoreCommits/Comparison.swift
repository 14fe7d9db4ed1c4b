import Glibc
import StateStore

/// What a round measured.
struct Round {
    var rowsPerSecond: Double
    /// Seconds per commit, sorted.
    var latencies: [Double]

    var median: Double { latencies[latencies.count / 2] }
    var p99: Double { latencies[latencies.count * 99 / 100] }
}

/// The same random keys for both sides.
struct Keys {
    private var state: UInt32 = 1

    mutating func next() -> String {
        state = state &* 1_103_515_245 &+ 12345
        let digits = String((state >> 8) % 100_000)
        return "/rondo/task/" + String(repeating: "0", count: 6 - digits.count) + digits
    }
}

struct Comparison {
    let directory: String
    let seconds: Double
    let rounds: Int

    func run() async throws {
        let floor = measureFlush()
        print(
            """
            {"benchmark":"store commits","what":"flush of 4 KiB","us_median":\(micro(floor.median)),\
            "us_p99":\(micro(floor.p99))}
            """)
        let path = directory + "/store-commits"
        for name in [path, path + ".raw"] {
            for suffix in ["", "-wal", "-shm", ".lock"] { unlink(name + suffix) }
        }
        let raw = try RawDatabase(path: path + ".raw")
        let store = try SQLiteStore(path: path)
        var written = 0
        for rows in [1, 10, 100] {
            report(rows: rows, watched: false, try await pairs(raw, store, rows: rows, &written))
        }
        let watcher = Task.detached {
            var seen = 0
            for try await batch in store.watch(prefix: "", from: nil) { seen += batch.events.count }
            return seen
        }
        report(rows: 1, watched: true, try await pairs(raw, store, rows: 1, &written))
        let status = store.status()
        print(
            """
            {"benchmark":"store commits","what":"the store at the end","keys":\(status.keys),\
            "file_mib":\(size(path) >> 20)}
            """)
        guard status.revision.number == Int64(written) else { throw StoreError.corrupt("\(status) \(written)") }
        await store.close()
        watcher.cancel()
        _ = await watcher.result
    }

    /// Rounds of both sides, taking turns.
    private func pairs(
        _ raw: RawDatabase, _ store: SQLiteStore, rows: Int, _ written: inout Int
    ) async throws -> [(raw: Round, store: Round)] {
        var pairs: [(raw: Round, store: Round)] = []
        for _ in 0..<rounds {
            let first = try raw.round(rows: rows, seconds: seconds)
            let second = try await withTaskExecutorPreference(store.executor) {
                try await storeRound(store, rows: rows)
            }
            written += second.latencies.count * rows
            pairs.append((first, second))
        }
        return pairs
    }

    private func storeRound(_ store: SQLiteStore, rows: Int) async throws -> Round {
        var keys = Keys()
        let value = [UInt8](repeating: 0x78, count: 200)
        var latencies: [Double] = []
        let start = now()
        var last = start
        while last - start < seconds {
            var transactions: [StoreTransaction] = []
            for _ in 0..<rows {
                transactions.append(StoreTransaction(operations: [.put(key: keys.next(), value: value)]))
            }
            _ = try await store.commit(transactions)
            let time = now()
            latencies.append(time - last)
            last = time
        }
        return Round(rowsPerSecond: Double(latencies.count * rows) / (last - start), latencies: latencies.sorted())
    }

    private func report(rows: Int, watched: Bool, _ pairs: [(raw: Round, store: Round)]) {
        let ratios = pairs.map { $0.store.rowsPerSecond / $0.raw.rowsPerSecond }.sorted()
        let raw = pairs.map(\.raw.rowsPerSecond).sorted()[pairs.count / 2]
        let store = pairs.map(\.store.rowsPerSecond).sorted()[pairs.count / 2]
        let middle = pairs[pairs.count / 2]
        print(
            """
            {"benchmark":"store commits","rows_per_commit":\(rows),"watched":\(watched),"of_raw":\(short(ratios[ratios.count / 2])),\
            "of_raw_least":\(short(ratios.first ?? 0)),"of_raw_most":\(short(ratios.last ?? 0)),\
            "raw_rows_per_s":\(Int(raw)),"rows_per_s":\(Int(store)),\
            "raw_us_median":\(micro(middle.raw.median)),"us_median":\(micro(middle.store.median)),\
            "raw_us_p99":\(micro(middle.raw.p99)),"us_p99":\(micro(middle.store.p99))}
            """)
    }

    /// The least a durable commit can cost here: writing a page in place and flushing it.
    private func measureFlush() -> Round {
        let path = directory + "/store-commits.flush"
        let file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0o600)
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4096)
        for place in 0..<1024 { _ = pwrite(file, page, page.count, off_t(place * 4096)) }
        fsync(file)
        var latencies: [Double] = []
        let start = now()
        var last = start
        while last - start < seconds {
            _ = pwrite(file, page, page.count, off_t(latencies.count % 1024 * 4096))
            fdatasync(file)
            let time = now()
            latencies.append(time - last)
            last = time
        }
        return Round(rowsPerSecond: Double(latencies.count) / (last - start), latencies: latencies.sorted())
    }

    private func micro(_ seconds: Double) -> Int { Int(seconds * 1e6) }

    private func short(_ ratio: Double) -> String { "\(Double(Int(ratio * 100)) / 100)" }

    private func size(_ path: String) -> Int {
        var information = stat()
        return stat(path, &information) == 0 ? Int(information.st_size) : 0
    }
}

func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
