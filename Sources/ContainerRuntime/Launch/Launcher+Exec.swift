internal import CLinux
internal import Glibc

/// What `exec` is asked for.
struct ExecRequest {
    var process: ProcessConfig
    var pidFile: String?
    var consoleSocket: String?
    /// Whether the socket is this program's own.
    var isConsoleRelayed = false
    /// Whether the caller does not wait for the process to end.
    var detach = false
    var preserveFDs = 0
    /// Sub-groups of the container's cgroup to start in: `path`, or `controller:path` with v1.
    var cgroup: [String] = []
}

extension Launcher {
    /// Starts a further process in a container.
    ///
    /// `request`: what to start.
    /// `target`: the container's init.
    /// `config`: the container's configuration.
    /// `cgroup`: the container's.
    /// `caches`: the container's class of caches.
    /// `log`: gets warnings.
    /// Returns the pid of the process, a child of this one, which runs its program already.
    /// Throws what went wrong; there is no process then.
    static func startExec(
        _ request: ExecRequest, id: String, bundle: String, target: Int32, config: ContainerConfig,
        cgroup: CgroupRecord, caches: CacheGroup? = nil, log: RuntimeLog
    ) throws(RuntimeFailure) -> Int32 {
        let seccomp = try config.linux.seccomp.map { config throws(RuntimeFailure) in
            try SeccompProgram.compile(config) { log.debug($0) }
        }
        let console = try consoleConnection(request.process, request.consoleSocket)
        let channel = try SyncChannel.pair()
        let entrance = try cgroup.entrance(request.cgroup)
        defer { entrance.close() }
        let stage = ExecStage(
            request: request, id: id, bundle: bundle, target: target, config: config, seccomp: seccomp,
            console: console?.raw, entrance: entrance, channel: channel.child)
        log.debug("=> nsexec container setup: a first child joins the namespaces, and forks the process into them")
        if let cpus = request.process.execCPUAffinity?.initial, let mask = CPUList.bits(cpus)?.first {
            log.debug("nsexec: affinity: 0x\(String(mask, radix: 16))")
        }
        let child = clinux_fork()
        if child == 0 {
            Kernel.close(channel.runtime.socket)
            stage.run()
        }
        Kernel.close(channel.child.socket)
        defer { Kernel.close(channel.runtime.socket) }
        guard child > 0 else { throw RuntimeFailure("cannot fork", errno: errno) }
        var pid: Int32?
        do throws(RuntimeFailure) {
            // The end of the channel is the exec: it is closed then, and not before.
            while let message = try channel.runtime.receive() {
                switch message {
                case .started(let number, let inGroup):
                    pid = number
                    reap(child)
                    try cgroup.add(pid: number, to: entrance.left(inGroup: inGroup), initPid: target)
                    try caches?.add(pid: number)
                    if let cpus = request.process.execCPUAffinity?.final {
                        try Scheduling.setAffinity(cpus, of: number)
                    } else if request.process.execCPUAffinity == nil {
                        Scheduling.resetAffinity(of: number)
                    }
                    try Limits.apply(request.process, to: number, log)
                    log.debug("child process in init(): pid \(number) goes on to become its program")
                    try channel.runtime.send(.go)
                case .warning(let text): log.warn(text)
                case .failed(let text): throw RuntimeFailure("unable to start container process: " + text, status: 255)
                case .ready: log.debug("setns_init: about to exec")
                case .map, .go, .mounted, .bindSource, .done:
                    throw RuntimeFailure("the new process talks out of turn")
                }
            }
        } catch {
            if let pid { discard(pid) } else { reap(child) }
            throw error
        }
        guard let pid else {
            reap(child)
            throw RuntimeFailure("the new process ended unexpectedly")
        }
        return pid
    }

    /// Waits for a process that was started here.
    ///
    /// Returns its exit status, 128 + n for signal n.
    static func wait(for pid: Int32) -> Int32 {
        guard let status = reap(pid) else { return 255 }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }
}

/// The children of `exec`: the first joins the container's namespaces, the second becomes the program.
struct ExecStage {
    let request: ExecRequest
    let id: String
    let bundle: String
    let target: Int32
    let config: ContainerConfig
    let seccomp: SeccompProgram?
    let console: Int32?
    let entrance: CgroupEntrance
    let channel: SyncChannel

