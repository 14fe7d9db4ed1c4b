internal import CLinux
internal import Glibc

/// What `create` and `run` are asked for.
struct CreateRequest {
    var id: String
    /// Absolute.
    var bundle: String
    var config: ContainerConfig
    /// Where the runtime keeps its containers.
    var root: String
    var consoleSocket: String?
    /// Whether the socket is this program's own.
    var isConsoleRelayed = false
    /// Who is sent a pidfd of init.
    var pidfdSocket: String?
    var pidFile: String?
    var preserveFDs = 0
    var noPivot = false
    var noNewKeyring = false
    var systemdCgroup = false
    var rootless = false
}

/// Makes containers and starts them: the runtime's side of a container's birth. What happens inside of the new
/// namespaces is in ``NamespaceStage`` and ``InitStage``.
enum Launcher {
    static let fifoName = "exec.fifo"

    /// Makes a container whose init waits for `start`.
    ///
    /// `request`: what to make; its state directory exists and is locked.
    /// `directory`: the container's own directory below the runtime's root.
    /// `cgroup`: planned, not made yet.
    /// `caches`: the class of `linux.intelRdt`, planned, not made yet.
    /// `log`: gets warnings.
    /// `begun`: called with init's pid before hooks run that may look for it.
    /// Returns the pid of the container's init, in this process's pid namespace.
    /// Throws what went wrong; nothing of the container is left but its state directory.
    static func create(
        _ request: CreateRequest, directory: String, cgroup: CgroupRecord, caches: CacheGroup?, log: RuntimeLog,
        begun: (Int32) throws(RuntimeFailure) -> Void
    ) throws(RuntimeFailure) -> Int32 {
        guard let process = request.config.process, let root = request.config.root else {
            throw RuntimeFailure("config.json has no process or no root; both are needed on Linux")
        }
        let rootfs = root.path.hasPrefix("/") ? root.path : "\(request.bundle)/\(root.path)"
        let seccomp = try request.config.linux.seccomp.map { config throws(RuntimeFailure) in
            try SeccompProgram.compile(config) { log.debug($0) }
        }
        let console = try consoleConnection(process, request.consoleSocket)
        log.debug("=> nsexec container setup: a first child makes the namespaces, and forks init into them")
        try cgroup.create()
        var init1: Int32?
        do {
            if let config = request.config.linux.intelRdt { try caches?.create(config) }
            let fifo = try makeFifo(directory, owner: request.config)
            let channel = try SyncChannel.pair()
            // With systemd the group is made for a process that is there already.
            let entrance = try cgroup.systemd == nil ? cgroup.entrance() : CgroupEntrance.none
            defer { entrance.close() }
            let plan = InitPlan(
                config: request.config, process: process, rootfs: rootfs, bundle: request.bundle, id: request.id,
                cgroup: cgroup, entrance: entrance, seccomp: seccomp, fifo: fifo.raw, console: console?.raw,
                isConsoleRelayed: request.isConsoleRelayed, preserveFDs: request.preserveFDs,
                noPivot: request.noPivot, noNewKeyring: request.noNewKeyring)
            let child = NamespaceStage.fork(plan, channel.child, other: channel.runtime)
            Kernel.close(channel.child.socket)
            defer { Kernel.close(channel.runtime.socket) }
            try check(Int(child.pid), "cannot fork the container's first process into its namespaces")
            var bearer = Bearer(
                request: request, process: process, cgroup: cgroup, entrance: entrance, caches: caches,
                channel: channel.runtime, child: child.pid, log: log)
            do throws(RuntimeFailure) {
                if child.isInit { try bearer.letGo(child.pid, inGroup: child.inGroup) }
                init1 = try bearer.deliver(begun: begun)
            } catch {
                init1 = bearer.initPid
                throw error
            }
        } catch {
            let failure = error as? RuntimeFailure ?? RuntimeFailure("\(error)")
            if let init1 { discard(init1) }
            try? cgroup.kill(SIGKILL)
            try? cgroup.remove()
            caches?.remove()
            throw failure
        }
        guard let init1 else { throw RuntimeFailure("the container's first process did not appear") }
        return init1
    }

