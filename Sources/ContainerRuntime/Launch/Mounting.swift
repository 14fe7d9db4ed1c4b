internal import CLinux
internal import Glibc

/// One entry of `mounts`, put where it belongs below the container's root.
struct Mounting {
    let plan: InitPlan
    let root: RootDirectory
    let channel: SyncChannel

    func perform(_ mount: MountConfig) throws(RuntimeFailure) {
        let options = MountOptions(mount.options)
        try refuseDeceit(mount, options)
        switch mount.type {
        case "cgroup", "cgroup2": try mountCgroups(mount, options)
        case "proc", "sysfs", "mqueue": try mountKernel(mount, options)
        case _ where mount.isBind(options): try bind(mount, options)
        case "tmpfs": try mountMemory(mount, options)
        default: try mountPlain(mount, options, on: try root.directory(mount.destination))
        }
    }

    /// Files of the kernel that a container may see another version of, as runc has it.
    private static let harmless: Set<[String]> = [
        ["proc", "cpuinfo"], ["proc", "diskstats"], ["proc", "meminfo"], ["proc", "stat"], ["proc", "swaps"],
        ["proc", "uptime"], ["proc", "loadavg"], ["proc", "slabinfo"], ["proc", "net", "dev"],
        ["proc", "sys", "kernel", "ns_last_pid"], ["proc", "sys", "crypto", "fips_enabled"],
    ]

    /// Nothing may stand where the kernel's own files belong: reads and writes that protect the container would go to it.
    private func refuseDeceit(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        let place = RootDirectory.normalized(mount.destination)
        guard place.first == "proc", !Self.harmless.contains(place) else { return }
        if place.count == 1 {
            if mount.type == "proc" { return }
            if mount.isBind(options), let source = mount.source,
                let file = try? OpenFile(Kernel.open(source, Kernel.path), "cannot open \(source)"),
                Kernel.isProc(file.raw)
            {
                return
            }
        }
        throw RuntimeFailure("\(mount.destination) cannot be mounted on: it belongs to /proc")
    }

    // MARK: kinds of mounts

