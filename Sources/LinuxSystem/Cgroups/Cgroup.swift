import Glibc

/// One task's control group, the same to its user on cgroup version 1 and 2.
///
/// A value that names the group; making and removing it are calls. All of them block for a moment.
public struct Cgroup: Equatable, Sendable {
    /// Where groups are on this machine.
    public let layout: CgroupLayout
    /// Name below the parent group.
    public let name: String

    /// Names a group.
    ///
    /// - Returns: nil when the name could mean anything but one directory; see
    ///   ``MonitorSpec/isValidContainerID(_:)``.
    public init?(layout: CgroupLayout, name: String) {
        guard MonitorSpec.isValidContainerID(name) else { return nil }
        self.layout = layout
        self.name = name
    }

    /// Directories of the group, one per tree; controllers that share a mount share a directory.
    public var directories: [String] { layout.parentDirectories.map { "\($0)/\(name)" } }

    /// Directory of the group in the tree of one controller.
    func directory(of controller: String) -> String? {
        layout.mounts[layout.version == .v1 ? controller : ""].map { "\($0)/\(layout.parent)/\(name)" }
    }

    /// Whether any part of the group is there.
    public var exists: Bool { directories.contains(where: isDirectory) }

    // MARK: Making

    /// Makes the group and sets its limits; one that is there already gets the new limits.
    ///
    /// - Throws: the failed call, also when a limit is wanted whose controller the machine lacks. The group may then
    ///   be there in part: ``destroy()`` removes it.
    public func create(limits: CgroupLimits) throws(SystemError) {
        if layout.version == .v2 { try delegateControllers() }
        for directory in directories { try makeDirectories(directory) }
        try apply(limits)
    }

    /// Sets the limits of a group that is there.
    public func apply(_ limits: CgroupLimits) throws(SystemError) {
        switch layout.version {
        case .v1:
            try set("cpu", "cpu.shares", limits.shares.map { "\($0)" })
            if let quota = limits.quotaMicroseconds {
                try set("cpu", "cpu.cfs_period_us", "\(CgroupLimits.periodMicroseconds)")
                try set("cpu", "cpu.cfs_quota_us", "\(quota)")
            }
            try set("memory", "memory.limit_in_bytes", limits.memoryBytes.map { "\($0)" })
            try setIfThere("memory", "memory.memsw.limit_in_bytes", limits.memoryBytes.map { "\($0)" })
        case .v2:
            try set("cpu", "cpu.weight", limits.weight.map { "\($0)" })
            try set("cpu", "cpu.max", limits.quotaMicroseconds.map { "\($0) \(CgroupLimits.periodMicroseconds)" })
            try set("memory", "memory.max", limits.memoryBytes.map { "\($0)" })
            try setIfThere("memory", "memory.swap.max", limits.memoryBytes.map { _ in "0" })
        }
        try set("pids", "pids.max", limits.pids.map { "\($0)" })
    }

    /// A controller works in a group only when every group above passes it on (cgroup-v2.rst, "Enabling").
    private func delegateControllers() throws(SystemError) {
        guard let root = layout.mounts[""] else { return }
        let parent = "\(root)/\(layout.parent)"
        try makeDirectories(parent)
        for directory in [root, parent] {
            let available = try readText("\(directory)/cgroup.controllers", limit: 4096)
                .split(whereSeparator: { $0 == " " || $0 == "\n" })
            for controller in ["cpu", "memory", "pids"] where available.contains(Substring(controller)) {
                try layout.write("+\(controller)", to: "\(directory)/cgroup.subtree_control")
            }
        }
    }

    private func set(_ controller: String, _ file: String, _ value: String?) throws(SystemError) {
        guard let value else { return }
        guard let directory = directory(of: controller) else {
            throw SystemError(call: "set \(file)", path: "cgroup controller \(controller)", errno: ENODEV)
        }
        try layout.write(value, to: "\(directory)/\(file)")
    }

    /// For accounting of swap, which kernels may be built without.
    private func setIfThere(_ controller: String, _ file: String, _ value: String?) throws(SystemError) {
        do throws(SystemError) {
            try set(controller, file, value)
        } catch {
            guard [ENOENT, EACCES, EPERM, EOPNOTSUPP].contains(error.errno) else { throw error }
        }
    }

    /// Moves a process, and with it what it will start, into the group.
    public func add(pid: Int32) throws(SystemError) {
        for directory in directories { try layout.write("\(pid)", to: "\(directory)/cgroup.procs") }
    }

    // MARK: Asking

    /// Processes in the group and in groups that the task made below it.
    public func processes() -> [Int32] {
        var found: Set<Int32> = []
        for directory in directories { found.formUnion(processes(below: directory, depth: 0)) }
        return found.sorted()
    }

    private func processes(below directory: String, depth: Int) -> [Int32] {
        guard depth < 32 else { return [] }
        let text = (try? readText("\(directory)/cgroup.procs", limit: 64 << 20)) ?? ""
        // The kernel shows processes of other pid namespaces as 0, which kill(2) would take for our own group.
        let own = text.split(separator: "\n").compactMap { Int32($0) }.filter { $0 > 1 && $0 != getpid() }
        return children(of: directory).reduce(into: own) { $0 += processes(below: $1, depth: depth + 1) }
    }

    private func children(of directory: String) -> [String] {
        ((try? listDirectory(directory)) ?? []).map { "\(directory)/\($0)" }.filter(isDirectory)
    }

