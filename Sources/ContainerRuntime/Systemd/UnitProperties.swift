/// Limits as properties of a unit (systemd.resource-control(5)), so that systemd knows of them and does not set others.
struct UnitProperties {
    /// Of systemd; older ones refuse what they do not know.
    let version: Int
    /// Whether there is cgroup version 2 alone.
    let isUnified: Bool

    /// systemd's "infinity".
    private static let infinity = UInt64.max

    /// What a new unit needs before any limit.
    func base(_ unit: SystemdUnit, id: String, pid: Int32) -> [UnitProperty] {
        var list = [UnitProperty("Description", .string("OCI container \(id)"))]
        if unit.isSlice {
            list.append(UnitProperty("Wants", .strings([unit.slice])))
        } else {
            list += [
                UnitProperty("Slice", .string(unit.slice)), UnitProperty("Delegate", .bool(true)),
                UnitProperty("PIDs", .array("u", [.uint32(UInt32(bitPattern: pid))])),
            ]
        }
        // Groups have all controllers with the other driver; and a kernel counts little of what is moved in later.
        for name in ["Memory", "CPU", isUnified ? "IO" : "BlockIO", "Tasks"] {
            list.append(UnitProperty("\(name)Accounting", .bool(true)))
        }
        list.append(UnitProperty("DefaultDependencies", .bool(false)))
        return list
    }

    /// The limits that systemd knows. A cpu quota is rounded up to what it can keep, so that the files say the same.
    func limits(_ resources: inout ResourcesConfig) throws(RuntimeFailure) -> [UnitProperty] {
        var list: [UnitProperty] = []
        func add(_ name: String, _ value: UInt64?) {
            if let value { list.append(UnitProperty(name, .uint64(value))) }
        }
        let memory = resources.memory
        let shares = CgroupConversions.said(resources.cpu.shares)
        let weight = CgroupConversions.said(resources.blockIO.weight)
        add(isUnified ? "MemoryMax" : "MemoryLimit", CgroupConversions.said(memory.limit).map(Self.number))
        if isUnified {
            add("MemoryLow", CgroupConversions.said(memory.reservation).map(Self.number))
            let swap = try CgroupConversions.swapMax(swap: memory.swap, limit: memory.limit)
            add("MemorySwapMax", swap.map { UInt64($0) ?? Self.infinity })
            if resources.cpu.idle == 1, version >= 252 {
                add("CPUWeight", 0)
            } else {
                add("CPUWeight", shares.map { CgroupConversions.weight(ofShares: $0) })
            }
            add("IOWeight", weight.map { CgroupConversions.ioWeight(ofBlkio: $0) })
        } else {
            add("CPUShares", shares)
            add("BlockIOWeight", weight.map { UInt64($0) })
        }
        list += quota(&resources.cpu.quota, resources.cpu.period ?? 0)
        add("TasksMax", resources.pids.map { Self.number($0 < 0 ? -1 : max($0, 1)) })
        list += try set("AllowedCPUs", resources.cpu.cpus)
        list += try set("AllowedMemoryNodes", resources.cpu.mems)
        if isUnified { list += try unified(resources.unified) }
        return list
    }

    private static func number(_ value: Int64) -> UInt64 { value < 0 ? infinity : UInt64(value) }

    /// systemd counts in whole percents of a processor.
    private func quota(_ quota: inout Int64?, _ period: UInt64) -> [UnitProperty] {
        var list: [UnitProperty] = []
        if period != 0, version >= 242 { list.append(UnitProperty("CPUQuotaPeriodUSec", .uint64(period))) }
        let asked = quota ?? 0
        guard asked != 0 || period != 0 else { return list }
        var perSecond = Self.infinity
        let length = period == 0 ? 100_000 : period
        let product = asked.multipliedReportingOverflow(by: 1_000_000)
        if asked > 0, !product.overflow {
            let percent: UInt64 = 10_000
            perSecond = max((UInt64(product.partialValue) / length + percent - 1) / percent, 1) * percent
            let rounded = perSecond.multipliedReportingOverflow(by: length)
            if !rounded.overflow { quota = Int64(clamping: rounded.partialValue / 1_000_000) }
        }
        list.append(UnitProperty("CPUQuotaPerSecUSec", .uint64(perSecond)))
        return list
    }

    private func set(_ name: String, _ list: String?) throws(RuntimeFailure) -> [UnitProperty] {
        guard let list, !list.isEmpty, version >= 244 else { return [] }
        return [UnitProperty(name, .bytes(try Self.bits(list)))]
    }

