import Glibc

/// The capabilities of Linux by name and number (capabilities(7), `linux/capability.h`).
public enum Capability {
    /// The name of each capability, at the index of its number.
    private static let names: [StaticString] = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// How many there are; numbers are below.
    public static var count: Int { names.count }

    /// The number of `CAP_…`; nil for a name this program does not know. The running kernel may know fewer.
    public static func number(of name: String) -> Int? { KernelNames.index(of: name, in: names) }

    /// The name of a number; nil from ``count`` on.
    public static func name(_ number: Int) -> String? {
        names.indices.contains(number) ? names[number].description : nil
    }

    /// Every name, by number.
    public static var allNames: [String] { names.map(\.description) }
}

/// Names of the kernel, or of a specification, that are their number's index.
public enum KernelNames {
    /// Where a name is. Names in a binary's text cost no memory, so they stay there.
    public static func index(of name: String, in names: [StaticString]) -> Int? {
        var name = name
        return name.withUTF8 { wanted in
            names.firstIndex { entry in
                entry.utf8CodeUnitCount == wanted.count
                    && (wanted.baseAddress.map { memcmp(entry.utf8Start, $0, wanted.count) == 0 } ?? true)
            }
        }
    }
}
