/// What a workload asks of its host, as far as a machine may be unable to give it.
public struct MachineDemand: Equatable, Sendable {
    /// A namespace, as OCI names it.
    public enum Namespace: String, CaseIterable, Sendable {
        case cgroup, ipc, mount, network, pid, time, user, uts
    }

    /// How a namespace is had.
    public enum Membership: Equatable, Sendable {
        /// A new one, which in a machine is always given.
        case own
        /// The host's.
        case host
        /// One that is there, by its path.
        case joined(path: String)
    }

    /// A mount.
    public struct Mount: Equatable, Sendable {
        /// Where it goes.
        public var destination: String
        /// What it is: `bind`, `tmpfs`, `proc`, …
        public var type: String
        /// Where it comes from.
        public var source: String
        /// Its options.
        public var options: [String]
        /// Whether it can be brought in as a disk, or as files that are copied before the start.
        public var canBeCopied: Bool

        /// Describes a mount.
        public init(destination: String, type: String, source: String, options: [String] = [], canBeCopied: Bool) {
            self.destination = destination
            self.type = type
            self.source = source
            self.options = options
            self.canBeCopied = canBeCopied
        }
    }

    /// Namespaces that are named.
    public var namespaces: [Namespace: Membership]
    /// Mounts.
    public var mounts: [Mount]
    /// Paths of devices of the host.
    public var devices: [String]
    /// Whether all of the host's devices are wanted (podman's and docker's `--privileged`).
    public var isPrivileged: Bool
    /// Sockets of the host's that are passed in, by their number.
    public var passedDescriptors: Int
    /// Kernel settings of namespaces that would be shared with the host are its own in a machine; others are refused.
    public var settings: [String]

    /// Describes demands; none unless they are named.
    public init(
        namespaces: [Namespace: Membership] = [:], mounts: [Mount] = [], devices: [String] = [],
        isPrivileged: Bool = false, passedDescriptors: Int = 0, settings: [String] = []
    ) {
        self.namespaces = namespaces
        self.mounts = mounts
        self.devices = devices
        self.isPrivileged = isPrivileged
        self.passedDescriptors = passedDescriptors
        self.settings = settings
    }
}

/// Something that a machine cannot give. It is said before anything is started.
public struct MachineRefusal: Error, Hashable, Sendable {
    /// The feature, in the words of the configuration it comes from.
    public var feature: String
    /// Why not, and what can be done.
    public var explanation: String

    /// What to tell: lower case, no full stop.
    public var reason: String { "isolation microvm cannot give \(feature): \(explanation)" }
}

extension MachineDemand {
    /// Devices that every guest has of its own.
    private static let ownDevices: Set<String> = [
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/console", "/dev/ptmx",
        "/dev/net/tun", "/dev/fuse",
    ]
    private static let ownFileSystems: Set<String> = [
        "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs", "ramfs",
    ]
    /// What propagates between a container's mounts and the host's.
    private static let propagation: Set<String> = ["shared", "rshared", "slave", "rslave"]

    /// What of it a machine cannot give.
    /// - Returns: all of it, in a fixed order; empty when a machine can be started.
    public var refusals: [MachineRefusal] {
        var found: [MachineRefusal] = []
        func refuse(_ feature: String, _ explanation: String) {
            found.append(MachineRefusal(feature: feature, explanation: explanation))
        }
        for kind in Namespace.allCases {
            switch namespaces[kind] {
            case .host where kind == .network:
                refuse("the host's network", "it has a network of its own; publish ports, or use isolation container")
            case .host where kind != .user && kind != .cgroup && kind != .time:
                refuse(
                    "the host's \(kind.rawValue) namespace", "its kernel is another; use isolation container")
            // A tap in that namespace is as good as being in it.
            case .joined where kind == .network: break
            case .joined(let path):
                refuse(
                    "the \(kind.rawValue) namespace \(path)",
                    "namespaces of the host are not those of another kernel; containers of one pod share a machine")
            case .host, .own, nil: break
            }
        }
        for mount in mounts {
            if let option = mount.options.first(where: { Self.propagation.contains($0) }) {
                refuse(
                    "the mount option \(option) of \(mount.destination)",
                    "mounts of two kernels do not propagate; use private or rprivate")
            } else if !Self.ownFileSystems.contains(mount.type), !mount.canBeCopied {
                refuse(
                    "the mount \(mount.destination) of \(mount.source)",
                    "what the host and others write while it runs is not seen in it; use a volume of its own, or "
                        + "isolation container")
            }
        }
        for device in devices where !Self.ownDevices.contains(device) {
            refuse("the device \(device)", "devices of the host are not passed in; use isolation container")
        }
        if isPrivileged {
            refuse("--privileged", "there are no devices of the host in it; name the capabilities it needs instead")
        }
        if passedDescriptors > 0 {
            refuse("\(passedDescriptors) passed descriptors", "open files do not reach into another kernel")
        }
        for setting in settings
        where !setting.hasPrefix("net.") && !setting.hasPrefix("kernel.") && !setting.hasPrefix("fs.mqueue.") {
            refuse("the kernel setting \(setting)", "only net., kernel. and fs.mqueue. can be set")
        }
        return found
    }
}
