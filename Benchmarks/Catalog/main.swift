// Measures the catalog with as many packages as the public Universe has, and prints one JSON object per line.
//
//     catalog-benchmark              packages that are made up: 185 names, 1,235 versions, 42 KiB on average
//     catalog-benchmark DIRECTORY    the packages of a repository in Universe's layout, copied until there are as many
//
// A search looks at all names, tags and descriptions. A description reads one package again from what is kept, checks
// it and writes it as an answer. Memory is what the process holds before and after the catalog is loaded and its
// sources are gone.
import FoundationEssentials
import Glibc
import Packages

let clock = ContinuousClock()
let wanted = 1_235

/// The n-th of a hundred, in milliseconds.
func percentile(_ durations: [Duration], _ place: Int) -> Double {
    let sorted = durations.sorted()
    let seconds = sorted[min(sorted.count - 1, sorted.count * place / 100)].components
    return (Double(seconds.seconds) * 1e3 + Double(seconds.attoseconds) / 1e15) * 1_000
}

func rounded(_ value: Double) -> Double { (value.rounded()) / 1_000 }

/// MiB that are in memory.
func residentMebibytes() -> Double {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var (total, resident) = (0, 0)
    _ = withUnsafeMutablePointer(to: &total) { total in
        withUnsafeMutablePointer(to: &resident) { resident in
            withVaList([total, resident]) { vfscanf(file, "%ld %ld", $0) }
        }
    }
    return Double(resident) * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
}

func load(_ arguments: [String]) -> PackageCatalog? {
    var bytes: [UInt8]
    if arguments.count > 1 {
        var tree = PackageTree()
        for path in (try? FileManager.default.subpathsOfDirectory(atPath: arguments[1])) ?? [] {
            guard PackageTree.place(of: path) != nil,
                let data = FileManager.default.contents(atPath: arguments[1] + "/" + path)
            else { continue }
            tree.add(path, Array(data))
        }
        bytes = Universe.copied(PackageRepository(tree, source: "real"), until: wanted)
    } else {
        bytes = Universe.madeUp(wanted)
    }
    let start = clock.now
    guard let repository = try? PackageRepository(json: bytes, source: "benchmark"), repository.refusals.isEmpty else {
        return nil
    }
    let read = clock.now
    let catalog = PackageCatalog([repository])
    let end = clock.now
    print(
        """
        {"benchmark":"catalog","what":"load","packages":\(catalog.count),"names":\(catalog.names.count),\
        "bytes":\(bytes.count),"kept_bytes":\(repository.storedBytes),\
        "read_ms":\(rounded(percentile([read - start], 50))),"index_ms":\(rounded(percentile([end - read], 50)))}
        """)
    bytes = []
    return catalog
}

func measure(_ what: String, rounds: Int, _ body: (Int) -> Int) {
    var durations: [Duration] = []
    var total = 0
    for round in 0..<rounds {
        let start = clock.now
        total += body(round)
        durations.append(clock.now - start)
    }
    print(
        """
        {"benchmark":"catalog","what":"\(what)","runs":\(rounds),"answers":\(total / rounds),\
        "ms_median":\(rounded(percentile(durations, 50))),"ms_p99":\(rounded(percentile(durations, 99))),\
        "ms_max":\(rounded(percentile(durations, 100)))}
        """)
}

let before = residentMebibytes()
guard let catalog = load(CommandLine.arguments) else {
    print("a package of the benchmark is refused")
    exit(1)
}
let after = residentMebibytes()
print(
    """
    {"benchmark":"catalog","what":"memory","mib_before":\(rounded(before * 1_000)),\
    "mib_after":\(rounded(after * 1_000))}
    """)
let queries = ["", "kafka", "data", "a", "*base*", "nothing that is there", "k*a", "spark"]
measure("search", rounds: 4_000) { catalog.search(queries[$0 % queries.count], order: .bestFirst).count }
let all = catalog.names.flatMap { name in catalog.versions(of: name).map { (name, $0.version) } }
measure("describe", rounds: 4_000) { round in
    let (name, version) = all[round * 7 % all.count]
    guard let found = try? catalog.find(name, version: version) else { return 0 }
    return JSON.object(found.package.json).bytes.isEmpty ? 0 : 1
}
measure("render", rounds: 2_000) { round in
    let (name, version) = all[round * 7 % all.count]
    guard let found = try? catalog.find(name, version: version) else { return 0 }
    return (try? found.package.app()) == nil ? 0 : 1
}