    /// Filesystems of the kernel itself: their place must be a real directory, or reads and writes meant for them would
    /// go elsewhere (CVE-2019-19921).
    private func mountKernel(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        if mount.type != "mqueue", let found = try? root.find(mount.destination, allowLinks: true) {
            var facts = stat()
            let isDirectory = fstat(found.raw, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
            guard isDirectory, (try? root.find(mount.destination, allowLinks: false)) != nil else {
                throw RuntimeFailure(
                    "cannot mount \(mount.type ?? "") at \(mount.destination): it must be a directory, not a link")
            }
        }
        let target = try root.directory(mount.destination)
        do throws(RuntimeFailure) {
            try mountPlain(mount, options, on: target)
        } catch {
            // A user namespace that does not own the network namespace may not mount sysfs; the host's is as good.
            guard mount.type == "sysfs", plan.config.linux.namespace(.user) != nil else { throw error }
            let tree = try OpenFile(Kernel.cloneTree(AT_FDCWD, "/sys", recursive: true), "cannot bind /sys")
            try check(Kernel.setAttributes(tree.raw, set: 1, recursive: true), "cannot make /sys read-only")
            try check(Kernel.attach(tree.raw, to: target.raw), "cannot bind /sys")
        }
    }

    private func mountPlain(
        _ mount: MountConfig, _ options: MountOptions, on target: OpenFile
    ) throws(RuntimeFailure) {
        let type = mount.type ?? ""
        let data = labelled(options.data, type)
        try check(
            Kernel.mount(
                source: mount.source ?? type, target: Kernel.link(target.raw), type: type, flags: options.flags,
                data: data.isEmpty ? nil : data),
            "cannot mount \(type) at \(mount.destination)")
        try finish(mount, options)
    }

    private func mountMemory(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        let target = try root.directory(mount.destination)
        var options = options
        if !options.data.split(separator: ",").contains(where: { $0.hasPrefix("mode=") }) {
            var facts = stat()
            if fstat(target.raw, &facts) == 0 {
                let mode = "mode=" + String(facts.st_mode & 0o7777, radix: 8)
                options.data += options.data.isEmpty ? mode : "," + mode
            }
        }
        guard options.tmpcopyup else { return try mountPlain(mount, options, on: target) }
        var writable = options
        writable.flags &= ~Kernel.readOnly
        let old = try OpenFile(
            Kernel.openAt(target.raw, ".", O_RDONLY | Kernel.directory), "cannot read \(mount.destination)")
        try mountPlain(mount, writable, on: target)
        let new = try mounted(mount.destination)
        try TreeCopy.copy(from: old.raw, to: new.raw)
        if options.flags & Kernel.readOnly != 0 {
            try check(Kernel.setAttributes(new.raw, set: 1, recursive: false), "cannot make a tmpfs read-only")
        }
    }

    private func bind(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        guard let path = mount.hostPath(in: plan.bundle) else {
            throw RuntimeFailure("the mount at \(mount.destination) is a bind without a source")
        }
        let tree = try source(path, recursive: options.isRecursiveBind)
        if options.isIDMapped || options.isRecursiveIDMapped || !mount.uidMappings.isEmpty {
            try mapIDs(of: tree, mount, options)
        }
        var facts = stat()
        guard fstat(tree.raw, &facts) == 0 else { throw RuntimeFailure("cannot look at \(path)", errno: errno) }
        let isDirectory = facts.st_mode & S_IFMT == S_IFDIR
        let target = isDirectory ? try root.directory(mount.destination) : try root.regularFile(mount.destination)
        let (set, clear) = Self.attributes(options)
        if set != 0 || clear != 0 {
            try check(
                Kernel.setAttributes(tree.raw, set: set, clear: clear, recursive: false),
                "cannot set the options of the mount at \(mount.destination)")
        }
        try check(Kernel.attach(tree.raw, to: target.raw), "cannot bind \(path) at \(mount.destination)")
        try finish(mount, options)
    }

    private func source(_ path: String, recursive: Bool) throws(RuntimeFailure) -> OpenFile {
        let result = Kernel.cloneTree(AT_FDCWD, path, recursive: recursive)
        // The root user of a user namespace may not look into the host's private directories; its runtime may.
        guard result == -Int(EACCES), plan.config.linux.namespace(.user) != nil else {
            return try OpenFile(result, "cannot bind \(path)")
        }
        return try channel.source(path, recursive: recursive)
    }

    /// What applies to a mount that is there: propagation, and attributes of all that is below it.
    private func finish(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        guard !options.propagation.isEmpty || options.recursiveSet != 0 || options.recursiveClear != 0 else { return }
        let top = try mounted(mount.destination)
        for flags in options.propagation {
            try check(
                Kernel.mount(source: nil, target: Kernel.link(top.raw), type: nil, flags: flags),
                "cannot set the propagation of the mount at \(mount.destination)")
        }
        if options.recursiveSet != 0 || options.recursiveClear != 0 {
            try check(
                Kernel.setAttributes(
                    top.raw, set: options.recursiveSet, clear: options.recursiveClear, recursive: true),
                "cannot set the options of the mounts below \(mount.destination)")
        }
    }

    /// The words of a mount as attributes of mount_setattr(2).
    private static func attributes(_ options: MountOptions) -> (set: UInt64, clear: UInt64) {
        typealias Flag = MountOptions.Flag
        typealias Attribute = MountOptions.Attribute
        let pairs: [(UInt, UInt64)] = [
            (Flag.readOnly, Attribute.readOnly), (Flag.noSuid, Attribute.noSuid), (Flag.noDev, Attribute.noDev),
            (Flag.noExec, Attribute.noExec), (Flag.noDirectoryAccessTime, Attribute.noDirectoryAccessTime),
            (Flag.noSymlinkFollow, Attribute.noSymlinkFollow),
        ]
        var set: UInt64 = 0
        for (flag, attribute) in pairs where options.flags & flag != 0 { set |= attribute }
        var clear: UInt64 = 0
        let times = Flag.noAccessTime | Flag.strictAccessTime | Flag.relativeAccessTime
        if options.flags & times != 0 {
            clear = Attribute.accessTimes
            if options.flags & Flag.noAccessTime != 0 { set |= Attribute.noAccessTime }
            if options.flags & Flag.strictAccessTime != 0 { set |= Attribute.strictAccessTime }
        }
        return (set, clear)
    }

    /// The top of what is mounted at a place.
    private func mounted(_ path: String) throws(RuntimeFailure) -> OpenFile {
        guard let found = try root.find(path) else { throw RuntimeFailure("\(path) has gone from the container") }
        return found
    }

    private func labelled(_ data: String, _ type: String) -> String {
        guard let label = plan.config.linux.mountLabel, !label.isEmpty, ["tmpfs", "devpts", "mqueue"].contains(type)
        else { return data }
        return (data.isEmpty ? "" : data + ",") + "context=\"\(label)\""
    }

    // MARK: idmapped mounts

    private func mapIDs(of tree: OpenFile, _ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        let linux = plan.config.linux
        let uids = mount.uidMappings.isEmpty ? linux.uidMappings : mount.uidMappings
        let gids = mount.gidMappings.isEmpty ? linux.gidMappings : mount.gidMappings
        let namespace = try MappedNamespace.make(uids: uids, gids: gids)
        try check(
            Kernel.setAttributes(
                tree.raw, set: 0, userNamespace: namespace.raw, recursive: options.isRecursiveIDMapped),
            "cannot map the ids of the mount at \(mount.destination)")
    }

    // MARK: cgroups

    private func mountCgroups(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        let hasNamespace = plan.config.linux.namespace(.cgroup) != nil
        let hierarchies = try plan.cgroup.mountsInside()
        if plan.cgroup.isUnified, let only = hierarchies.first {
            try mountHierarchy(only, at: mount.destination, options, hasNamespace)
            return
        }
        var outer = options
        outer.flags &= ~Kernel.readOnly
        outer.data = "mode=755"
        try mountMemory(
            MountConfig(destination: mount.destination, type: "tmpfs", source: "tmpfs", options: []), outer)
        for hierarchy in hierarchies {
            let place = mount.destination + "/" + hierarchy.name
            try mountHierarchy(hierarchy, at: place, options, hasNamespace)
            for alias in hierarchy.links {
                let directory = try mounted(mount.destination)
                _ = Kernel.makeLink(hierarchy.name, directory.raw, alias)
            }
        }
        if options.flags & Kernel.readOnly != 0 {
            let top = try mounted(mount.destination)
            try check(
                Kernel.setAttributes(top.raw, set: 1, recursive: false), "cannot make \(mount.destination) read-only")
        }
    }

    private func mountHierarchy(
        _ hierarchy: CgroupMount, at place: String, _ options: MountOptions, _ hasNamespace: Bool
    ) throws(RuntimeFailure) {
        let target = try root.directory(place)
        if hasNamespace {
            let result = Kernel.mount(
                source: "cgroup", target: Kernel.link(target.raw), type: hierarchy.isVersion2 ? "cgroup2" : "cgroup",
                flags: options.flags, data: hierarchy.data)
            if result >= 0 { return }
        }
        let tree = try OpenFile(
            Kernel.cloneTree(AT_FDCWD, hierarchy.source, recursive: false), "cannot bind \(hierarchy.source)")
        let (set, clear) = Self.attributes(options)
        try check(
            Kernel.setAttributes(tree.raw, set: set, clear: clear, recursive: false), "cannot protect \(place)")
        try check(Kernel.attach(tree.raw, to: target.raw), "cannot mount the cgroup at \(place)")
    }
}

/// A user namespace that exists for its maps only, for idmapped mounts.
enum MappedNamespace {
    static func make(uids: [IDMapping], gids: [IDMapping]) throws(RuntimeFailure) -> OpenFile {
        let channel = try SyncChannel.pair()
        defer { Kernel.close(channel.runtime.socket) }
        let child = clinux_fork()
        if child == 0 {
            Kernel.close(channel.runtime.socket)
            let code = Kernel.call(SYS_unshare, Int(NamespaceKind.user.cloneFlag))
            // The host's /proc is in sight, and it counts pids otherwise than the container's namespace does.
            let pid = (try? OwnDescriptors())?.hostPid ?? -1
            try? channel.child.send(code < 0 ? .failed("cannot make a user namespace") : .started(pid))
            _ = try? channel.child.receive()
            _exit(0)
        }
        Kernel.close(channel.child.socket)
        guard child > 0 else { throw RuntimeFailure("cannot fork", errno: errno) }
        defer { Launcher.discard(child) }
        guard case .started(let pid)? = try channel.runtime.receive() else {
            throw RuntimeFailure("cannot make a user namespace for an idmapped mount")
        }
        var linux = LinuxConfig()
        linux.uidMappings = uids
        linux.gidMappings = gids
        try IDMaps.write(for: pid, linux)
        return try OpenFile(Kernel.open("/proc/\(pid)/ns/user", O_RDONLY), "cannot open a user namespace")
    }
}
