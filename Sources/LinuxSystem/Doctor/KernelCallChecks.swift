import Glibc

extension HostDoctor {
    /// System calls that are there or not.
    static func kernelCalls(_ abilities: HostAbilities) -> [DoctorCheck] {
        [
            call(
                .mountSetattr,
                DoctorSubject(
                    id: "idmapped-mounts", title: "mount_setattr, for mounts with mapped ids",
                    neededFor: "volumes and images in user namespaces without changing owners"),
                since: "5.12", abilities),
            call(
                .openTree,
                DoctorSubject(
                    id: "open-tree", title: "open_tree, for mounts by descriptor",
                    neededFor: "mounting without paths that others may change meanwhile", isRequired: true),
                since: "5.2", abilities),
            call(
                .openat2,
                DoctorSubject(
                    id: "openat2", title: "openat2, for paths that stay below a directory",
                    neededFor: "mounts in root file systems that are not trusted", isRequired: true),
                since: "5.6", abilities),
            call(
                .pidfdOpen,
                DoctorSubject(
                    id: "pidfd", title: "pidfd_open, for processes by descriptor",
                    neededFor: "signals that never reach another process", isRequired: true),
                since: "5.3", abilities),
            call(
                .clone3,
                DoctorSubject(
                    id: "clone3", title: "clone3, for processes in new namespaces", neededFor: "starting tasks",
                    isRequired: true),
                since: "5.3", abilities),
            call(
                .closeRange,
                DoctorSubject(
                    id: "close-range", title: "close_range with CLOSE_RANGE_CLOEXEC",
                    neededFor: "starting tasks without leaking open files", isRequired: true),
                since: "5.11", abilities),
        ]
    }

    private static func call(
        _ call: KernelCall, _ subject: DoctorSubject, since release: String, _ abilities: HostAbilities
    ) -> DoctorCheck {
        switch abilities.calls[call] {
        case nil:
            return subject.missing("not tried", advice: "run the command again")
        case ENOSYS?:
            return subject.missing(
                "the kernel does not have it, or a seccomp filter hides it",
                advice: "boot Linux \(release) or later; in a container, allow the call in its seccomp profile")
        case EINVAL? where call == .closeRange:
            return subject.missing("the kernel does not have the flag", advice: "boot Linux \(release) or later")
        case EPERM?, EACCES?:
            var check = subject.missing(
                "a seccomp filter refuses it", advice: "allow the call in the seccomp profile that this runs under")
            check.needsRoot = !abilities.isRoot
            return check
        case _?:
            return subject.ok("there")
        }
    }

    static func ioUring(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "io-uring", title: "io_uring", neededFor: "tasks that use it; nothing of Rondo itself")
        let setting = host.number("/proc/sys/kernel/io_uring_disabled")
        if setting == 2 {
            return subject.missing(
                "kernel.io_uring_disabled is 2", advice: "sysctl kernel.io_uring_disabled=0, if a task needs it")
        }
        switch abilities.calls[.ioUring] {
        case nil: return subject.limited("not tried", advice: "run the command again")
        case ENOSYS?:
            return subject.missing(
                "the kernel does not have it, or a seccomp filter hides it",
                advice: "boot a kernel that is built with IO_URING, if a task needs it")
        case EPERM?, EACCES?:
            return subject.limited(
                setting == 1 ? "kernel.io_uring_disabled is 1: for privileged users only" : "not for this process",
                advice: setting == 1
                    ? "sysctl kernel.io_uring_disabled=0, if a task needs it"
                    : "allow io_uring_setup in the seccomp profile that this runs under, if a task needs it")
        case _?:
            return setting == 1
                ? subject.limited(
                    "kernel.io_uring_disabled is 1: for privileged users only",
                    advice: "sysctl kernel.io_uring_disabled=0, if a task needs it")
                : subject.ok("there")
        }
    }

    // MARK: Seccomp

    static func seccomp(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "seccomp", title: "seccomp filters", neededFor: "containers: the system calls that they may make",
            isRequired: true)
        let path = "/proc/sys/kernel/seccomp/actions_avail"
        guard let text = host.text(path) else {
            return subject.missing(
                "no \(path)", advice: "boot a kernel that is built with SECCOMP_FILTER, and mount /proc")
        }
        let actions = text.split(separator: " ")
        let absent = ["allow", "errno", "kill_process", "trap"].filter { !actions.contains(Substring($0)) }
        guard absent.isEmpty else {
            return subject.limited(
                "no action \(absent.joined(separator: ", "))", advice: "boot Linux 5.10 or later")
        }
        return subject.ok("actions: \(actions.joined(separator: ", "))")
    }

    static func seccompNotification(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "seccomp-notify", title: "seccomp user notification",
            neededFor: "profiles that let another process decide on a call")
        let actions = (host.text("/proc/sys/kernel/seccomp/actions_avail") ?? "").split(separator: " ")
        if actions.contains("user_notif"), abilities.calls[.seccompNotify] == 0 { return subject.ok("there") }
        guard actions.contains("user_notif") else {
            return subject.missing("no action user_notif", advice: "boot Linux 5.0 or later")
        }
        return subject.limited(
            "the kernel has it, but this process may not use it",
            advice: "allow seccomp in the profile that this runs under")
    }

    // MARK: Overlays

    static func overlay(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "overlay", title: "overlay file system", neededFor: "root file systems made of image layers",
            isRequired: true)
        guard fileSystems(host).contains("overlay") else {
            // Whoever mounts one loads the module, if only root may.
            return host.module("overlay") == .loadable
                ? subject.ok("a module that is loaded at its first use")
                : subject.missing(
                    "not in /proc/filesystems, and there is no module",
                    advice: "boot a kernel that is built with OVERLAY_FS, or install its modules")
        }
        switch abilities.overlay {
        case .worked: return subject.ok("can be mounted")
        case .notTried: return subject.limited("there, but not tried in time", advice: "run the command again")
        case .failed:
            if abilities.overlayInUserNamespace == .worked {
                return subject.ok("can be mounted inside a user namespace, without root")
            }
            var check = subject.limited(
                "there, but cannot be mounted (\(abilities.overlay.words))", advice: abilities.howToGetRights)
            check.needsRoot = !abilities.isRoot
            return check
        }
    }

    static func overlayInUserNamespace(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "overlay-userns", title: "overlay file system in user namespaces",
            neededFor: "image layers without root")
        switch abilities.overlayInUserNamespace {
        case .worked: return subject.ok("can be mounted")
        case .failed(_, let error):
            let isOld = kernelVersion(host.text("/proc/sys/kernel/osrelease") ?? "").map { $0 < (5, 11) } ?? false
            return subject.missing(
                abilities.overlayInUserNamespace.words,
                advice: isOld && error == EPERM
                    ? "boot Linux 5.11 or later"
                    : "see the checks ns-user and unprivileged-userns; images are unpacked into plain directories else")
        case .notTried:
            guard fileSystems(host).contains("overlay") || host.module("overlay") == .loadable else {
                return subject.missing(
                    "there is no overlay file system", advice: "boot a kernel that is built with OVERLAY_FS")
            }
            return subject.limited(
                "not tried, because the module is not loaded", advice: "modprobe overlay, and run the command again")
        }
    }
}
