extension ResourcesConfig {
    /// The limits in a JSON value of their own, as `update --resources` gets them.
    static func read(_ json: JSONValue, name: String = "resources.json") throws(RuntimeFailure) -> ResourcesConfig {
        try ResourcesConfig(try ObjectReader(json, file: name))
    }

    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        for rule in try reader.objects("devices") { devices.append(try DeviceRule(rule)) }
        if let memory = try reader.object("memory") { self.memory = try MemoryConfig(memory) }
        if let cpu = try reader.object("cpu") { self.cpu = try CPUConfig(cpu) }
        if let pids = try reader.object("pids") { self.pids = try pids.limit("limit") }
        if let blockIO = try reader.object("blockIO") { self.blockIO = try BlockIOConfig(blockIO) }
        for limit in try reader.objects("hugepageLimits") {
            guard let bytes = try limit.unsigned("limit") else { throw limit.missing("limit") }
            hugepageLimits.append((pageSize: try limit.requiredString("pageSize"), limit: bytes))
        }
        if let network = try reader.object("network") { self.network = try NetworkConfig(network) }
        for member in try reader.map("rdma") {
            let path = reader.place("rdma[\(member.name.quoted)]")
            let limit = try ObjectReader(member.value, file: reader.file, path: path)
            rdma.append(
                (
                    device: member.name, hcaHandles: try limit.uint32("hcaHandles"),
                    hcaObjects: try limit.uint32("hcaObjects")
                ))
        }
        unified = try reader.stringMap("unified").map { (file: $0.name, value: $0.value) }
    }
}

extension DeviceRule {
    /// -1 as a number stands for any, as an absent one does.
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        guard let allow = try reader.bool("allow") else { throw reader.missing("allow") }
        self.allow = allow
        switch try reader.filledString("type") {
        case nil, "a": type = "a"
        case "b": type = "b"
        case "c": type = "c"
        case .some(let other): throw reader.failure("type", "expected a, b or c, found \(other.quoted)")
        }
        let numbers = -1...Int64(UInt32.max)
        major = try reader.signed("major", numbers).flatMap { $0 < 0 ? nil : $0 }
        minor = try reader.signed("minor", numbers).flatMap { $0 < 0 ? nil : $0 }
        if let access = try reader.filledString("access") {
            // runc passes over an a among them.
            let letters = access.filter { $0 != "a" }
            guard letters.utf8.allSatisfy({ "rwm".utf8.contains($0) }), (1...3).contains(letters.utf8.count) else {
                throw reader.failure("access", "expected some of the letters r, w and m, found \(access.quoted)")
            }
            self.access = letters
        }
    }
}

extension MemoryConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        limit = try reader.limit("limit")
        reservation = try reader.limit("reservation")
        swap = try reader.limit("swap")
        kernel = try reader.limit("kernel")
        kernelTCP = try reader.limit("kernelTCP")
        swappiness = try reader.unsigned("swappiness", 0...100)
        disableOOMKiller = try reader.bool("disableOOMKiller")
        useHierarchy = try reader.bool("useHierarchy")
        checkBeforeUpdate = try reader.bool("checkBeforeUpdate")
    }
}

extension CPUConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        shares = try reader.unsigned("shares")
        quota = try reader.limit("quota")
        burst = try reader.unsigned("burst")
        period = try reader.unsigned("period")
        realtimeRuntime = try reader.limit("realtimeRuntime")
        realtimePeriod = try reader.unsigned("realtimePeriod")
        cpus = try reader.filledString("cpus")
        mems = try reader.filledString("mems")
        idle = try reader.signed("idle", 0...1)
    }
}

extension BlockIOConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        weight = try reader.uint16("weight")
        leafWeight = try reader.uint16("leafWeight")
        for entry in try reader.objects("weightDevice") {
            let device = try Self.device(entry)
            weightDevice.append(
                Weight(
                    major: device.major, minor: device.minor, weight: try entry.uint16("weight"),
                    leafWeight: try entry.uint16("leafWeight")))
        }
        readBps = try Self.throttles(reader, "throttleReadBpsDevice")
        writeBps = try Self.throttles(reader, "throttleWriteBpsDevice")
        readIOPS = try Self.throttles(reader, "throttleReadIOPSDevice")
        writeIOPS = try Self.throttles(reader, "throttleWriteIOPSDevice")
    }

    private static func throttles(_ reader: ObjectReader, _ name: String) throws(RuntimeFailure) -> [Throttle] {
        var throttles: [Throttle] = []
        for entry in try reader.objects(name) {
            let device = try device(entry)
            guard let rate = try entry.unsigned("rate") else { throw entry.missing("rate") }
            throttles.append(Throttle(major: device.major, minor: device.minor, rate: rate))
        }
        return throttles
    }

    private static func device(_ reader: ObjectReader) throws(RuntimeFailure) -> (major: Int64, minor: Int64) {
        guard let major = try reader.signed("major", 0...DeviceConfig.majorMax) else { throw reader.missing("major") }
        guard let minor = try reader.signed("minor", 0...DeviceConfig.minorMax) else { throw reader.missing("minor") }
        return (major: major, minor: minor)
    }
}

extension NetworkConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        classID = try reader.uint32("classID")
        for entry in try reader.objects("priorities") {
            priorities.append(
                (interface: try entry.requiredString("name"), priority: try entry.requiredUInt32("priority")))
        }
    }
}