    /// `1,3-5` as bits, the first in the lowest of the first byte.
    static func bits(_ list: String) throws(RuntimeFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in list.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\n" }) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { UInt16($0) }
            guard let first = ends[0], let last = ends[ends.count - 1], first <= last else {
                throw RuntimeFailure(
                    "\"\(part)\" in \"\(list)\" is no range of processors or memory nodes, such as 0-3")
            }
            while bytes.count <= last / 8 { bytes.append(0) }
            for number in first...last { bytes[Int(number / 8)] |= 1 << (number % 8) }
        }
        guard !bytes.isEmpty else { throw RuntimeFailure("\"\(list)\" names no processor or memory node") }
        return bytes
    }

    // MARK: files of version 2

    private static let sizes = [
        "memory.high": "MemoryHigh", "memory.low": "MemoryLow", "memory.min": "MemoryMin", "memory.max": "MemoryMax",
        "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax", "cpu.weight": "CPUWeight",
    ]

    /// Those of which systemd has a property; all are written as files later.
    private func unified(_ entries: [(file: String, value: String)]) throws(RuntimeFailure) -> [UnitProperty] {
        var list: [UnitProperty] = []
        let isIdle = version >= 252 && entries.contains { $0.file == "cpu.idle" && Self.trim($0.value) == "1" }
        for (file, value) in entries {
            let value = Self.trim(value)
            if file == "cpu.idle", isIdle {
                list.append(UnitProperty("CPUWeight", .uint64(0)))
            } else if file == "cpuset.cpus" || file == "cpuset.mems" {
                list += try set(file == "cpuset.cpus" ? "AllowedCPUs" : "AllowedMemoryNodes", value)
            } else if file == "cpu.max" {
                let fields = value.split(separator: " ")
                var asked = fields.first == "max" ? 0 : fields.first.flatMap { Int64($0) }
                guard fields.count < 3, asked != nil, let period = fields.count > 1 ? UInt64(fields[1]) : 100_000 else {
                    throw Self.invalid(file, value)
                }
                list += quota(&asked, period)
            } else if let name = Self.sizes[file], name != "CPUWeight" || !isIdle {
                guard var number = value == "max" ? Self.infinity : UInt64(value) else {
                    throw Self.invalid(file, value)
                }
                if file == "pids.max" { number = max(number, 1) }
                list.append(UnitProperty(name, .uint64(number)))
            }
        }
        return list
    }

    /// What systemd takes only when the unit is made.
    func beginning(_ resources: ResourcesConfig) -> [UnitProperty] {
        guard isUnified, version >= 253, let entry = resources.unified.last(where: { $0.file == "memory.oom.group" })
        else { return [] }
        switch Self.trim(entry.value) {
        case "0": return [UnitProperty("OOMPolicy", .string("continue"))]
        case "1": return [UnitProperty("OOMPolicy", .string("kill"))]
        default: return []
        }
    }

    private static func trim(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private static func invalid(_ file: String, _ value: String) -> RuntimeFailure {
        RuntimeFailure("unified resource \"\(file)\" has the value \"\(value)\", which is none for it")
    }

    // MARK: devices

    /// The device list as far as systemd can have it, which is: nothing but what is listed. The rest the runtime does
    /// by itself, and systemd must not be in its way.
    func devices(_ entries: [DeviceEntry]) -> [UnitProperty] {
        func properties(_ policy: String, _ allowed: [(path: String, access: String)]) -> [UnitProperty] {
            [
                UnitProperty("DevicePolicy", .string(policy)),
                UnitProperty(
                    "DeviceAllow", .array("(ss)", allowed.map { .structure([.string($0.path), .string($0.access)]) })),
            ]
        }
        let free = properties("auto", [])
        // Version 1 has one list, which systemd may write anew at any time: rather too little is allowed than too much.
        let none = isUnified ? free : properties("strict", [])
        guard let policy = try? DevicePolicy(entries) else { return none }
        if policy.allowsByDefault { return policy.exceptions.isEmpty ? free : none }
        var allowed: [(path: String, access: String)] = []
        for exception in policy.exceptions {
            let type = exception.devices.isBlock == true ? "block" : "char"
            let path: String
            switch (exception.devices.major, exception.devices.minor) {
            case (let major?, let minor?): path = "/dev/\(type)/\(major):\(minor)"
            case (let major?, nil) where version >= 240: path = "\(type)-\(major)"
            case (nil, nil): path = "\(type)-*"
            default:
                if isUnified { return free }
                continue
            }
            allowed.append((path, exception.access.text))
        }
        return properties("strict", allowed)
    }
}
