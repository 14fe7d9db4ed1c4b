/// A kind of namespace (`namespaces(7)`).
enum HostNamespace: String, CaseIterable, Sendable {
    case cgroup, ipc, mnt, net, pid, time, user, uts

    /// The kernel's flag, which is part of its interface.
    var flag: Int32 {
        switch self {
        case .cgroup: 0x0200_0000
        case .ipc: 0x0800_0000
        case .mnt: 0x0002_0000
        case .net: 0x4000_0000
        case .pid: 0x2000_0000
        case .time: 0x0000_0080
        case .user: 0x1000_0000
        case .uts: 0x0400_0000
        }
    }
}

/// A system call that is asked for by itself.
enum KernelCall: CaseIterable, Sendable {
    case openat2, pidfdOpen, clone3, closeRange, mountSetattr, openTree, ioUring, seccompNotify, random
}

/// What came of trying something.
enum ProbeOutcome: Equatable, Sendable {
    /// It can be done.
    case worked
    /// The kernel refused at a step, in words, with an error number.
    case failed(step: String, errno: Int32)
    /// It was left out.
    case notTried

    /// "enter the namespaces: operation not permitted".
    var words: String {
        switch self {
        case .worked: "works"
        case .failed(let step, let errno): "\(step): \(SystemError.text(of: errno))"
        case .notTried: "not tried"
        }
    }
}

/// What trying has shown, apart from what files tell; a value, so that the checks can be rehearsed.
struct HostAbilities: Sendable {
    /// Effective user.
    var uid: UInt32 = 65534
    /// Effective capabilities as a bit set (`capabilities(7)`).
    var capabilities: UInt64 = 0
    /// Entering each namespace with the rights at hand.
    var namespaces: [HostNamespace: ProbeOutcome] = [:]
    /// The same together with a new user namespace.
    var inUserNamespace: [HostNamespace: ProbeOutcome] = [:]
    /// Mounting in new user and mount namespaces.
    var mountInUserNamespace: ProbeOutcome = .notTried
    /// Mounting an overlay in a new mount namespace.
    var overlay: ProbeOutcome = .notTried
    /// The same in a new user namespace.
    var overlayInUserNamespace: ProbeOutcome = .notTried
    /// Asking the packet filter of a new network namespace.
    var nftables: ProbeOutcome = .notTried
    /// Error numbers of calls that must be refused.
    var calls: [KernelCall: Int32] = [:]
    /// Version of the KVM interface or a negative error number; nil when not tried.
    var kvm: Int32?
    /// Open files of this process: now.
    var openFiles: UInt64 = 0
    /// Open files of this process: the most that it may ask for.
    var openFilesHard: UInt64 = 0
    /// The data directory, or the nearest directory above it that is there.
    var dataDirectory = "/"
    /// Bytes free there; nil when unknown.
    var freeDiskBytes: UInt64?
    /// Files that can still be made there; nil when unknown or without bound.
    var freeFiles: UInt64?

    /// Whether the process has a capability.
    func has(_ capability: Capability) -> Bool { capabilities & 1 << capability.rawValue != 0 }

    /// Capabilities by number (`linux/capability.h`).
    enum Capability: UInt64 {
        case networkAdministration = 12
        case systemAdministration = 21
        case systemResource = 24
    }

    /// The administrator, with what containers take often away.
    var isRoot: Bool { uid == 0 && has(.systemAdministration) }

    /// What someone without the rights can do to get them.
    var howToGetRights: String {
        uid == 0
            ? "give the container that this runs in the capability SYS_ADMIN, or run on the machine itself"
            : "run as root"
    }
}