    /// Never returns.
    func run() -> Never {
        do throws(RuntimeFailure) {
            // Programs in the container must not look into this process while it comes to them (CVE-2016-9962).
            _ = Kernel.control(4, 0)  // PR_SET_DUMPABLE
            let own = try OwnDescriptors()
            let labels = try Labels(request.process)
            let step = try seccomp.map { program throws(RuntimeFailure) in
                try SeccompStep(
                    program, pid: own.hostPid,
                    state: HookState.json(
                        id: id, status: "running", pid: target, bundle: bundle, annotations: config.annotations))
            }
            if let cpus = request.process.execCPUAffinity?.initial { try Scheduling.setAffinity(cpus, of: 0) }
            try join()
            var inGroup: Int32 = 0
            let pid = clinux_fork_into(0, 1, entrance.birthplace, &inGroup)
            if pid == 0 { live(labels, step) }
            try check(Int(pid), "cannot fork the new process")
            try channel.send(.started(pid, inGroup: inGroup != 0))
            _exit(0)
        } catch {
            try? channel.send(.failed(error.message))
            _exit(1)
        }
    }

    /// All namespaces that differ from ours, at once: the kernel checks every right before it changes anything.
    private func join() throws(RuntimeFailure) {
        let process = try OpenFile(Kernel.call(SYS_pidfd_open, Int(target), 0), "the container's init has ended")
        var flags: Int32 = 0
        for kind in NamespaceKind.allCases {
            var theirs = stat()
            var ours = stat()
            guard stat("/proc/\(target)/ns/\(kind.procName)", &theirs) == 0,
                stat("/proc/self/ns/\(kind.procName)", &ours) == 0, theirs.st_ino != ours.st_ino
            else { continue }
            flags |= kind.cloneFlag
        }
        let root = try OpenFile(
            Kernel.open("/proc/\(target)/root", Kernel.path | Kernel.directory), "cannot open the container's root")
        if flags != 0 {
            try check(
                Kernel.call(SYS_setns, Int(process.raw), Int(flags)), "cannot join the container's namespaces")
        }
        if flags & NamespaceKind.user.cloneFlag != 0 {
            _ = Kernel.call(SYS_setgroups, 0, 0)
            try check(Kernel.call(SYS_setresgid, 0, 0, 0), "cannot become group 0 of the user namespace")
            try check(Kernel.call(SYS_setresuid, 0, 0, 0), "cannot become user 0 of the user namespace")
        }
        // Changing the root takes a right that users do not have; where it is ours already, nothing is to be changed.
        if flags & NamespaceKind.mount.cloneFlag == 0, !isOwnRoot(root) {
            try check(Kernel.call(SYS_fchdir, Int(root.raw)), "cannot enter the container's root")
            try check(Kernel.withPath(".") { Kernel.call(SYS_chroot, $0) }, "cannot change the root")
        }
    }

    private func isOwnRoot(_ root: OpenFile) -> Bool {
        var theirs = stat()
        var ours = stat()
        return fstat(root.raw, &theirs) == 0 && stat("/", &ours) == 0 && theirs.st_ino == ours.st_ino
            && theirs.st_dev == ours.st_dev
    }

    private func live(_ labels: Labels, _ seccomp: SeccompStep?) -> Never {
        do throws(RuntimeFailure) {
            try channel.expect(.go)
            try entrance.enter()
            Signals.reset()
            try check(Kernel.call(SYS_setsid), "cannot make a session")
            Keyring.join("_ses.\(id)")
            if let console {
                try Console.open(
                    in: try RootDirectory("/"), process: request.process, sendTo: console, bindConsole: false,
                    isRelayed: request.isConsoleRelayed)
            }
            try ProcessFinish(request.process).becomeProgram(
                labels: labels, preserve: request.preserveFDs, keep: [channel.socket], seccomp: seccomp,
                personality: config.linux.personality, memoryPolicy: config.linux.memoryPolicy,
                warn: { try? channel.send(.warning($0)) },
                ready: { () throws(RuntimeFailure) in try channel.send(.ready) },
                then: { _ in })
        } catch {
            try? channel.send(.failed(error.message))
            _exit(1)
        }
    }
}
