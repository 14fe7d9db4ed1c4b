import Glibc

extension HostDoctor {
    private static func cpuFlags(_ host: HostTree) -> Set<Substring> {
        // Every processor has the same; the first is enough, and the file of a large machine is long.
        let text = host.text("/proc/cpuinfo", limit: 64 << 20) ?? ""
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") || $0.hasPrefix("Features") })
        else { return [] }
        return Set(line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == ":" }))
    }

    static func cpuVirtualization(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "cpu-virtualization", title: "processor's virtualization", neededFor: "virtual machines at full speed")
        let flags = cpuFlags(host)
        let isGuest = flags.contains("hypervisor")
        let guest = isGuest ? ", in this virtual machine (nested)" : ""
        if flags.contains("vmx") { return subject.ok("vmx (Intel)\(guest)") }
        if flags.contains("svm") { return subject.ok("svm (AMD)\(guest)") }
        if host.exists("/sys/class/misc/kvm") { return subject.ok("the kernel has KVM\(guest)") }
        return subject.missing(
            isGuest ? "this is a virtual machine without nested virtualization" : "neither vmx nor svm",
            advice: isGuest
                ? "let the hypervisor pass it on (KVM: module parameter nested=1 and CPU host-passthrough), or do "
                    + "without virtual machines"
                : "switch it on in the firmware, if the processor has it")
    }

    static func kvm(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(id: "kvm", title: "KVM", neededFor: "the isolation levels microvm and sandbox")
        guard host.exists("/sys/class/misc/kvm") || abilities.kvm != nil else {
            return subject.missing(
                host.exists("/dev/kvm") ? "/dev/kvm is there, but no driver behind it" : "no /dev/kvm",
                advice: "modprobe kvm_intel or kvm_amd, where the processor's virtualization is on")
        }
        switch abilities.kvm {
        case 12?:
            let nested = ["kvm_intel", "kvm_amd"].contains { name in
                ["Y", "1"].contains(host.text("/sys/module/\(name)/parameters/nested") ?? "")
            }
            return subject.ok("/dev/kvm can be used\(nested ? "; guests may have guests (nested)" : "")")
        case let version? where version >= 0:
            return subject.missing("its interface has version \(version), not 12", advice: "boot a current kernel")
        case (-EACCES)?, (-EPERM)?:
            var check = subject.limited(
                "/dev/kvm is there, but not for this user",
                advice: "add the user to the group that owns /dev/kvm (usually: usermod -aG kvm USER), or run as root")
            check.needsRoot = !abilities.isRoot
            return check
        case (-ENOENT)?:
            return subject.missing(
                "the kernel has it, but there is no /dev/kvm",
                advice: "mknod /dev/kvm c 10 232; in a container, pass the device on")
        case let error?:
            return subject.missing(
                "/dev/kvm cannot be opened: \(SystemError.text(of: error == .min ? 0 : -error))",
                advice: "look for kvm in the kernel's log (dmesg)")
        case nil:
            return subject.limited("there, but not tried", advice: "run the command again")
        }
    }

    static func vhostVsock(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        device(
            DoctorSubject(
                id: "vhost-vsock", title: "sockets between host and virtual machines",
                neededFor: "the isolation level microvm: talking to the guest"),
            "/dev/vhost-vsock", module: "vhost_vsock", host, abilities)
    }

    static func tun(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        device(
            DoctorSubject(
                id: "tun", title: "network devices of programs (tun)",
                neededFor: "networks of virtual machines, and networks without root"),
            "/dev/net/tun", module: "tun", host, abilities)
    }

    /// By its file's permissions alone: opening would load the driver.
    private static func device(
        _ subject: DoctorSubject, _ path: String, module: String, _ host: HostTree, _ abilities: HostAbilities
    ) -> DoctorCheck {
        guard host.exists(path) else {
            return subject.missing(
                "no \(path)",
                advice: host.module(module) == .absent
                    ? "boot a kernel with the driver \(module); in a container, pass the device on"
                    : "modprobe \(module); in a container, pass the device on")
        }
        guard host.isWritable(path) else {
            var check = subject.limited(
                "\(path) is there, but not for this user", advice: "give the user access to \(path), or run as root")
            check.needsRoot = !abilities.isRoot
            return check
        }
        return subject.ok("\(path) can be used")
    }

    // MARK: Security modules

    static func securityModules(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "lsm", title: "security modules", neededFor: "AppArmor profiles and SELinux labels of containers")
        let list = host.text("/sys/kernel/security/lsm")
        let apparmor = host.text("/sys/module/apparmor/parameters/enabled")
        let enforcing = host.number("/sys/fs/selinux/enforce")
        var parts: [String] = []
        if let list, !list.isEmpty { parts.append(list.split(separator: ",").joined(separator: ", ")) }
        if apparmor == "Y" { parts.append("AppArmor enabled") }
        if let enforcing { parts.append(enforcing == 1 ? "SELinux enforcing" : "SELinux permissive") }
        let finding = parts.joined(separator: "; ")
        if enforcing == 1 {
            return subject.limited(
                finding,
                advice: "label volumes for containers (chcon -t container_file_t), or look into the audit log when "
                    + "a task is refused a file")
        }
        if list == nil {
            return subject.limited(
                finding.isEmpty ? "not known: no /sys/kernel/security/lsm" : "\(finding); no /sys/kernel/security/lsm",
                advice: "mount -t securityfs securityfs /sys/kernel/security")
        }
        return subject.ok(finding.isEmpty ? "none" : finding)
    }
}
