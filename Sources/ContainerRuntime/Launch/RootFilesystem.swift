internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Builds the container's root in its own mount namespace, protects parts of it, and enters it.
struct RootFilesystem {
    let plan: InitPlan
    let channel: SyncChannel

    private var linux: LinuxConfig { plan.config.linux }
    /// Whether nobody else is in the container's mount namespace.
    private var isAlone: Bool { linux.namespace(.mount).map { $0.path == nil } ?? false }

    /// Everything that is mounted and made; the process is still outside.
    func build() throws(RuntimeFailure) -> RootDirectory {
        if isAlone { try cutOff() }
        // Without a mount namespace the runtime has bound it.
        if linux.namespace(.mount) != nil, !plan.isInHostRoot {
            try check(
                Kernel.mount(
                    source: plan.rootfs, target: plan.rootfs, type: nil, flags: Kernel.bind | Kernel.recursive),
                "cannot bind the root filesystem \(plan.rootfs)")
        }
        let root = try RootDirectory(plan.rootfs)
        for (index, mount) in plan.config.mounts.enumerated() {
            try Mounting(plan: plan, root: root, channel: channel, index: index).perform(mount)
        }
        if plan.isInHostRoot { return root }
        if needsDevices { try Devices(linux: linux, root: root).make(hasConsole: plan.console != nil) }
        // As runc does; should it fail, entering it says why.
        _ = try? root.directory(plan.process.cwd)
        return root
    }

    private func cutOff() throws(RuntimeFailure) {
        // What is mounted from here on must not appear on the host.
        var propagation =
            linux.rootfsPropagation.flatMap(MountOptions.propagation) ?? (Kernel.isSlave | Kernel.recursive)
        // What cannot be bound could not be built with; the root gets this in the end.
        if propagation & Kernel.isUnbindable != 0 { propagation = Kernel.isPrivate | Kernel.recursive }
        try check(
            Kernel.mount(source: nil, target: "/", type: nil, flags: propagation),
            "cannot set the propagation of mounts")
        if propagation & Kernel.isShared != 0, !plan.isInHostRoot { try makeParentPrivate() }
    }

    /// A whole /dev of the host's own brings its devices along.
    private var needsDevices: Bool {
        !plan.config.mounts.contains {
            RootDirectory.normalized($0.destination) == ["dev"]
                && ($0.type == "bind" || $0.options.contains("bind") || $0.options.contains("rbind"))
        }
    }