    /// Lets a created container's init go on into its program.
    static func start(directory: String, pid: Int32) throws(RuntimeFailure) {
        let path = "\(directory)/\(fifoName)"
        // First: from the opening of the fifo on, init may run, end and be reaped by whoever adopted it.
        let process = try OpenFile(Kernel.call(SYS_pidfd_open, Int(pid), 0), "the container's init has ended")
        let fifo = try OpenFile(
            Kernel.open(path, O_RDONLY | O_NONBLOCK), "cannot start the container: it is started already, or has ended")
        var said: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        _ = Kernel.withPath(path) { Kernel.call(SYS_unlink, $0) }
        for _ in 0..<6_000 {
            var both = [
                pollfd(fd: fifo.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&both, 2, 10)
            if ready < 0, errno != EINTR { throw RuntimeFailure("cannot wait for the container's init", errno: errno) }
            let count = buffer.withUnsafeMutableBytes {
                Kernel.call(SYS_read, Int(fifo.raw), Int(bitPattern: $0.baseAddress), $0.count)
            }
            if count > 0 { said += buffer[..<count] }
            // Init holds its end until it has become its program, or could not and has said why.
            if count == 0, !said.isEmpty {
                if said.count == 1 { return }
                var failure = RuntimeFailure(String(decoding: said.dropFirst(2), as: UTF8.self))
                failure.isTold = said[1] == UInt8(ascii: "1")
                throw failure
            }
            if count <= 0, both[1].revents != 0 {
                throw RuntimeFailure("the container's init has ended before it could start")
            }
        }
        throw RuntimeFailure("the container's init did not go on within a minute")
    }

    /// A terminal needs somebody who takes its master side; that connection is made before anything else exists.
    static func consoleConnection(_ process: ProcessConfig, _ socket: String?) throws(RuntimeFailure) -> OpenFile? {
        guard process.terminal else {
            guard socket == nil else {
                throw RuntimeFailure("a console socket was given, but process.terminal is not set in config.json")
            }
            return nil
        }
        guard let socket else {
            throw RuntimeFailure("process.terminal is set, so --console-socket is needed (or run without --detach)")
        }
        return try Sockets.connect(socket)
    }

    private static func makeFifo(_ directory: String, owner config: ContainerConfig) throws(RuntimeFailure) -> OpenFile
    {
        let path = "\(directory)/\(fifoName)"
        try check(
            Kernel.makeNode(AT_FDCWD, path, mode: Int(S_IFIFO) | 0o622), "cannot make the fifo \(path)")
        // Whoever the container's user is must be able to write; what mknod makes is narrowed by the umask.
        try check(
            Kernel.withPath(path) { Kernel.call(SYS_fchmodat, Int(AT_FDCWD), $0, 0o622) }, "cannot open up \(path)")
        // The root user of a user namespace must be able to open it.
        if !config.linux.uidMappings.isEmpty {
            let uid = IDMapping.host(of: 0, in: config.linux.uidMappings)
            let gid = IDMapping.host(of: 0, in: config.linux.gidMappings)
            let result = Kernel.changeOwner(AT_FDCWD, path, uid: Int(uid ?? 0), gid: Int(gid ?? 0))
            // An ordinary user cannot; then it is the mode that lets others write.
            if result != -Int(EPERM) || geteuid() == 0 { try check(result, "cannot give away \(path)") }
        }
        return try OpenFile(Kernel.open(path, Kernel.path), "cannot open the fifo \(path)")
    }

    static func discard(_ pid: Int32) {
        kill(pid, SIGKILL)
        reap(pid)
    }

    @discardableResult
    static func reap(_ pid: Int32) -> Int32? {
        var status: Int32 = 0
        while true {
            let result = waitpid(pid, &status, 0)
            if result == pid { return status }
            if result == -1, errno == EINTR { continue }
            return nil
        }
    }
}

/// Serves the messages of a container that is being born.
struct Bearer {
    let request: CreateRequest
    let process: ProcessConfig
    let cgroup: CgroupRecord
    let entrance: CgroupEntrance
    let caches: CacheGroup?
    let channel: SyncChannel
    let child: Int32
    let log: RuntimeLog
    var initPid: Int32?

