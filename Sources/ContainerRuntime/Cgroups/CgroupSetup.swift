/// Where a container's control group will be.
enum CgroupSetup {
    /// Decides the directories of the group in every tree of this machine; makes nothing.
    ///
    /// - Parameters:
    ///   - id: name of the container, which names the group when no path is asked for.
    ///   - cgroupsPath: `linux.cgroupsPath`: absolute counts from the top of each tree, relative from the runtime's own
    ///     group (version 2: from the group above that, because one with processes cannot pass controllers on).
    ///   - systemd: whether the systemd driver is asked for.
    ///   - rootless: whether the runtime lacks privilege over the machine.
    /// - Returns: the directories.
    /// - Throws: a path that is none, or the systemd driver, which is not there.
    static func plan(
        id: String, cgroupsPath: String?, systemd: Bool, rootless: Bool
    ) throws(RuntimeFailure) -> CgroupRecord {
        try plan(
            id: id, cgroupsPath: cgroupsPath, systemd: systemd, rootless: rootless, on: CgroupHost.read())
    }

    /// The same for a described machine.
    static func plan(
        id: String, cgroupsPath: String?, systemd: Bool, rootless: Bool, on host: CgroupHost
    ) throws(RuntimeFailure) -> CgroupRecord {
        guard !systemd else {
            throw RuntimeFailure(
                "the systemd cgroup driver is not there yet: run without --systemd-cgroup"
                    + " (podman: --cgroup-manager cgroupfs)")
        }
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
