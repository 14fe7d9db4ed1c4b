extension LinuxConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        namespaces = try NamespaceConfig.list(reader)
        uidMappings = try IDMapping.list(reader, "uidMappings")
        gidMappings = try IDMapping.list(reader, "gidMappings")
        timeOffsets = try TimeOffset.list(reader)
        devices = try DeviceConfig.list(reader)
        cgroupsPath = try reader.filledString("cgroupsPath")
        if let resources = try reader.object("resources") { self.resources = try ResourcesConfig(resources) }
        rootfsPropagation = try reader.filledString("rootfsPropagation")
        if let seccomp = try reader.object("seccomp") { self.seccomp = try SeccompConfig(seccomp) }
        sysctl = try reader.stringMap("sysctl")
        maskedPaths = try reader.strings("maskedPaths")
        readonlyPaths = try reader.strings("readonlyPaths")
        mountLabel = try reader.filledString("mountLabel")
        if let rdt = try reader.object("intelRdt") { intelRdt = try IntelRdtConfig(rdt) }
        if let personality = try reader.object("personality") {
            self.personality = try PersonalityConfig(personality)
        }
        netDevices = try Self.netDevices(reader)
        if let policy = try reader.object("memoryPolicy") { memoryPolicy = try MemoryPolicyConfig(policy) }
    }

    private static func netDevices(
        _ reader: ObjectReader
    ) throws(RuntimeFailure) -> [(host: String, inside: String?)] {
        var devices: [(host: String, inside: String?)] = []
        for member in try reader.map("netDevices") {
            let path = reader.place("netDevices[\(member.name.quoted)]")
            let device = try ObjectReader(member.value, file: reader.file, path: path)
            devices.append((host: member.name, inside: try device.filledString("name")))
        }
        return devices
    }
}

extension NamespaceConfig {
    static func list(_ reader: ObjectReader) throws(RuntimeFailure) -> [NamespaceConfig] {
        var namespaces: [NamespaceConfig] = []
        for namespace in try reader.objects("namespaces") {
            let type = try namespace.requiredString("type")
            guard let kind = NamespaceKind(rawValue: type) else {
                let known = NamespaceKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw namespace.failure("type", "expected one of \(known), found \(type.quoted)")
            }
            namespaces.append(NamespaceConfig(kind: kind, path: try namespace.filledString("path")))
        }
        return namespaces
    }
}

extension TimeOffset {
    static func list(_ reader: ObjectReader) throws(RuntimeFailure) -> [TimeOffset] {
        var offsets: [TimeOffset] = []
        for member in try reader.map("timeOffsets") {
            let path = reader.place("timeOffsets[\(member.name.quoted)]")
            guard ["monotonic", "boottime"].contains(member.name) else {
                throw .invalid(reader.file, path, "expected the clock monotonic or boottime")
            }
            let offset = try ObjectReader(member.value, file: reader.file, path: path)
            offsets.append(
                TimeOffset(
                    clock: member.name, secs: try offset.signed("secs", Int64.min...Int64.max) ?? 0,
                    nanosecs: try offset.uint32("nanosecs", 0...999_999_999) ?? 0))
        }
        return offsets
    }
}

extension DeviceConfig {
    /// What fits the device numbers of Linux: 12 and 20 bits.
    static let majorMax: Int64 = 4095
    static let minorMax: Int64 = 1_048_575

    static func list(_ reader: ObjectReader) throws(RuntimeFailure) -> [DeviceConfig] {
        var devices: [DeviceConfig] = []
        for device in try reader.objects("devices") {
            let type = try device.requiredString("type")
            guard let kind = Kind(rawValue: type) else {
                throw device.failure("type", "expected c, u, b or p, found \(type.quoted)")
            }
            let major = try device.signed("major", 0...majorMax)
            let minor = try device.signed("minor", 0...minorMax)
            if kind != .pipe {
                if major == nil { throw device.missing("major") }
                if minor == nil { throw device.missing("minor") }
            }
            devices.append(
                DeviceConfig(
                    kind: kind, path: try device.requiredString("path"), major: major ?? 0, minor: minor ?? 0,
                    fileMode: try device.uint32("fileMode"), uid: try device.uint32("uid", 0...UserConfig.idMax),
                    gid: try device.uint32("gid", 0...UserConfig.idMax)))
        }
        return devices
    }
}

extension PersonalityConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        let name = try reader.requiredString("domain")
        switch name {
        case "LINUX": domain = 0
        case "LINUX32": domain = 8
        default: throw reader.failure("domain", "expected LINUX or LINUX32, found \(name.quoted)")
        }
        flags = try reader.strings("flags")
    }
}

extension IntelRdtConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        closID = try reader.filledString("closID")
        l3CacheSchema = try reader.filledString("l3CacheSchema")
        memBwSchema = try reader.filledString("memBwSchema")
        schemata = try reader.strings("schemata")
        // Before 1.3 there were two flags, for the two kinds of monitoring.
        let cacheMonitoring = try reader.flag("enableCMT")
        let bandwidthMonitoring = try reader.flag("enableMBM")
        enableMonitoring = try reader.flag("enableMonitoring") || cacheMonitoring || bandwidthMonitoring
    }
}

extension MemoryPolicyConfig {
    init(_ reader: ObjectReader) throws(RuntimeFailure) {
        let name = try reader.string("mode") ?? ""
        guard let number = SpecNames.index(of: name, in: SpecNames.memoryPolicyModes) else {
            throw reader.failure("mode", "invalid memory policy mode \(name.quoted); use a name such as MPOL_BIND")
        }
        mode = Int32(number)
        nodes = try reader.string("nodes") ?? ""
        for (index, flag) in try reader.strings("flags").enumerated() {
            guard let bit = SpecNames.index(of: flag, in: SpecNames.memoryPolicyFlags) else {
                throw reader.failure(
                    "flags[\(index)]", "invalid memory policy flag \(flag.quoted); use one such as MPOL_F_STATIC_NODES")
            }
            flags |= 1 << Int32(13 + bit)
        }
    }
}