    /// Returns the pid of init, which waits for `start`.
    ///
    /// `begun`: told of it before hooks run.
    mutating func deliver(begun: (Int32) throws(RuntimeFailure) -> Void) throws(RuntimeFailure) -> Int32 {
        while true {
            guard let message = try channel.receive() else {
                throw RuntimeFailure("the container's first process ended unexpectedly\(lastWords())")
            }
            switch message {
            case .map:
                try IDMaps.write(for: child, request.config.linux)
                try channel.send(.done)
            case .started(let pid, let inGroup):
                Launcher.reap(child)
                try letGo(pid, inGroup: inGroup)
            case .bindSource(let index):
                guard let initPid else { throw RuntimeFailure("the container has no init") }
                try BindSource.serve(index, request, initPid: initPid, channel)
            case .mounted:
                let hooks = request.config.hooks
                if let initPid, !(hooks.prestart + hooks.createRuntime + hooks.createContainer).isEmpty {
                    try begun(initPid)
                }
                let pid = initPid ?? 0
                // Prestart hooks are of a time when they ran between create and start, and know a created container.
                try Hooks.run(hooks.prestart, "prestart", state: hookState(pid: pid, status: "created"))
                try Hooks.run(hooks.createRuntime, "createRuntime", state: hookState(pid: pid, status: "creating"))
                try channel.send(.done)
            case .ready:
                guard let initPid else { throw RuntimeFailure("the container has no init") }
                log.debug("init: closing the pipe to signal completion; pid \(initPid) waits for start")
                return initPid
            case .warning(let text): log.warn(text)
            case .failed(let text):
                throw RuntimeFailure("unable to start container process: error during container init: " + text)
            case .go, .done: throw RuntimeFailure("the container's first process talks out of turn")
            }
        }
    }

    /// Limits init, which enters its cgroup itself as far as it can, and lets it go on.
    mutating func letGo(_ pid: Int32, inGroup: Bool) throws(RuntimeFailure) {
        initPid = pid
        // Without resources as well: the devices that a container may use are limited in any case.
        let resources = request.config.linux.resources ?? ResourcesConfig()
        if cgroup.systemd == nil {
            try cgroup.add(pid: pid, to: entrance.left(inGroup: inGroup))
            try cgroup.apply(resources)
        } else {
            try cgroup.enter(pid: pid, id: request.id, resources: resources)
        }
        try caches?.add(pid: pid)
        Scheduling.resetAffinity(of: pid)
        try Limits.apply(process, to: pid, log)
        log.debug("child process in init(): pid \(pid) goes on to build its root")
        if let owner = request.config.groupOwner { try cgroup.delegate(to: owner) }
        try NetDevices.move(request.config.linux.netDevices, to: pid)
        try channel.send(.go)
    }

    private func hookState(pid: Int32, status: String) -> JSONValue {
        HookState.json(
            id: request.id, status: status, pid: pid, bundle: request.bundle, annotations: request.config.annotations)
    }

    private func lastWords() -> String {
        var status: Int32 = 0
        for pid in [initPid, child].compactMap({ $0 }) where waitpid(pid, &status, WNOHANG) == pid {
            if status & 0x7f != 0 { return " by signal \(status & 0x7f)" }
            return " with exit status \(status >> 8 & 0xff)"
        }
        return ""
    }
}
