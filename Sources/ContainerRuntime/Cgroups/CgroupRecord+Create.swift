import Glibc

extension CgroupRecord {
    /// Makes the group in every tree; one of systemd's comes with its first process (``enter(pid:id:resources:)``).
    ///
    /// Version 1 cpusets get the processors and memory nodes of the group above, without which no process can enter;
    /// version 2 groups on the way pass on all controllers they have, as far as they let us.
    /// - Throws: when the group exists and has processes or is frozen, or cannot be made. What this call made is gone
    ///   again then.
    func create() throws(RuntimeFailure) {
        try checkUnused()
        if systemd == nil { try makeDirectories() }
    }

    /// Makes what is not there of the group.
    func makeDirectories() throws(RuntimeFailure) {
        var made: [String] = []
        do throws(RuntimeFailure) {
            for place in places { try make(place, &made) }
        } catch {
            for path in made.reversed() { rmdir(path) }
            throw error
        }
    }

    private func checkUnused() throws(RuntimeFailure) {
        let there = places.filter(\.directory.exists)
        if there.isEmpty { return }
        for place in there {
            let count = place.directory.processes().count
            guard count == 0 else {
                throw RuntimeFailure(
                    "container's cgroup is not empty: \(count) process(es) found in \(place.path);"
                        + " end them or choose another linux.cgroupsPath")
            }
        }
        guard !isFrozen else {
            throw RuntimeFailure(
                "container's cgroup unexpectedly frozen: \(places.first?.path ?? "") is there already; thaw it")
        }
    }

    /// The way may vanish under us, as when another runtime tidies up a group above; then all is tried again.
    private func make(_ place: Place, _ made: inout [String], attempts: Int = 5) throws(RuntimeFailure) {
        let names = CgroupPath.components(String(place.path.dropFirst(place.mountPoint.count)))
        var current = place.mountPoint
        for name in names {
            if place.controllers.isEmpty { Self.passOnControllers(CgroupDirectory(path: current)) }
            let above = CgroupDirectory(path: current)
            current = CgroupPath.join(current, [name])
            if mkdir(current, 0o755) == 0 {
                made.append(current)
            } else if errno != EEXIST {
                let code = errno
                if code == ENOENT, attempts > 1 { return try make(place, &made, attempts: attempts - 1) }
                if isOptional, [EACCES, EPERM, EROFS, ENOENT].contains(code) { return }
                var failure = RuntimeFailure("cannot make the cgroup \(current)", errno: code)
                if code == EACCES || code == EPERM || code == EROFS {
                    failure.message += "; the caller needs write access to \(above.path)"
                }
                throw failure
            }
            let group = CgroupDirectory(path: current)
            if place.controllers.contains("cpuset") { try Self.initialiseCpuset(group, from: above) }
            if place.controllers.isEmpty { Self.leaveInvalidState(group) }
        }
    }

    /// A new cpuset is empty (cgroup-v1/cpusets.rst), and nothing can run in an empty one.
    private static func initialiseCpuset(
        _ group: CgroupDirectory, from above: CgroupDirectory
    ) throws(RuntimeFailure) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            guard let now = group.read(file), now.isEmpty else { continue }
            let effective = file == "cpuset.cpus" ? "cpuset.effective_cpus" : "cpuset.effective_mems"
            guard
                let inherited = [file, effective].lazy.compactMap({ above.read($0) }).first(where: { !$0.isEmpty })
            else { continue }
            try group.set(file, inherited)
        }
    }

    /// A controller works in a group only when every group above passes it on (cgroup-v2.rst, "Enabling and
    /// Disabling"). What is refused here is reported when a limit needs it.
    private static func passOnControllers(_ group: CgroupDirectory) {
        let file = "cgroup.subtree_control"
        let there = (group.read("cgroup.controllers") ?? "").split(separator: " ")
        let passed = (group.read(file) ?? "").split(separator: " ")
        let missing = there.filter { !passed.contains($0) }.map { "+\($0)" }
        guard !missing.isEmpty, group.attempt(missing.joined(separator: " "), to: file) != 0 else { return }
        for controller in missing { _ = group.attempt(controller, to: file) }
    }

    /// Below a group that has processes and passes threaded controllers on, a new one can only be threaded.
    private static func leaveInvalidState(_ group: CgroupDirectory) {
        guard group.read("cgroup.type") == "domain invalid" else { return }
        _ = group.attempt("threaded", to: "cgroup.type")
    }

    /// Lets a user of the container manage its group from inside, on a machine with version 2 alone (cgroup-v2.rst,
    /// "Delegation").
    ///
    /// - Parameter uid: as the host knows the user.
    /// - Throws: when the group cannot be given away.
    func delegate(to uid: UInt32) throws(RuntimeFailure) {
        guard isUnified, let place = version2, place.directory.exists else { return }
        let listed = CgroupDirectory(path: "/sys/kernel/cgroup").read("delegate")
        let files =
            listed.map { $0.split(separator: "\n").map(String.init) }
            ?? ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
        for path in [place.path] + files.filter({ !$0.contains("/") }).map({ "\(place.path)/\($0)" }) {
            guard chown(path, uid, gid_t.max) == 0 || errno == ENOENT else {
                throw RuntimeFailure("cannot give \(path) to user \(uid)", errno: errno)
            }
        }
    }
}
