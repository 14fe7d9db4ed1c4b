import Glibc
internal import LinuxSystem

extension CgroupRecord {
    /// Moves a process into the group in every tree.
    ///
    /// - Parameters:
    ///   - pid: in this process's pid namespace.
    ///   - subgroups: groups below, as `exec --cgroup` has them: `path` for all trees or `controller:path`.
    ///   - initPid: the container's init. In version 2 the group itself takes no process once the container has made
    ///     groups below it and passed controllers on; then the process goes where init is.
    /// - Throws: which group did not take the process, and why.
    func add(pid: Int32, subgroups: [String] = [], initPid: Int32? = nil) throws(RuntimeFailure) {
        try add(pid: pid, to: targets(subgroups), initPid: initPid)
    }

    /// The same, into some of the group's directories.
    func add(pid: Int32, to targets: [Target], initPid: Int32? = nil) throws(RuntimeFailure) {
        for target in targets {
            let group = CgroupDirectory(path: target.path)
            if isOptional, !group.exists { continue }
            let code = group.attempt(String(pid), to: "cgroup.procs")
            if code == 0 || (isOptional && (code == EACCES || code == EPERM)) { continue }
            let place = target.place
            if place.controllers.isEmpty, target.path == place.path, code == EBUSY || code == ENOENT, let initPid,
                let ofInit = Self.version2Group(of: initPid, place),
                ofInit.attempt(String(pid), to: "cgroup.procs") == 0
            {
                continue
            }
            if code == EACCES || code == EPERM, let systemd, target.path == place.path {
                try SystemdManager(isUser: systemd.isUser).attach(pid, to: systemd.name)
                continue
            }
            throw Self.refusal(of: target.path, code, "pid \(pid)")
        }
    }

    /// Says which group did not take a process, and what that means.
    static func refusal(of path: String, _ code: Int32, _ process: String) -> RuntimeFailure {
        var failure = RuntimeFailure("error adding \(process) to the cgroup \(path)", errno: code)
        if code == ENOENT { failure.message += "; there is no such cgroup" }
        if code == ENOSPC { failure.message += "; its cpuset has no processors or memory nodes" }
        if code == EBUSY { failure.message += "; groups below it have controllers, so it can have no processes" }
        return failure
    }

    /// A directory to enter, in one tree.
    typealias Target = (place: Place, path: String)

    /// The directory to enter in each tree.
    func targets(_ subgroups: [String]) throws(RuntimeFailure) -> [Target] {
        var targets: [Target] = places.map { (place: $0, path: $0.path) }
        for text in subgroups {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let names = CgroupPath.below(String(parts.last ?? "")) else {
                throw RuntimeFailure("bad sub cgroup path: \(text) leads out of the container's cgroup")
            }
            let controllers = parts.count == 2 ? parts[0].split(separator: ",").map(String.init) : []
            guard controllers.isEmpty || !isUnified else {
                throw RuntimeFailure("--cgroup \(text) names a controller, but cgroup version 2 has one tree for all")
            }
            for controller in controllers where version1(controller) == nil {
                throw RuntimeFailure(
                    "unknown controller \(controller) in --cgroup \(text): cgroup version 1 has none here")
            }
            for index in targets.indices {
                let place = targets[index].place
                guard controllers.isEmpty || controllers.contains(where: place.controllers.contains) else { continue }
                targets[index].path = CgroupPath.join(place.path, names)
            }
        }
        return targets
    }

    private static func version2Group(of pid: Int32, _ place: Place) -> CgroupDirectory? {
        guard let text = CgroupDirectory(path: "/proc/\(pid)").read("cgroup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") })
        else { return nil }
        return CgroupDirectory(
            path: CgroupPath.join(place.mountPoint, CgroupPath.components(String(line.dropFirst(3)))))
    }

    /// Processes in the group and in groups below it, ascending. A process may have left the group in some trees, so
    /// all are asked.
    func processes() -> [Int32] {
        var found: Set<Int32> = []
        for place in places { found.formUnion(place.directory.processes()) }
        return found.sorted()
    }

    /// Sends a signal to every process of the container, and none escapes by forking meanwhile.
    ///
    /// A paused container is thawed by `SIGKILL`, which it could not die of otherwise, and stays paused with others.
    func kill(_ signal: Int32) throws(RuntimeFailure) {
        guard made else { return }
        let wasFrozen = isFrozen
        if signal == SIGKILL, let place = version2, place.directory.attempt("1", to: "cgroup.kill") == 0,
            version1.isEmpty
        {
            return
        }
        if processes().isEmpty { return }
        let frozen = wasFrozen || (try? freeze()) != nil
        var failed: Int32 = 0
        // Without a freezer one round may miss what is forked meanwhile; killed parents fork no more.
        for _ in 0..<(frozen || signal != SIGKILL ? 1 : 50) {
            let targets = processes().filter { $0 > 1 && $0 != getpid() }
            if targets.isEmpty { break }
            for pid in targets where Glibc.kill(pid, signal) != 0 && errno != ESRCH { failed = errno }
            if !frozen, signal == SIGKILL { cgroupPause(microseconds: 1000) }
        }
        if frozen, !wasFrozen || signal == SIGKILL { try thaw() }
        guard failed == 0 else { throw RuntimeFailure("cannot send signal \(signal) to all processes", errno: failed) }
    }

    /// Removes the group and the groups below it; one that is not there is fine.
    func remove() throws(RuntimeFailure) {
        guard made else { return }
        guard let systemd else { return try removeDirectories() }
        var failure: RuntimeFailure?
        do throws(RuntimeFailure) {
            try SystemdManager(isUser: systemd.isUser).stop(systemd.name)
        } catch {
            failure = error
        }
        // A unit whose group is gone ends by itself.
        do throws(RuntimeFailure) {
            try removeDirectories()
        } catch {
            throw RuntimeFailure(error.message + (failure.map { "; \($0)" } ?? ""))
        }
    }

    /// The kernel takes a moment to let go of processes that have just ended: waits for that, at most two seconds.
    private func removeDirectories() throws(RuntimeFailure) {
        let deadline = HostFacts.monotonicMilliseconds() + 2000
        for place in places {
            var pause = 500
            while true {
                let code = Self.removeGroups(place.path, depth: 0)
                if code == 0 { break }
                guard code == EBUSY || code == ENOTEMPTY, HostFacts.monotonicMilliseconds() < deadline else {
                    var failure = RuntimeFailure("cannot remove the cgroup \(place.path)", errno: code)
                    let left = place.directory.processes()
                    if !left.isEmpty {
                        let some = left.prefix(8).map(String.init).joined(separator: ", ")
                        failure.message += "; \(left.count) process(es) are still in it: \(some)"
                    }
                    throw failure
                }
                cgroupPause(microseconds: pause)
                pause = min(pause * 2, 50_000)
            }
        }
    }

    /// - Returns: 0 or an errno.
    private static func removeGroups(_ path: String, depth: Int) -> Int32 {
        if rmdir(path) == 0 || errno == ENOENT { return 0 }
        let code = errno
        guard code == EBUSY || code == ENOTEMPTY, depth < 64 else { return code }
        let children = CgroupDirectory(path: path).children
        guard !children.isEmpty else { return code }
        for child in children {
            let code = removeGroups(child.path, depth: depth + 1)
            if code != 0 { return code }
        }
        return rmdir(path) == 0 || errno == ENOENT ? 0 : errno
    }
}
