internal import CLinux
import Glibc

extension HostAbilities {
    /// Longest time that all children together may take, in milliseconds.
    private static let budget: Int64 = 700
    /// Longest time that one child may take, in milliseconds.
    private static let patience: Int64 = 150

    /// Tries everything on this machine; takes some tens of milliseconds, never a second, and leaves nothing behind.
    ///
    /// Drivers are not loaded by this: what would load one is left out, and the checks then look at files.
    /// - Parameters:
    ///   - dataDirectory: where the node keeps, or will keep, everything.
    ///   - host: this machine's files.
    /// - Returns: what came of it.
    static func probe(dataDirectory: String, host: HostTree) -> HostAbilities {
        var found = HostAbilities()
        found.uid = geteuid()
        found.capabilities = capabilities(host.text("/proc/self/status") ?? "")
        for call in KernelCall.allCases { found.calls[call] = clinux_probe_call(call.number) }
        clinux_open_files_limit(&found.openFiles, &found.openFilesHard)
        // Opening the file would load the driver.
        if host.exists("/sys/class/misc/kvm") { found.kvm = clinux_probe_kvm("/dev/kvm") }
        found.lookAtDisk(dataDirectory)

        let deadline = HostFacts.monotonicMilliseconds() + budget
        func attempt(_ kind: clinux_probe, _ namespaces: [HostNamespace]) -> ProbeOutcome {
            let left = min(patience, deadline - HostFacts.monotonicMilliseconds())
            guard left > 0 else { return .notTried }
            return Self.attempt(kind, namespaces, milliseconds: Int32(left))
        }
        for namespace in HostNamespace.allCases {
            found.namespaces[namespace] = attempt(CLINUX_PROBE_NAMESPACES, [namespace])
            guard namespace != .user else { continue }
            found.inUserNamespace[namespace] = attempt(CLINUX_PROBE_NAMESPACES, [.user, namespace])
        }
        found.mountInUserNamespace = attempt(CLINUX_PROBE_MOUNT, [.user, .mnt])
        if HostDoctor.fileSystems(host).contains("overlay") {
            found.overlay = attempt(CLINUX_PROBE_OVERLAY, [.mnt])
            found.overlayInUserNamespace = attempt(CLINUX_PROBE_OVERLAY, [.user, .mnt])
        }
        if host.module("nf_tables") != .loadable {
            let isAllowed = found.has(.networkAdministration) && found.has(.systemAdministration)
            found.nftables = attempt(CLINUX_PROBE_NFTABLES, isAllowed ? [.net] : [.user, .net])
        }
        return found
    }

    private static func attempt(
        _ kind: clinux_probe, _ namespaces: [HostNamespace], milliseconds: Int32
    ) -> ProbeOutcome {
        var result = clinux_probe_result()
        let flags = namespaces.reduce(Int32(0)) { $0 | $1.flag }
        guard clinux_probe_in_child(Int32(kind.rawValue), flags, milliseconds, &result) != 0 else { return .worked }
        return .failed(step: word(result.step), errno: result.error)
    }

    private static func word(_ step: Int32) -> String {
        switch UInt32(bitPattern: step) {
        case CLINUX_PROBE_STEP_UNSHARE.rawValue: "enter the namespaces"
        case CLINUX_PROBE_STEP_MAP.rawValue: "map the user"
        case CLINUX_PROBE_STEP_MOUNT.rawValue: "mount in them"
        case CLINUX_PROBE_STEP_OVERLAY.rawValue: "mount an overlay"
        case CLINUX_PROBE_STEP_NFTABLES.rawValue: "ask the packet filter"
        default: "start a process"
        }
    }

    /// The line `CapEff` of `/proc/self/status`.
    static func capabilities(_ status: String) -> UInt64 {
        for line in status.split(separator: "\n") where line.hasPrefix("CapEff:") {
            return UInt64(line.dropFirst(7).drop(while: \.isWhitespace), radix: 16) ?? 0
        }
        return 0
    }

    private mutating func lookAtDisk(_ directory: String) {
        dataDirectory = directory
        while !isDirectory(dataDirectory), parentDirectory(of: dataDirectory) != dataDirectory {
            dataDirectory = parentDirectory(of: dataDirectory)
        }
        freeDiskBytes = try? HostFacts.freeDiskBytes(at: dataDirectory)
        var facts = statvfs()
        guard statvfs(dataDirectory, &facts) == 0, facts.f_files > 0 else { return }
        freeFiles = UInt64(facts.f_favail)
    }
}

extension KernelCall {
    fileprivate var number: Int32 {
        let call =
            switch self {
            case .openat2: CLINUX_CALL_OPENAT2
            case .pidfdOpen: CLINUX_CALL_PIDFD_OPEN
            case .clone3: CLINUX_CALL_CLONE3
            case .closeRange: CLINUX_CALL_CLOSE_RANGE
            case .mountSetattr: CLINUX_CALL_MOUNT_SETATTR
            case .openTree: CLINUX_CALL_OPEN_TREE
            case .ioUring: CLINUX_CALL_IO_URING
            case .seccompNotify: CLINUX_CALL_SECCOMP_NOTIFY
            case .random: CLINUX_CALL_RANDOM
            }
        return Int32(bitPattern: call.rawValue)
    }
}
