internal import LinuxSystem

/// What this runtime can do, for `features` (OCI runtime-spec, features.md and features-linux.md).
enum Features {
    /// What the part that compiles filters can do.
    struct Seccomp: Equatable, Sendable {
        /// `SCMP_ACT_…`.
        var actions: [String]
        /// `SCMP_CMP_…`.
        var operators: [String]
        /// `SCMP_ARCH_…`.
        var architectures: [String]
        /// `SECCOMP_FILTER_FLAG_…` that are understood.
        var knownFlags: [String]
        /// Those of them that work on this host.
        var supportedFlags: [String]
    }

    /// The structure as a JSON value. It tells what the runtime was made for, not what the host happens to allow.
    ///
    /// Without `seccomp`, filters cannot be compiled. The `annotations` are further facts such as versions.
    /// `unsafeAnnotations` are those of a configuration that change what the runtime does; a name that ends in a dot
    /// stands for all that begin with it.
    static func json(
        seccomp: Seccomp?, annotations: [(name: String, value: String)] = [],
        unsafeAnnotations: [String] = ["org.systemd.property."]
    ) -> JSONValue {
        var members = [
            JSONMember(name: "ociVersionMin", value: .string(ContainerConfig.versionMin)),
            JSONMember(name: "ociVersionMax", value: .string(ContainerConfig.versionMax)),
            JSONMember(name: "hooks", value: .strings(hooks)),
            JSONMember(name: "mountOptions", value: .strings(MountOptions.knownWords)),
            JSONMember(name: "linux", value: linux(seccomp)),
        ]
        if !annotations.isEmpty {
            let values = annotations.map { JSONMember(name: $0.name, value: .string($0.value)) }
            members.append(JSONMember(name: "annotations", value: .object(values)))
        }
        if !unsafeAnnotations.isEmpty {
            members.append(
                JSONMember(name: "potentiallyUnsafeConfigAnnotations", value: .strings(unsafeAnnotations)))
        }
        return .object(members)
    }

    /// In the order in which they run.
    private static let hooks = [
        "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
    ]

    private static func linux(_ seccomp: Seccomp?) -> JSONValue {
        let on = JSONValue.members(("enabled", .bool(true)))
        let policy = JSONValue.members(
            ("modes", .strings(SpecNames.memoryPolicyModes.map(\.description))),
            ("flags", .strings(SpecNames.memoryPolicyFlags.map(\.description))))
        return .members(
            ("namespaces", .strings(NamespaceKind.allCases.map(\.rawValue).sorted())),
            ("capabilities", .strings(Capability.allNames)),
            (
                "cgroup",
                .members(
                    ("v1", .bool(true)), ("v2", .bool(true)), ("systemd", .bool(true)), ("systemdUser", .bool(true)),
                    ("rdma", .bool(true)))
            ),
            ("seccomp", self.seccomp(seccomp)),
            ("apparmor", on),
            ("selinux", on),
            ("intelRdt", .members(("enabled", .bool(true)), ("schemata", .bool(true)), ("monitoring", .bool(true)))),
            ("memoryPolicy", policy),
            ("mountExtensions", .members(("idmap", on))),
            ("netDevices", on))
    }

    private static func seccomp(_ seccomp: Seccomp?) -> JSONValue {
        guard let seccomp else { return .members(("enabled", .bool(false))) }
        return .members(
            ("enabled", .bool(true)),
            ("actions", .strings(seccomp.actions)),
            ("operators", .strings(seccomp.operators)),
            ("archs", .strings(seccomp.architectures)),
            ("knownFlags", .strings(seccomp.knownFlags)),
            ("supportedFlags", .strings(seccomp.supportedFlags)))
    }
}
