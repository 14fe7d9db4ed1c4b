internal import CLinux
internal import Glibc
internal import LinuxSystem

/// `kill`, `delete`, `pause` and `resume`: what can be done to a container.
enum LifeCommands {
    static let kill = RuntimeCommand(
        name: "kill", summary: "send a signal to a container's init", arguments: "<container-id> [signal]",
        arity: .between(1, 2),
        flags: [Flag("all", "a", kind: .switched, help: "send it to all processes; a stopped container is no error")],
        examples: [
            ("kill web", "ask the container to end, with SIGTERM"),
            ("kill --all web KILL", "kill all its processes"),
        ],
        run: { context throws(RuntimeFailure) in
            let record = try context.state.load(context.id)
            let signal = try SignalNames.parse(context.flags.argument(1) ?? "SIGTERM")
            let isForAll = context.flags.flag("all")
            // Without a pid namespace of its own, init's end would leave the others.
            let sharesPids = signal == SIGKILL ? try context.state.config(of: context.id).sharesPids : false
            // A group that is not the container's alone is left alone.
            if (isForAll || sharesPids) && record.cgroup.made && !record.cgroup.processes().isEmpty {
                try record.cgroup.kill(signal)
                return 0
            }
            do throws(RuntimeFailure) {
                try send(signal, to: record)
            } catch {
                if !isForAll || error != .containerNotRunning { throw error }
            }
            return 0
        })

    private static func send(_ signal: Int32, to record: ContainerRecord) throws(RuntimeFailure) {
        guard let process = record.openInit() else { throw .containerNotRunning }
        defer { close(process) }
        if clinux_pidfd_send_signal(process, signal) != 0 {
            let code = errno
            if code == ESRCH { throw .containerNotRunning }
            throw RuntimeFailure("unable to signal init", errno: code)
        }
        if signal == SIGKILL && record.cgroup.isFrozen { try? record.cgroup.thaw() }
    }

    static let delete = RuntimeCommand(
        name: "delete", summary: "remove a container that has ended", arguments: "<container-id>",
        arity: .exactly(1),
        flags: [Flag("force", "f", kind: .switched, help: "kill it first; a container that is not there is no error")],
        examples: [
            ("delete web", "remove the container web, which has ended"),
            ("delete --force web", "whatever state it is in"),
        ],
        run: { context throws(RuntimeFailure) in
            let state = context.state
            let isForced = context.flags.flag("force")
            let lock: ContainerLock
            let record: ContainerRecord
            do throws(RuntimeFailure) {
                lock = try state.lock(context.id)
                do throws(RuntimeFailure) {
                    record = try state.load(context.id)
                } catch {
                    // A create that was killed early, or a file nobody can read: there is nothing else to remove.
                    if isForced || error == .containerMissing { try? state.remove(context.id) }
                    throw isForced ? .containerMissing : error
                }
            } catch {
                if isForced && error == .containerMissing { return 0 }
                throw error
            }
            defer { lock.release() }
            let removal = ContainerRemoval(state: state, log: context.log)
            // The lock is ours, so nobody is creating it any more.
            let isHalf = record.initPid == 0 || record.isCreating
            let status = isHalf ? record.isInitAlive ? .created : .stopped : state.status(of: record)
            if status != .stopped {
                guard isForced || status == .created else {
                    throw RuntimeFailure(
                        "cannot delete container \(context.id) that is not stopped: \(status.rawValue)")
                }
                try removal.kill(record)
            }
            try removal.destroy(record)
            return 0
        })

    static let pause = RuntimeCommand(
        name: "pause", summary: "stop all processes of a container from running", arguments: "<container-id>",
        arity: .exactly(1), flags: [], examples: [("pause web", "until it is resumed")],
        run: { context throws(RuntimeFailure) in
            let record = try context.state.load(context.id)
            let status = context.state.status(of: record)
            guard status == .running || status == .created else { throw .containerNotRunning }
            try record.cgroup.freeze()
            return 0
        })

    static let resume = RuntimeCommand(
        name: "resume", summary: "let a paused container go on", arguments: "<container-id>",
        arity: .exactly(1), flags: [], examples: [("resume web", "after it was paused")],
        run: { context throws(RuntimeFailure) in
            let record = try context.state.load(context.id)
            guard context.state.status(of: record) == .paused else { throw RuntimeFailure("container not paused") }
            try record.cgroup.thaw()
            return 0
        })
}
