internal import CLinux
internal import Glibc

/// What is set on a process from outside, by its pid: limits that a process in a user namespace could not raise.
enum Limits {
    static func apply(_ process: ProcessConfig, to pid: Int32, _ log: RuntimeLog) throws(RuntimeFailure) {
        for limit in process.rlimits {
            var pair: (UInt64, UInt64) = (limit.soft, limit.hard)
            let code = withUnsafeMutablePointer(to: &pair) {
                Kernel.call(SYS_prlimit64, Int(pid), Int(limit.resource), Int(bitPattern: $0), 0)
            }
            try check(code, "cannot set limit \(limit.resource) to \(limit.soft):\(limit.hard)")
        }
        if let score = process.oomScoreAdj {
            try check(
                Kernel.write(String(score), toFile: "/proc/\(pid)/oom_score_adj"),
                "cannot set oom_score_adj to \(score)")
        }
    }
}

/// How the kernel schedules a process, its input and output, and its memory.
enum Scheduling {
    static func apply(_ process: ProcessConfig) throws(RuntimeFailure) {
        if let config = process.scheduler {
            // struct sched_attr, its first version.
            var words: [UInt64] = [
                48 | UInt64(config.policy) << 32, config.flags,
                UInt64(UInt32(bitPattern: config.nice)) | UInt64(UInt32(bitPattern: config.priority)) << 32,
                config.runtime, config.deadline, config.period,
            ]
            let code = words.withUnsafeMutableBytes {
                Kernel.call(SYS_sched_setattr, 0, Int(bitPattern: $0.baseAddress), 0)
            }
            if code == -Int(EPERM) {
                throw RuntimeFailure(
                    "process scheduler can't be used together with AllowedCPUs (linux.resources.cpu.cpus), nor for real"
                        + " time in a cgroup without a share of it: operation not permitted")
            }
            try check(code, "cannot set the scheduling of the process")
        }
        if let config = process.ioPriority {
            let value = Int(config.ioClass) << 13 | Int(config.priority)
            try check(Kernel.call(SYS_ioprio_set, 1, 0, value), "cannot set the priority of input and output")
        }
    }

    static func set(_ config: PersonalityConfig) throws(RuntimeFailure) {
        try check(Kernel.call(SYS_personality, Int(config.domain)), "cannot set the personality")
    }

    static func set(_ config: MemoryPolicyConfig) throws(RuntimeFailure) {
        guard let nodes = CPUList.bits(config.nodes) else {
            throw RuntimeFailure("invalid memory policy nodes '\(config.nodes)': use a list such as 0-1,3")
        }
        let code = nodes.withUnsafeBytes {
            Kernel.call(
                SYS_set_mempolicy, Int(config.mode | config.flags),
                config.nodes.isEmpty ? 0 : Int(bitPattern: $0.baseAddress), config.nodes.isEmpty ? 0 : $0.count * 8)
        }
        try check(code, "cannot set the memory policy")
    }

    /// All processors its cpuset allows: whatever this program was bound to is not the container's concern.
    static func resetAffinity(of pid: Int32) {
        let all = [UInt64](repeating: .max, count: 128)
        all.withUnsafeBytes {
            // A process that stays bound is no reason to stop.
            _ = Kernel.call(SYS_sched_setaffinity, Int(pid), $0.count, Int(bitPattern: $0.baseAddress))
        }
    }

    static func setAffinity(_ list: String, of pid: Int32) throws(RuntimeFailure) {
        guard let bits = CPUList.bits(list) else {
            throw RuntimeFailure("'\(list)' is not a list of cpus such as 0-3,7")
        }
        let code = bits.withUnsafeBytes {
            Kernel.call(SYS_sched_setaffinity, Int(pid), $0.count, Int(bitPattern: $0.baseAddress))
        }
        try check(code, "cannot bind the process to cpus \(list)")
    }
}

/// Lists such as `0-3,7` as bits.
enum CPUList {
    static func bits(_ text: String) -> [UInt64]? {
        var bits = [UInt64](repeating: 0, count: 128)
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-", maxSplits: 1).map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, first <= last, last < 8_192
            else { return nil }
            for number in first...last { bits[number / 64] |= 1 << UInt64(number % 64) }
        }
        return bits
    }
}

/// Labels of security modules, whose files are opened while the host's /proc is in sight.
struct Labels {
    private var writes: [(file: OpenFile, text: String)] = []
    var descriptors: [Int32] { writes.map(\.file.raw) }

