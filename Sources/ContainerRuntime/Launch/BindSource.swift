internal import CLinux
internal import Glibc

/// What a bind mount brings: a copy of the mount at its source, attached nowhere yet, its ids mapped where that is
/// asked for.
///
/// Init opens it itself, but for what root of a user namespace may not: map ids, and look into all folders of the host.
/// The runtime then does so in the container's mount namespace, where the mounts made so far are.
struct BindSource {
    let mount: MountConfig
    let options: MountOptions
    let bundle: String
    let linux: LinuxConfig

    /// Absolute.
    var path: String {
        let source = mount.source ?? ""
        return source.hasPrefix("/") ? source : "\(bundle)/\(source)"
    }

    private var isMapped: Bool { options.isIDMapped || options.isRecursiveIDMapped || !mount.uidMappings.isEmpty }

    /// In init.
    ///
    /// `index`: of the mount in the configuration.
    /// `channel`: to the runtime.
    func open(_ index: Int, _ channel: SyncChannel) throws(RuntimeFailure) -> OpenFile {
        guard mount.source != nil else {
            throw RuntimeFailure("the mount at \(mount.destination) is a bind without a source")
        }
        let isBelow = linux.namespace(.user) != nil
        if !isBelow || !isMapped {
            let tree = clone()
            let isRefused = tree == -Int(EACCES) || tree == -Int(EPERM)
            if !isBelow || !isRefused {
                let tree = try OpenFile(tree, "cannot bind \(path)")
                if isMapped { try map(tree, to: try namespace(nil)) }
                return tree
            }
        }
        try channel.send(.bindSource(Int32(truncatingIfNeeded: index)))
        let (answer, tree) = try channel.receiveFile()
        if case .failed(let reason)? = answer { throw RuntimeFailure(reason) }
        guard answer == .done, let tree else {
            throw RuntimeFailure("the runtime has ended; the container is given up")
        }
        return tree
    }

    /// In the runtime: answers init's request, be it with why the source cannot be bound.
    static func serve(
        _ index: Int32, _ request: CreateRequest, initPid: Int32, _ channel: SyncChannel
    ) throws(RuntimeFailure) {
        guard request.config.mounts.indices.contains(Int(index)) else {
            throw RuntimeFailure("the container's first process talks of a mount that is not there")
        }
        let mount = request.config.mounts[Int(index)]
        let source = BindSource(
            mount: mount, options: MountOptions(mount.options), bundle: request.bundle, linux: request.config.linux)
        let child = clinux_fork()
        if child == 0 {
            do throws(RuntimeFailure) {
                let tree = try source.openFor(initPid)
                try withExtendedLifetime(tree) { () throws(RuntimeFailure) in try channel.send(.done, with: tree.raw) }
            } catch {
                try? channel.send(.failed(error.message))
            }
            _exit(0)
        }
        guard child > 0 else { throw RuntimeFailure("cannot fork", errno: errno) }
        Launcher.reap(child)
    }

    private func openFor(_ initPid: Int32) throws(RuntimeFailure) -> OpenFile {
        let own = try OpenFile(Kernel.open("/proc/\(initPid)/ns/user", O_RDONLY), "cannot open the user namespace")
        let namespace = isMapped ? try self.namespace(own) : nil
        let mounts = try OpenFile(Kernel.open("/proc/\(initPid)/ns/mnt", O_RDONLY), "cannot open the mount namespace")
        try check(
            Kernel.call(SYS_setns, Int(mounts.raw), Int(NamespaceKind.mount.cloneFlag)),
            "cannot bind \(path), nor join the mount namespace to do so")
        let tree = try OpenFile(clone(), "cannot bind \(path)")
        if let namespace { try map(tree, to: namespace) }
        return tree
    }

    private func clone() -> Int { Kernel.cloneTree(AT_FDCWD, path, recursive: options.isRecursiveBind) }

    private func map(_ tree: OpenFile, to namespace: OpenFile) throws(RuntimeFailure) {
        try check(
            Kernel.setAttributes(
                tree.raw, set: 0, userNamespace: namespace.raw, recursive: options.isRecursiveIDMapped),
            "cannot map the ids of the mount at \(mount.destination)")
    }

    /// One with the maps of the mount, or the container's own.
    private func namespace(_ own: OpenFile?) throws(RuntimeFailure) -> OpenFile {
        let uids = first(mount.uidMappings, options.uidMappings)
        let gids = first(mount.gidMappings, options.gidMappings)
        if uids.isEmpty, gids.isEmpty, let own { return own }
        return try MappedNamespace.make(uids: first(uids, linux.uidMappings), gids: first(gids, linux.gidMappings))
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
