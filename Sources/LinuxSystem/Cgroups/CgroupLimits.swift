/// Limits of one control group. Nil leaves the kernel's default, which is no limit.
public struct CgroupLimits: Equatable, Sendable {
    /// Share of the processor under contention, in thousandths of a core.
    public var cpuMilli: UInt64?
    /// Hard bound of processor time, in thousandths of a core (CFS quota), also when the machine is idle.
    public var cpuQuotaMilli: UInt64?
    /// Memory in bytes, swap included where the kernel can account it.
    public var memoryBytes: UInt64?
    /// Processes and threads at a time.
    public var pids: UInt64?

    /// Limits that are not named stay at the kernel's default.
    public init(
        cpuMilli: UInt64? = nil, cpuQuotaMilli: UInt64? = nil, memoryBytes: UInt64? = nil, pids: UInt64? = nil
    ) {
        self.cpuMilli = cpuMilli
        self.cpuQuotaMilli = cpuQuotaMilli
        self.memoryBytes = memoryBytes
        self.pids = pids
    }

    /// `cpu.shares` of cgroup v1, which the runtime-spec counts in: 1024 for one core, within the kernel's bounds.
    public var shares: UInt64? {
        cpuMilli.map { milli in
            let (product, overflow) = milli.multipliedReportingOverflow(by: 1024)
            return overflow ? 262_144 : min(max(product / 1000, 2), 262_144)
        }
    }

    /// Length of a CFS period in microseconds, the kernel's default.
    public static let periodMicroseconds: UInt64 = 100_000

    /// Microseconds of processor time per period; the kernel refuses less than 1000.
    public var quotaMicroseconds: UInt64? {
        cpuQuotaMilli.map { milli in
            let (product, overflow) = milli.multipliedReportingOverflow(by: Self.periodMicroseconds / 1000)
            return overflow ? 1 << 43 : min(max(product, 1000), 1 << 43)
        }
    }
}
