// Measures the catalog with as many packages as the public Universe has, and prints one JSON object per line.
//
//     catalog-benchmark WORK              packages that are made up: 185 names, 1,235 versions, 42 KiB on average
//     catalog-benchmark WORK DIRECTORY    those of a repository in Universe's layout, copied until there are as many
//
// The repository is written to a file in the folder WORK, and the program begins anew with that file, so that nothing
// of the making is in what is measured. A search looks at all names, tags and descriptions. A description reads one
// package again from what is kept, checks it and writes it as an answer. Times are of the clock and of the processor: a
// machine that does something else beside it shows in the first only.
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

/// Processor time of this thread.
func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

/// Makes the repository, and begins anew with it; returns only when that fails.
func make(in folder: String, of directory: String?) {
    var bytes: [UInt8]
    if let directory {
        var tree = PackageTree()
        for path in (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? [] {
            guard PackageTree.place(of: path) != nil,
                let data = FileManager.default.contents(atPath: directory + "/" + path)
            else { continue }
            tree.add(path, Array(data))
        }
        bytes = Universe.copied(PackageRepository(tree, source: "real"), until: wanted)
    } else {
        bytes = Universe.madeUp(wanted)
    }
    let file = folder + "/packages.json"
    guard FileManager.default.createFile(atPath: file, contents: Data(bytes)) else { return }
    var arguments = [strdup(CommandLine.arguments[0]), strdup(file), nil]
    execv("/proc/self/exe", &arguments)
}

func load(_ file: String) -> PackageCatalog? {
    guard let data = FileManager.default.contents(atPath: file) else { return nil }
    unlink(file)
    let (start, used) = (clock.now, processorTime())
    guard let repository = try? PackageRepository(json: Array(data), source: "benchmark"),
        repository.refusals.isEmpty
    else { return nil }
    let catalog = PackageCatalog([repository])
    let (end, usedAll) = (clock.now, processorTime())
    print(
        """
        {"benchmark":"catalog","what":"load","packages":\(catalog.count),"names":\(catalog.names.count),\
        "bytes":\(data.count),"kept_bytes":\(repository.storedBytes),\
        "ms":\(rounded(percentile([end - start], 50))),"processor_ms":\(rounded(percentile([usedAll - used], 50)))}
        """)
    return catalog
}

func measure(_ what: String, rounds: Int, _ body: (Int) -> Int) {
    var durations: [Duration] = []
    var processor: [Duration] = []
    var total = 0
    for round in 0..<rounds {
        let (start, used) = (clock.now, processorTime())
        total += body(round)
        durations.append(clock.now - start)
        processor.append(processorTime() - used)
    }
    print(
        """
        {"benchmark":"catalog","what":"\(what)","runs":\(rounds),"answers":\(total),\
        "ms_median":\(rounded(percentile(durations, 50))),"ms_p99":\(rounded(percentile(durations, 99))),\
        "processor_ms_median":\(rounded(percentile(processor, 50))),\
        "processor_ms_p99":\(rounded(percentile(processor, 99)))}
        """)
}

let arguments = CommandLine.arguments
guard (2...3).contains(arguments.count) else {
    print("usage: catalog-benchmark WORK [DIRECTORY]")
    exit(64)
}
if !arguments[1].hasSuffix(".json") {
    make(in: arguments[1], of: arguments.count > 2 ? arguments[2] : nil)
    print("the benchmark cannot make its repository in \(arguments[1])")
    exit(1)
}
let before = residentMebibytes()
guard let catalog = load(arguments[1]) else {
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
