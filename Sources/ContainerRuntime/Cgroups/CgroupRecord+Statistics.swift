/// What the group has used, in the shape of the `data` member of runc's `events --stats`, which clients parse: times in
/// nanoseconds, sizes in bytes, zeros left out where runc leaves them out.
extension CgroupRecord {
    func statistics() -> JSONValue {
        .members(
            ("cpu", cpuStatistics()), ("cpuset", cpusetStatistics()), ("memory", memoryStatistics()),
            ("pids", pidsStatistics()), ("blkio", blockIOStatistics()), ("hugetlb", hugepageStatistics()),
            ("intel_rdt", .object([])), ("network_interfaces", .null))
    }

    private func cpuStatistics() -> JSONValue {
        var usage = StatisticsObject()
        var throttling = StatisticsObject()
        if let group = version2?.directory, version1("cpu") == nil, version1("cpuacct") == nil {
            let stat = group.table("cpu.stat")
            func nanoseconds(_ key: String) -> UInt64 { Self.product(Self.value(stat, key), 1000) }
            usage.add("total", nanoseconds("usage_usec"))
            usage.always("kernel", nanoseconds("system_usec"))
            usage.always("user", nanoseconds("user_usec"))
            throttling.add("periods", Self.value(stat, "nr_periods"))
            throttling.add("throttledPeriods", Self.value(stat, "nr_throttled"))
            throttling.add("throttledTime", nanoseconds("throttled_usec"))
        } else {
            addProcessorTimes(&usage)
            let stat = version1("cpu")?.directory.table("cpu.stat") ?? []
            throttling.add("periods", Self.value(stat, "nr_periods"))
            throttling.add("throttledPeriods", Self.value(stat, "nr_throttled"))
            throttling.add("throttledTime", Self.value(stat, "throttled_time"))
        }
        var cpu = StatisticsObject()
        cpu.add("usage", usage.json)
        cpu.add("throttling", throttling.json)
        cpu.add("psi", pressure("cpu.pressure"))
        return cpu.json
    }

    private func addProcessorTimes(_ usage: inout StatisticsObject) {
        guard let group = version1("cpuacct")?.directory else {
            usage.always("kernel", 0)
            usage.always("user", 0)
            return
        }
        usage.add("total", group.number("cpuacct.usage") ?? 0)
        let each = (group.read("cpuacct.usage_percpu") ?? "").split(separator: " ").compactMap { UInt64($0) }
        if !each.isEmpty { usage.add("percpu", .array(each.map { .int($0) })) }
        // Lines "cpu user system" below a heading.
        let rows = (group.read("cpuacct.usage_all") ?? "").split(separator: "\n").dropFirst().map { line in
            line.split(separator: " ").compactMap { UInt64($0) }
        }.filter { $0.count == 3 }
        if !rows.isEmpty {
            usage.add("percpu_kernel", .array(rows.compactMap(\.last).map { .int($0) }))
            usage.add("percpu_user", .array(rows.compactMap { $0.dropFirst().first }.map { .int($0) }))
        }
        // In ticks, of which a second has 100 towards user space on all architectures there are here.
        let stat = group.table("cpuacct.stat")
        usage.always("kernel", Self.product(Self.value(stat, "system"), 10_000_000))
        usage.always("user", Self.product(Self.value(stat, "user"), 10_000_000))
    }

    private func cpusetStatistics() -> JSONValue {
        guard let group = version1("cpuset")?.directory else { return .object([]) }
        var object = StatisticsObject()
        for (name, file) in [("cpus", "cpuset.cpus"), ("mems", "cpuset.mems")] {
            let numbers = CgroupStatistics.list(group.read(file) ?? "")
            if !numbers.isEmpty { object.add(name, .array(numbers.map { .int($0) })) }
        }
        for name in [
            "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
            "memory_spread_slab", "memory_pressure", "sched_load_balance",
        ] {
            object.always(name, group.number("cpuset.\(name)") ?? 0)
        }
        let level = group.read("cpuset.sched_relax_domain_level").flatMap { Int64($0) } ?? 0
        object.add("sched_relax_domain_level", .int(level))
        return object.json
    }

    private func memoryStatistics() -> JSONValue {
        var memory = StatisticsObject()
        var raw: [(key: String, value: UInt64)] = []
        if let group = version1("memory")?.directory {
            raw = group.table("memory.stat")
            memory.add("cache", Self.value(raw, "cache"))
            for (name, infix) in [("usage", ""), ("swap", "memsw."), ("kernel", "kmem."), ("kernelTCP", "kmem.tcp.")] {
                memory.add(
                    name,
                    Self.entry(
                        usage: group.number("memory.\(infix)usage_in_bytes") ?? 0,
                        most: group.number("memory.\(infix)max_usage_in_bytes") ?? 0,
                        failures: group.number("memory.\(infix)failcnt") ?? 0,
                        limit: group.number("memory.\(infix)limit_in_bytes") ?? 0))
            }
        } else if let group = version2?.directory, group.has("memory.current") {
            raw = group.table("memory.stat")
            memory.add("cache", Self.value(raw, "file"))
            let usage = group.number("memory.current") ?? 0
            let limit = group.number("memory.max") ?? 0
            memory.add(
                "usage",
                Self.entry(
                    usage: usage, most: group.number("memory.peak") ?? 0,
                    failures: group.value(of: "max", in: "memory.events") ?? 0, limit: limit))
            // Version 1 counts memory and swap together, which clients expect here.
            let swap = group.number("memory.swap.current") ?? 0
            let swapLimit = group.number("memory.swap.max") ?? 0
            memory.add(
                "swap",
                Self.entry(
                    usage: Self.sum(usage, swap), most: 0,
                    failures: group.value(of: "max", in: "memory.swap.events") ?? 0,
                    limit: swapLimit == .max ? .max : Self.sum(swapLimit, limit)))
            memory.add("psi", pressure("memory.pressure"))
        }
        if !raw.isEmpty {
            memory.add("raw", .object(raw.map { JSONMember(name: $0.key, value: .int($0.value)) }))
        }
        return memory.json
    }

