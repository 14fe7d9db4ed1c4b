/// `linux.resources`: limits of the container's cgroup (OCI runtime-spec, config-linux.md). nil: not said.
struct ResourcesConfig: Equatable, Sendable {
    var devices: [DeviceRule] = []
    var memory = MemoryConfig()
    var cpu = CPUConfig()
    /// -1 for no limit.
    var pids: Int64?
    var blockIO = BlockIOConfig()
    var hugepageLimits: [(pageSize: String, limit: UInt64)] = []
    var network = NetworkConfig()
    /// Device → limits of RDMA.
    var rdma: [(device: String, hcaHandles: UInt32?, hcaObjects: UInt32?)] = []
    /// cgroup v2 files and what to write to them, last of all.
    var unified: [(file: String, value: String)] = []

    static func == (left: Self, right: Self) -> Bool {
        left.devices == right.devices && left.memory == right.memory && left.cpu == right.cpu
            && left.pids == right.pids && left.blockIO == right.blockIO && left.network == right.network
            && left.hugepageLimits.elementsEqual(right.hugepageLimits, by: ==)
            && left.rdma.elementsEqual(right.rdma, by: ==) && left.unified.elementsEqual(right.unified, by: ==)
    }
}

/// An entry of the device list; entries apply in order.
struct DeviceRule: Equatable, Sendable {
    var allow: Bool
    /// `a`, `b` or `c`.
    var type: Character = "a"
    /// nil for any.
    var major: Int64?
    var minor: Int64?
    /// Some of `rwm`.
    var access: String = "rwm"
}

/// Bytes; -1 for no limit.
struct MemoryConfig: Equatable, Sendable {
    var limit: Int64?
    var reservation: Int64?
    var swap: Int64?
    var kernel: Int64?
    var kernelTCP: Int64?
    var swappiness: UInt64?
    var disableOOMKiller: Bool?
    var useHierarchy: Bool?
    var checkBeforeUpdate: Bool?
}

struct CPUConfig: Equatable, Sendable {
    var shares: UInt64?
    /// Microseconds per period; -1 for no limit.
    var quota: Int64?
    /// Microseconds.
    var burst: UInt64?
    /// Microseconds.
    var period: UInt64?
    var realtimeRuntime: Int64?
    var realtimePeriod: UInt64?
    var cpus: String?
    var mems: String?
    var idle: Int64?
}

struct BlockIOConfig: Equatable, Sendable {
    struct Weight: Equatable, Sendable {
        var major: Int64
        var minor: Int64
        var weight: UInt16?
        var leafWeight: UInt16?
    }

    struct Throttle: Equatable, Sendable {
        var major: Int64
        var minor: Int64
        var rate: UInt64
    }

    var weight: UInt16?
    var leafWeight: UInt16?
    var weightDevice: [Weight] = []
    var readBps: [Throttle] = []
    var writeBps: [Throttle] = []
    var readIOPS: [Throttle] = []
    var writeIOPS: [Throttle] = []
}

struct NetworkConfig: Equatable, Sendable {
    var classID: UInt32?
    var priorities: [(interface: String, priority: UInt32)] = []

    static func == (left: Self, right: Self) -> Bool {
        left.classID == right.classID && left.priorities.elementsEqual(right.priorities, by: ==)
    }
}
