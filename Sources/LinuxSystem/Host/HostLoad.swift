import Glibc

/// How busy the machine is, each read when asked for.
public enum HostLoad {
    /// Time that processors have spent since the machine was booted, in ticks of the kernel.
    public struct ProcessorTime: Equatable, Sendable {
        /// In programs, niced ones too.
        public var user: UInt64
        /// In the kernel, interrupts too.
        public var system: UInt64
        /// Idle, and not waiting for a disk.
        public var idle: UInt64
        /// Idle while a disk was waited for.
        public var wait: UInt64
        /// Taken by the host of a virtual machine.
        public var stolen: UInt64

        /// All of it.
        public var total: UInt64 { user &+ system &+ idle &+ wait &+ stolen }

        /// Reads the first line of /proc/stat; nil when it is none.
        init?(stat text: some StringProtocol) {
            let fields = text.prefix { $0 != "\n" }.split(separator: " ")
            guard fields.first == "cpu" else { return nil }
            let numbers = fields.dropFirst().map { UInt64($0) }
            guard numbers.count >= 8, !numbers.contains(nil) else { return nil }
            let known = numbers.map { $0 ?? 0 }
            user = known[0] &+ known[1]
            system = known[2] &+ known[5] &+ known[6]
            idle = known[3]
            wait = known[4]
            stolen = known[7]
        }

        /// Parts of the time since an earlier reading, in percent; nil when no time has passed.
        public func share(
            since earlier: ProcessorTime
        ) -> (busy: Double, user: Double, system: Double, idle: Double, wait: Double)? {
            guard total > earlier.total else { return nil }
            let whole = Double(total - earlier.total)
            func part(_ now: UInt64, _ before: UInt64) -> Double {
                now > before ? Double(now - before) / whole * 100 : 0
            }
            let idle = part(idle, earlier.idle)
            let wait = part(wait, earlier.wait)
            return (
                max(0, 100 - idle - wait), part(user, earlier.user), part(system, earlier.system), idle, wait
            )
        }
    }

    /// Memory of the machine, in bytes.
    public struct Memory: Equatable, Sendable {
        /// All of it.
        public var total: UInt64
        /// Used for nothing.
        public var free: UInt64
        /// What programs could still get.
        public var available: UInt64
        /// Keeps blocks of devices.
        public var buffers: UInt64
        /// Keeps pages of files.
        public var cached: UInt64

        /// Reads /proc/meminfo; nil when something of it is missing.
        init?(meminfo text: String) {
            var values: [Substring: UInt64] = [:]
            for line in text.split(separator: "\n") {
                let fields = line.split(separator: " ")
                guard fields.count >= 2, let kibibytes = UInt64(fields[1]), kibibytes < 1 << 50 else { continue }
                values[fields[0]] = kibibytes << 10
            }
            guard let total = values["MemTotal:"], let free = values["MemFree:"],
                let available = values["MemAvailable:"], let buffers = values["Buffers:"],
                let cached = values["Cached:"]
            else { return nil }
            (self.total, self.free, self.available, self.buffers, self.cached) = (
                total, free, available, buffers, cached
            )
        }
    }

    /// A file system, in bytes.
    public struct FileSystem: Equatable, Sendable {
        /// All of it.
        public var total: UInt64
        /// What an unprivileged process could still write.
        public var free: UInt64
        /// What is written.
        public var used: UInt64
    }

    /// Time that processors have spent.
    ///
    /// - Throws: the call that failed.
    public static func processorTime() throws(SystemError) -> ProcessorTime {
        guard let time = ProcessorTime(stat: try readText("/proc/stat")) else {
            throw SystemError(call: "read processors' time", path: "/proc/stat", errno: EINVAL)
        }
        return time
    }

    /// Memory now.
    ///
    /// - Throws: the call that failed.
    public static func memory() throws(SystemError) -> Memory {
        guard let memory = Memory(meminfo: try readText("/proc/meminfo")) else {
            throw SystemError(call: "read memory", path: "/proc/meminfo", errno: EINVAL)
        }
        return memory
    }

    /// How many wanted a processor, on average over 1, 5 and 15 minutes.
    ///
    /// - Throws: the call that failed.
    public static func averages() throws(SystemError) -> [Double] {
        let numbers = try readText("/proc/loadavg").split(separator: " ").prefix(3).compactMap { Double($0) }
        guard numbers.count == 3 else { throw SystemError(call: "read load", path: "/proc/loadavg", errno: EINVAL) }
        return numbers
    }

    /// The file system of a path.
    ///
    /// - Throws: the call that failed.
    public static func fileSystem(at path: String) throws(SystemError) -> FileSystem {
        var facts = statvfs()
        guard statvfs(path, &facts) == 0 else { throw .last("statvfs", path) }
        func bytes(_ blocks: UInt) -> UInt64 {
            let (bytes, overflow) = UInt64(blocks).multipliedReportingOverflow(by: UInt64(facts.f_frsize))
            return overflow ? .max : bytes
        }
        return FileSystem(
            total: bytes(facts.f_blocks), free: bytes(facts.f_bavail),
            used: bytes(facts.f_blocks >= facts.f_bfree ? facts.f_blocks - facts.f_bfree : 0))
    }
}
