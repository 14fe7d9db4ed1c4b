extension ContainerConfig {
    /// The host's user who may divide the container's version 2 group from inside: the one of its process, where the
    /// container has its group as the top and may write to it (config-linux.md, "Cgroup ownership").
    ///
    /// nil where the group stays with its maker, as one that is the host's root's own does.
    var groupOwner: UInt32? {
        guard let process, let own = linux.namespace(.cgroup), own.path == nil else { return nil }
        let writable = mounts.contains { mount in
            mount.type == "cgroup" && CgroupPath.components(mount.destination) == ["sys", "fs", "cgroup"]
                && mount.options.last { ["ro", "rw"].contains($0) } != "ro"
        }
        guard writable else { return nil }
        let uid = process.user.uid
        let owner = linux.namespace(.user) == nil ? uid : IDMapping.host(of: uid, in: linux.uidMappings)
        return owner == 0 ? nil : owner
    }
}
