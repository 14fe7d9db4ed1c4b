extension LinuxConfig {
    /// Judges what the fields of `linux` say together.
    func check(_ name: String) throws(RuntimeFailure) {
        try checkNamespaces(name)
        try checkMappings(name)
        if !timeOffsets.isEmpty, namespace(.time) == nil {
            throw .invalid(
                name, "linux.timeOffsets", "can only be set in a time namespace; add one to linux.namespaces")
        }
        if let rootfsPropagation, MountOptions.propagation(rootfsPropagation) == nil {
            throw .invalid(
                name, "linux.rootfsPropagation",
                "expected shared, slave, private or unbindable, or one of them with an r before, "
                    + "found \(rootfsPropagation.quoted)")
        }
        try checkPaths(maskedPaths, "linux.maskedPaths", name)
        try checkPaths(readonlyPaths, "linux.readonlyPaths", name)
        for (index, device) in devices.enumerated() where !device.path.isAbsolutePath {
            throw .invalid(
                name, "linux.devices[\(index)].path", "\(device.path.quoted) is not an absolute path")
        }
        for entry in sysctl {
            if let reason = SysctlRules.refusal(of: entry.name, in: self) {
                throw .invalid(name, "linux.sysctl[\(entry.name.quoted)]", reason)
            }
        }
        if let personality, !personality.flags.isEmpty {
            throw .invalid(name, "linux.personality.flags", "no flags are supported; leave the list empty")
        }
        for (index, rule) in (seccomp?.syscalls ?? []).enumerated() where rule.names.isEmpty {
            throw .invalid(name, "linux.seccomp.syscalls[\(index)].names", "must name a system call")
        }
        try intelRdt?.check(name)
        try checkNetDevices(name)
        try memoryPolicy?.check(name)
        try resources?.check(name: name, path: "linux.resources")
    }

    private func checkNamespaces(_ name: String) throws(RuntimeFailure) {
        for (index, entry) in namespaces.enumerated() {
            if namespaces[..<index].contains(where: { $0.kind == entry.kind }) {
                throw .invalid(name, "linux.namespaces[\(index)]", "a second namespace of type \(entry.kind.rawValue)")
            }
            if let path = entry.path, !path.isAbsolutePath {
                throw .invalid(name, "linux.namespaces[\(index)].path", "\(path.quoted) is not an absolute path")
            }
        }
    }

    private func checkMappings(_ name: String) throws(RuntimeFailure) {
        try IDMapping.check(uidMappings, name, "linux.uidMappings")
        try IDMapping.check(gidMappings, name, "linux.gidMappings")
        guard let user = namespace(.user) else {
            for (place, mappings) in [("uidMappings", uidMappings), ("gidMappings", gidMappings)]
            where !mappings.isEmpty {
                throw .invalid(
                    name, "linux.\(place)", "can only be set for a user namespace; add one to linux.namespaces")
            }
            return
        }
        if user.path == nil {
            if uidMappings.isEmpty { throw .invalid(name, "linux.uidMappings", "required for a new user namespace") }
            if gidMappings.isEmpty { throw .invalid(name, "linux.gidMappings", "required for a new user namespace") }
        }
    }

    private func checkPaths(_ paths: [String], _ place: String, _ name: String) throws(RuntimeFailure) {
        for (index, path) in paths.enumerated() where !path.isAbsolutePath {
            throw .invalid(name, "\(place)[\(index)]", "\(path.quoted) is not an absolute path")
        }
        if !paths.isEmpty, namespace(.mount) == nil {
            throw .invalid(name, place, "can only be set in a mount namespace; add one to linux.namespaces")
        }
    }

    private func checkNetDevices(_ name: String) throws(RuntimeFailure) {
        if netDevices.isEmpty { return }
        if namespace(.network) == nil {
            throw .invalid(
                name, "linux.netDevices", "can only be moved to a network namespace; add one to linux.namespaces")
        }
        var seen: Set<String> = []
        for device in netDevices {
            let place = "linux.netDevices[\(device.host.quoted)]"
            if !Self.isDeviceName(device.host) {
                throw .invalid(name, place, "\(device.host.quoted) is no name of a network device")
            }
            if let inside = device.inside, !Self.isDeviceName(inside) {
                throw .invalid(name, "\(place).name", "\(inside.quoted) is no name of a network device")
            }
            let inside = device.inside ?? device.host
            if !seen.insert(inside).inserted {
                throw .invalid(name, place, "a second device would be called \(inside.quoted) inside")
            }
        }
    }

    /// As the kernel sees it: 1 to 15 bytes, no space, slash or colon, neither `.` nor `..`, nor `%`, which stands
    /// for a number the kernel chooses.
    static func isDeviceName(_ name: String) -> Bool {
        guard (1...15).contains(name.utf8.count), name != ".", name != ".." else { return false }
        return name.utf8.allSatisfy {
            $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "%")
        }
    }
}

extension IntelRdtConfig {
    /// The name becomes a folder of resctrl; `/` is the class of everybody.
    fileprivate func check(_ name: String) throws(RuntimeFailure) {
        for (index, line) in schemata.enumerated() where line.utf8.contains(10) {
            throw .invalid(name, "linux.intelRdt.schemata[\(index)]", "must be one line")
        }
        if let line = memBwSchema, line.utf8.contains(10) || !line.hasPrefix("MB:") {
            throw .invalid(name, "linux.intelRdt.memBwSchema", "must be one line that starts with MB:")
        }
        guard let closID, closID != "/" else { return }
        if closID == "." || closID == ".." || closID.utf8.contains(UInt8(ascii: "/")) {
            throw .invalid(name, "linux.intelRdt.closID", "\(closID.quoted) is no name of a folder")
        }
    }
}

extension MemoryPolicyConfig {
    private static let `default`: Int32 = 0
    private static let preferred: Int32 = 1
    private static let bind: Int32 = 2
    private static let local: Int32 = 4
    private static let preferredMany: Int32 = 5
    private static let balancing: Int32 = 1 << 13
    private static let relative: Int32 = 1 << 14
    private static let `static`: Int32 = 1 << 15

    fileprivate func check(_ name: String) throws(RuntimeFailure) {
        let path = "linux.memoryPolicy"
        if !nodes.isEmpty, !SpecNames.isNumberList(nodes) {
            throw .invalid(name, "\(path).nodes", "expected a list such as 0-3,7, found \(nodes.quoted)")
        }
        let takesNone = mode == Self.default || mode == Self.local
        if takesNone, !nodes.isEmpty {
            let count = CPUList.bits(nodes)?.reduce(0) { $0 + $1.nonzeroBitCount } ?? 0
            throw .invalid(name, "\(path).nodes", "this mode requires 0 nodes but got \(count)")
        }
        if !takesNone, mode != Self.preferred, nodes.isEmpty {
            throw .invalid(name, "\(path).nodes", "must name a node for this mode")
        }
        if flags & Self.relative != 0, flags & Self.static != 0 {
            throw .invalid(
                name, "\(path).flags", "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other")
        }
        if flags & (Self.relative | Self.static) != 0, nodes.isEmpty {
            throw .invalid(name, "\(path).flags", "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES need nodes")
        }
        if flags & Self.balancing != 0, mode != Self.bind, mode != Self.preferredMany {
            throw .invalid(
                name, "\(path).flags", "MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY only")
        }
    }
}
