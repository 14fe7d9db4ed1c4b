internal import Glibc

/// What the groups of a container have counted, in containerd's messages.
extension CgroupPlaces {
    /// The message and the name of its type.
    func metrics() -> (type: String, message: ProtobufWriter) {
        isUnified
            ? ("io.containerd.cgroups.v2.Metrics", unifiedMetrics())
            : ("io.containerd.cgroups.v1.Metrics", separateMetrics())
    }

    // MARK: Version 1

    /// In the order of the message's fields from 1; each again as `total_…` from 18.
    private static let memoryNames = [
        "cache", "rss", "rss_huge", "mapped_file", "dirty", "writeback", "pgpgin", "pgpgout", "pgfault", "pgmajfault",
        "inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable",
    ]

    private func separateMetrics() -> ProtobufWriter {
        var metrics = ProtobufWriter()
        if folders["pids"] != nil { metrics.put(2, pids(noLimit: 0)) }
        metrics.put(3, processor())
        if folders["memory"] != nil {
            metrics.put(4, memory())
            let facts = table("memory.oom_control", of: "memory")
            var control = ProtobufWriter()
            for (index, name) in ["oom_kill_disable", "under_oom", "oom_kill"].enumerated() {
                control.put(index + 1, facts[Substring(name)] ?? 0)
            }
            metrics.put(9, control)
        }
        if folders["blkio"] != nil {
            var block = ProtobufWriter()
            // One pair of files counts for all I/O, the other only for what a scheduler of old has seen.
            for (field, name) in [
                (1, "io_service_bytes"), (2, "io_serviced"),
            ] {
                let files = [name + "_recursive", "throttle." + name + "_recursive", "throttle." + name]
                let entries = files.lazy.map { blockEntries("blkio." + $0) }.first { !$0.isEmpty } ?? []
                for entry in entries { block.put(field, entry) }
            }
            metrics.put(5, block)
        }
        return metrics
    }

    private func pids(noLimit: UInt64) -> ProtobufWriter {
        var message = ProtobufWriter()
        message.put(1, number("pids.current", of: "pids"))
        let limit = number("pids.max", of: "pids")
        message.put(2, limit == .max ? noLimit : limit)
        return message
    }

    private func processor() -> ProtobufWriter {
        var usage = ProtobufWriter()
        usage.put(1, number("cpuacct.usage", of: "cpuacct"))
        let ticks = table("cpuacct.stat", of: "cpuacct")
        let nanosecondsPerTick = 1_000_000_000 / UInt64(max(sysconf(Int32(_SC_CLK_TCK)), 1))
        usage.put(2, (ticks["system"] ?? 0).multipliedReportingOverflow(by: nanosecondsPerTick).partialValue)
        usage.put(3, (ticks["user"] ?? 0).multipliedReportingOverflow(by: nanosecondsPerTick).partialValue)
        let each = (read("cpuacct.usage_percpu", of: "cpuacct") ?? "").split(whereSeparator: \.isWhitespace)
        usage.put(4, packed: each.compactMap { UInt64($0) })
        var throttling = ProtobufWriter()
        let facts = table("cpu.stat", of: "cpu")
        for (index, name) in ["nr_periods", "nr_throttled", "throttled_time"].enumerated() {
            throttling.put(index + 1, facts[Substring(name)] ?? 0)
        }
        var message = ProtobufWriter()
        message.put(1, usage)
        message.put(2, throttling)
        return message
    }

    private func memory() -> ProtobufWriter {
        let facts = table("memory.stat", of: "memory")
        var message = ProtobufWriter()
        for (index, name) in Self.memoryNames.enumerated() { message.put(index + 1, facts[Substring(name)] ?? 0) }
        message.put(16, facts["hierarchical_memory_limit"] ?? 0)
        message.put(17, facts["hierarchical_memsw_limit"] ?? 0)
        for (index, name) in Self.memoryNames.enumerated() {
            message.put(index + 18, facts[Substring("total_" + name)] ?? 0)
        }
        for (field, kind) in [(33, ""), (34, "memsw."), (35, "kmem."), (36, "kmem.tcp.")] {
            var entry = ProtobufWriter()
            for (index, name) in ["limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"].enumerated() {
                entry.put(index + 1, number("memory." + kind + name, of: "memory"))
            }
            message.put(field, entry)
        }
        return message
    }

    /// Lines of `MAJOR:MINOR OPERATION NUMBER`.
    private func blockEntries(_ file: String) -> [ProtobufWriter] {
        (read(file, of: "blkio") ?? "").split(separator: "\n").compactMap { line in
            let fields = line.split { $0 == " " || $0 == ":" }
            guard fields.count == 4, let major = UInt64(fields[0]), let minor = UInt64(fields[1]),
                let value = UInt64(fields[3])
            else { return nil }
            var entry = ProtobufWriter()
            entry.put(1, String(fields[2]))
            entry.put(3, major)
            entry.put(4, minor)
            entry.put(5, value)
            return entry
        }
    }

    // MARK: Version 2

    /// In the order of the message's fields from 1.
    private static let unifiedMemoryNames = [
        "anon", "file", "kernel_stack", "slab", "sock", "shmem", "file_mapped", "file_dirty", "file_writeback",
        "anon_thp", "inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable", "slab_reclaimable",
        "slab_unreclaimable", "pgfault", "pgmajfault", "workingset_refault", "workingset_activate",
        "workingset_nodereclaim", "pgrefill", "pgscan", "pgsteal", "pgactivate", "pgdeactivate", "pglazyfree",
        "pglazyfreed", "thp_fault_alloc", "thp_collapse_alloc",
    ]

    private func unifiedMetrics() -> ProtobufWriter {
        var metrics = ProtobufWriter()
        metrics.put(1, pids(noLimit: .max))
        metrics.put(
            2,
            message(
                "cpu.stat", ["usage_usec", "user_usec", "system_usec", "nr_periods", "nr_throttled", "throttled_usec"]))
        var memory = message("memory.stat", Self.unifiedMemoryNames)
        for (index, name) in ["current", "max", "swap.current", "swap.max"].enumerated() {
            memory.put(32 + index, number("memory." + name, of: "memory"))
        }
        metrics.put(4, memory)
        var block = ProtobufWriter()
        for line in (read("io.stat", of: "io") ?? "").split(separator: "\n") {
            guard let entry = Self.blockEntry(line) else { continue }
            block.put(1, entry)
        }
        metrics.put(6, block)
        metrics.put(8, message("memory.events", ["low", "high", "max", "oom", "oom_kill"]))
        return metrics
    }

    private func message(_ file: String, _ names: [String]) -> ProtobufWriter {
        let facts = table(file, of: "")
        var message = ProtobufWriter()
        for (index, name) in names.enumerated() { message.put(index + 1, facts[Substring(name)] ?? 0) }
        return message
    }

    /// A line of `MAJOR:MINOR NAME=NUMBER …`.
    static func blockEntry(_ line: Substring) -> ProtobufWriter? {
        let words = line.split(separator: " ")
        let device = (words.first ?? "").split(separator: ":")
        guard device.count == 2, let major = UInt64(device[0]), let minor = UInt64(device[1]) else { return nil }
        var entry = ProtobufWriter()
        entry.put(1, major)
        entry.put(2, minor)
        for (index, name) in ["rbytes=", "wbytes=", "rios=", "wios="].enumerated() {
            let value = words.first { $0.hasPrefix(name) }.flatMap { UInt64($0.dropFirst(name.utf8.count)) }
            entry.put(index + 3, value ?? 0)
        }
        return entry
    }
}
