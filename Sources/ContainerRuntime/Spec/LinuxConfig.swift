/// `linux` of a bundle's `config.json` (OCI runtime-spec, config-linux.md).
struct LinuxConfig: Equatable, Sendable {
    var namespaces: [NamespaceConfig] = []
    var uidMappings: [IDMapping] = []
    var gidMappings: [IDMapping] = []
    var timeOffsets: [TimeOffset] = []
    var devices: [DeviceConfig] = []
    /// As written: `/a/b` below the cgroup root, `a/b` below the runtime's own group, or `slice:prefix:name` with the
    /// systemd driver. nil: the runtime chooses.
    var cgroupsPath: String?
    var resources: ResourcesConfig?
    /// shared, slave, private, unbindable and their r-forms; nil for rprivate… see ``MountOptions``.
    var rootfsPropagation: String?
    var seccomp: SeccompConfig?
    var sysctl: [(name: String, value: String)] = []
    var maskedPaths: [String] = []
    var readonlyPaths: [String] = []
    var mountLabel: String?
    var intelRdt: IntelRdtConfig?
    var personality: PersonalityConfig?
    /// `netDevices` (1.3): host interface → name inside.
    var netDevices: [(host: String, inside: String?)] = []
    var memoryPolicy: MemoryPolicyConfig?

    static func == (left: Self, right: Self) -> Bool {
        left.namespaces == right.namespaces && left.uidMappings == right.uidMappings
            && left.gidMappings == right.gidMappings && left.timeOffsets == right.timeOffsets
            && left.devices == right.devices && left.cgroupsPath == right.cgroupsPath
            && left.resources == right.resources && left.rootfsPropagation == right.rootfsPropagation
            && left.seccomp == right.seccomp && left.sysctl.elementsEqual(right.sysctl, by: ==)
            && left.maskedPaths == right.maskedPaths && left.readonlyPaths == right.readonlyPaths
            && left.mountLabel == right.mountLabel && left.intelRdt == right.intelRdt
            && left.personality == right.personality
            && left.netDevices.elementsEqual(right.netDevices) { $0.host == $1.host && $0.inside == $1.inside }
            && left.memoryPolicy == right.memoryPolicy
    }

    /// The entry of a kind of namespace; absent when the container shares the runtime's.
    func namespace(_ kind: NamespaceKind) -> NamespaceConfig? { namespaces.first { $0.kind == kind } }
}

enum NamespaceKind: String, CaseIterable, Sendable {
    case pid, network, mount, ipc, uts, user, cgroup, time

    /// `CLONE_NEW…` (clone(2)).
    var cloneFlag: Int32 {
        switch self {
        case .pid: 0x2000_0000
        case .network: 0x4000_0000
        case .mount: 0x0002_0000
        case .ipc: 0x0800_0000
        case .uts: 0x0400_0000
        case .user: 0x1000_0000
        case .cgroup: 0x0200_0000
        case .time: 0x0000_0080
        }
    }

    /// The name below `/proc/PID/ns`.
    var procName: String {
        switch self {
        case .network: "net"
        case .mount: "mnt"
        default: rawValue
        }
    }
}

struct NamespaceConfig: Equatable, Sendable {
    var kind: NamespaceKind
    /// The namespace to join; nil for a new one.
    var path: String?
}

struct IDMapping: Equatable, Sendable {
    var containerID: UInt32
    var hostID: UInt32
    var size: UInt32
}

/// An offset of a clock of a new time namespace.
struct TimeOffset: Equatable, Sendable {
    /// `monotonic` or `boottime`.
    var clock: String
    var secs: Int64
    var nanosecs: UInt32
}

struct DeviceConfig: Equatable, Sendable {
    enum Kind: String, Sendable {
        case character = "c"
        case unbuffered = "u"
        case block = "b"
        case pipe = "p"
    }

    var kind: Kind
    var path: String
    var major: Int64 = 0
    var minor: Int64 = 0
    var fileMode: UInt32?
    var uid: UInt32?
    var gid: UInt32?
}

struct PersonalityConfig: Equatable, Sendable {
    /// PER_LINUX 0 or PER_LINUX32 8.
    var domain: UInt
    var flags: [String] = []
}

struct IntelRdtConfig: Equatable, Sendable {
    var closID: String?
    var l3CacheSchema: String?
    var memBwSchema: String?
    var schemata: [String] = []
    var enableMonitoring = false
}

/// `linux.memoryPolicy` (1.3), for set_mempolicy(2).
struct MemoryPolicyConfig: Equatable, Sendable {
    /// MPOL_… as its number.
    var mode: Int32
    var nodes: String
    /// MPOL_F_… bits.
    var flags: Int32 = 0
}

struct SeccompConfig: Equatable, Sendable {
    var defaultAction: String
    var defaultErrnoRet: UInt32?
    /// `SCMP_ARCH_…`; empty for the native one.
    var architectures: [String] = []
    /// `SECCOMP_FILTER_FLAG_…`; nil when nothing is said, which is not the same as none.
    var flags: [String]?
    var listenerPath: String?
    var listenerMetadata: String?
    var syscalls: [SeccompRule] = []
}

struct SeccompRule: Equatable, Sendable {
    struct Argument: Equatable, Sendable {
        var index: UInt32
        var value: UInt64
        var valueTwo: UInt64 = 0
        /// `SCMP_CMP_…`.
        var op: String
    }

    var names: [String]
    /// `SCMP_ACT_…`.
    var action: String
    var errnoRet: UInt32?
    var args: [Argument] = []
}
