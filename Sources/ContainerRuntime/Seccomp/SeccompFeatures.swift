internal import CSeccomp

/// `linux.seccomp` of the features document (OCI runtime-spec, features-linux.md): what profiles may say here.
enum SeccompFeatures {
    static var actions: [String] { SeccompNames.actions.map(\.name) }
    static var operators: [String] { SeccompNames.operators.map(\.name) }
    /// Those that the linked libseccomp has.
    static var architectures: [String] { SeccompNames.architectures.filter { SeccompNames.resolve($0) != 0 } }
    static var knownFlags: [String] { SeccompNames.flags.map(\.name) }
    /// Those that this kernel has, too.
    static var supportedFlags: [String] { SeccompNames.flags.filter { isSupported(flag: $0.value) }.map(\.name) }

    /// Of the linked libseccomp, `2.5.4`.
    static var libraryVersion: String {
        var (major, minor, micro): (UInt32, UInt32, UInt32) = (0, 0, 0)
        cseccomp_version(&major, &minor, &micro)
        return "\(major).\(minor).\(micro)"
    }

    /// Whether the kernel has the action; its number is that of ``SeccompNames/actions``.
    static func isSupported(action: UInt32) -> Bool { cseccomp_knows_action(action) != 0 }

    static func isSupported(flag: UInt32) -> Bool {
        // The kernel takes this one only together with a listener.
        let company = flag == SeccompNames.waitKillable ? SeccompNames.newListener : 0
        return cseccomp_knows_flags(flag | company) != 0
    }
}
