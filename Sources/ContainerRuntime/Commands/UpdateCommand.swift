internal import Glibc

/// `update`: other limits for a container that is there.
enum UpdateCommand {
    static let update = RuntimeCommand(
        name: "update", summary: "change a container's limits", arguments: "<container-id>", arity: .exactly(1),
        flags: [
            Flag("resources", "r", help: "file with linux.resources as JSON, - for stdin, in place of the other flags"),
            Flag("blkio-weight", help: "block I/O weight, 10 to 1000"),
            Flag("cpu-period", help: "period of the cpu quota in microseconds"),
            Flag("cpu-quota", help: "cpu time per period in microseconds; -1 for no limit"),
            Flag("cpu-burst", help: "cpu time that may be saved up, in microseconds"),
            Flag("cpu-share", help: "cpu share relative to others"),
            Flag("cpu-rt-period", help: "period of the realtime budget in microseconds"),
            Flag("cpu-rt-runtime", help: "realtime budget per period in microseconds"),
            Flag("cpuset-cpus", help: "cpus to run on, such as 0-3,7"),
            Flag("cpuset-mems", help: "memory nodes to use"),
            Flag("kernel-memory", hidden: true, help: "ignored"),
            Flag("kernel-memory-tcp", hidden: true, help: "ignored"),
            Flag("memory", help: "memory limit in bytes, or as 512m; -1 for no limit"),
            Flag("memory-reservation", help: "memory that is kept under pressure"),
            Flag("memory-swap", help: "memory and swap together; -1 for no limit"),
            Flag("pids-limit", kind: .integer, help: "most processes; -1 for no limit"),
            Flag("cpu-idle", help: "1 makes it run only when nothing else wants to"),
            Flag("l3-cache-schema", help: "Intel RDT cache schema"),
            Flag("mem-bw-schema", help: "Intel RDT memory bandwidth schema"),
        ],
        examples: [
            ("update --memory 512m --pids-limit 100 web", "limit memory and processes"),
            ("update --resources - web < limits.json", "limits as in linux.resources of config.json"),
        ],
        run: { context throws(RuntimeFailure) in
            let state = context.state
            let lock = try state.lock(context.id)
            defer { lock.release() }
            let record = try state.load(context.id)
            if state.status(of: record) == .stopped { throw .containerNotRunning }
            let caches = try cacheLines(context.flags)
            if !caches.isEmpty, record.caches == nil {
                throw RuntimeFailure(
                    "the container was made without linux.intelRdt, which cannot be added later; make it anew with it")
            }
            for name in ["kernel-memory", "kernel-memory-tcp"] where context.flags.isSet(name) {
                context.log.warn("--\(name) is ignored: kernels no longer have this limit")
            }
            let resources: ResourcesConfig
            if let file = context.flags.text("resources") {
                resources = try ResourcesConfig.read(try JSONValue.parse(try contents(file)))
            } else {
                resources = try read(context.flags)
            }
            try record.cgroup.update(resources)
            if !caches.isEmpty { try record.caches?.write(caches) }
            return 0
        })

    private static func contents(_ file: String) throws(RuntimeFailure) -> [UInt8] {
        if file == "-" { return try RuntimeFiles.read(0, named: "standard input") }
        guard let bytes = try RuntimeFiles.contents(file) else { throw RuntimeFailure("open \(file)", errno: ENOENT) }
        return bytes
    }

    /// What the flags say; internal for tests.
    static func read(_ flags: ParsedFlags) throws(RuntimeFailure) -> ResourcesConfig {
        var resources = ResourcesConfig()
        resources.blockIO.weight = try number(flags, "blkio-weight")
        resources.cpu.period = try number(flags, "cpu-period")
        resources.cpu.quota = try number(flags, "cpu-quota")
        resources.cpu.burst = try number(flags, "cpu-burst")
        resources.cpu.shares = try number(flags, "cpu-share")
        resources.cpu.realtimePeriod = try number(flags, "cpu-rt-period")
        resources.cpu.realtimeRuntime = try number(flags, "cpu-rt-runtime")
        resources.cpu.idle = try number(flags, "cpu-idle")
        resources.cpu.cpus = flags.text("cpuset-cpus")
        resources.cpu.mems = flags.text("cpuset-mems")
        resources.memory.limit = try size(flags, "memory")
        resources.memory.reservation = try size(flags, "memory-reservation")
        resources.memory.swap = try size(flags, "memory-swap")
        if flags.isSet("pids-limit") { resources.pids = Int64(flags.integer("pids-limit")) }
        return resources
    }

    /// Lines for `schemata`; internal for tests.
    static func cacheLines(_ flags: ParsedFlags) throws(RuntimeFailure) -> [String] {
        var lines: [String] = []
        for (name, isFit) in [
            ("l3-cache-schema", { (limit: CacheLimit) in limit.resource.hasPrefix("L3") }),
            ("mem-bw-schema", { $0.resource == "MB" }),
        ] {
            guard let text = flags.text(name), !text.isEmpty else { continue }
            guard !text.utf8.contains(10), let limit = CacheLimit(text), isFit(limit) else {
                let example = name == "mem-bw-schema" ? "MB:0=20;1=70" : "L3:0=ff;1=f0"
                throw RuntimeFailure("invalid value for \(name): \(text.quoted): write it as \(example)")
            }
            lines.append(text)
        }
        return lines
    }

    private static func number<Number: FixedWidthInteger>(
        _ flags: ParsedFlags, _ name: String
    ) throws(RuntimeFailure) -> Number? {
        guard let text = flags.text(name) else { return nil }
        guard let number = Number(text) else {
            throw RuntimeFailure("invalid value for \(name): \(text): use a number in range")
        }
        return number
    }

    private static func size(_ flags: ParsedFlags, _ name: String) throws(RuntimeFailure) -> Int64? {
        guard let text = flags.text(name) else { return nil }
        if text == "-1" { return -1 }
        guard let bytes = bytes(text) else {
            throw RuntimeFailure("invalid value for \(name): \(text): use bytes, or a number with k, m, g, t or p")
        }
        return bytes
    }

    /// `512`, `64M`, `1.5g`, `2GiB`, `10 kb`: powers of 1024, as docker's tools read them.
    static func bytes(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        let digits = bytes.prefix { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        var unit = String(decoding: bytes.dropFirst(digits.count), as: UTF8.self).lowercased()[...]
        if unit.first == " " { unit = unit.dropFirst() }
        let shift: Int64
        switch unit {
        case "", "b": shift = 0
        case "k", "kb", "kib": shift = 10
        case "m", "mb", "mib": shift = 20
        case "g", "gb", "gib": shift = 30
        case "t", "tb", "tib": shift = 40
        case "p", "pb", "pib": shift = 50
        default: return nil
        }
        let number = String(decoding: digits, as: UTF8.self)
        if let whole = Int64(number) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
            return overflow ? nil : product
        }
        guard number.utf8.first != UInt8(ascii: "."), let fraction = Double(number) else { return nil }
        let product = fraction * Double(Int64(1) << shift)
        return product < 0x1p62 ? Int64(product) : nil
    }
}
