internal import Glibc
internal import LinuxSystem

/// The OCI configuration of a task that runs in the host's own root: what its spec says, in the runtime's words.
struct HostBundle {
    let spec: MonitorSpec
    let isolation: MonitorSpec.Isolation
    /// What the process of the container is: the program's name, then its arguments.
    let arguments: [String]
    /// What this process may do and hand on.
    let privileges: Privileges
    /// Whether the machine can limit swap.
    let limitsSwap: Bool

    /// The content of `config.json`.
    var config: String {
        var linux: [(String, JSON)] = [("namespaces", .list(namespaces.map { .object([("type", .text($0))]) }))]
        if isolation.contains(.cgroup) {
            linux.append(("cgroupsPath", .text("/rondo/\(spec.containerID)")))
            // A task in the host's root sees the host's devices, whose files say who may use them.
            linux.append(
                ("resources", resources(devices: [.object([("allow", .flag(true)), ("access", .text("rwm"))])])))
        }
        var mounts: [JSON] = []
        if isolation.isSuperset(of: [.pids, .mounts]) {
            let options = ["nosuid", "noexec", "nodev"].map { JSON.text($0) }
            mounts.append(
                .object([
                    ("destination", .text("/proc")), ("type", .text("proc")), ("source", .text("proc")),
                    ("options", .list(options)),
                ]))
        }
        if isolation.contains(.mounts), let secrets = secretMount { mounts.append(secrets) }
        return JSON.object([
            ("ociVersion", .text("1.0.2")), ("process", process(capabilities)),
            ("root", .object([("path", .text("/"))])),
            ("mounts", .list(mounts)), ("linux", .object(linux)),
        ]).encoded
    }

    var credentials: MonitorSpec.Credentials {
        spec.credentials ?? MonitorSpec.Credentials(uid: privileges.uid, gid: privileges.gid, groups: [])
    }

    /// Memory for the files of secrets, in the task's own table of mounts and so gone with it.
    var secretMount: JSON? {
        spec.secretDirectory.map { directory in
            let options = [
                "nosuid", "noexec", "nodev", "mode=0700", "uid=\(credentials.uid)", "gid=\(credentials.gid)", "size=1m",
                "nr_inodes=256",
            ]
            return .object([
                ("destination", .text(directory)), ("type", .text("tmpfs")), ("source", .text("secrets")),
                ("options", .list(options.map { .text($0) })),
            ])
        }
    }

    /// As without a container: root may do what the agent may, others what their programs' files give them.
    private var capabilities: JSON {
        let effective = credentials.uid == 0 ? privileges.permitted : 0
        return Self.capabilities(bounding: privileges.bounding, effective: effective)
    }

    static func capabilities(bounding: UInt64, effective: UInt64, kept: UInt64 = 0) -> JSON {
        .object([
            ("bounding", names(bounding)), ("effective", names(effective)), ("permitted", names(effective)),
            ("inheritable", names(kept)), ("ambient", names(kept)),
        ])
    }

    func process(_ capabilities: JSON, directory: String = "/", mayGainRights: Bool = true) -> JSON {
        let credentials = credentials
        let user = JSON.object([
            ("uid", .number(UInt64(credentials.uid))), ("gid", .number(UInt64(credentials.gid))),
            ("additionalGids", .list(credentials.groups.map { .number(UInt64($0)) })), ("umask", .number(0o022)),
        ])
        var limits = spec.resourceLimits.compactMap { limit in
            Rlimit.name(Int(limit.resource)).map { Self.limit($0, soft: limit.soft, hard: limit.hard) }
        }
        // The agent has raised its own, and many programs walk through all the descriptors that they might have.
        if !spec.resourceLimits.contains(where: { $0.resource == RLIMIT_NOFILE.rawValue }) {
            let hard = privileges.openFiles
            limits.append(Self.limit("RLIMIT_NOFILE", soft: min(Self.openFiles, hard), hard: hard))
        }
        var members: [(String, JSON)] = [
            ("user", user), ("args", .list(arguments.map { .text($0) })),
            ("env", .list(spec.environment.map { .text("\($0.name)=\($0.value)") })),
            ("cwd", .text(directory)), ("capabilities", capabilities), ("rlimits", .list(limits)),
            ("noNewPrivileges", .flag(!mayGainRights)),
        ]
        // In the host's root the monitor makes the terminal itself.
        if let size = spec.terminal, spec.root != nil {
            let console: [(String, JSON)] = [
                ("height", .number(UInt64(size.rows))), ("width", .number(UInt64(size.columns))),
            ]
            members += [("terminal", .flag(true)), ("consoleSize", .object(console))]
        }
        return .object(members)
    }

