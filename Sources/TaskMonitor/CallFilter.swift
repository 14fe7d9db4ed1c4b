internal import LinuxSystem

/// The filter of system calls around a container with a root of its own: what changes the host, or reaches beside the
/// walls of a container, is refused as if root had not the right; everything else is let through.
///
/// Most of it needs capabilities that a container has not by itself. The filter stands behind them, for a container
/// that got more of them, and for what the kernel lets a user do in a namespace of its own.
enum CallFilter {
    /// The object `linux.seccomp` of the runtime-spec.
    ///
    /// - Parameter administers: whether the container was given the capability to mount and to make namespaces.
    /// - Returns: the object.
    static func config(administers: Bool) -> JSON {
        var rules = [rule(administers ? refused : refused + administration, errno: 1)]
        if !administers {
            // Which a library then does without: its flags are in memory, where no filter sees them.
            rules.append(rule(["clone3"], errno: 38))
            // CLONE_NEW…: cgroup, uts, ipc, user, pid, net, mount.
            rules += [0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x2_0000].map {
                rule(["clone"], errno: 1, flag: $0)
            }
        }
        let machines = ["X86_64", "X86", "X32", "AARCH64", "ARM"].map { JSON.text("SCMP_ARCH_\($0)") }
        return .object([
            ("defaultAction", .text("SCMP_ACT_ALLOW")), ("architectures", .list(machines)),
            ("syscalls", .list(rules)),
        ])
    }

    /// Refuses calls; with a flag only those that have it in their first argument.
    private static func rule(_ names: [String], errno: UInt64, flag: UInt64? = nil) -> JSON {
        var members: [(String, JSON)] = [
            ("names", .list(names.map { .text($0) })), ("action", .text("SCMP_ACT_ERRNO")),
            ("errnoRet", .number(errno)),
        ]
        if let flag {
            let argument = JSON.object([
                ("index", .number(0)), ("value", .number(flag)), ("valueTwo", .number(flag)),
                ("op", .text("SCMP_CMP_MASKED_EQ")),
            ])
            members.append(("args", .list([argument])))
        }
        return .object(members)
    }

    private static let refused = [
        // The kernel itself.
        "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff",
        "syslog", "acct", "quotactl", "quotactl_fd", "nfsservctl", "lookup_dcookie", "uselib", "open_by_handle_at",
        // Clocks.
        "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex",
        // Ports of the machine.
        "iopl", "ioperm", "vm86", "vm86old",
        // Keys, which know no namespaces.
        "add_key", "keyctl", "request_key",
        // What looks into other processes or the kernel.
        "bpf", "perf_event_open", "userfaultfd", "kcmp", "pidfd_getfd",
        // What has been a way out too often.
        "io_uring_setup", "io_uring_enter", "io_uring_register",
    ]

    /// Mounts and namespaces.
    private static let administration = [
        "mount", "umount", "umount2", "pivot_root", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
        "open_tree",
        "open_tree_attr", "mount_setattr", "unshare", "setns",
    ]
}
