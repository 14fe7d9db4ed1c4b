internal import LinuxSystem

extension ProcessConfig {
    /// Judges a process: of a container, or of an exec. In messages the text is called `name`, and the process lies
    /// in it at `path`: nothing for the whole text.
    func check(name: String = "process.json", path: String = "") throws(RuntimeFailure) {
        let prefix = path.isEmpty ? "" : "\(path)."
        guard cwd.isAbsolutePath else {
            throw .invalid(name, "\(prefix)cwd", "\(cwd.quoted) is not an absolute path")
        }
        guard let program = args.first else { throw .invalid(name, "\(prefix)args", "must name a program") }
        if program.isEmpty { throw .invalid(name, "\(prefix)args[0]", "must not be empty") }
        for (index, variable) in env.enumerated() {
            guard let first = variable.utf8.first, first != UInt8(ascii: "=") else {
                throw .invalid(name, "\(prefix)env[\(index)]", "a variable without a name, found \(variable.quoted)")
            }
            guard variable.utf8.contains(UInt8(ascii: "=")) else {
                throw .invalid(name, "\(prefix)env[\(index)]", "expected NAME=VALUE, found \(variable.quoted)")
            }
        }
        try checkLimits(name, prefix)
        try scheduler?.check(name, "\(prefix)scheduler")
        try checkAffinity(name, prefix)
        for (place, text) in [("apparmorProfile", apparmorProfile), ("selinuxLabel", selinuxLabel)] {
            if let text, text.utf8.contains(where: { $0 < 0x20 }) {
                throw .invalid(name, "\(prefix)\(place)", "must not hold control characters, found \(text.quoted)")
            }
        }
    }

    private func checkLimits(_ name: String, _ prefix: String) throws(RuntimeFailure) {
        var seen: UInt32 = 0
        for (index, limit) in rlimits.enumerated() {
            let bit: UInt32 = 1 << UInt32(truncatingIfNeeded: limit.resource)
            let type = Rlimit.name(Int(limit.resource)) ?? "\(limit.resource)"
            if seen & bit != 0 { throw .invalid(name, "\(prefix)rlimits[\(index)]", "a second limit of type \(type)") }
            seen |= bit
            if limit.soft > limit.hard {
                throw .invalid(
                    name, "\(prefix)rlimits[\(index)]",
                    "the soft limit \(limit.soft) of \(type) is above its hard limit \(limit.hard)")
            }
        }
    }

    private func checkAffinity(_ name: String, _ prefix: String) throws(RuntimeFailure) {
        guard let execCPUAffinity else { return }
        for (place, list) in [("initial", execCPUAffinity.initial), ("final", execCPUAffinity.final)] {
            if let list, !SpecNames.isNumberList(list) {
                throw .invalid(
                    name, "\(prefix)execCPUAffinity.\(place)", "expected a list such as 0-3,7, found \(list.quoted)")
            }
        }
    }
}

extension SchedulerConfig {
    /// `SCHED_…` as their numbers.
    private static let fifo: UInt32 = 1
    private static let roundRobin: UInt32 = 2
    private static let deadline: UInt32 = 6

    /// Each policy has fields of its own; sched_setattr(2) refuses the others without saying which, but for `nice`,
    /// which it passes over.
    fileprivate func check(_ name: String, _ path: String) throws(RuntimeFailure) {
        let isRealTime = policy == Self.fifo || policy == Self.roundRobin
        if priority != 0, !isRealTime {
            throw .invalid(name, "\(path).priority", "is for SCHED_FIFO and SCHED_RR only")
        }
        if priority == 0, isRealTime {
            throw .invalid(name, "\(path).priority", "must be from 1 to 99 for SCHED_FIFO and SCHED_RR")
        }
        if policy == Self.deadline {
            let ordered = runtime <= deadline && (period == 0 || deadline <= period)
            guard runtime > 0, deadline > 0, ordered else {
                throw .invalid(name, path, "SCHED_DEADLINE needs 0 < runtime <= deadline <= period")
            }
        } else if runtime != 0 || deadline != 0 || period != 0 {
            throw .invalid(name, path, "runtime, deadline and period are for SCHED_DEADLINE only")
        }
    }
}
