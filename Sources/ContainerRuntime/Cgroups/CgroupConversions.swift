import Glibc

/// From the values of the specification, which are those of cgroup version 1, to version 2. All are total.
enum CgroupConversions {
    /// `cpu.weight` for `cpu.shares`, so that least, usual and most (2, 1024, 262144) become 1, 100 and 10000; between
    /// them a parabola through the logarithms, the mapping that the other OCI runtimes have agreed on.
    static func weight(ofShares shares: UInt64) -> UInt64 {
        if shares <= 2 { return 1 }
        if shares >= 262_144 { return 10_000 }
        let l = log2(Double(shares))
        let exponent = (l * l + 125 * l) / 612 - 7.0 / 34
        return UInt64(min(max(pow(10, exponent).rounded(.up), 1), 10_000))
    }

    /// `io.weight` (1…10000) for `blkio.weight` (10…1000), linear.
    static func ioWeight(ofBlkio weight: UInt16) -> UInt64 {
        1 + (UInt64(min(max(weight, 10), 1000)) - 10) * 9999 / 990
    }

    /// `memory.swap.max`, which is swap alone, for the specification's sum of memory and swap.
    ///
    /// - Returns: nil when nothing is to be written.
    static func swapMax(swap: Int64?, limit: Int64?) throws(RuntimeFailure) -> String? {
        let limit = limit ?? 0
        switch swap ?? 0 {
        // Memory without limit and nothing said of swap: version 1 takes both as unlimited.
        case 0: return limit == -1 ? "max" : nil
        case -1: return "max"
        case let swap:
            guard limit > 0 else { throw RuntimeFailure("a limit of swap (\(swap)) needs a limit of memory beside it") }
            guard swap >= limit else {
                throw RuntimeFailure(
                    "the limit of memory and swap (\(swap)) must be at least that of memory (\(limit))")
            }
            return String(swap - limit)
        }
    }

    /// A limit with -1 for none; nil for 0, which stands for "not said".
    static func limit(_ value: Int64?) -> String? {
        switch value ?? 0 {
        case 0: nil
        case -1: "max"
        case let value: String(value)
        }
    }

    /// `pids.max`. A limit of 0 becomes 1, which is the same for a process that is there already.
    static func pidsMax(_ limit: Int64) -> String { limit < 0 ? "max" : String(max(limit, 1)) }

    /// `cpu.max`, from what is asked for and, where nothing is, what was there before.
    static func cpuMax(quota: Int64?, period: UInt64?, before: String?) -> String {
        let fields = (before ?? "").split(separator: " ")
        var allowed = fields.first.map(String.init) ?? "max"
        if let quota { allowed = quota > 0 ? String(quota) : "max" }
        let length = period.map { String($0) } ?? (fields.count == 2 ? String(fields[1]) : "100000")
        return "\(allowed) \(length)"
    }

    /// A line of `io.max`; a rate of 0 takes the limit away, as in version 1.
    static func ioMax(_ throttle: BlockIOConfig.Throttle, _ key: String) -> String {
        "\(throttle.major):\(throttle.minor) \(key)=\(throttle.rate == 0 ? "max" : String(throttle.rate))"
    }

    /// A line of `rdma.max`.
    static func rdmaMax(device: String, hcaHandles: UInt32?, hcaObjects: UInt32?) -> String {
        var line = device
        if let hcaHandles { line += " hca_handle=\(hcaHandles)" }
        if let hcaObjects { line += " hca_object=\(hcaObjects)" }
        return line
    }

    /// nil for 0, which stands for "not said".
    static func said<Number: BinaryInteger>(_ value: Number?) -> Number? { value == 0 ? nil : value }
}
