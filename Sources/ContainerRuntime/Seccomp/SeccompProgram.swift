internal import CSeccomp
internal import Glibc

/// A compiled seccomp filter and how it is to be loaded.
///
/// The runtime compiles before it forks, so that a bad profile is an error of `create`, and loads in the container's
/// own process right before exec.
struct SeccompProgram: Equatable, Sendable {
    /// An array of `struct sock_filter`, in the order of bytes of this machine.
    var bytes: [UInt8]
    /// `SECCOMP_FILTER_FLAG_…` for seccomp(2).
    var flags: UInt32
    /// Where the descriptor of ``load()`` goes; nil when no rule notifies.
    var listenerPath: String?
    /// What the listener's owner is told along with it.
    var listenerMetadata: String?

    /// As many instructions as the kernel takes (BPF_MAXINSNS).
    static let instructionsMax = 4_096

    /// Compiles a profile. Rules mean what they mean to runc:
    ///
    /// - Rules with the default action and names that nobody knows are left out.
    /// - Conditions of one rule must all hold, unless two are about the same argument: then any one is enough.
    /// - Calls of architectures that are not listed (and of x32 on x86-64) kill; the native one is always listed.
    /// - Calls newer than the profile fail with ENOSYS, see ``SeccompTable``.
    ///
    /// `warn` is told what was left out and which flags will be set; that is for a debug log.
    static func compile(_ config: SeccompConfig, warn: (String) -> Void) throws(RuntimeFailure) -> SeccompProgram {
        let defaultAction = try SeccompNames.action(config.defaultAction, errnoRet: config.defaultErrnoRet)
        let notifies = try checkNotifications(config)
        let flags = try loadFlags(config, notifies: notifies, warn: warn)
        let compiler = try SeccompCompiler(config, defaultAction: defaultAction)
        let bytes = try compiler.program(for: config, warn: warn)
        guard bytes.count <= instructionsMax * BPFInstruction.size else { throw tooLarge }
        warn("seccomp filter flags: \(flags)")
        return SeccompProgram(
            bytes: bytes, flags: flags, listenerPath: notifies ? config.listenerPath : nil,
            listenerMetadata: notifies ? config.listenerMetadata : nil)
    }

    static let tooLarge = RuntimeFailure(
        "seccomp: the filter has more than \(instructionsMax) instructions, the kernel's limit; use fewer rules")

    /// Puts the calling thread, and what it will start, under the filter. It needs CAP_SYS_ADMIN or no_new_privs.
    ///
    /// - Returns: the notification descriptor (close-on-exec) when a rule notifies.
    func load() throws(RuntimeFailure) -> Int32? {
        let result = bytes.withUnsafeBytes { cseccomp_load(flags, $0.baseAddress, $0.count) }
        guard result >= 0 else {
            let hint = result == -EACCES ? " (it needs CAP_SYS_ADMIN or process.noNewPrivileges)" : ""
            throw RuntimeFailure("seccomp: error loading the filter into the kernel\(hint)", errno: -result)
        }
        if flags & SeccompNames.newListener != 0 { return result }
        guard result == 0 else {
            throw RuntimeFailure("seccomp: thread \(result) has a filter of its own and could not take this one")
        }
        return nil
    }

    /// Whether a rule notifies, having refused what would leave the container waiting for itself.
    private static func checkNotifications(_ config: SeccompConfig) throws(RuntimeFailure) -> Bool {
        let notify = "SCMP_ACT_NOTIFY"
        guard config.defaultAction != notify else {
            throw RuntimeFailure("seccomp: SCMP_ACT_NOTIFY cannot be used as default action")
        }
        let rules = config.syscalls.filter { $0.action == notify }
        // The process says "loaded" with a write, before anyone could answer a notification.
        guard !rules.contains(where: { $0.names.contains("write") }) else {
            throw RuntimeFailure("seccomp: SCMP_ACT_NOTIFY cannot be used for the write syscall")
        }
        guard rules.isEmpty || config.listenerPath?.isEmpty == false else {
            throw RuntimeFailure("seccomp listenerPath is not set, but SCMP_ACT_NOTIFY needs one")
        }
        return !rules.isEmpty
    }

    /// The flags that the kernel is given.
    private static func loadFlags(
        _ config: SeccompConfig, notifies: Bool, warn: (String) -> Void
    ) throws(RuntimeFailure) -> UInt32 {
        var flags: UInt32 = notifies ? SeccompNames.newListener : 0
        guard let wanted = config.flags else {
            // A profile that says nothing about flags does not mean to slow down the container.
            let usual = SeccompNames.allowSpeculation
            return cseccomp_knows_flags(usual) != 0 ? flags | usual : flags
        }
        for name in wanted {
            guard let known = SeccompNames.flags.first(where: { $0.name == name }) else {
                throw RuntimeFailure("seccomp flag '\(name)' is not known; use one of SECCOMP_FILTER_FLAG_…")
            }
            guard SeccompFeatures.isSupported(flag: known.value) else {
                throw RuntimeFailure("seccomp flag '\(name)' is not supported by this kernel; leave it out")
            }
            switch known.value {
            case SeccompNames.syncThreads:
                // The process has one thread, and new ones inherit the filter; with a listener the flag would need yet
                // another one (TSYNC_ESRCH).
                continue
            case SeccompNames.waitKillable where !notifies:
                warn("seccomp flag \(name) ignored: no rule notifies")
            default: flags |= known.value
            }
        }
        return flags
    }
}
