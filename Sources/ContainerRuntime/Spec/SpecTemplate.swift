internal import Glibc

/// The configuration to start from that `spec` writes: a shell on a read-only root, few capabilities, new namespaces.
enum SpecTemplate {
    /// The template as a JSON value.
    ///
    /// `rootless` is for a user without privileges: a user namespace that maps just `uid` and `gid` (to root), the
    /// network of the host, no limits. `cgroupNamespace` asks for one, which is of use on hosts with cgroup v2 only.
    static func json(
        rootless: Bool, cgroupNamespace: Bool = false, uid: UInt32 = geteuid(), gid: UInt32 = getegid()
    ) -> JSONValue {
        .members(
            ("ociVersion", .string(ContainerConfig.versionMax)),
            ("process", process),
            ("root", .members(("path", .string("rootfs")), ("readonly", .bool(true)))),
            // What scripts written for runc expect to find.
            ("hostname", .string("runc")),
            ("mounts", .array(mounts(rootless: rootless))),
            ("linux", linux(rootless: rootless, cgroupNamespace: cgroupNamespace, uid: uid, gid: gid)))
    }

    private static var process: JSONValue {
        let capabilities = JSONValue.strings(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"])
        let files = JSONValue.members(
            ("type", .string("RLIMIT_NOFILE")), ("hard", .int(1024)), ("soft", .int(1024)))
        return .members(
            ("terminal", .bool(true)),
            ("user", .members(("uid", .int(0)), ("gid", .int(0)))),
            ("args", .strings(["sh"])),
            ("env", .strings(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"])),
            ("cwd", .string("/")),
            (
                "capabilities",
                .members(("bounding", capabilities), ("effective", capabilities), ("permitted", capabilities))
            ),
            ("rlimits", .array([files])),
            ("noNewPrivileges", .bool(true)))
    }

    private static func mounts(rootless: Bool) -> [JSONValue] {
        let terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
        let still = ["nosuid", "noexec", "nodev"]
        return [
            mount("/proc", "proc", "proc", nil),
            mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", "devpts", rootless ? terminals : terminals + ["gid=5"]),
            mount("/dev/shm", "tmpfs", "shm", still + ["mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", "mqueue", still),
            // Without a network namespace of one's own the kernel mounts no sysfs: the host's is bound.
            rootless
                ? mount("/sys", "none", "/sys", ["rbind"] + still + ["ro"])
                : mount("/sys", "sysfs", "sysfs", still + ["ro"]),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", still + ["relatime", "ro"]),
        ]
    }

    private static func mount(
        _ destination: String, _ type: String, _ source: String, _ options: [String]?
    ) -> JSONValue {
        var members = [
            JSONMember(name: "destination", value: .string(destination)),
            JSONMember(name: "type", value: .string(type)),
            JSONMember(name: "source", value: .string(source)),
        ]
        if let options { members.append(JSONMember(name: "options", value: .strings(options))) }
        return .object(members)
    }

    private static func linux(rootless: Bool, cgroupNamespace: Bool, uid: UInt32, gid: UInt32) -> JSONValue {
        var kinds = rootless ? ["pid", "ipc", "uts", "mount"] : ["pid", "network", "ipc", "uts", "mount"]
        if cgroupNamespace { kinds.append("cgroup") }
        var members: [JSONMember] = []
        if rootless {
            kinds.append("user")
            members.append(JSONMember(name: "uidMappings", value: .array([mapping(to: uid)])))
            members.append(JSONMember(name: "gidMappings", value: .array([mapping(to: gid)])))
        } else {
            let nothing = JSONValue.members(("allow", .bool(false)), ("access", .string("rwm")))
            members.append(JSONMember(name: "resources", value: .members(("devices", .array([nothing])))))
        }
        let namespaces = kinds.map { JSONValue.members(("type", .string($0))) }
        members.append(JSONMember(name: "namespaces", value: .array(namespaces)))
        members.append(JSONMember(name: "maskedPaths", value: .strings(maskedPaths)))
        members.append(JSONMember(name: "readonlyPaths", value: .strings(readonlyPaths)))
        return .object(members)
    }

    private static func mapping(to id: UInt32) -> JSONValue {
        .members(("containerID", .int(0)), ("hostID", .int(id)), ("size", .int(1)))
    }

    /// What tells about the host or controls it, and is of no use inside.
    private static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
    ]

    /// What may be read inside, but changes the host when written.
    private static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}
