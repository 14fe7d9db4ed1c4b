/// Where a container's control group will be.
enum CgroupSetup {
    /// Decides the directories of the group in every tree of this machine; makes nothing.
    ///
    /// - Parameters:
    ///   - id: name of the container, which names the group when no path is asked for.
    ///   - cgroupsPath: `linux.cgroupsPath`: absolute counts from the top of each tree, relative from the runtime's own
    ///     group (version 2: from the group above that, because one with processes cannot pass controllers on); with
    ///     systemd it is `slice:prefix:name`.
    ///   - systemd: whether systemd shall make the group.
    ///   - rootless: whether the runtime lacks privilege over the machine.
    ///   - annotations: of the container; some are for systemd.
    /// - Returns: the directories.
    /// - Throws: a path that is none; also when the user's systemd cannot be asked for its own group.
    static func plan(
        id: String, cgroupsPath: String?, systemd: Bool, rootless: Bool,
        annotations: [(name: String, value: String)] = []
    ) throws(RuntimeFailure) -> CgroupRecord {
        let host = try CgroupHost.read()
        guard systemd else {
            return try plan(id: id, cgroupsPath: cgroupsPath, rootless: rootless, on: host)
        }
        var unit = try SystemdUnit(cgroupsPath: cgroupsPath, id: id, isUser: rootless)
        unit.extra = try UnitAnnotations.read(annotations)
        return try plan(unit, on: host) { () throws(RuntimeFailure) in
            try SystemdManager(isUser: true).controlGroup
        }
    }

    /// Where systemd will put a unit.
    ///
    /// `above`: the group of the user's manager.
    static func plan(
        _ unit: SystemdUnit, on host: CgroupHost, above: () throws(RuntimeFailure) -> String
    ) throws(RuntimeFailure) -> CgroupRecord {
        guard !unit.isUser || host.version1.isEmpty else {
            throw RuntimeFailure(
                "a user's systemd has no say over groups of cgroup version 1; use the cgroupfs driver, or a machine"
                    + " with cgroup version 2 alone")
        }
        var names = try unit.directories
        if unit.isUser { names = CgroupPath.components(try above()) + names }
        func place(_ tree: CgroupHost.Tree) -> CgroupRecord.Place {
            CgroupRecord.Place(
                controllers: tree.controllers, mountPoint: tree.mountPoint,
                path: CgroupPath.join(tree.mountPoint, names))
        }
        return CgroupRecord(systemd: unit, version1: host.version1.map(place), version2: host.version2.map(place))
    }

    /// Where the runtime will make the group by itself.
    static func plan(
        id: String, cgroupsPath: String?, rootless: Bool, on host: CgroupHost
    ) throws(RuntimeFailure) -> CgroupRecord {
        let asked = cgroupsPath.flatMap { $0.isEmpty ? nil : $0 }
        let names = CgroupPath.components(asked ?? id)
        guard !names.isEmpty else {
            throw RuntimeFailure(
                "cgroupsPath \(asked ?? id) is the top of the tree; name a group of the container's own")
        }
        for name in names where name.utf8.count > 255 || name.utf8.contains(where: { $0 == 0 || $0 == 10 }) {
            throw RuntimeFailure("cgroupsPath has a name that no directory can have: at most 255 bytes, no line break")
        }
        let fromTop = asked?.hasPrefix("/") == true
        let unified = host.version1.isEmpty
        func place(_ tree: CgroupHost.Tree) -> CgroupRecord.Place {
            var base = tree.mountPoint
            if !fromTop {
                base = unified ? CgroupPath.parent(of: tree.own, top: tree.mountPoint) : tree.own
            }
            return CgroupRecord.Place(
                controllers: tree.controllers, mountPoint: tree.mountPoint, path: CgroupPath.join(base, names))
        }
        return CgroupRecord(
            version1: host.version1.map(place), version2: host.version2.map(place),
            isOptional: rootless && asked == nil)
    }
}
