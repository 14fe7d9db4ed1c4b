public import ClusterModel
internal import LinuxSystem

/// What the machine has to offer, less what its own system needs: Mesos' rules (`containerizer::resources`).
public enum MeasuredResources {
    /// Processors online; memory less 1 GiB, or half of it on a machine with less than 2 GiB; free disk of a directory
    /// less 5 GiB, or half of it when there is less than 10 GiB; ports, see ``ports(without:)``.
    ///
    /// - Parameters:
    ///   - directory: where work directories are.
    ///   - own: ports at which this program listens.
    /// - Returns: unreserved resources.
    /// - Throws: the call that failed.
    public static func measure(directory: String, without own: [UInt16] = []) throws -> Resources {
        let memory = try HostFacts.totalMemoryBytes() >> 20
        let disk = try HostFacts.freeDiskBytes(at: directory) >> 20
        return try Resources([
            .scalar("cpus", Double(HostFacts.onlineProcessors)),
            .scalar("mem", Double(less(1 << 10, of: memory))),
            .scalar("disk", Double(less(5 << 10, of: disk))),
            Resource(kind: ResourceKind(name: "ports"), value: .ranges(ports(without: own))),
        ])
    }

    /// The ports of a machine that are for tasks: those of web servers, and all that need no privilege up to 32000,
    /// from where on the kernel takes ports for connections. Without those where masters, agents and gossip listen
    /// unless they are told otherwise, so that all machines of a cluster offer the same.
    ///
    /// - Parameter own: further ports at which this program listens.
    /// - Returns: the ports.
    static func ports(without own: [UInt16]) -> RangeSet {
        func set(_ ranges: [(begin: UInt64, end: UInt64)]) -> RangeSet {
            RangeSet(ranges.compactMap { RangeSet.Range(begin: $0.begin, end: $0.end) })
        }
        return set([(80, 80), (443, 443), (1_024, 32_000)])
            .subtracting(set([(5_050, 5_059), (7_946, 7_955)]))
            .subtracting(set(own.map { (UInt64($0), UInt64($0)) }))
    }

    private static func less(_ reserve: UInt64, of total: UInt64) -> UInt64 {
        total >= 2 * reserve ? total - reserve : total / 2
    }
}
