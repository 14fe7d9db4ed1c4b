public import ClusterModel
internal import LinuxSystem

/// What the machine has to offer, less what its own system needs: Mesos' rules (`containerizer::resources`).
public enum MeasuredResources {
    /// Processors online; memory less 1 GiB, or half of it on a machine with less than 2 GiB; free disk of a directory
    /// less 5 GiB, or half of it when there is less than 10 GiB; ports 31000 to 32000.
    ///
    /// - Parameter directory: where work directories are.
    /// - Returns: unreserved resources.
    /// - Throws: the call that failed.
    public static func measure(directory: String) throws -> Resources {
        let memory = try HostFacts.totalMemoryBytes() >> 20
        let disk = try HostFacts.freeDiskBytes(at: directory) >> 20
        return try Resources([
            .scalar("cpus", Double(HostFacts.onlineProcessors)),
            .scalar("mem", Double(less(1 << 10, of: memory))),
            .scalar("disk", Double(less(5 << 10, of: disk))),
            .ports(31_000, 32_000),
        ])
    }

    private static func less(_ reserve: UInt64, of total: UInt64) -> UInt64 {
        total >= 2 * reserve ? total - reserve : total / 2
    }
}
