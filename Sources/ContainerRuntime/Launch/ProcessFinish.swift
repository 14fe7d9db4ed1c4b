internal import CLinux
internal import Glibc
internal import LinuxSystem

/// The last steps of a process on its way into a container's program, for init and exec alike: everything that a
/// program must not have is given up, in the order in which the rest is still allowed.
struct ProcessFinish {
    private let process: ProcessConfig

    init(_ process: ProcessConfig) { self.process = process }

    /// `labels`: of the security modules; their files are open already.
    /// `preserve`: descriptors above standard error that the program keeps.
    /// `keep`: descriptors needed until there is the program. All others are closed before the container is there for
    /// anybody to look into.
    /// `seccomp`: the filter, compiled, with whom to tell about it.
    /// `ready`: called when nothing but the filter and the program itself is left to fail.
    /// `warn`: called with what is not worth failing.
    /// `then`: called last, before the program, with its environment.
    func becomeProgram(
        labels: Labels, preserve: Int, keep: [Int32], seccomp: SeccompStep?, personality: PersonalityConfig?,
        memoryPolicy: MemoryPolicyConfig?, warn: (String) -> Void, ready: () throws(RuntimeFailure) -> Void,
        then: ([String]) throws(RuntimeFailure) -> Void
    ) throws(RuntimeFailure) -> Never {
        try Scheduling.apply(process)
        if let personality { try Scheduling.set(personality) }
        if let memoryPolicy { try Scheduling.set(memoryPolicy) }
        if process.noNewPrivileges {
            try check(Kernel.control(38, 1), "cannot set no_new_privs")  // PR_SET_NO_NEW_PRIVS
        }
        try labels.apply()
        try Descriptors.close(from: 3 + preserve, but: keep + labels.descriptors + (seccomp?.descriptors ?? []))
        try Capabilities.dropBounding(keep: process.capabilities?.bounding ?? 0)
        giveStreams()
        // Some directories can be entered only by one of the two users.
        var entered = enterDirectory()
        try becomeUser(staysAbleToFilter: seccomp != nil && !process.noNewPrivileges, warn)
        if entered < 0 { entered = enterDirectory() }
        try check(entered, "chdir to cwd (\"\(process.cwd)\") set in config.json failed")
        try checkDirectory()
        let program = try findProgram()
        let environment = environment()
        // As late as it may be, for the filter need not allow what the steps before take; yet who listens to it is told
        // before the container is there for others.
        try seccomp?.load()
        if seccomp != nil, !process.noNewPrivileges { try becomeUnableToFilter(warn) }
        try ready()
        try then(environment)
        let code = CStrings.with(process.args) { arguments in
            CStrings.with(environment) { environment in
                Kernel.withPath(program) {
                    Kernel.call(SYS_execve, $0, Int(bitPattern: arguments), Int(bitPattern: environment))
                }
            }
        }
        var failure = RuntimeFailure("exec \(program)", errno: Int32(truncatingIfNeeded: -code))
        failure.isTold = true
        throw failure
    }

    /// The streams become the user's, so that it can open them again by name; what cannot be given is left.
    private func giveStreams() {
        for stream: Int32 in 0...2 {
            var facts = stat()
            guard fstat(stream, &facts) == 0, facts.st_uid != process.user.uid else { continue }
            // The null device is everybody's.
            if facts.st_mode & S_IFMT == S_IFCHR, facts.st_rdev == 0x103 { continue }
            // A terminal stays with the group that write(1) and its like go by.
            let group = facts.st_mode & S_IFMT == S_IFCHR ? facts.st_gid : process.user.gid
            _ = Kernel.call(SYS_fchown, Int(stream), Int(process.user.uid), Int(group))
        }
    }

    private func enterDirectory() -> Int { Kernel.withPath(process.cwd) { Kernel.call(SYS_chdir, $0) } }

    /// A directory that came through a leaked descriptor is outside of the root: the kernel then has no name for it
    /// (CVE-2024-21626).
    private func checkDirectory() throws(RuntimeFailure) {
        var buffer = [CChar](repeating: 0, count: 4_096)
        guard getcwd(&buffer, buffer.count) != nil, buffer[0] == CChar(UInt8(ascii: "/")) else {
            throw RuntimeFailure("the working directory \(process.cwd) is outside of the container's root")
        }
    }

