import Glibc

extension HostDoctor {
    static func namespace(_ kind: HostNamespace, _ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = subject(of: kind, abilities)
        guard host.exists("/proc/self/ns/\(kind.rawValue)") else {
            return subject.missing(
                "the kernel has none (no /proc/self/ns/\(kind.rawValue))",
                advice: kind == .time
                    ? "boot Linux 5.6 or later, built with TIME_NS" : "boot a kernel that is built with namespaces")
        }
        let limit = "/proc/sys/user/max_\(kind.rawValue)_namespaces"
        if host.number(limit) == 0 {
            return subject.missing(
                "forbidden: \(limit) is 0",
                advice: "sysctl user.max_\(kind.rawValue)_namespaces=10000, and the same in /etc/sysctl.d")
        }
        let own = abilities.namespaces[kind] ?? .notTried
        switch own {
        case .worked: return kind == .user ? userNamespace(subject, host, abilities) : subject.ok("can be made")
        case .notTried: return subject.limited("there, but not tried in time", advice: "run the command again")
        case .failed(_, let error):
            if error == ENOSPC {
                return subject.missing(
                    "the limit of \(limit) is reached, or namespaces are nested too deep", advice: "raise \(limit)")
            }
            guard error == EPERM || error == EACCES else {
                return subject.missing(own.words, advice: "the kernel may be built without it; boot another")
            }
            if kind != .user, abilities.inUserNamespace[kind] == .worked {
                return subject.ok("can be made inside a user namespace, without root")
            }
            var check =
                kind == .user
                ? subject.missing(own.words, advice: allowUserNamespaces(host))
                : subject.missing("\(own.words), also inside a user namespace", advice: abilities.howToGetRights)
            check.needsRoot = !abilities.isRoot
            return check
        }
    }

    private static func subject(of kind: HostNamespace, _ abilities: HostAbilities) -> DoctorSubject {
        let words: (title: String, neededFor: String) =
            switch kind {
            case .cgroup: ("control groups", "containers that see only their own control group")
            case .ipc: ("System V IPC and message queues", "containers")
            case .mnt: ("mounts", "containers: their own file systems")
            case .net: ("networks", "containers with addresses of their own")
            case .pid: ("process numbers", "containers, and ending all processes of a task")
            case .time: ("clocks", "containers with an offset of the boot clock")
            case .user: ("users", "containers whose root is nobody outside; running without root")
            case .uts: ("host names", "containers with host names of their own")
            }
        // Root makes the others without it.
        let isRequired = kind == .time ? false : kind == .user ? !abilities.isRoot : true
        return DoctorSubject(
            id: "ns-\(kind.rawValue)", title: "namespaces of \(words.title)", neededFor: words.neededFor,
            isRequired: isRequired)
    }

    /// Some systems let everyone make user namespaces but give no rights in them.
    private static func userNamespace(
        _ subject: DoctorSubject, _ host: HostTree, _ abilities: HostAbilities
    ) -> DoctorCheck {
        switch abilities.mountInUserNamespace {
        case .worked: return subject.ok("can be made, and mounted in")
        case .notTried: return subject.limited("there, but not tried in time", advice: "run the command again")
        case .failed:
            return subject.limited(
                "can be made, but give no rights (\(abilities.mountInUserNamespace.words))",
                advice: allowUserNamespaces(host))
        }
    }

    private static func allowUserNamespaces(_ host: HostTree) -> String {
        restrictions(host).first?.advice
            ?? "if this runs in a container, allow unshare and mount in its seccomp and AppArmor profiles; else run as root"
    }

