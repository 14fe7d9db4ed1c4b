internal import CLinux
internal import Glibc

/// One entry of `mounts`, put where it belongs below the container's root.
struct Mounting {
    let plan: InitPlan
    let root: RootDirectory
    let channel: SyncChannel
    /// The entry's place in `mounts`.
    let index: Int

    func perform(_ mount: MountConfig) throws(RuntimeFailure) {
        var mount = mount
        // As runc has it, a destination may be written as the host sees it.
        if mount.destination.hasPrefix(plan.rootfs + "/") {
            mount.destination.removeFirst(plan.rootfs.count)
        }
        do throws(RuntimeFailure) {
            try perform(mount, MountOptions(mount.options))
        } catch {
            let source = (mount.source ?? mount.type ?? "").quoted
            throw RuntimeFailure("error mounting \(source) to rootfs at \(mount.destination.quoted): \(error.message)")
        }
    }

    private func perform(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
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
    private static let harmless: [[String]] = [
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
        if mount.type != "mqueue", !root.isOrdinary(mount.destination) {
            throw RuntimeFailure(
                "\(mount.type ?? "") must be mounted on ordinary directory, and \(mount.destination) is none"
            )
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
        // Devices are made there yet; it becomes read-only in the end.
        let isDev = RootDirectory.normalized(mount.destination) == ["dev"]
        try check(
            Kernel.mount(
                source: mount.source ?? type, target: Kernel.link(target.raw), type: type,
                flags: isDev ? options.flags & ~Kernel.readOnly : options.flags, data: data.isEmpty ? nil : data),
            "cannot mount \(type) at \(mount.destination)")
        try finish(mount, options)
    }

    private func mountMemory(_ mount: MountConfig, _ options: MountOptions) throws(RuntimeFailure) {
        // What is not there yet has no mode to keep: the filesystem's own is then right.
        let isNew = try root.find(mount.destination) == nil
        let target = try root.directory(mount.destination)
        var options = options
        if !isNew, !options.data.split(separator: ",").contains(where: { $0.hasPrefix("mode=") }) {
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
        let what = BindSource(mount: mount, options: options, bundle: plan.bundle, linux: plan.config.linux)
        let tree = try what.open(index, channel)
        var facts = stat()
        guard fstat(tree.raw, &facts) == 0 else { throw RuntimeFailure("cannot look at \(what.path)", errno: errno) }
        let isDirectory = facts.st_mode & S_IFMT == S_IFDIR
        let target = isDirectory ? try root.directory(mount.destination) : try root.regularFile(mount.destination)
        try check(Kernel.attach(tree.raw, to: target.raw), "cannot bind \(what.path) at \(mount.destination)")
        try restrict(tree, options)
        try finish(mount, options)
    }

    /// The options of a bind. As runc has it, they replace those of its source, but where none are given; where the
    /// kernel does not let go of some of the source's, as in a user namespace, they are added to those.
    private func restrict(_ tree: OpenFile, _ options: MountOptions) throws(RuntimeFailure) {
        typealias Flag = MountOptions.Flag
        let wanted = options.flags & ~(Flag.bind | Flag.recursive | Flag.remount)
        guard wanted != 0 || options.clearedFlags != 0 else { return }
        let remount = Flag.bind | Flag.remount
        let place = Kernel.link(tree.raw)
        let code = Kernel.mount(source: nil, target: place, type: nil, flags: wanted | remount)
        if code >= 0 { return }
        let times = Flag.noAccessTime | Flag.noDirectoryAccessTime | Flag.relativeAccessTime | Flag.strictAccessTime
        let locked = Kernel.mountFlags(tree.raw)
        let refusal = RuntimeFailure("cannot set its options", errno: Int32(truncatingIfNeeded: -code))
        guard locked & options.clearedFlags == 0, wanted & times == 0 || wanted & times == locked & times else {
            throw refusal
        }
        guard Kernel.mount(source: nil, target: place, type: nil, flags: wanted | remount | locked) >= 0 else {
            throw refusal
        }
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

    /// The top of what is mounted at a place.
    private func mounted(_ path: String) throws(RuntimeFailure) -> OpenFile {
        guard let found = try root.find(path) else { throw RuntimeFailure("\(path) has gone from the container") }
        return found
    }

    private func labelled(_ data: String, _ type: String) -> String {
        guard let label = Labels.mountLabel(plan.config.linux), ["tmpfs", "devpts", "mqueue"].contains(type)
        else { return data }
        return (data.isEmpty ? "" : data + ",") + "context=\"\(label)\""
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
        let (set, clear) = BindSource.attributes(options)
        try check(
            Kernel.setAttributes(tree.raw, set: set, clear: clear, recursive: false), "cannot protect \(place)")
        try check(Kernel.attach(tree.raw, to: target.raw), "cannot mount the cgroup at \(place)")
    }
}