    /// Open files of a process that asks for no more, as everywhere.
    private static let openFiles: UInt64 = 1_024

    private static func limit(_ name: String, soft: UInt64, hard: UInt64) -> JSON {
        .object([("type", .text(name)), ("soft", .number(soft)), ("hard", .number(hard))])
    }

    private static func names(_ set: UInt64) -> JSON {
        .list(
            (0..<Capability.count).filter { set & 1 << UInt64($0) != 0 }.compactMap { Capability.name($0) }.map {
                .text($0)
            })
    }

    private var namespaces: [String] {
        let all: [(MonitorSpec.Isolation, String)] = [
            (.pids, "pid"), (.mounts, "mount"), (.ipc, "ipc"), (.uts, "uts"),
        ]
        return all.filter { isolation.contains($0.0) }.map(\.1)
    }

    func resources(devices: [JSON]) -> JSON {
        let limits = spec.limits
        var cpu: [(String, JSON)] = []
        if let shares = limits.shares { cpu.append(("shares", .number(shares))) }
        if let quota = limits.quotaMicroseconds {
            cpu += [("quota", .number(quota)), ("period", .number(CgroupLimits.periodMicroseconds))]
        }
        var memory: [(String, JSON)] = []
        // Swap counts: a task gets no more by way of it.
        if let bytes = limits.memoryBytes {
            memory.append(("limit", .number(bytes)))
            if limitsSwap { memory.append(("swap", .number(bytes))) }
        }
        var all: [(String, JSON)] = [
            ("devices", .list(devices)),
            ("cpu", .object(cpu)), ("memory", .object(memory)),
        ]
        if let pids = limits.pids {
            // The init process counts too, but is not the task's.
            all.append(("pids", .object([("limit", .number(min(pids, UInt64(Int64.max) - 1) + 1))])))
        }
        return .object(all)
    }
}

/// What a process may do, out of `/proc/self/status` (proc_pid_status(5)).
struct Privileges: Equatable {
    var uid: UInt32
    var gid: UInt32
    var permitted: UInt64 = 0
    var bounding: UInt64 = 0
    /// How many files it may have open at most.
    var openFiles: UInt64 = 4_096

    /// This process's.
    static func own() throws(SystemError) -> Privileges {
        var own = Privileges(uid: geteuid(), gid: getegid())
        var files = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files) == 0 {
            own.openFiles = UInt64(files.rlim_max)
        }
        let status = String(decoding: try readFile("/proc/self/status", limit: 65_536), as: UTF8.self)
        for line in status.split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == ":" || $0 == "\t" })
            guard fields.count == 2, let set = UInt64(fields[1], radix: 16) else { continue }
            if fields[0] == "CapPrm" { own.permitted = set }
            if fields[0] == "CapBnd" { own.bounding = set }
        }
        return own
    }
}

/// A JSON value on its way out (RFC 8259).
indirect enum JSON {
    case text(String)
    case number(UInt64)
    case flag(Bool)
    case list([JSON])
    case object([(String, JSON)])

    var encoded: String {
        switch self {
        case .text(let text): return Self.quoted(text)
        case .number(let number): return String(number)
        case .flag(let flag): return flag ? "true" : "false"
        case .list(let list): return "[" + list.map(\.encoded).joined(separator: ",") + "]"
        case .object(let members):
            return "{" + members.map { Self.quoted($0.0) + ":" + $0.1.encoded }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                quoted.unicodeScalars.append("\\")
                quoted.unicodeScalars.append(scalar)
            case "\0"..."\u{1f}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u00" + (digits.utf8.count < 2 ? "0" : "") + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