    init(_ process: ProcessConfig) throws(RuntimeFailure) {
        if let profile = process.apparmorProfile, !profile.isEmpty, profile != "unconfined" {
            guard Kernel.read("/sys/module/apparmor/parameters/enabled")?.first == UInt8(ascii: "Y") else {
                throw RuntimeFailure("apparmorProfile is set to '\(profile)', but AppArmor is not enabled on this host")
            }
            var result = Kernel.open("/proc/self/attr/apparmor/exec", O_WRONLY)
            if result < 0 { result = Kernel.open("/proc/self/attr/exec", O_WRONLY) }
            try add(result, "exec \(profile)", "the AppArmor profile \(profile)")
        }
        if let label = process.selinuxLabel, !label.isEmpty {
            guard Self.hasSELinux else {
                throw RuntimeFailure("selinuxLabel is set, but SELinux is not enabled on this host")
            }
            try add(Kernel.open("/proc/self/attr/exec", O_WRONLY), label, "the SELinux label")
        }
    }

    private mutating func add(_ result: Int, _ text: String, _ what: String) throws(RuntimeFailure) {
        let file = try OpenFile(result, "cannot set \(what)")
        guard Kernel.isProc(file.raw) else { throw RuntimeFailure("cannot set \(what): /proc is not procfs") }
        writes.append((file, text))
    }

    private static var hasSELinux: Bool { Kernel.read("/sys/fs/selinux/enforce") != nil }

    /// The label of the container's filesystems, which the kernel takes where SELinux is in force; elsewhere nothing is
    /// labelled, and nothing needs to be.
    static func mountLabel(_ linux: LinuxConfig) -> String? {
        guard let label = linux.mountLabel, !label.isEmpty, hasSELinux else { return nil }
        return label
    }

    func apply() throws(RuntimeFailure) {
        for (file, text) in writes { try check(Kernel.write(text, to: file.raw), "cannot set a label") }
    }
}

/// The session keyring, so that a container does not share its caller's.
enum Keyring {
    static func join(_ name: String) {
        let joinSession = 1
        // Kernels without keys, and filters around us, are nothing to stop for.
        _ = Kernel.withPath(name) { Kernel.call(SYS_keyctl, joinSession, $0) }
    }
}

enum Signals {
    /// Default actions and an empty mask, as a new program expects them.
    static func reset() {
        // By the kernel's own call: the C library keeps two real-time signals to itself and would leave them ignored.
        let standard = [UInt64](repeating: 0, count: 8)
        standard.withUnsafeBytes { action in
            for number in 1...64 where number != 9 && number != 19 {
                _ = Kernel.call(SYS_rt_sigaction, number, Int(bitPattern: action.baseAddress), 0, 8)
            }
        }
        var none = sigset_t()
        sigemptyset(&none)
        sigprocmask(SIG_SETMASK, &none, nil)
    }
}

enum Host {
    static func setName(_ name: String) throws(RuntimeFailure) {
        try check(
            Kernel.withPath(name) { Kernel.call(SYS_sethostname, $0, name.utf8.count) },
            "cannot set the host name to \(name)")
    }

    static func setDomain(_ name: String) throws(RuntimeFailure) {
        try check(
            Kernel.withPath(name) { Kernel.call(SYS_setdomainname, $0, name.utf8.count) },
            "cannot set the domain name to \(name)")
    }
}

/// Kernel settings that belong to the container's namespaces, written through the host's /proc.
enum Sysctl {
    static func write(_ linux: LinuxConfig) throws(RuntimeFailure) {
        if linux.sysctl.isEmpty { return }
        let proc = try OpenFile(Kernel.open("/proc", Kernel.path | Kernel.directory), "cannot open /proc")
        guard Kernel.isProc(proc.raw) else {
            throw RuntimeFailure("cannot set kernel parameters: /proc of this host is not procfs")
        }
        for (name, value) in linux.sysctl {
            guard let path = SysctlRules.file(of: name) else {
                throw RuntimeFailure("linux.sysctl: '\(name)' is not the name of a kernel parameter")
            }
            let file = try OpenFile(
                Kernel.openInProc(proc.raw, "sys/" + path, O_WRONLY), "cannot set sysctl \(name)")
            try check(Kernel.write(value, to: file.raw), "cannot set sysctl \(name) to \(value)")
        }
    }
}

/// The loopback interface of a new network namespace comes up, as everybody expects of a container.
enum Network {
    static func raiseLoopback(_ linux: LinuxConfig) throws(RuntimeFailure) {
        guard let network = linux.namespace(.network), network.path == nil else { return }
        let any = try OpenFile(
            Kernel.call(SYS_socket, Int(AF_INET), Int(SOCK_DGRAM.rawValue) | Int(Kernel.closeOnExec), 0),
            "cannot open a socket")
        var request = [UInt8](repeating: 0, count: 40)
        request.replaceSubrange(0..<2, with: Array("lo".utf8))
        let getFlags = 0x8913
        let setFlags = 0x8914
        let code = request.withUnsafeMutableBytes { bytes in
            let address = Int(bitPattern: bytes.baseAddress)
            let result = Kernel.call(SYS_ioctl, Int(any.raw), getFlags, address)
            guard result >= 0 else { return result }
            bytes[16] |= 1
            return Kernel.call(SYS_ioctl, Int(any.raw), setFlags, address)
        }
        try check(code, "cannot bring the loopback interface up")
    }
}
