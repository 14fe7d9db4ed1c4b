import Glibc

extension HostDoctor {
    static func entropy(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(id: "entropy", title: "random numbers", neededFor: "identifiers and keys")
        let bits = host.number("/proc/sys/kernel/random/entropy_avail")
        if abilities.calls[.random] == EAGAIN {
            return subject.missing(
                "the generator is not seeded yet", advice: "wait, or give the machine a source (virtio-rng)")
        }
        guard abilities.calls[.random] == 0 || bits.map({ $0 >= 128 }) == true else {
            return subject.limited("not known", advice: "mount /proc, and allow getrandom")
        }
        return subject.ok("the generator is seeded\(bits.map { " (\($0) bits)" } ?? "")")
    }

    /// Open files that a node with many tasks can come to.
    static let openFilesWanted: UInt64 = 65_536

    static func openFiles(_ host: HostTree, _ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "open-files", title: "limit of open files", neededFor: "many tasks and clients at a time")
        let most = host.number("/proc/sys/fs/nr_open")
        let canRaise = abilities.has(.systemResource)
        let reachable = canRaise ? max(abilities.openFilesHard, most ?? 0) : abilities.openFilesHard
        let hard = "\(limitText(abilities.openFiles)) now, \(limitText(abilities.openFilesHard)) at most"
        let finding =
            canRaise && reachable > abilities.openFilesHard ? "\(hard); can be raised to \(limitText(reachable))" : hard
        guard reachable >= openFilesWanted else {
            var check = subject.limited(
                finding,
                advice: "raise the hard limit to \(openFilesWanted) (LimitNOFILE= of the unit, or "
                    + "/etc/security/limits.conf)")
            check.needsRoot = !abilities.isRoot
            return check
        }
        return subject.ok(finding)
    }

    private static func limitText(_ limit: UInt64) -> String { limit >= UInt64(Int64.max) ? "unlimited" : "\(limit)" }

    static func processes(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "processes", title: "limit of processes and threads", neededFor: "many tasks at a time")
        var limits: [(UInt64, String)] = []
        for (path, name) in [
            ("/proc/sys/kernel/pid_max", "kernel.pid_max"),
            ("/proc/sys/kernel/threads-max", "kernel.threads-max"),
        ] {
            if let number = host.number(path) { limits.append((number, name)) }
        }
        let facts = CgroupFacts(host)
        for (tree, group) in [(facts.trees["pids"], facts.own["pids"]), (facts.unified, facts.own[""])] {
            guard let tree, let group else { continue }
            let path = group == "/" ? "\(tree)/pids.max" : "\(tree)\(group)/pids.max"
            if let number = host.number(path) { limits.append((number, path)) }
        }
        guard let least = limits.min(by: { $0.0 < $1.0 }) else {
            return subject.limited("not known", advice: "mount /proc")
        }
        guard least.0 >= 8_192 else {
            return subject.limited("\(least.0) (\(least.1))", advice: "raise \(least.1)")
        }
        return subject.ok("\(least.0) (\(least.1))")
    }

    // MARK: Disk and memory

    static func disk(_ abilities: HostAbilities) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "disk", title: "room in the data directory",
            neededFor: "the cluster's state, images and output of tasks"
        )
        let advice = "free some, or choose another directory with --data"
        guard let free = abilities.freeDiskBytes else {
            return subject.limited("not known: \(abilities.dataDirectory) cannot be asked", advice: advice)
        }
        let finding = "\(amount(free)) free at \(abilities.dataDirectory)"
        if let files = abilities.freeFiles, files < 10_000 {
            return subject.limited("\(finding), but only for \(files) more files", advice: advice)
        }
        if free < 256 << 20 { return subject.missing(finding, advice: advice) }
        if free < 2 << 30 { return subject.limited(finding, advice: advice) }
        return subject.ok(finding)
    }

    static func memory(_ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(id: "memory", title: "memory", neededFor: "tasks")
        var kibibytes: [Substring: UInt64] = [:]
        for line in (host.text("/proc/meminfo") ?? "").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 1)
            guard fields.count == 2, let number = fields[1].split(separator: " ").first.flatMap({ UInt64($0) }),
                number < 1 << 50
            else { continue }
            kibibytes[fields[0]] = number
        }
        guard let total = kibibytes["MemTotal"], let free = kibibytes["MemAvailable"] else {
            return subject.limited("not known", advice: "mount /proc")
        }
        let finding = "\(amount(free << 10)) available of \(amount(total << 10))"
        return free < 256 << 10
            ? subject.limited(finding, advice: "end other programs, or give the machine more") : subject.ok(finding)
    }

    /// Such as "1.5 GiB", rounded down.
    static func amount(_ bytes: UInt64) -> String {
        let units = [(UInt64(1) << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        for (size, name) in units where bytes >= size {
            let tenth = bytes % size * 10 / size
            return "\(bytes / size)\(tenth == 0 || bytes / size >= 10 ? "" : ".\(tenth)") \(name)"
        }
        return "\(bytes) B"
    }
}
