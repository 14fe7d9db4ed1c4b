internal import CLinux
internal import Glibc

/// The first child of `create`: joins and makes the namespaces, forks the container's init into them, and ends.
///
/// Two processes are needed because a pid namespace, and a time namespace, is entered only by children. Init is made
/// as a sibling, so that it is a child of the runtime, and later of whoever called it.
struct NamespaceStage {
    let plan: InitPlan
    let channel: SyncChannel
    /// Whether this process, and so init, is in the container's version 2 group.
    let inGroup: Bool

    /// Makes the first process of a container.
    ///
    /// Returns its pid, or a negative errno, and whether that is init itself: where all namespaces are new ones, a
    /// process can be born in them, and a second fork is saved.
    static func fork(_ plan: InitPlan, _ channel: SyncChannel, other: SyncChannel) -> (
        pid: Int32, isInit: Bool, inGroup: Bool
    ) {
        let linux = plan.config.linux
        let isInit = linux.namespaces.allSatisfy { $0.path == nil && $0.kind != .user && $0.kind != .time }
        var inGroup: Int32 = 0
        // Into the group from here, where the rights are the runtime's. Later it might fail, and the first process that
        // fails to enter a pid namespace leaves it unusable.
        let pid = clinux_fork_into(isInit ? made(linux) : 0, 0, plan.entrance.birthplace, &inGroup)
        if pid == 0 {
            Kernel.close(other.socket)
            // Nobody in a namespace that is entered half may trace this process.
            _ = Kernel.control(4, 0)  // PR_SET_DUMPABLE
            if isInit { InitStage(plan: plan, channel: channel).run() }
            NamespaceStage(plan: plan, channel: channel, inGroup: inGroup != 0).run()
        }
        return (pid, isInit, inGroup != 0)
    }

    /// The namespaces to make with the user namespace made already. That of cgroups is made once init is where it
    /// belongs.
    private static func made(_ linux: LinuxConfig) -> Int32 {
        linux.namespaces.reduce(0) { flags, entry in
            entry.path == nil && entry.kind != .user && entry.kind != .cgroup ? flags | entry.kind.cloneFlag : flags
        }
    }

    /// Never returns.
    private func run() -> Never {
        do throws(RuntimeFailure) {
            try enter()
            var unused: Int32 = 0
            let pid = clinux_fork_into(0, 1, -1, &unused)
            if pid == 0 { InitStage(plan: plan, channel: channel).run() }
            try check(Int(pid), "cannot fork the container's init")
            try channel.send(.started(pid, inGroup: inGroup))
            _exit(0)
        } catch {
            try? channel.send(.failed(error.message))
            _exit(1)
        }
    }

    private func enter() throws(RuntimeFailure) {
        // While this is still our own file to write to; in a new user namespace it is not.
        let clocks =
            plan.config.linux.timeOffsets.isEmpty
            ? nil : try OpenFile(Kernel.open("/proc/self/timens_offsets", O_WRONLY), "cannot set clocks here")
        var others = try openOthers()
        // Those that belong to us are out of reach from inside of a user namespace, those of the user namespace may be
        // out of reach from here.
        if plan.config.linux.namespace(.user) != nil { others.removeAll { $0.join() >= 0 } }
        if let user = plan.config.linux.namespace(.user), let path = user.path {
            let file = try OpenFile(Kernel.open(path, O_RDONLY), "cannot open the user namespace \(path)")
            try check(
                NamespaceFile(kind: .user, path: path, file: file).join(), "cannot join the user namespace \(path)")
        }
        if let user = plan.config.linux.namespace(.user), user.path == nil {
            let setDumpable: Int32 = 4
            // The maps are written from outside. A process that cannot be dumped has files that only root may write;
            // an ordinary user opens up for that moment, in which nobody else is in the namespace.
            if geteuid() != 0 { _ = Kernel.control(setDumpable, 1) }
            try check(
                Kernel.call(SYS_unshare, Int(NamespaceKind.user.cloneFlag)), "cannot make a user namespace")
            try channel.send(.map)
            try channel.expect(.done)
            _ = Kernel.control(setDumpable, 0)
        }
        if plan.config.linux.namespace(.user) != nil { try becomeRoot() }
        for entry in others {
            try check(entry.join(), "cannot join the \(entry.kind.rawValue) namespace \(entry.path)")
        }
        let flags = Self.made(plan.config.linux)
        if flags != 0 { try check(Kernel.call(SYS_unshare, Int(flags)), "cannot make the container's namespaces") }
        if let clocks { try setClocks(clocks) }
    }

