internal import CLinux
internal import Glibc
internal import LinuxSystem

/// What `create` and `run` do alike: from the words of the command line to a container whose init waits for `start`.
struct ContainerCreation {
    static let flags = [
        Flag("bundle", "b", help: "directory of the bundle (default: the current one)"),
        Flag("console-socket", help: "unix socket that gets the master of the container's terminal"),
        Flag("pid-file", help: "file that gets the pid of the container's init"),
        Flag("pidfd-socket", help: "unix socket that gets a pidfd of the container's init"),
        Flag("no-pivot", kind: .switched, help: "do not pivot_root; for a root filesystem that is a ramdisk"),
        Flag("no-new-keyring", kind: .switched, help: "keep the caller's session keyring"),
        Flag("preserve-fds", kind: .integer, help: "pass this many descriptors behind the standard ones on"),
    ]

    /// Refuses all bundles but those whose root is the host's. Their processes see the file of this program in any case,
    /// so it is not protected from them, which saves an exec.
    static let hostRoot = Flag("host-root", kind: .switched, hidden: true, help: "the root is / or nothing")

    let context: CommandContext
    /// Whether the container goes on without this process.
    let isDetached: Bool

    /// Everything that can be refused without a trace is looked at first.
    ///
    /// `console` makes the socket to use when there is a terminal and the command line names none.
    /// The container comes with the right to change it, as long as the lock is kept.
    func perform(
        console: (() throws(RuntimeFailure) -> String)? = nil
    ) throws(RuntimeFailure) -> (record: ContainerRecord, config: ContainerConfig, lock: ContainerLock) {
        try StateDirectory.check(context.id)
        // A relative path counts from where the caller is, not from the bundle.
        let (pidFile, pidfdSocket) = (context.path("pid-file"), context.path("pidfd-socket"))
        let (bundle, bytes, config) = try bundle
        let root = config.root?.path ?? "rootfs"
        if context.flags.flag("host-root"), !root.hasPrefix("/") || !RootDirectory.normalized(root).isEmpty {
            throw RuntimeFailure("--host-root: the bundle's root is not /")
        }
        try checkTerminal(config.process?.terminal ?? false)
        var request = try request(bundle, config, console: console)
        request.pidFile = pidFile
        request.pidfdSocket = pidfdSocket
        let state = context.state
        if context.global.isRootPerUser {
            try RuntimeFiles.makeDirectories(state.root, mode: 0o700)
            chmod(state.root, 0o1700)
        }
        let lock = try state.create(context.id)
        do throws(RuntimeFailure) {
            var prepared = request
            try NotifySocket.prepare(&prepared.config, in: state.path(context.id))
            let record = try make(prepared, bytes, state)
            return (record, request.config, lock)
        } catch {
            try? state.remove(context.id)
            throw error
        }
    }

    /// The bundle's directory, now also the current one as hooks and relative paths expect, and its `config.json`.
    private var bundle: (path: String, bytes: [UInt8], config: ContainerConfig) {
        get throws(RuntimeFailure) {
            if let path = context.flags.text("bundle"), chdir(path) != 0 {
                throw RuntimeFailure("chdir to the bundle \(path)", errno: errno)
            }
            let path = GlobalOptions.Surroundings.currentDirectory()
            guard let bytes = try RuntimeFiles.contents("config.json") else {
                throw RuntimeFailure("JSON specification file config.json not found in \(path)")
            }
            let log = context.log
            let config = try ContainerConfig.read(bytes: bytes) { log.warn($0) }
            try config.check()
            return (path, bytes, config)
        }
    }

    /// As runc words it, which callers look for.
    private func checkTerminal(_ terminal: Bool) throws(RuntimeFailure) {
        try Self.checkTerminal(
            terminal, isDetached: isDetached, hasSocket: context.flags.text("console-socket") != nil)
    }

    static func checkTerminal(_ terminal: Bool, isDetached: Bool, hasSocket: Bool) throws(RuntimeFailure) {
        if isDetached && terminal && !hasSocket {
            throw RuntimeFailure("cannot allocate tty if runc will detach without setting console socket")
        }
        if (!isDetached || !terminal) && hasSocket {
            throw RuntimeFailure("cannot use console socket if runc will not detach or allocate tty")
        }
    }

    private func request(
        _ bundle: String, _ config: ContainerConfig, console: (() throws(RuntimeFailure) -> String)?
    ) throws(RuntimeFailure) -> CreateRequest {
        var config = config
        let passed = try PassedDescriptors(preserved: context.flags.integer("preserve-fds"))
        config.process?.env += passed.environment
        var request = CreateRequest(id: context.id, bundle: bundle, config: config, root: context.global.root)
        request.consoleSocket = context.flags.text("console-socket")
        if let console, !isDetached, config.process?.terminal == true {
            request.consoleSocket = try console()
            request.isConsoleRelayed = true
        }
        if console != nil, config.process?.terminal == true, config.process?.consoleSize == nil {
            // Ours is the terminal that people look at: the program starts in its size.
            var window: (UInt16, UInt16, UInt16, UInt16) = (0, 0, 0, 0)
            if clinux_ioctl(0, 0x5413, &window) == 0, window.0 > 0 {  // TIOCGWINSZ
                request.config.process?.consoleSize = (height: UInt(window.0), width: UInt(window.1))
            }
        }
        request.preserveFDs = passed.count
        request.noPivot = context.flags.flag("no-pivot")
        request.noNewKeyring = context.flags.flag("no-new-keyring")
        request.systemdCgroup = context.global.systemdCgroup
        request.rootless = context.global.rootless
        return request
    }

