internal import CLinux
internal import Glibc

/// What a bind mount brings: a copy of the mount at its source, attached nowhere yet, with its options.
struct BindSource {
    let mount: MountConfig
    let options: MountOptions
    let bundle: String

    /// Absolute.
    var path: String {
        let source = mount.source ?? ""
        return source.hasPrefix("/") ? source : "\(bundle)/\(source)"
    }

    func open(_ linux: LinuxConfig) throws(RuntimeFailure) -> OpenFile {
        guard mount.source != nil else {
            throw RuntimeFailure("the mount at \(mount.destination) is a bind without a source")
        }
        let tree = try OpenFile(
            Kernel.cloneTree(AT_FDCWD, path, recursive: options.isRecursiveBind), "cannot bind \(path)")
        if options.isIDMapped || options.isRecursiveIDMapped || !mount.uidMappings.isEmpty {
            let namespace = try MappedNamespace.make(
                uids: first(mount.uidMappings, options.uidMappings, linux.uidMappings),
                gids: first(mount.gidMappings, options.gidMappings, linux.gidMappings))
            try check(
                Kernel.setAttributes(
                    tree.raw, set: 0, userNamespace: namespace.raw, recursive: options.isRecursiveIDMapped),
                "cannot map the ids of the mount at \(mount.destination)")
        }
        let (set, clear) = Self.attributes(options)
        if set != 0 || clear != 0 {
            try check(
                Kernel.setAttributes(tree.raw, set: set, clear: clear, recursive: false),
                "cannot set the options of the mount at \(mount.destination)")
        }
        return tree
    }

    /// The first that says something.
    private func first(_ lists: [IDMapping]...) -> [IDMapping] { lists.first { !$0.isEmpty } ?? [] }

    /// The words of a mount as attributes of mount_setattr(2).
    static func attributes(_ options: MountOptions) -> (set: UInt64, clear: UInt64) {
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
            try? channel.child.send(code < 0 ? .failed("cannot make a user namespace") : .started(pid, inGroup: false))
            _ = try? channel.child.receive()
            _exit(0)
        }
        Kernel.close(channel.child.socket)
        guard child > 0 else { throw RuntimeFailure("cannot fork", errno: errno) }
        defer { Launcher.discard(child) }
        guard case .started(let pid, _)? = try channel.runtime.receive() else {
            throw RuntimeFailure("cannot make a user namespace for an idmapped mount")
        }
        var linux = LinuxConfig()
        linux.uidMappings = uids
        linux.gidMappings = gids
        try IDMaps.write(for: pid, linux)
        return try OpenFile(Kernel.open("/proc/\(pid)/ns/user", O_RDONLY), "cannot open a user namespace")
    }
}