    /// Without no_new_privs the kernel takes a filter from a process with CAP_SYS_ADMIN only.
    private func becomeUser(staysAbleToFilter: Bool, _ warn: (String) -> Void) throws(RuntimeFailure) {
        let user = process.user
        let keepCapabilities: Int32 = 8
        try check(Kernel.control(keepCapabilities, 1), "cannot keep capabilities")
        let denied = Kernel.read("/proc/self/setgroups").map { $0.starts(with: Array("deny".utf8)) } ?? false
        if !denied {
            let groups = user.additionalGids
            let code = groups.withUnsafeBufferPointer {
                Kernel.call(SYS_setgroups, $0.count, Int(bitPattern: $0.baseAddress))
            }
            if code < 0, code != -Int(EPERM) || !groups.isEmpty {
                try check(code, "cannot set the groups of the process")
            }
        } else if !user.additionalGids.isEmpty {
            throw RuntimeFailure("additional groups cannot be set: the user namespace does not allow setgroups")
        }
        let gid = Int(user.gid)
        let uid = Int(user.uid)
        try check(Kernel.call(SYS_setresgid, gid, gid, gid), "cannot become group \(gid)")
        try check(Kernel.call(SYS_setresuid, uid, uid, uid), "cannot become user \(uid)")
        try check(Kernel.control(keepCapabilities, 0), "cannot reset the keeping of capabilities")
        if let mask = user.umask { umask(mode_t(truncatingIfNeeded: mask)) }
        let sets = process.capabilities ?? CapabilitiesConfig()
        guard staysAbleToFilter else { return try Capabilities.apply(sets, warn) }
        var larger = sets
        larger.effective |= Capabilities.administration
        larger.permitted |= Capabilities.administration
        larger.ambient = 0
        do throws(RuntimeFailure) {
            try Capabilities.apply(larger, warn)
        } catch {
            // Who never had it is refused by the kernel when the filter is loaded.
            try Capabilities.apply(sets, warn)
        }
    }

    private func becomeUnableToFilter(_ warn: (String) -> Void) throws(RuntimeFailure) {
        try Capabilities.apply(process.capabilities ?? CapabilitiesConfig(), warn)
    }

    /// Looks the program up as a shell would, so that a missing one is told at `create` and not after `start`.
    private func findProgram() throws(RuntimeFailure) -> String {
        guard let name = process.args.first, !name.isEmpty else {
            throw RuntimeFailure("process.args is empty; it needs at least the name of a program")
        }
        if name.contains("/") {
            try checkProgram(name, as: name)
            return name
        }
        let path = process.env.last { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) } ?? ""
        var denied = false
        for folder in path.split(separator: ":", omittingEmptySubsequences: false) {
            let candidate = (folder.isEmpty ? "." : String(folder)) + "/" + name
            let code = Self.look(candidate)
            if code == 0 { return candidate }
            if code == -Int(EACCES) { denied = true }
        }
        if denied { throw RuntimeFailure("exec: \"\(name)\": permission denied") }
        throw RuntimeFailure("exec: \"\(name)\": executable file not found in $PATH")
    }

    private func checkProgram(_ path: String, as name: String) throws(RuntimeFailure) {
        let code = Self.look(path)
        if code == -Int(ENOENT) || code == -Int(ENOTDIR) {
            throw RuntimeFailure("exec: \"\(name)\": stat \(path): no such file or directory")
        }
        if code < 0 { throw RuntimeFailure("exec: \"\(name)\"", errno: Int32(truncatingIfNeeded: -code)) }
    }

    private static func look(_ path: String) -> Int {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return -Int(errno) }
        if facts.st_mode & S_IFMT == S_IFDIR { return -Int(EACCES) }
        // By the capabilities that the program will have, which access(2) does not look at.
        let byEffective = 0x200
        let code = Kernel.withPath(path) { Kernel.call(439, Int(AT_FDCWD), $0, Int(X_OK), byEffective) }  // faccessat2
        if code != -Int(ENOSYS) { return code }
        return access(path, X_OK) == 0 ? 0 : -Int(errno)
    }

    /// Every variable once, with its last value, and HOME of the user when none is set, as runc has it.
    private func environment() -> [String] {
        var places: [Substring: Int] = [:]
        var list: [String] = []
        for entry in process.env {
            let name = entry.prefix { $0 != "=" }
            if let place = places[name] {
                list[place] = entry
            } else {
                places[name] = list.count
                list.append(entry)
            }
        }
        if let place = places["HOME"], list[place] != "HOME=" { return list }
        var home = "/"
        if let accounts = Kernel.read("/etc/passwd", limit: 4 << 20) {
            for line in accounts.split(separator: UInt8(ascii: "\n")) {
                let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                guard fields.count >= 6, String(decoding: fields[2], as: UTF8.self) == String(process.user.uid) else {
                    continue
                }
                if !fields[5].isEmpty { home = String(decoding: fields[5], as: UTF8.self) }
                break
            }
        }
        return list.filter { !$0.hasPrefix("HOME=") } + ["HOME=\(home)"]
    }
}

