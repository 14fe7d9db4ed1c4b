import Glibc

/// Facts about the machine, each read when asked for.
public enum HostFacts {
    /// Processors online.
    public static var onlineProcessors: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Memory of the machine in bytes (`MemTotal`).
    public static func totalMemoryBytes() throws(SystemError) -> UInt64 {
        let path = "/proc/meminfo"
        for line in try readText(path).split(separator: "\n") where line.hasPrefix("MemTotal:") {
            let fields = line.split(separator: " ")
            if fields.count >= 2, let kibibytes = UInt64(fields[1]), kibibytes < 1 << 50 { return kibibytes << 10 }
        }
        throw SystemError(call: "read MemTotal", path: path, errno: EINVAL)
    }

    /// Bytes that an unprivileged process could still write to the file system of a path.
    public static func freeDiskBytes(at path: String) throws(SystemError) -> UInt64 {
        var facts = statvfs()
        guard statvfs(path, &facts) == 0 else { throw .last("statvfs", path) }
        let (bytes, overflow) = UInt64(facts.f_bavail).multipliedReportingOverflow(by: UInt64(facts.f_frsize))
        return overflow ? .max : bytes
    }

    /// The machine's name.
    public static func hostname() throws(SystemError) -> String {
        var facts = utsname()
        guard uname(&facts) == 0 else { throw .last("uname") }
        return withUnsafeBytes(of: facts.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Differs after every boot of the machine.
    public static func bootID() throws(SystemError) -> String {
        String(try readText("/proc/sys/kernel/random/boot_id").prefix { $0 != "\n" })
    }

    /// Such as `6.1.0-32-amd64`.
    public static func kernelRelease() throws(SystemError) -> String {
        String(try readText("/proc/sys/kernel/osrelease").prefix { $0 != "\n" })
    }

    /// Wall clock in milliseconds since 1970.
    public static func wallClockMilliseconds() -> Int64 { milliseconds(CLOCK_REALTIME) }

    /// Milliseconds of a clock that only goes forward, from an arbitrary start.
    public static func monotonicMilliseconds() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
