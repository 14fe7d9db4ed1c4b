internal import CLinux
internal import Glibc

/// How a container ends: its processes killed, its cgroup and its state removed.
struct ContainerRemoval {
    let state: StateDirectory
    let log: RuntimeLog

    /// Removes a container whose init is gone, and runs its poststop hooks; the caller has the lock.
    func destroy(_ record: ContainerRecord) throws(RuntimeFailure) {
        let config = try? state.config(of: record.id)
        try clear(record, sharesPids: config?.sharesPids ?? true)
        try state.remove(record.id)
        guard let hooks = config?.hooks.poststop, !hooks.isEmpty else { return }
        Hooks.runAll(hooks, "poststop", state: record.hookState(.stopped)) { log.warn($0) }
    }

    /// Kills the container's init and waits for its end, with all others when they have no pid namespace to die with.
    ///
    /// - Throws: when init is still there after ten seconds.
    func kill(_ record: ContainerRecord) throws(RuntimeFailure) {
        if let process = record.openInit() {
            defer { close(process) }
            _ = clinux_pidfd_send_signal(process, SIGKILL)
            // A frozen process of cgroup v1 dies only once it is thawed.
            if record.cgroup.isFrozen { try? record.cgroup.thaw() }
            if Self.waitForEnd(process, of: record, milliseconds: 1_000) { return }
            // Somebody may have moved it to a frozen group of theirs; what comes back into ours may go on, and die.
            try? record.cgroup.add(pid: record.initPid)
            guard Self.waitForEnd(process, of: record, milliseconds: 9_000) else {
                throw RuntimeFailure("container init still running: pid \(record.initPid) does not end; try again")
            }
        }
    }

    /// What a failed create or run leaves; errors have been told already.
    func undo(_ record: ContainerRecord) {
        try? kill(record)
        try? clear(record, sharesPids: true)
    }

    private func clear(_ record: ContainerRecord, sharesPids: Bool) throws(RuntimeFailure) {
        // Init's end took all with it, unless they share a pid namespace with others, or there never was an init.
        if sharesPids || record.initPid == 0 {
            try? record.cgroup.kill(SIGKILL)
            if record.cgroup.isFrozen { try? record.cgroup.thaw() }
        }
        HostMount.remove(record.hostMount, at: record.rootfs)
        try record.cgroup.remove()
        record.caches?.remove()
    }

    /// Readable once the process is dead; reaps it where it is a child.
    private static func waitForEnd(_ process: Int32, of record: ContainerRecord, milliseconds: Int32) -> Bool {
        var waits = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
        var left = milliseconds
        while left > 0 {
            let ready = poll(&waits, 1, 100)
            if ready > 0 {
                waitpid(record.initPid, nil, WNOHANG)
                return true
            }
            left -= 100
        }
        return !record.isInitAlive
    }
}

extension ContainerRecord {
    /// A descriptor of the init, which can be no other process by the same pid; nil when it is gone. The caller closes.
    func openInit() -> Int32? {
        guard initPid > 0 else { return nil }
        let process = clinux_pidfd_open(initPid)
        guard process >= 0 else { return nil }
        if isInitAlive { return process }
        close(process)
        return nil
    }
}

extension ContainerConfig {
    /// Whether the container's processes outlive its init: they are in a pid namespace that is not its own.
    var sharesPids: Bool {
        guard let namespace = linux.namespace(.pid) else { return true }
        return namespace.path != nil
    }
}