enum Descriptors {
    /// Closes all from a number on but a few; where the kernel cannot close ranges, all go with the program at last.
    static func close(from first: Int, but kept: [Int32]) throws(RuntimeFailure) {
        var next = first
        for descriptor in kept.map(Int.init).sorted() + [Int(Int32.max)] where descriptor >= next {
            if descriptor > next, Kernel.call(SYS_close_range, next, descriptor - 1, 0) < 0 {
                try check(Int(clinux_close_on_exec_from(Int32(first))), "cannot mark descriptors to be closed")
                return
            }
            next = descriptor + 1
        }
    }
}

/// The five sets of capabilities (capabilities(7)).
enum Capabilities {
    private static let last = 63
    /// CAP_SYS_ADMIN.
    static let administration: UInt64 = 1 << 21

    static func dropBounding(keep: UInt64) throws(RuntimeFailure) {
        let isInBounding: Int32 = 23
        let drop: Int32 = 24
        for number in 0...last where keep & (1 << UInt64(number)) == 0 {
            let code = Kernel.control(drop, number)
            // The kernel has no more of them.
            if code == -Int(EINVAL) { return }
            // What is not there may be dropped by nobody and need not.
            if code < 0, Kernel.control(isInBounding, number) == 1 {
                try check(code, "cannot drop capability \(number) for good")
            }
        }
    }

    static func apply(_ sets: CapabilitiesConfig, _ warn: (String) -> Void) throws(RuntimeFailure) {
        let version: UInt32 = 0x2008_0522
        var header: (UInt32, Int32) = (version, 0)
        func low(_ set: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: set) }
        func high(_ set: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: set >> 32) }
        var data: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
            low(sets.effective), low(sets.permitted), low(sets.inheritable), high(sets.effective),
            high(sets.permitted), high(sets.inheritable)
        )
        let code = withUnsafeMutablePointer(to: &header) { header in
            withUnsafeMutablePointer(to: &data) { data in
                Kernel.call(SYS_capset, Int(bitPattern: header), Int(bitPattern: data))
            }
        }
        try check(code, "cannot set the capabilities")
        let ambient: Int32 = 47
        let clearAll = 4
        let raise = 2
        _ = Kernel.control(ambient, clearAll)
        for number in 0...last where sets.ambient & (1 << UInt64(number)) != 0 {
            // As runc does, a set that the other sets do not allow is left as it is.
            let code = Kernel.control(ambient, raise, number)
            guard code < 0 else { continue }
            let failure = RuntimeFailure(
                "can't raise ambient capability \(Capability.name(number) ?? String(number))",
                errno: Int32(truncatingIfNeeded: -code))
            warn(failure.message)
        }
    }
}

/// Loading the system call filter at the right moment, and passing on its notifications.
struct SeccompStep {
    let program: SeccompProgram
    /// Connected before the container's root was entered.
    let listener: OpenFile?
    var descriptors: [Int32] { listener.map { [$0.raw] } ?? [] }
    /// What the listener is told; the container process state of the runtime-spec.
    let state: JSONValue

    /// `pid`: of this process, as the host counts.
    init(_ program: SeccompProgram, pid: Int32, state: JSONValue) throws(RuntimeFailure) {
        self.program = program
        do throws(RuntimeFailure) {
            listener = try program.listenerPath.map { path throws(RuntimeFailure) in try Sockets.connect(path) }
        } catch {
            throw RuntimeFailure(
                "failed to connect with seccomp agent specified in the seccomp profile: \(error.message)")
        }
        var members = [
            JSONMember(name: "ociVersion", value: .string("1.3.0")),
            JSONMember(name: "fds", value: .array([.string("seccompFd")])),
            JSONMember(name: "pid", value: .number(String(pid))),
        ]
        if let metadata = program.listenerMetadata {
            members.append(JSONMember(name: "metadata", value: .string(metadata)))
        }
        members.append(JSONMember(name: "state", value: state))
        self.state = .object(members)
    }

    func load() throws(RuntimeFailure) {
        guard let notifications = try program.load() else { return }
        guard let listener else { throw RuntimeFailure("the filter notifies nobody: listenerPath is missing") }
        let text = Array(state.text().utf8)
        let code = text.withUnsafeBytes {
            clinux_send_descriptor(listener.raw, $0.baseAddress, $0.count, notifications)
        }
        try check(Int(code), "cannot hand the filter's notifications to \(program.listenerPath ?? "its listener")")
        Kernel.close(notifications)
    }
}
