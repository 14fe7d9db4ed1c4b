import Glibc

/// One task's control group, the same to its user on cgroup version 1 and 2.
///
/// A value that names the group. The container runtime makes it; here it is asked, and emptied and removed when nobody
/// else is left to do it. All calls block for a moment.
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
