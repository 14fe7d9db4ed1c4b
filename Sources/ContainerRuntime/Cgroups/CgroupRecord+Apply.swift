/// Where a controller works for a group.
enum ControllerPlace {
    case version1(CgroupDirectory)
    case version2(CgroupDirectory)
}

extension CgroupRecord {
    /// Sets limits. What is not said stays as it is.
    ///
    /// - Parameters:
    ///   - resources: the limits; 0 is "not said" wherever runc has it so.
    ///   - devices: false leaves the device rules alone, as an update must. When true they are set also if there are
    ///     none: a container may use the standard devices and nothing else.
    /// - Throws: naming the controller that the machine or the group lacks, or the file and the value it refused.
    ///   Limits before that one are set then.
    func apply(_ resources: ResourcesConfig, devices: Bool = true) throws(RuntimeFailure) {
        guard resources.unified.isEmpty || isUnified else {
            throw RuntimeFailure(
                "invalid configuration: linux.resources.unified needs a machine with cgroup version 2 alone; this one"
                    + " has version 1"
            )
        }
        try applyCpuset(resources.cpu)
        if devices { try applyDevices(resources.devices) }
        try applyMemory(resources.memory)
        try applyCPU(resources.cpu)
        if let limit = resources.pids {
            switch try need("pids") {
            case .version1(let group), .version2(let group): try group.set("pids.max", CgroupConversions.pidsMax(limit))
            }
        }
        try applyBlockIO(resources.blockIO)
        try applyHugepages(resources)
        try applyNetwork(resources.network)
        for entry in resources.rdma {
            let line = CgroupConversions.rdmaMax(
                device: entry.device, hcaHandles: entry.hcaHandles, hcaObjects: entry.hcaObjects)
            switch try need("rdma") {
            case .version1(let group), .version2(let group): try group.set("rdma.max", line)
            }
        }
        try applyUnified(resources.unified)
    }

    /// The group in the tree where a controller is; nil when it is in none.
    func find(_ controller: String) -> ControllerPlace? {
        if let place = version1(controller), place.directory.exists { return .version1(place.directory) }
        guard let group = version2?.directory else { return nil }
        let name = controller == "blkio" ? "io" : controller
        let there = (group.read("cgroup.controllers") ?? "").split(separator: " ")
        return there.contains(Substring(name)) ? .version2(group) : nil
    }

    func need(_ controller: String) throws(RuntimeFailure) -> ControllerPlace {
        if let place = find(controller) { return place }
        if isOptional, !places.contains(where: \.directory.exists) {
            throw RuntimeFailure(
                "cannot set a \(controller) limit: without privilege the container could not get a cgroup; leave limits"
                    + " out or name a linux.cgroupsPath that the user may write to")
        }
        let name = isUnified && controller == "blkio" ? "io" : controller
        throw RuntimeFailure(
            "cannot set a \(name) limit: the controller \(name) is not available"
                + (isUnified
                    ? " in \(version2?.path ?? ""); it must be in cgroup.subtree_control of every group above"
                    : " on this machine"))
    }

    private func applyCpuset(_ cpu: CPUConfig) throws(RuntimeFailure) {
        for (file, value) in [("cpuset.cpus", cpu.cpus), ("cpuset.mems", cpu.mems)] {
            guard let value, !value.isEmpty else { continue }
            switch try need("cpuset") {
            case .version1(let group), .version2(let group): try group.set(file, value)
            }
        }
    }

    private func applyHugepages(_ resources: ResourcesConfig) throws(RuntimeFailure) {
        for entry in resources.hugepageLimits {
            guard !entry.pageSize.isEmpty, !entry.pageSize.utf8.contains(where: { $0 == 0x2F || $0 == 0 }) else {
                throw RuntimeFailure("hugepageLimits has a page size \(entry.pageSize) that is none, such as 2MB")
            }
            let (group, suffix) =
                switch try need("hugetlb") {
                case .version1(let group): (group, "limit_in_bytes")
                case .version2(let group): (group, "max")
                }
            try group.set("hugetlb.\(entry.pageSize).\(suffix)", String(entry.limit))
            // Reserved pages count apart since Linux 5.7.
            let reserved = "hugetlb.\(entry.pageSize).rsvd.\(suffix)"
            if group.has(reserved) { try group.set(reserved, String(entry.limit)) }
        }
    }

    private func applyNetwork(_ network: NetworkConfig) throws(RuntimeFailure) {
        if let classID = CgroupConversions.said(network.classID) {
            guard case .version1(let group) = try need("net_cls") else { return }
            try group.set("net_cls.classid", String(classID))
        }
        for entry in network.priorities {
            guard case .version1(let group) = try need("net_prio") else { return }
            try group.set("net_prio.ifpriomap", "\(entry.interface) \(entry.priority)")
        }
    }

    /// Files of version 2, by their own names.
    private func applyUnified(_ entries: [(file: String, value: String)]) throws(RuntimeFailure) {
        guard !entries.isEmpty, let group = version2?.directory else { return }
        let there = (group.read("cgroup.controllers") ?? "").split(separator: " ")
        for (file, value) in entries {
            guard !file.utf8.contains(where: { $0 == 0x2F || $0 == 0 }) else {
                throw RuntimeFailure("unified resource \"\(file)\" must be a file name, without slashes")
            }
            let parts = file.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw RuntimeFailure("unified resource \"\(file)\" must have the form CONTROLLER.PARAMETER")
            }
            guard parts[0] == "cgroup" || there.contains(parts[0]) || group.has(file) else {
                throw RuntimeFailure(
                    "unified resource \"\(file)\" cannot be set: the controller \(parts[0]) is not available")
            }
            // Files such as io.max take one line for each write.
            for line in value.split(separator: "\n", omittingEmptySubsequences: !value.isEmpty) {
                try group.set(file, String(line))
            }
        }
    }
}