    private func make(
        _ request: CreateRequest, _ bytes: [UInt8], _ state: StateDirectory
    ) throws(RuntimeFailure) -> ContainerRecord {
        let cgroup = try CgroupSetup.plan(
            id: request.id, cgroupsPath: request.config.linux.cgroupsPath, systemd: request.systemdCgroup,
            rootless: request.rootless, annotations: request.config.annotations)
        var record = ContainerRecord(
            ociVersion: request.config.ociVersion, id: request.id, created: RuntimeTime.now(nanoseconds: true),
            bundle: request.bundle,
            rootfs: GlobalOptions.absolute(request.config.root?.path ?? "rootfs", in: request.bundle),
            owner: Owners.name(geteuid()), annotations: request.config.annotations, cgroup: cgroup)
        record.caches = try request.config.linux.intelRdt.map { config throws(RuntimeFailure) in
            try CacheGroup(config, id: request.id)
        }
        try state.saveConfig(bytes, of: request.id)
        // Before anything else exists outside of this directory: what a killed create leaves behind can be found.
        if request.config.linux.namespace(.mount) == nil, !RootDirectory.normalized(record.rootfs).isEmpty {
            record.hostMount = try HostMount.make(record.rootfs)
        }
        do throws(RuntimeFailure) {
            try state.save(record)
            let unborn = record
            record.initPid = try Launcher.create(
                request, directory: state.path(request.id), cgroup: cgroup, caches: record.caches, log: context.log
            ) { pid throws(RuntimeFailure) in
                // Hooks may ask for the state of what is being made.
                var record = try unborn.with(initPid: pid)
                record.isCreating = true
                try state.save(record)
            }
        } catch {
            HostMount.remove(record.hostMount, at: record.rootfs)
            throw error
        }
        do throws(RuntimeFailure) {
            record = try record.with(initPid: record.initPid)
            try state.save(record)
            if let path = request.pidfdSocket { try Sockets.sendProcess(record.initPid, as: "standard", to: path) }
            if let path = request.pidFile { try PidFile.write(record.initPid, to: path) }
        } catch {
            ContainerRemoval(state: state, log: context.log).undo(record)
            throw error
        }
        return record
    }
}

extension ContainerRecord {
    fileprivate func with(initPid: Int32) throws(RuntimeFailure) -> ContainerRecord {
        guard let facts = ProcessFacts.of(initPid) else {
            throw RuntimeFailure("the container's init has ended before it could start")
        }
        var record = self
        record.initPid = initPid
        record.initStartTime = facts.startTime
        return record
    }
}

extension CommandContext {
    /// A flag's path, made absolute.
    func path(_ flag: String) -> String? {
        flags.text(flag).map {
            GlobalOptions.absolute($0, in: GlobalOptions.Surroundings.currentDirectory())
        }
    }
}

/// Descriptors from 3 on that a container inherits: those of socket activation, then those asked for.
struct PassedDescriptors {
    /// As sd_listen_fds(3) wants them: in the container, its init has pid 1.
    var environment: [String] = []
    var count: Int

    init(preserved: Int) throws(RuntimeFailure) {
        var activated = 0
        if let owner = GlobalOptions.Surroundings.variable("LISTEN_PID"), Int32(owner) == getpid(),
            let text = GlobalOptions.Surroundings.variable("LISTEN_FDS"), let given = Int(text),
            (1...1024).contains(given)
        {
            activated = given
            environment = ["LISTEN_FDS=\(given)", "LISTEN_PID=1"]
        }
        guard (0...65_536).contains(preserved) else {
            throw RuntimeFailure("invalid value \(preserved) for --preserve-fds: use 0 to 65536")
        }
        count = activated + preserved
        for descriptor in (3 + activated)..<(3 + count) where fcntl(Int32(descriptor), F_GETFD) < 0 {
            throw RuntimeFailure("unable to stat preserved-fds \(descriptor): it is not open")
        }
    }
}

/// The file that tells a supervisor which process to watch.
enum PidFile {
    /// In one step, so that who waits for the file never reads half a number.
    static func write(_ pid: Int32, to path: String) throws(RuntimeFailure) {
        let (directory, name) = split(path)
        let temporary = directory + "/." + name + "." + String(getpid())
        let descriptor = try RuntimeFiles.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o666)
        let written = RuntimeFiles.writeAll(descriptor, Array(String(pid).utf8))
        var code = errno
        close(descriptor)
        if written {
            if rename(temporary, path) == 0 { return }
            code = errno
        }
        unlink(temporary)
        throw RuntimeFailure("write \(path)", errno: code)
    }

    static func read(_ path: String) throws(RuntimeFailure) -> Int32 {
        guard let bytes = try RuntimeFiles.contents(path, limit: 64),
            let pid = Int32(String(decoding: bytes, as: UTF8.self))
        else { throw RuntimeFailure("\(path) holds no pid") }
        return pid
    }

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (slash == path.startIndex ? "" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}

/// Names of users.
enum Owners {
    /// `#1000` for who has no name.
    static func name(_ uid: UInt32) -> String {
        if uid == 0 { return "root" }
        let accounts = try? AccountDatabase()
        return accounts?.users.first { $0.uid == uid }?.name ?? "#\(uid)"
    }
}
