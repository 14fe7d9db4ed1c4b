/// The value of an environment variable.
public enum EnvironmentValue: Hashable, Sendable {
    /// As it stands.
    case text(String)
    /// The name of one of the definition's `secrets`.
    case secret(String)
}

/// A file that is put into the work directory before the command starts.
public struct Artifact: Hashable, Sendable {
    /// Where it is.
    public var uri: String
    /// Whether an archive is unpacked.
    public var isExtracted: Bool
    /// Whether it gets the execute bit.
    public var isExecutable: Bool
    /// Whether the agent may keep it for the next task.
    public var isCached: Bool
    /// Its name in the work directory.
    public var destPath: String?

    /// Makes an artifact.
    public init(
        uri: String, isExtracted: Bool = true, isExecutable: Bool = false, isCached: Bool = false,
        destPath: String? = nil
    ) {
        self.uri = uri
        self.isExtracted = isExtracted
        self.isExecutable = isExecutable
        self.isCached = isCached
        self.destPath = destPath
    }
}

/// How much of a resource may be used beyond what was asked for.
public enum ResourceLimit: Hashable, Sendable {
    /// As much as there is.
    case unlimited
    /// That much.
    case amount(Double)
}

/// Limits above what was asked for.
public struct ResourceLimits: Hashable, Sendable {
    /// Of cores.
    public var cpus: ResourceLimit?
    /// Of MiB of memory.
    public var mem: ResourceLimit?

    /// Makes limits.
    public init(cpus: ResourceLimit? = nil, mem: ResourceLimit? = nil) {
        self.cpus = cpus
        self.mem = mem
    }
}

/// What an executor takes beside its tasks.
public struct ExecutorResources: Hashable, Sendable {
    /// Cores.
    public var cpus: Double
    /// MiB of memory.
    public var mem: Double
    /// MiB of disk.
    public var disk: Double

    /// Makes them; the defaults are Marathon's for pods.
    public init(cpus: Double = 0.1, mem: Double = 32, disk: Double = 10) {
        self.cpus = cpus
        self.mem = mem
        self.disk = disk
    }
}

/// Linux settings of a container.
public struct LinuxSettings: Hashable, Sendable {
    /// The seccomp profile's name.
    public var seccompProfile: String?
    /// Whether no profile applies; nil when nothing was said of seccomp.
    public var isSeccompUnconfined: Bool?
    /// `PRIVATE` or `SHARE_PARENT`.
    public var ipcMode: String?
    /// MiB of shared memory.
    public var shmSize: Int?

    /// Makes settings that say nothing.
    public init() {}
}

/// Deprecated in Marathon, where it has no effect any more.
public struct Residency: Hashable, Sendable {
    /// Without effect.
    public var relaunchEscalationTimeoutSeconds: Int
    /// Without effect.
    public var taskLostBehavior: String

    /// Makes it.
    public init(relaunchEscalationTimeoutSeconds: Int = 3600, taskLostBehavior: String = "WAIT_FOREVER") {
        self.relaunchEscalationTimeoutSeconds = relaunchEscalationTimeoutSeconds
        self.taskLostBehavior = taskLostBehavior
    }
}
