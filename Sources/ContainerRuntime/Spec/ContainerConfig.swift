/// What a container is: the content of a bundle's `config.json` (OCI runtime-spec, config.md and config-linux.md).
///
/// Absent and empty mean the same wherever the specification gives them the same meaning; optionals are kept where
/// "not said" differs from a value.
struct ContainerConfig: Equatable, Sendable {
    var ociVersion: String
    var process: ProcessConfig?
    var root: RootConfig?
    var hostname: String?
    var domainname: String?
    var mounts: [MountConfig] = []
    var hooks = HooksConfig()
    var annotations: [(name: String, value: String)] = []
    var linux = LinuxConfig()

    static func == (left: Self, right: Self) -> Bool {
        left.ociVersion == right.ociVersion && left.process == right.process && left.root == right.root
            && left.hostname == right.hostname && left.domainname == right.domainname && left.mounts == right.mounts
            && left.hooks == right.hooks && left.linux == right.linux
            && left.annotations.elementsEqual(right.annotations, by: ==)
    }
}

/// The container's root filesystem.
struct RootConfig: Equatable, Sendable {
    /// Absolute, or relative to the bundle.
    var path: String
    var readonly = false
}

/// `process`: of the container's init, or of an exec.
struct ProcessConfig: Equatable, Sendable {
    var terminal = false
    var consoleSize: (height: UInt, width: UInt)?
    var user = UserConfig()
    var args: [String] = []
    var env: [String] = []
    /// Absolute.
    var cwd = "/"
    var capabilities: CapabilitiesConfig?
    var rlimits: [RlimitConfig] = []
    var noNewPrivileges = false
    var apparmorProfile: String?
    var selinuxLabel: String?
    var oomScoreAdj: Int?
    var scheduler: SchedulerConfig?
    var ioPriority: IOPriorityConfig?
    var execCPUAffinity: ExecCPUAffinity?

    static func == (left: Self, right: Self) -> Bool {
        left.terminal == right.terminal && left.consoleSize?.height == right.consoleSize?.height
            && left.consoleSize?.width == right.consoleSize?.width && left.user == right.user
            && left.args == right.args && left.env == right.env && left.cwd == right.cwd
            && left.capabilities == right.capabilities && left.rlimits == right.rlimits
            && left.noNewPrivileges == right.noNewPrivileges && left.apparmorProfile == right.apparmorProfile
            && left.selinuxLabel == right.selinuxLabel && left.oomScoreAdj == right.oomScoreAdj
            && left.scheduler == right.scheduler && left.ioPriority == right.ioPriority
            && left.execCPUAffinity == right.execCPUAffinity
    }
}

struct UserConfig: Equatable, Sendable {
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    var umask: UInt32?
    var additionalGids: [UInt32] = []
}

/// Sets of capability numbers; bit n stands for capability n. Names the kernel does not know are dropped with a
/// warning when they are read, as runc does.
struct CapabilitiesConfig: Equatable, Sendable {
    var bounding: UInt64 = 0
    var effective: UInt64 = 0
    var permitted: UInt64 = 0
    var inheritable: UInt64 = 0
    var ambient: UInt64 = 0
}

struct RlimitConfig: Equatable, Sendable {
    /// `RLIMIT_…` as its number on Linux.
    var resource: Int32
    var soft: UInt64
    var hard: UInt64
}

/// `process.scheduler`, for sched_setattr(2).
struct SchedulerConfig: Equatable, Sendable {
    /// SCHED_… as its number.
    var policy: UInt32
    var nice: Int32 = 0
    var priority: Int32 = 0
    /// SCHED_FLAG_… bits.
    var flags: UInt64 = 0
    var runtime: UInt64 = 0
    var deadline: UInt64 = 0
    var period: UInt64 = 0
}

/// `process.ioPriority`, for ioprio_set(2).
struct IOPriorityConfig: Equatable, Sendable {
    /// 1 real time, 2 best effort, 3 idle.
    var ioClass: Int32
    var priority: Int32
}

/// Lists of cpus as the kernel writes them, such as `0-3,7`.
struct ExecCPUAffinity: Equatable, Sendable {
    var initial: String?
    var final: String?
}

struct MountConfig: Equatable, Sendable {
    var destination: String
    var type: String?
    var source: String?
    /// As written; ``MountOptions`` reads them.
    var options: [String] = []
    var uidMappings: [IDMapping] = []
    var gidMappings: [IDMapping] = []
}

struct HooksConfig: Equatable, Sendable {
    var prestart: [HookConfig] = []
    var createRuntime: [HookConfig] = []
    var createContainer: [HookConfig] = []
    var startContainer: [HookConfig] = []
    var poststart: [HookConfig] = []
    var poststop: [HookConfig] = []
}

struct HookConfig: Equatable, Sendable {
    var path: String
    /// Argument vector, the first being the program's name; empty stands for the path alone.
    var args: [String] = []
    var env: [String] = []
    /// Seconds.
    var timeout: Int?
}