    /// How often the kernel killed a process of the group for want of memory.
    public func oomKills() -> UInt64 {
        guard let directory = directory(of: "memory") else { return 0 }
        let file = layout.version == .v1 ? "memory.oom_control" : "memory.events"
        return value(of: "oom_kill", in: "\(directory)/\(file)") ?? 0
    }

    /// What a group has used.
    public struct Usage: Equatable, Sendable {
        /// Processor time in nanoseconds.
        public var cpuNanoseconds: UInt64?
        /// Memory now, in bytes, page cache included.
        public var memoryBytes: UInt64?
        /// Most memory at a time, in bytes.
        public var peakMemoryBytes: UInt64?
        /// Processes and threads now.
        public var pids: UInt64?
    }

    /// What the group has used; nil where the kernel does not account it.
    public func usage() -> Usage {
        func number(_ controller: String, _ file: String) -> UInt64? {
            guard let directory = directory(of: controller),
                let text = try? readText("\(directory)/\(file)", limit: 4096)
            else { return nil }
            return UInt64(text.prefix { $0 != "\n" })
        }
        switch layout.version {
        case .v1:
            return Usage(
                cpuNanoseconds: number("cpuacct", "cpuacct.usage"),
                memoryBytes: number("memory", "memory.usage_in_bytes"),
                peakMemoryBytes: number("memory", "memory.max_usage_in_bytes"), pids: number("pids", "pids.current"))
        case .v2:
            let microseconds = directory(of: "cpu").flatMap { value(of: "usage_usec", in: "\($0)/cpu.stat") }
            return Usage(
                cpuNanoseconds: microseconds.flatMap {
                    let (product, overflow) = $0.multipliedReportingOverflow(by: 1000)
                    return overflow ? nil : product
                },
                memoryBytes: number("memory", "memory.current"), peakMemoryBytes: number("memory", "memory.peak"),
                pids: number("pids", "pids.current"))
        }
    }

    /// A line "key value" of a flat keyed file.
    private func value(of key: String, in path: String) -> UInt64? {
        guard let text = try? readText(path, limit: 65536) else { return nil }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, fields[0] == key { return UInt64(fields[1]) }
        }
        return nil
    }

    // MARK: Ending

    /// How long ``killAll()`` and ``destroy()`` wait for the kernel, in milliseconds each.
    static let patienceMilliseconds: Int64 = 5000

    /// Kills every process in the group and waits until none is left.
    ///
    /// - Throws: `ETIMEDOUT` when some are still there after five seconds, as processes stuck in the kernel are.
    public func killAll() throws(SystemError) {
        let deadline = HostFacts.monotonicMilliseconds() + Self.patienceMilliseconds
        var pause: Int64 = 1
        while true {
            if processes().isEmpty { return }
            killOnce()
            if processes().isEmpty { return }
            guard HostFacts.monotonicMilliseconds() < deadline else {
                throw SystemError(call: "kill all processes", path: directories.first, errno: ETIMEDOUT)
            }
            sleepMilliseconds(pause)
            pause = min(pause * 2, 20)
        }
    }

    private func killOnce() {
        if layout.version == .v2, let directory = directory(of: ""), !layout.isRehearsal,
            (try? layout.write("1", to: "\(directory)/cgroup.kill")) != nil
        {
            return
        }
        // Frozen processes cannot fork away from a listing, nor can their numbers be used again.
        let freezer: (path: String, on: String, off: String)? =
            layout.version == .v1
            ? directory(of: "freezer").map { ("\($0)/freezer.state", "FROZEN", "THAWED") }
            : directory(of: "").map { ("\($0)/cgroup.freeze", "1", "0") }
        if let freezer {
            try? layout.write(freezer.on, to: freezer.path)
            waitUntilFrozen(freezer.path)
        }
        for pid in processes() { kill(pid, SIGKILL) }
        if let freezer { try? layout.write(freezer.off, to: freezer.path) }
    }

    /// A process that is stuck in the kernel keeps the group in FREEZING; it is killed all the same.
    private func waitUntilFrozen(_ path: String) {
        guard layout.version == .v1 else { return }
        for _ in 0..<20 {
            guard let state = try? readText(path, limit: 64), state.hasPrefix("FREEZING") else { return }
            sleepMilliseconds(1)
        }
    }

    /// Kills every process in the group and removes it; one that is not there is fine.
    ///
    /// - Throws: what still stood in the way after ten seconds.
    public func destroy() throws(SystemError) {
        guard exists else { return }
        try killAll()
        let deadline = HostFacts.monotonicMilliseconds() + Self.patienceMilliseconds
        var pause: Int64 = 1
        while true {
            do throws(SystemError) {
                for directory in directories { try remove(directory, depth: 0) }
                return
            } catch {
                guard error.errno == EBUSY, HostFacts.monotonicMilliseconds() < deadline else { throw error }
            }
            killOnce()
            sleepMilliseconds(pause)
            pause = min(pause * 2, 20)
        }
    }

    private func remove(_ directory: String, depth: Int) throws(SystemError) {
        if depth < 32, !layout.isRehearsal {
            for child in children(of: directory) { try remove(child, depth: depth + 1) }
        }
        try layout.removeGroup(directory)
    }
}

/// Waits without a clock of its own; for retries against the kernel, which has no event to wait for here.
func sleepMilliseconds(_ milliseconds: Int64) {
    var time = timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    nanosleep(&time, nil)
}
