/// Finds out what a machine can do for containers, networks and virtual machines.
///
/// Each check is a function of the machine's files and of what trying has shown; it decides nothing and changes nothing.
public enum HostDoctor {
    /// Names of all checks, in the order of the table.
    public static var identifiers: [String] {
        checks(HostTree(root: "/nonexistent"), HostAbilities()).map(\.id)
    }

    /// Looks at this machine; takes some tens of milliseconds, never a second, and leaves nothing behind.
    ///
    /// Works for every user; ``DoctorCheck/needsRoot`` says where the administrator would see more.
    /// - Parameter dataDirectory: where the node keeps, or will keep, everything; need not be there.
    /// - Returns: all checks.
    public static func examine(dataDirectory: String) -> DoctorReport {
        let host = HostTree()
        let abilities = HostAbilities.probe(dataDirectory: dataDirectory, host: host)
        return DoctorReport(checks: checks(host, abilities), isRoot: abilities.isRoot)
    }

    static func checks(_ host: HostTree, _ abilities: HostAbilities) -> [DoctorCheck] {
        var all = [kernel(host)]
        all += HostNamespace.allCases.map { namespace($0, host, abilities) }
        all.append(unprivilegedNamespaces(host, abilities))
        all += subordinateIDs(host, abilities)
        all += cgroups(host, abilities)
        all += [seccomp(host), seccompNotification(host, abilities)]
        all += [overlay(host, abilities), overlayInUserNamespace(host, abilities)]
        all += kernelCalls(abilities)
        all.append(ioUring(host, abilities))
        all += [cpuVirtualization(host), kvm(host, abilities), vhostVsock(host, abilities), tun(host, abilities)]
        all.append(securityModules(host))
        all += [nftables(host, abilities), forwardingIPv4(host), forwardingIPv6(host)]
        all += [entropy(host, abilities), openFiles(host, abilities), processes(host)]
        all += [disk(abilities), memory(host)]
        return all
    }

    /// Kernels older than this lack what the container level is built on.
    static let oldestKernel = (major: 5, minor: 10)

    static func kernel(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "kernel", title: "release of the kernel", neededFor: "everything", isRequired: true)
        let wanted = "\(oldestKernel.major).\(oldestKernel.minor)"
        guard let release = host.text("/proc/sys/kernel/osrelease"), let version = kernelVersion(release) else {
            return subject.missing(
                "the release cannot be read", advice: "mount /proc; Linux \(wanted) or later is needed")
        }
        guard version >= (oldestKernel.major, oldestKernel.minor) else {
            return subject.missing(
                "\(release) is older than \(wanted)", advice: "install Linux \(wanted) or later and boot it")
        }
        return subject.ok(release)
    }

    /// The first two numbers of a text such as `6.1.0-32-amd64`.
    static func kernelVersion(_ release: String) -> (Int, Int)? {
        let numbers = release.split(separator: ".", maxSplits: 2).prefix(2).map { $0.prefix(while: \.isWholeNumber) }
        guard numbers.count == 2, let major = Int(numbers[0]), let minor = Int(numbers[1]) else { return nil }
        return (major, minor)
    }

    /// Names of file systems that the kernel has now (`proc_filesystems(5)`).
    static func fileSystems(_ host: HostTree) -> Set<String> {
        Set(
            (host.text("/proc/filesystems") ?? "").split(separator: "\n").compactMap { line in
                line.split(whereSeparator: \.isWhitespace).last.map(String.init)
            })
    }
}
