extension CgroupRecord {
    /// Puts the container's first process into the group and sets the container's limits.
    ///
    /// systemd makes the group for the process, with the limits that it knows; what it does not know or do is done
    /// after that as without it.
    func enter(pid: Int32, id: String, resources: ResourcesConfig) throws(RuntimeFailure) {
        var resources = resources
        if let systemd { try start(systemd, pid: pid, id: id, &resources) }
        if systemd == nil || systemd?.isSlice == true || !version1.isEmpty { try add(pid: pid) }
        try apply(resources)
    }

    private func start(
        _ unit: SystemdUnit, pid: Int32, id: String, _ resources: inout ResourcesConfig
    ) throws(RuntimeFailure) {
        let manager = try SystemdManager(isUser: unit.isUser)
        let known = UnitProperties(version: try manager.version, isUnified: isUnified)
        var properties = known.base(unit, id: id, pid: pid)
        // A user's manager may limit no devices.
        if !unit.isUser { properties += known.devices(try DeviceEntry.list(resources.devices)) }
        properties += try known.limits(&resources) + known.beginning(resources) + unit.extra
        try manager.start(unit.name, properties)
        // Limits set elsewhere would be none at all.
        if let place = version2, isUnified, !unit.isSlice, !place.directory.processes().contains(pid) {
            throw RuntimeFailure(
                "systemd made the unit \(unit.name), but its processes are not in \(place.path): is that tree the one"
                    + " of this systemd?")
        }
        try makeDirectories()
    }

    /// Sets other limits for a container that is there; its devices stay as they are.
    func update(_ resources: ResourcesConfig) throws(RuntimeFailure) {
        var resources = resources
        if let systemd {
            // systemd would take a limit below what is in use.
            if let place = version2, isUnified {
                try Self.checkUsage(resources.memory, now: place.directory.number("memory.current"))
            }
            completeQuota(&resources.cpu)
            let manager = try SystemdManager(isUser: systemd.isUser)
            let known = UnitProperties(version: try manager.version, isUnified: isUnified)
            let properties = try known.limits(&resources)
            // With version 1, systemd may write the device list anew at this, and denies all in between.
            let stopped = !version1.isEmpty && !isFrozen && (try? freeze()) != nil
            defer { if stopped { try? thaw() } }
            try manager.set(systemd.name, properties)
        }
        try apply(resources, devices: false)
    }

    /// Of quota and period, the one that is not said stays as it is; systemd's rate is made of both.
    func completeQuota(_ cpu: inout CPUConfig) {
        guard (CgroupConversions.said(cpu.quota) == nil) != (CgroupConversions.said(cpu.period) == nil) else { return }
        var now: [String] = []
        switch find("cpu") {
        case .version1(let group)?: now = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map { group.read($0) ?? "" }
        case .version2(let group)?: now = (group.read("cpu.max") ?? "").split(separator: " ").map(String.init)
        case nil: return
        }
        guard now.count == 2 else { return }
        cpu.quota = CgroupConversions.said(cpu.quota) ?? Int64(now[0]) ?? -1
        cpu.period = CgroupConversions.said(cpu.period) ?? UInt64(now[1])
    }
}
