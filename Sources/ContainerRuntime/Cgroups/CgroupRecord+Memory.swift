import Glibc

extension CgroupRecord {
    func applyMemory(_ memory: MemoryConfig) throws(RuntimeFailure) {
        let common = [memory.limit, memory.reservation, memory.swap].contains { CgroupConversions.said($0) != nil }
        if common {
            switch try need("memory") {
            case .version1(let group): try MemoryVersion1(group: group, memory: memory).apply()
            case .version2(let group): try applyMemoryVersion2(memory, group)
            }
            return
        }
        // These have no counterpart in version 2, where callers that know only version 1 send them all the same.
        let old =
            CgroupConversions.said(memory.kernel) != nil || CgroupConversions.said(memory.kernelTCP) != nil
            || memory.swappiness != nil || memory.disableOOMKiller == true || memory.useHierarchy == true
        guard old, !isUnified else { return }
        if case .version1(let group) = try need("memory") { try MemoryVersion1(group: group, memory: memory).apply() }
    }

    private func applyMemoryVersion2(_ memory: MemoryConfig, _ group: CgroupDirectory) throws(RuntimeFailure) {
        try Self.checkUsage(memory, now: group.number("memory.current"))
        if let swap = try CgroupConversions.swapMax(swap: memory.swap, limit: memory.limit) {
            let code = group.attempt(swap, to: "memory.swap.max")
            // Where the kernel does not account swap there is none to allow or to forbid.
            guard code == 0 || code == ENOENT && (swap == "max" || swap == "0") else {
                throw group.failure("memory.swap.max", swap, code)
            }
        }
        if let limit = CgroupConversions.limit(memory.limit) { try group.set("memory.max", limit) }
        if let low = CgroupConversions.limit(memory.reservation) { try group.set("memory.low", low) }
    }

    /// For `checkBeforeUpdate`: version 2 would take a limit below what is in use, and kill processes for it.
    static func checkUsage(_ memory: MemoryConfig, now: UInt64?) throws(RuntimeFailure) {
        guard memory.checkBeforeUpdate == true, let now else { return }
        for (name, limit) in [("memory and swap", memory.swap), ("memory", memory.limit)] {
            guard let limit, limit > 0, UInt64(limit) <= now else { continue }
            throw RuntimeFailure("the limit of \(name) (\(limit)) is refused: \(now) bytes are in use already")
        }
    }
}

/// The memory controller of version 1 (cgroup-v1/memory.rst).
private struct MemoryVersion1 {
    let group: CgroupDirectory
    let memory: MemoryConfig

    static let limitFile = "memory.limit_in_bytes"
    static let swapFile = "memory.memsw.limit_in_bytes"

    func apply() throws(RuntimeFailure) {
        try CgroupRecord.checkUsage(memory, now: group.number("memory.usage_in_bytes"))
        if memory.useHierarchy == true, group.read("memory.use_hierarchy") == "0" {
            try group.set("memory.use_hierarchy", "1")
        }
        try applyLimits()
        if let value = CgroupConversions.said(memory.reservation) {
            try group.set("memory.soft_limit_in_bytes", String(value))
        }
        // Newer kernels count kernel memory with the rest and take no limit for it any more.
        if let value = CgroupConversions.said(memory.kernel) {
            let code = group.attempt(String(value), to: "memory.kmem.limit_in_bytes")
            guard [0, ENOENT, EOPNOTSUPP, EINVAL].contains(code) else {
                throw group.failure("memory.kmem.limit_in_bytes", String(value), code)
            }
        }
        if let value = CgroupConversions.said(memory.kernelTCP), group.has("memory.kmem.tcp.limit_in_bytes") {
            try group.set("memory.kmem.tcp.limit_in_bytes", String(value))
        }
        if memory.disableOOMKiller == true {
            try group.set("memory.oom_control", "1")
        } else if memory.disableOOMKiller == false, group.value(of: "oom_kill_disable", in: "memory.oom_control") == 1 {
            try group.set("memory.oom_control", "0")
        }
        if let swappiness = memory.swappiness {
            guard swappiness <= 100 else {
                throw RuntimeFailure("memory swappiness \(swappiness) is out of range; it is 0 to 100")
            }
            try group.set("memory.swappiness", String(swappiness))
        }
    }

    /// Memory may never be above memory with swap, not even between two writes, so which is written first depends on
    /// where the limits are now.
    private func applyLimits() throws(RuntimeFailure) {
        let limit = CgroupConversions.said(memory.limit)
        var swap = CgroupConversions.said(memory.swap)
        // Memory without limit would be bounded by a limit of both that is left from before.
        if limit == -1, swap == nil, group.has(Self.swapFile) { swap = -1 }
        guard let limit, let swap else {
            if let limit { try setLimit(limit) }
            if let swap { try group.set(Self.swapFile, String(swap)) }
            return
        }
        guard swap == -1 || limit != -1 && swap >= limit else {
            throw RuntimeFailure("the limit of memory and swap (\(swap)) must be at least that of memory (\(limit))")
        }
        let now = group.number(Self.limitFile) ?? 0
        if swap == -1 || now < UInt64(clamping: swap) {
            let code = group.attempt(String(swap), to: Self.swapFile)
            if code == 0 { return try setLimit(limit) }
            guard code == EINVAL else { throw group.failure(Self.swapFile, String(swap), code) }
        }
        try setLimit(limit)
        try group.set(Self.swapFile, String(swap))
    }

    private func setLimit(_ limit: Int64) throws(RuntimeFailure) {
        let code = group.attempt(String(limit), to: Self.limitFile)
        guard code != 0 else { return }
        var failure = group.failure(Self.limitFile, String(limit), code)
        func now(_ file: String) -> String { group.read(file) ?? "unknown" }
        if code == EBUSY {
            failure.message +=
                " (current usage: \(now("memory.usage_in_bytes")), peak usage: \(now("memory.max_usage_in_bytes")))"
        } else if code == EINVAL {
            failure.message += " (memory and swap together may use \(now(Self.swapFile)))"
        }
        throw failure
    }
}
