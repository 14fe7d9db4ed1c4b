internal import LinuxSystem

/// Words of the runtime specification that stand for numbers of the kernel.
enum SpecNames {
    /// `SCHED_…` (sched(7)). The kernel reserves 4 and has never used it.
    static let schedulerPolicies: [StaticString] = [
        "SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE",
    ]

    /// `SCHED_FLAG_…`: bit n of `sched_attr.sched_flags` (sched_setattr(2)).
    static let schedulerFlags: [StaticString] = [
        "SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY",
        "SCHED_FLAG_KEEP_PARAMS", "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX",
    ]

    /// `IOPRIO_CLASS_…` (ioprio_set(2)), the first being 1.
    static let ioPriorityClasses: [StaticString] = ["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"]

    /// `MPOL_…` (set_mempolicy(2)).
    static let memoryPolicyModes: [StaticString] = [
        "MPOL_DEFAULT", "MPOL_PREFERRED", "MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED_MANY",
        "MPOL_WEIGHTED_INTERLEAVE",
    ]

    /// `MPOL_F_…`, the first being bit 13.
    static let memoryPolicyFlags: [StaticString] = [
        "MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES",
    ]

    /// The place of a word in a table.
    static func index(of word: String, in table: [StaticString]) -> Int? {
        KernelNames.index(of: word, in: table)
    }

    /// Whether a text is a list of numbers as the kernel reads them: `0-3,7`.
    ///
    /// Strides such as `0-31:2/4` are let through as well. The kernel judges the numbers.
    static func isNumberList(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, isDigit(first), isDigit(last) else {
            return false
        }
        var afterDigit = false
        for byte in text.utf8 {
            if isDigit(byte) {
                afterDigit = true
            } else {
                guard afterDigit, [0x2C, 0x2D, 0x3A, 0x2F].contains(byte) else { return false }
                afterDigit = false
            }
        }
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0") <= byte && byte <= UInt8(ascii: "9") }
}