    /// The namespaces to join but that of users, the mount namespace last: paths are not what they were behind it.
    private func openOthers() throws(RuntimeFailure) -> [NamespaceFile] {
        var files: [NamespaceFile] = []
        for entry in plan.config.linux.namespaces where entry.kind != .user {
            guard let path = entry.path else { continue }
            let file = try OpenFile(
                Kernel.open(path, O_RDONLY), "cannot open the \(entry.kind.rawValue) namespace \(path)")
            files.insert(
                NamespaceFile(kind: entry.kind, path: path, file: file), at: entry.kind == .mount ? files.count : 0)
        }
        return files
    }

    private func becomeRoot() throws(RuntimeFailure) {
        // Without privilege the kernel forbids setgroups in a new user namespace; then there are no groups to drop.
        _ = Kernel.call(SYS_setgroups, 0, 0)
        try check(Kernel.call(SYS_setresgid, 0, 0, 0), "cannot become group 0 of the user namespace; is it mapped?")
        try check(Kernel.call(SYS_setresuid, 0, 0, 0), "cannot become user 0 of the user namespace; is it mapped?")
    }

    private func setClocks(_ file: OpenFile) throws(RuntimeFailure) {
        var text = ""
        for offset in plan.config.linux.timeOffsets {
            text += "\(offset.clock == "monotonic" ? 1 : 7) \(offset.secs) \(offset.nanosecs)\n"
        }
        try check(Kernel.write(text, to: file.raw), "cannot set the clocks of the time namespace")
    }
}

/// A namespace that somebody else made.
struct NamespaceFile {
    let kind: NamespaceKind
    let path: String
    let file: OpenFile

    func join() -> Int { Kernel.call(SYS_setns, Int(file.raw), Int(kind.cloneFlag)) }
}

/// Maps of user and group ids of a user namespace.
enum IDMaps {
    /// Root writes them; an ordinary user may map itself, and has newuidmap and newgidmap for the ranges of
    /// /etc/subuid and /etc/subgid.
    static func write(for pid: Int32, _ linux: LinuxConfig) throws(RuntimeFailure) {
        let isRoot = geteuid() == 0
        if isRoot || isSelf(linux.uidMappings, geteuid()) {
            try write(linux.uidMappings, "/proc/\(pid)/uid_map", "uids")
        } else {
            try byHelper("newuidmap", "/etc/subuid", pid, linux.uidMappings)
        }
        if isRoot || isSelf(linux.gidMappings, getegid()) {
            if !isRoot {
                // The kernel's condition: who could drop a group that forbids something would gain by it.
                try check(
                    Kernel.write("deny", toFile: "/proc/\(pid)/setgroups"),
                    "cannot give up setgroups for the user namespace")
            }
            try write(linux.gidMappings, "/proc/\(pid)/gid_map", "gids")
        } else {
            try byHelper("newgidmap", "/etc/subgid", pid, linux.gidMappings)
        }
    }

    private static func isSelf(_ mappings: [IDMapping], _ id: UInt32) -> Bool {
        mappings.count == 1 && mappings[0].size == 1 && mappings[0].hostID == id
    }

    private static func write(_ mappings: [IDMapping], _ path: String, _ what: String) throws(RuntimeFailure) {
        let text = mappings.map { "\($0.containerID) \($0.hostID) \($0.size)\n" }.joined()
        try check(Kernel.write(text, toFile: path), "cannot map \(what) of the user namespace")
    }

    private static func byHelper(
        _ name: String, _ ranges: String, _ pid: Int32, _ mappings: [IDMapping]
    ) throws(RuntimeFailure) {
        guard !mappings.isEmpty else { return }
        let places = ["/usr/bin/", "/usr/local/bin/", "/bin/", "/usr/sbin/"]
        guard let path = places.map({ $0 + name }).first(where: { access($0, X_OK) == 0 }) else {
            throw RuntimeFailure("\(name) is needed to map more than one id as an ordinary user; install uidmap")
        }
        var arguments = [name, String(pid)]
        for each in mappings { arguments += [String(each.containerID), String(each.hostID), String(each.size)] }
        let status = try Programs.run(path, arguments: arguments, environment: [], input: nil, timeout: 10)
        guard status.code == 0 else {
            throw RuntimeFailure("\(name) refused the map (\(status.output)); give this user the range in \(ranges)")
        }
    }
}

extension IDMapping {
    /// The id outside that an id inside stands for.
    static func host(of id: UInt32, in mappings: [IDMapping]) -> UInt32? {
        for each in mappings where id >= each.containerID && id - each.containerID < each.size {
            return each.hostID + (id - each.containerID)
        }
        return nil
    }
}
