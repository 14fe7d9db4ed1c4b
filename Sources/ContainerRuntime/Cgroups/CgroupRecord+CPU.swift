import Glibc

extension CgroupRecord {
    func applyCPU(_ cpu: CPUConfig) throws(RuntimeFailure) {
        let realtime =
            CgroupConversions.said(cpu.realtimeRuntime) != nil || CgroupConversions.said(cpu.realtimePeriod) != nil
        let asked =
            realtime || CgroupConversions.said(cpu.shares) != nil || CgroupConversions.said(cpu.quota) != nil
            || CgroupConversions.said(cpu.period) != nil || cpu.burst != nil || cpu.idle != nil
        guard asked else { return }
        switch try need("cpu") {
        case .version1(let group):
            try applyShares(cpu, group)
            try applyBandwidthVersion1(cpu, group)
            if let idle = cpu.idle { try group.set("cpu.idle", String(idle)) }
            try setDependent(
                ("cpu.rt_period_us", CgroupConversions.said(cpu.realtimePeriod).map { String($0) }),
                ("cpu.rt_runtime_us", CgroupConversions.said(cpu.realtimeRuntime).map { String($0) }), group)
        case .version2(let group):
            guard !realtime else {
                throw RuntimeFailure("cgroup version 2 has no limits of realtime processes; leave realtimeRuntime out")
            }
            try applyVersion2(cpu, group)
        }
    }

    private func applyShares(_ cpu: CPUConfig, _ group: CgroupDirectory) throws(RuntimeFailure) {
        guard let shares = CgroupConversions.said(cpu.shares) else { return }
        try group.set("cpu.shares", String(shares))
        // The kernel takes any number and quietly moves it into its range.
        guard let now = group.number("cpu.shares"), now != shares else { return }
        throw RuntimeFailure(
            "cpu shares of \(shares) are out of range: the \(shares > now ? "most" : "least") is \(now)")
    }

    /// Period, burst and quota bound each other; one that the kernel refuses beside the old quota may fit the new one.
    private func applyBandwidthVersion1(_ cpu: CPUConfig, _ group: CgroupDirectory) throws(RuntimeFailure) {
        let quota = CgroupConversions.said(cpu.quota)
        var again: [(file: String, value: String)] = []
        let first = [
            ("cpu.cfs_period_us", CgroupConversions.said(cpu.period)), ("cpu.cfs_burst_us", cpu.burst),
        ]
        for (file, number) in first {
            guard let number else { continue }
            let code = group.attempt(String(number), to: file)
            if code == 0 || (code == ENOENT && file == "cpu.cfs_burst_us") { continue }
            guard code == EINVAL, quota != nil else { throw group.failure(file, String(number), code) }
            again.append((file, String(number)))
        }
        if let quota { try setQuota(quota, &again, group) }
        for (file, value) in again { try group.set(file, value) }
    }

    /// A burst may not be above the quota: an old one that is about to change may stand in the way of a lower quota.
    private func setQuota(
        _ quota: Int64, _ again: inout [(file: String, value: String)], _ group: CgroupDirectory
    ) throws(RuntimeFailure) {
        let code = group.attempt(String(quota), to: "cpu.cfs_quota_us")
        if code == 0 { return }
        guard code == EINVAL, let burst = group.number("cpu.cfs_burst_us"), burst > 0, quota > 0,
            burst > UInt64(quota), again.contains(where: { $0.file == "cpu.cfs_burst_us" })
        else { throw group.failure("cpu.cfs_quota_us", String(quota), code) }
        try group.set("cpu.cfs_burst_us", "0")
        try group.set("cpu.cfs_quota_us", String(quota))
    }

    /// Two values that bound each other, in the order that the kernel takes.
    private func setDependent(
        _ first: (file: String, value: String?), _ second: (file: String, value: String?), _ group: CgroupDirectory
    ) throws(RuntimeFailure) {
        var again: String?
        if let value = first.value {
            let code = group.attempt(value, to: first.file)
            if code == EINVAL, second.value != nil {
                again = value
            } else if code != 0 {
                throw group.failure(first.file, value, code)
            }
        }
        if let value = second.value { try group.set(second.file, value) }
        if let again { try group.set(first.file, again) }
    }

    private func applyVersion2(_ cpu: CPUConfig, _ group: CgroupDirectory) throws(RuntimeFailure) {
        if let idle = cpu.idle { try group.set("cpu.idle", String(idle)) }
        if let shares = CgroupConversions.said(cpu.shares) {
            try group.set("cpu.weight", String(CgroupConversions.weight(ofShares: shares)))
        }
        let quota = CgroupConversions.said(cpu.quota)
        let period = CgroupConversions.said(cpu.period)
        var burst = cpu.burst.map { String($0) }
        if let value = burst {
            let code = group.attempt(value, to: "cpu.max.burst")
            if code == 0 || code == ENOENT {
                burst = nil
            } else if code != EINVAL || quota == nil {
                throw group.failure("cpu.max.burst", value, code)
            }
        }
        if quota != nil || period != nil {
            let value = CgroupConversions.cpuMax(quota: quota, period: period, before: group.read("cpu.max"))
            try group.set("cpu.max", value)
        }
        if let burst { try group.set("cpu.max.burst", burst) }
    }
}
