extension HostDoctor {
    static func cgroups(_ host: HostTree, _ abilities: HostAbilities) -> [DoctorCheck] {
        let facts = CgroupFacts(host)
        return [
            cgroupVersion(facts, host), cgroupControllers(facts, host), cgroupsWritable(facts, host, abilities),
        ]
    }

    private static let mountAdvice = "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or let the init system do it"

    private static func cgroupVersion(_ facts: CgroupFacts, _ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "cgroup", title: "control groups", neededFor: "limits, accounting and ending of tasks",
            isRequired: true)
        let managed = host.exists("/run/systemd/private") ? "; systemd can make groups (oci --systemd-cgroup)" : ""
        switch facts.kind {
        case .none: return subject.missing("none are mounted", advice: mountAdvice)
        case .v1: return subject.ok("version 1" + managed)
        case .v2: return subject.ok("version 2 at \(facts.unified ?? "/sys/fs/cgroup")" + managed)
        case .hybrid:
            return subject.ok(
                "hybrid: controllers on version 1, version 2 at \(facts.unified ?? "another place")" + managed)
        }
    }

    private static func words(of path: String, _ host: HostTree) -> [String] {
        (host.text(path) ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private static func cgroupControllers(_ facts: CgroupFacts, _ host: HostTree) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "cgroup-controllers", title: "controllers of control groups",
            neededFor: "limits of processor time, memory and processes", isRequired: true)
        let onTwo = facts.unified.map { words(of: "\($0)/cgroup.controllers", host) } ?? []
        let usable = facts.kind == .v2 ? Set(onTwo) : Set(facts.trees.keys)
        var parts: [String] = []
        if !facts.trees.isEmpty { parts.append("version 1: \(facts.trees.keys.sorted().joined(separator: ", "))") }
        if !onTwo.isEmpty { parts.append("version 2: \(onTwo.sorted().joined(separator: ", "))") }
        let finding = parts.isEmpty ? "none" : parts.joined(separator: "; ")
        let absent = CgroupFacts.needed.filter { !usable.contains($0) }
        guard !absent.isEmpty else { return subject.ok(finding) }
        if facts.kind == .none { return subject.missing(finding, advice: mountAdvice) }
        let elsewhere = absent.filter(onTwo.contains)
        if facts.kind == .hybrid, !elsewhere.isEmpty {
            return subject.missing(
                "\(finding); \(elsewhere.joined(separator: ", ")) on version 2 while others are on version 1",
                advice: "boot with systemd.unified_cgroup_hierarchy=1, so that all are in one place")
        }
        return subject.missing(
            "\(finding); not there: \(absent.joined(separator: ", "))",
            advice: absent.contains("memory")
                ? "boot with cgroup_enable=memory, or pass the controllers on to this group (cgroup.subtree_control above)"
                : "boot a kernel with these controllers, or pass them on to this group (cgroup.subtree_control above)")
    }

    private static func cgroupsWritable(
        _ facts: CgroupFacts, _ host: HostTree, _ abilities: HostAbilities
    ) -> DoctorCheck {
        let subject = DoctorSubject(
            id: "cgroup-writable", title: "making control groups", neededFor: "limits, accounting and ending of tasks",
            isRequired: true)
        let places = facts.kind == .v2 ? [facts.unified].compactMap { $0 } : neededTrees(facts)
        guard !places.isEmpty else { return subject.missing("none are mounted", advice: mountAdvice) }
        // Groups are made below /rondo in each tree; one that was handed over to this user does as well.
        let closed = places.filter { !host.isWritable($0) && !host.isWritable("\($0)/rondo") }
        guard closed.isEmpty else { return cgroupsClosed(subject, closed, facts, host, abilities) }
        if facts.kind == .v2, let root = places.first, isCrowded(root, host) {
            return subject.limited(
                "\(root) is not the machine's root group and holds processes, so it cannot pass controllers on",
                advice: "move the processes that \(root)/cgroup.procs lists into a group below it, then start again")
        }
        return subject.ok("below \(places.joined(separator: ", "))")
    }

    private static func neededTrees(_ facts: CgroupFacts) -> [String] {
        Set(CgroupFacts.needed.compactMap { facts.trees[$0] }).sorted()
    }

    /// A group with processes cannot pass controllers on, unless it is the true root, which has no `cgroup.type`
    /// (cgroup-v2.rst, "No Internal Process Constraint").
    private static func isCrowded(_ root: String, _ host: HostTree) -> Bool {
        guard host.exists("\(root)/cgroup.type") else { return false }
        let passedOn = words(of: "\(root)/cgroup.subtree_control", host)
        guard !CgroupFacts.needed.allSatisfy(passedOn.contains) else { return false }
        return !words(of: "\(root)/cgroup.procs", host).isEmpty
    }

    private static func cgroupsClosed(
        _ subject: DoctorSubject, _ closed: [String], _ facts: CgroupFacts, _ host: HostTree, _ abilities: HostAbilities
    ) -> DoctorCheck {
        let list = closed.joined(separator: ", ")
        var check: DoctorCheck
        if abilities.isRoot {
            check = subject.missing(
                "\(list) cannot be written, also by root",
                advice: "remount it for writing; in a container, start that with its control groups writable")
        } else if facts.kind == .v2, let root = facts.unified, let own = facts.own[""], own != "/",
            host.isWritable(root + own), host.isWritable("\(root)\(own)/cgroup.procs")
        {
            let passedOn = words(of: "\(root)\(own)/cgroup.controllers", host).joined(separator: ", ")
            check = subject.limited(
                "only \(own) is delegated to this user, with \(passedOn.isEmpty ? "no controllers" : passedOn)",
                advice: "\(abilities.howToGetRights), or hand a group over: mkdir \(root)/rondo && chown -R USER "
                    + "\(root)/rondo")
        } else {
            check = subject.missing(
                "\(list) cannot be written by this user",
                advice: facts.kind == .v2
                    ? "\(abilities.howToGetRights), or delegate a group to the user (systemd: Delegate=yes)"
                    : abilities.howToGetRights)
        }
        check.needsRoot = !abilities.isRoot
        return check
    }
}