    /// pivot_root(2) refuses a root whose parent mount is shared.
    private func makeParentPrivate() throws(RuntimeFailure) {
        guard let table = Kernel.read("/proc/self/mountinfo", limit: 64 << 20) else {
            throw RuntimeFailure("cannot read the table of mounts, /proc/self/mountinfo")
        }
        var best = ""
        var isShared = false
        let rootfs = realpath(plan.rootfs)
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 8)
            guard fields.count > 6 else { continue }
            let point = MountInfoField.unescaped(fields[4])
            let holds = point == "/" || rootfs == point || rootfs.hasPrefix(point + "/")
            guard holds, point.utf8.count >= best.utf8.count else { continue }
            best = point
            isShared = String(decoding: line, as: UTF8.self).contains(" shared:")
        }
        guard isShared else { return }
        try check(
            Kernel.mount(source: nil, target: best, type: nil, flags: Kernel.isPrivate),
            "cannot make the mount \(best) private")
    }

    private func realpath(_ path: String) -> String {
        guard let resolved = Glibc.realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Hides and write-protects what the configuration names, looked up from outside so that a link inside cannot
    /// point the mask elsewhere.
    func protect(_ root: RootDirectory) throws(RuntimeFailure) {
        try finishDevices(root)
        for path in linux.readonlyPaths { try makeReadOnly(path, root) }
        var hidden: Set<[String]> = []
        var cover: OpenFile?
        for path in linux.maskedPaths where hidden.insert(RootDirectory.normalized(path)).inserted {
            try mask(path, root, &cover)
        }
    }

    /// A read-only /dev, now that all devices are there.
    private func finishDevices(_ root: RootDirectory) throws(RuntimeFailure) {
        for mount in plan.config.mounts where RootDirectory.normalized(mount.destination) == ["dev"] {
            let options = MountOptions(mount.options)
            guard options.flags & Kernel.readOnly != 0, !mount.isBind(options), let top = try root.find("/dev") else {
                continue
            }
            try check(Kernel.setAttributes(top.raw, set: 1, recursive: false), "cannot make /dev read-only")
        }
    }

    private func makeReadOnly(_ path: String, _ root: RootDirectory) throws(RuntimeFailure) {
        guard let target = try root.find(path) else { return }
        let tree = try OpenFile(
            Kernel.cloneTree(target.raw, "", recursive: true), "cannot make \(path) read-only in the container")
        try check(
            Kernel.setAttributes(tree.raw, set: 1, recursive: false), "cannot make \(path) read-only in the container")
        try check(Kernel.attach(tree.raw, to: target.raw), "cannot make \(path) read-only in the container")
    }

    /// `cover`: the empty directory that hides all directories, made when the first is met.
    private func mask(_ path: String, _ root: RootDirectory, _ cover: inout OpenFile?) throws(RuntimeFailure) {
        guard let target = try root.find(path) else { return }
        var facts = stat()
        guard fstat(target.raw, &facts) == 0 else { throw RuntimeFailure("cannot look at \(path)", errno: errno) }
        if facts.st_mode & S_IFMT == S_IFDIR {
            if let cover {
                let tree = try OpenFile(Kernel.cloneTree(cover.raw, "", recursive: false), "cannot hide \(path)")
                try check(Kernel.attach(tree.raw, to: target.raw), "cannot hide \(path) in the container")
                return
            }
            try check(
                Kernel.mount(
                    source: "tmpfs", target: Kernel.link(target.raw), type: "tmpfs", flags: Kernel.readOnly,
                    data: Labels.mountLabel(linux).map { "context=\"\($0)\"" }), "cannot hide \(path) in the container")
            cover = try root.find(path)
            return
        }
        // The host's /dev/null, checked to be just that: the container's could be anything (CVE-2025-31133).
        let null = try OpenFile(Kernel.open("/dev/null", Kernel.path | Kernel.noFollow), "cannot open /dev/null")
        guard fstat(null.raw, &facts) == 0, facts.st_mode & S_IFMT == S_IFCHR, facts.st_rdev == 0x103 else {
            throw RuntimeFailure("/dev/null of this host is not the null device")
        }
        let tree = try OpenFile(Kernel.cloneTree(null.raw, "", recursive: false), "cannot hide \(path)")
        try check(Kernel.attach(tree.raw, to: target.raw), "cannot hide \(path) in the container")
    }

    /// Makes the root the process's own, and the host's unreachable.
    func enter(_ root: RootDirectory) throws(RuntimeFailure) {
        if plan.config.root?.readonly == true {
            try check(
                Kernel.setAttributes(root.file.raw, set: 1, recursive: false), "cannot make the root read-only")
        }
        try check(Kernel.call(SYS_fchdir, Int(root.file.raw)), "cannot enter the root filesystem")
        if plan.isInHostRoot {
            // Already there.
        } else if !isAlone || plan.noPivot {
            // The root of others is not moved.
            if isAlone {
                try hideKernelFilesystems()
                try check(
                    Kernel.mount(source: plan.rootfs, target: "/", type: nil, flags: Kernel.move),
                    "cannot move the root")
            }
            try check(Kernel.withPath(".") { Kernel.call(SYS_chroot, $0) }, "cannot change the root")
        } else {
            let old = try OpenFile(Kernel.open("/", O_RDONLY | Kernel.directory), "cannot open the host's root")
            try check(
                Kernel.withPath(".") { Kernel.call(SYS_pivot_root, $0, $0) }, "cannot make the root filesystem the root"
            )
            try check(Kernel.call(SYS_fchdir, Int(old.raw)), "cannot enter the host's root")
            // Unmounting must not reach the host.
            try check(
                Kernel.mount(source: nil, target: ".", type: nil, flags: Kernel.isSlave | Kernel.recursive),
                "cannot cut the host's mounts off")
            let detach = 2
            try check(Kernel.unmount(".", flags: detach), "cannot let go of the host's root")
        }
        try check(Kernel.withPath("/") { Kernel.call(SYS_chdir, $0) }, "cannot enter the new root")
        if isAlone, let propagation = linux.rootfsPropagation.flatMap(MountOptions.propagation) {
            try check(
                Kernel.mount(source: nil, target: "/", type: nil, flags: propagation),
                "cannot set the propagation of the root")
        }
    }
}

extension RootFilesystem {
    /// Without pivot_root the host's mounts stay in the namespace. A whole procfs or sysfs among them would let the
    /// container mount new ones, without what hides their dangerous parts.
    private func hideKernelFilesystems() throws(RuntimeFailure) {
        guard let table = Kernel.read("/proc/self/mountinfo", limit: 64 << 20) else {
            throw RuntimeFailure("cannot read the table of mounts, /proc/self/mountinfo")
        }
        let rootfs = realpath(plan.rootfs)
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard fields.count > 6, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, fields[3] == "/",
                fields[dash + 1] == "proc" || fields[dash + 1] == "sysfs"
            else { continue }
            let point = MountInfoField.unescaped(String(fields[4]))
            if point == rootfs || point.hasPrefix(rootfs + "/") { continue }
            let code = Kernel.mount(source: nil, target: point, type: nil, flags: Kernel.isSlave | Kernel.recursive)
            // It went with what it was mounted on.
            if code == -Int(ENOENT) || code == -Int(EINVAL) { continue }
            try check(code, "cannot cut off \(point)")
            let detach = 2
            if Kernel.unmount(point, flags: detach) >= 0 { continue }
            try check(
                Kernel.mount(source: "tmpfs", target: point, type: "tmpfs", flags: Kernel.readOnly),
                "cannot hide \(point)")
        }
    }
}