    private func pidsStatistics() -> JSONValue {
        var pids = StatisticsObject()
        if let group = (version1("pids") ?? version2)?.directory {
            pids.add("current", group.number("pids.current") ?? 0)
            let limit = group.number("pids.max") ?? 0
            pids.add("limit", limit == .max ? 0 : limit)
        }
        return pids.json
    }

    private func blockIOStatistics() -> JSONValue {
        var object = StatisticsObject()
        if let group = version1("blkio")?.directory {
            let bfq = CgroupStatistics.blockIO(group.read("blkio.bfq.io_serviced_recursive") ?? "")
            let prefix = bfq.isEmpty ? "blkio.throttle" : "blkio.bfq"
            for (name, file) in [
                ("ioServiceBytesRecursive", "io_service_bytes_recursive"),
                ("ioServicedRecursive", "io_serviced_recursive"), ("ioQueueRecursive", "io_queued_recursive"),
                ("ioServiceTimeRecursive", "io_service_time_recursive"),
                ("ioWaitTimeRecursive", "io_wait_time_recursive"), ("ioMergedRecursive", "io_merged_recursive"),
                ("ioTimeRecursive", "time_recursive"), ("sectorsRecursive", "sectors_recursive"),
            ] {
                let entries = CgroupStatistics.blockIO(group.read("\(prefix).\(file)") ?? "")
                if !entries.isEmpty { object.add(name, .array(entries)) }
            }
        } else if let group = version2?.directory {
            let (bytes, operations) = CgroupStatistics.ioStat(group.read("io.stat") ?? "")
            if !bytes.isEmpty { object.add("ioServiceBytesRecursive", .array(bytes)) }
            if !operations.isEmpty { object.add("ioServicedRecursive", .array(operations)) }
            object.add("psi", pressure("io.pressure"))
        }
        return object.json
    }

    private func hugepageStatistics() -> JSONValue {
        guard let place = find("hugetlb") else { return .null }
        let (group, suffix): (CgroupDirectory, String) =
            switch place {
            case .version1(let group): (group, ".usage_in_bytes")
            case .version2(let group): (group, ".current")
            }
        var sizes = StatisticsObject()
        for file in group.files where file.hasPrefix("hugetlb.") && file.hasSuffix(suffix) {
            let size = file.dropFirst(8).dropLast(suffix.utf8.count)
            // hugetlb.2MB.rsvd.… counts reservations.
            guard !size.contains(".") else { continue }
            var entry = StatisticsObject()
            entry.add("usage", group.number(file) ?? 0)
            entry.add("max", group.number("hugetlb.\(size).max_usage_in_bytes") ?? 0)
            entry.always(
                "failcnt",
                group.number("hugetlb.\(size).failcnt") ?? group.value(of: "max", in: "hugetlb.\(size).events") ?? 0)
            sizes.add(String(size), entry.json)
        }
        return sizes.json
    }

    /// Pressure stall information (accounting/psi.rst), which only version 2 groups have.
    private func pressure(_ file: String) -> JSONValue? {
        version2.flatMap { $0.directory.read(file) }.flatMap(CgroupStatistics.pressure)
    }

    private static func entry(usage: UInt64, most: UInt64, failures: UInt64, limit: UInt64) -> JSONValue {
        var entry = StatisticsObject()
        entry.always("limit", limit)
        entry.add("usage", usage)
        entry.add("max", most)
        entry.always("failcnt", failures)
        return entry.json
    }

    private static func value(_ table: [(key: String, value: UInt64)], _ key: String) -> UInt64 {
        table.first { $0.key == key }?.value ?? 0
    }

    private static func product(_ value: UInt64, _ factor: UInt64) -> UInt64 {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    /// How often the kernel killed a process of the group for want of memory; nil without a memory controller.
    func outOfMemoryKills() -> UInt64? {
        switch find("memory") {
        case .version1(let group): group.value(of: "oom_kill", in: "memory.oom_control")
        case .version2(let group): group.value(of: "oom_kill", in: "memory.events")
        case nil: nil
        }
    }
}

/// Members of an object, in order.
private struct StatisticsObject {
    private var members: [JSONMember] = []

    var json: JSONValue { .object(members) }

    mutating func add(_ name: String, _ value: JSONValue?) {
        if let value { members.append(JSONMember(name: name, value: value)) }
    }

    mutating func add(_ name: String, _ value: UInt64) {
        if value != 0 { always(name, value) }
    }

    mutating func always(_ name: String, _ value: UInt64) {
        members.append(JSONMember(name: name, value: .int(value)))
    }
}
