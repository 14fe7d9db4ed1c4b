internal import LinuxSystem

extension UserConfig {
    /// The greatest user or group number: the one above stands for "none" in the kernel.
    static let idMax = UInt32.max - 1
}

extension ProcessConfig {
    /// The process in a JSON value of its own, as `exec --process` gets it. `warn` is told what is let pass but not
    /// done.
    static func read(
        _ json: JSONValue, name: String = "process.json", warn: (String) -> Void = { _ in }
    ) throws(RuntimeFailure) -> ProcessConfig {
        try ProcessConfig(try ObjectReader(json, file: name), warn: warn)
    }

    init(_ reader: ObjectReader, warn: (String) -> Void) throws(RuntimeFailure) {
        terminal = try reader.flag("terminal")
        if let size = try reader.object("consoleSize") {
            let sides: ClosedRange<UInt32> = 0...UInt32(UInt16.max)
            consoleSize = (
                height: UInt(try size.requiredUInt32("height", sides)),
                width: UInt(try size.requiredUInt32("width", sides))
            )
        }
        if let user = try reader.object("user") {
            self.user = UserConfig(
                uid: try user.uint32("uid", 0...UserConfig.idMax) ?? 0,
                gid: try user.uint32("gid", 0...UserConfig.idMax) ?? 0,
                umask: try user.uint32("umask", 0...0o7777), additionalGids: try user.ids("additionalGids"))
        }
        args = try reader.strings("args")
        env = try reader.strings("env")
        cwd = try reader.requiredString("cwd")
        if let sets = try reader.object("capabilities") { capabilities = try CapabilitiesConfig(sets, warn: warn) }
        rlimits = try Self.rlimits(reader)
        noNewPrivileges = try reader.flag("noNewPrivileges")
        apparmorProfile = try reader.filledString("apparmorProfile")
        selinuxLabel = try reader.filledString("selinuxLabel")
        oomScoreAdj = try reader.signed("oomScoreAdj", -1000...1000).map { Int($0) }
        if let scheduler = try reader.object("scheduler") { self.scheduler = try SchedulerConfig(scheduler) }
        if let priority = try reader.object("ioPriority") { ioPriority = try IOPriorityConfig(priority) }
        if let affinity = try reader.object("execCPUAffinity") {
            execCPUAffinity = ExecCPUAffinity(
                initial: try affinity.filledString("initial"), final: try affinity.filledString("final"))
        }
    }

    private static func rlimits(_ reader: ObjectReader) throws(RuntimeFailure) -> [RlimitConfig] {
        var limits: [RlimitConfig] = []
        for limit in try reader.objects("rlimits") {
            let type = try limit.requiredString("type")
            guard let number = Rlimit.number(of: type) else {
                throw limit.failure("type", "expected the name of a limit such as RLIMIT_NOFILE, found \(type.quoted)")
            }
            guard let soft = try limit.unsigned("soft") else { throw limit.missing("soft") }
            guard let hard = try limit.unsigned("hard") else { throw limit.missing("hard") }
            limits.append(RlimitConfig(resource: Int32(number), soft: soft, hard: hard))
        }
        return limits
    }
}

extension CapabilitiesConfig {
    /// Unknown names are dropped with one warning: they may belong to a newer kernel.
    init(_ reader: ObjectReader, warn: (String) -> Void) throws(RuntimeFailure) {
        var unknown: [String] = []
        bounding = try Self.set(reader, "bounding", &unknown)
        effective = try Self.set(reader, "effective", &unknown)
        permitted = try Self.set(reader, "permitted", &unknown)
        inheritable = try Self.set(reader, "inheritable", &unknown)
        ambient = try Self.set(reader, "ambient", &unknown)
        if !unknown.isEmpty {
            let names = unknown.prefix(10).map(\.quoted).joined(separator: ", ")
            warn("\(reader.file): \(reader.path): unknown capabilities are ignored: \(names)")
        }
    }

    private static func set(
        _ reader: ObjectReader, _ name: String, _ unknown: inout [String]
    ) throws(RuntimeFailure) -> UInt64 {
        var bits: UInt64 = 0
        for capability in try reader.strings(name) {
            if let number = Capability.number(of: capability) {
                bits |= 1 << UInt64(number)
            } else if unknown.count < 10, !unknown.contains(capability) {
                unknown.append(capability)
            }
        }
        return bits
    }
}

extension SchedulerConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        let name = try reader.requiredString("policy")
        guard let number = SpecNames.index(of: name, in: SpecNames.schedulerPolicies) else {
            throw reader.failure("policy", "expected the name of a policy such as SCHED_OTHER, found \(name.quoted)")
        }
        policy = UInt32(number)
        nice = Int32(truncatingIfNeeded: try reader.signed("nice", -20...19) ?? 0)
        priority = Int32(truncatingIfNeeded: try reader.signed("priority", 0...99) ?? 0)
        for (index, flag) in try reader.strings("flags").enumerated() {
            guard let bit = SpecNames.index(of: flag, in: SpecNames.schedulerFlags) else {
                throw reader.failure(
                    "flags[\(index)]", "expected a flag such as SCHED_FLAG_RESET_ON_FORK, found \(flag.quoted)")
            }
            flags |= 1 << UInt64(bit)
        }
        runtime = try reader.unsigned("runtime") ?? 0
        deadline = try reader.unsigned("deadline") ?? 0
        period = try reader.unsigned("period") ?? 0
    }
}

extension IOPriorityConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        let name = try reader.requiredString("class")
        guard let number = SpecNames.index(of: name, in: SpecNames.ioPriorityClasses) else {
            throw reader.failure(
                "class", "expected IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE, found \(name.quoted)")
        }
        ioClass = Int32(number + 1)
        priority = Int32(truncatingIfNeeded: try reader.signed("priority", 0...7) ?? 0)
    }
}