    /// Settings that take user namespaces away from ordinary users: what is set, and what to do.
    private static func restrictions(_ host: HostTree) -> [(finding: String, advice: String, isTotal: Bool)] {
        var found: [(finding: String, advice: String, isTotal: Bool)] = []
        if host.number("/proc/sys/user/max_user_namespaces") == 0 {
            found.append(
                (
                    "user.max_user_namespaces is 0",
                    "sysctl user.max_user_namespaces=10000, and the same in /etc/sysctl.d", true
                ))
        }
        if host.number("/proc/sys/kernel/unprivileged_userns_clone") == 0 {
            found.append(
                (
                    "kernel.unprivileged_userns_clone is 0",
                    "sysctl kernel.unprivileged_userns_clone=1, and the same in /etc/sysctl.d", true
                ))
        }
        if host.number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1 {
            found.append(
                (
                    "kernel.apparmor_restrict_unprivileged_userns is 1",
                    "add an AppArmor profile with 'userns,' for this program, or sysctl "
                        + "kernel.apparmor_restrict_unprivileged_userns=0", false
                ))
        }
        return found
    }

    static func unprivilegedNamespaces(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "unprivileged-userns", title: "user namespaces for ordinary users",
            neededFor: "running without root")
        let found = restrictions(host)
        let findings = found.map(\.finding).joined(separator: "; ")
        let advice = found.map(\.advice).joined(separator: "; ")
        if found.contains(where: \.isTotal) { return subject.missing(findings, advice: advice) }
        if !found.isEmpty { return subject.limited(findings, advice: advice) }
        guard let limit = host.number("/proc/sys/user/max_user_namespaces") else {
            return subject.missing(
                "no /proc/sys/user/max_user_namespaces", advice: "boot a kernel that is built with user namespaces")
        }
        return subject.ok("no setting forbids them; at most \(limit)")
    }

    // MARK: Subordinate ids

    static func subordinateIDs(_ host: HostTree, _ abilities: HostAbilities) -> [DoctorCheck] {
        let tools = DoctorSubject(
            id: "newuidmap", title: "newuidmap and newgidmap",
            neededFor: "running without root with many users in one container"
        )
        let absent = ["newuidmap", "newgidmap"].filter { name in
            !["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin"].contains { host.isExecutable("\($0)/\(name)") }
        }
        let toolsCheck =
            absent.isEmpty
            ? tools.ok("both are installed")
            : tools.missing(
                "not installed: \(absent.joined(separator: ", "))",
                advice: "install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora)")

        let ranges = DoctorSubject(
            id: "subids", title: "subordinate users and groups",
            neededFor: "running without root with many users in one container")
        let user = (try? AccountDatabase(root: host.root))?.users.first { $0.uid == abilities.uid }
        let names: Set<String> = Set([user?.name, "\(abilities.uid)"].compactMap { $0 })
        let counts = ["subuid", "subgid"].map { file in
            (file, subordinateCount(host.text("/etc/\(file)", limit: 16 << 20) ?? "", names))
        }
        let who = user?.name ?? "\(abilities.uid)"
        let advice = "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \(who), with a range that is free"
        // Who has the capability maps ids without the tools, and without being given any.
        if abilities.isRoot, counts.contains(where: { $0.1 == 0 }) {
            return [toolsCheck, ranges.ok("root needs none")]
        }
        if let (file, count) = counts.first(where: { $0.1 < 65536 }) {
            let finding =
                count == 0 ? "/etc/\(file) has no range for \(who)" : "/etc/\(file) gives \(who) only \(count) ids"
            return [
                toolsCheck,
                count == 0 ? ranges.missing(finding, advice: advice) : ranges.limited(finding, advice: advice),
            ]
        }
        return [toolsCheck, ranges.ok("\(who) has \(counts.map { "\($0.1) in \($0.0)" }.joined(separator: ", "))")]
    }

    /// How many ids the lines "NAME:FIRST:COUNT" give someone (`subuid(5)`); malformed lines give none.
    static func subordinateCount(_ text: String, _ names: Set<String>) -> UInt64 {
        text.split(separator: "\n").reduce(0) { sum, line in
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 3, names.contains(String(fields[0])), UInt32(fields[1]) != nil,
                let count = UInt32(fields[2])
            else { return sum }
            // Neither can pass the number of ids there are by much: the file has a bounded length.
            return sum &+ UInt64(count)
        }
    }
}
