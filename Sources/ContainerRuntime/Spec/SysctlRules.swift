internal import Glibc

/// Which kernel parameters a container may have of its own: those that belong to one of its namespaces.
enum SysctlRules {
    /// The parameters of the ipc namespace that lie among those of the whole kernel.
    private static let ipcNames = [
        "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
        "kernel/shmmni", "kernel/shm_rmid_forced",
    ]

    /// The file of a parameter below `/proc/sys`, such as `net/ipv4/ip_forward`; nil when the name leads elsewhere.
    ///
    /// As with sysctl(8), the first separator of a name tells whether dots or slashes divide it; the other one is
    /// then part of a name (`net.ipv4.conf.eth0/1.rp_filter` is about `eth0.1`).
    static func file(of name: String) -> String? {
        let dot = UInt8(ascii: ".")
        let slash = UInt8(ascii: "/")
        let first = name.utf8.first { $0 == dot || $0 == slash }
        var bytes = Array(name.utf8)
        if first == dot {
            for index in bytes.indices {
                if bytes[index] == dot { bytes[index] = slash } else if bytes[index] == slash { bytes[index] = dot }
            }
        }
        let parts = bytes.split(separator: slash, omittingEmptySubsequences: false)
        for part in parts where part.isEmpty || part.elementsEqual([dot]) || part.elementsEqual([dot, dot]) {
            return nil
        }
        guard parts.count > 1, bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Why a parameter must not be set for this container; nil when it may.
    static func refusal(of name: String, in linux: LinuxConfig) -> String? {
        guard let file = file(of: name) else { return "is no name of a kernel parameter" }
        if ipcNames.contains(file) || file.hasPrefix("fs/mqueue/") {
            return linux.namespace(.ipc) == nil ? outside("ipc") : nil
        }
        if file.hasPrefix("net/") {
            guard let network = linux.namespace(.network) else { return outside("network") }
            if let path = network.path, isOwnNetwork(path) {
                return "must not be set in the network namespace of the host"
            }
            return nil
        }
        if file.hasPrefix("user/") { return linux.namespace(.user) == nil ? outside("user") : nil }
        switch file {
        case "kernel/domainname": return linux.namespace(.uts) == nil ? outside("uts") : nil
        case "kernel/hostname": return "conflicts with the field hostname; use that"
        default: return "belongs to no namespace, so setting it would change the host"
        }
    }

    private static func outside(_ kind: String) -> String {
        "needs a namespace of type \(kind); add one to linux.namespaces"
    }

    /// Whether a path is the namespace this program runs in.
    private static func isOwnNetwork(_ path: String) -> Bool {
        var own = stat()
        var other = stat()
        guard stat("/proc/self/ns/net", &own) == 0, stat(path, &other) == 0 else { return false }
        return own.st_dev == other.st_dev && own.st_ino == other.st_ino
    }
}
