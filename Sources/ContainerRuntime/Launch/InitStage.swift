internal import CLinux
internal import Glibc

/// The container's init on its way to its program: builds the root, enters it, gives up what it may not keep, waits for
/// `start`, and becomes the program.
struct InitStage {
    let plan: InitPlan
    let channel: SyncChannel

    /// Never returns.
    func run() -> Never {
        let start = StartSignal()
        do throws(RuntimeFailure) {
            try live(start)
        } catch {
            try? channel.send(.failed(error.message))
            start.failed(error)
            _exit(1)
        }
    }

    private func live(_ start: StartSignal) throws(RuntimeFailure) -> Never {
        try channel.expect(.go)
        try plan.entrance.enter()
        // Signals that the runtime ignored or blocked must not be inherited.
        Signals.reset()
        if plan.config.linux.namespace(.cgroup).map({ $0.path == nil }) == true {
            try check(
                Kernel.call(SYS_unshare, Int(NamespaceKind.cgroup.cloneFlag)), "cannot make a cgroup namespace")
        }
        try check(Kernel.call(SYS_setsid), "cannot make a session")
        if !plan.noNewKeyring { Keyring.join("_ses.\(plan.id)") }
        let labels = try Labels(plan.process)
        let own = try OwnDescriptors()
        let seccomp = try plan.seccomp.map { program throws(RuntimeFailure) in
            try SeccompStep(
                program, pid: own.hostPid,
                state: HookState.json(
                    id: plan.id, status: "creating", pid: own.hostPid, bundle: plan.bundle,
                    annotations: plan.config.annotations))
        }
        try Network.raiseLoopback(plan.config.linux)
        try enterRoot()
        try ProcessFinish(plan.process).becomeProgram(
            labels: labels, preserve: plan.preserveFDs, keep: [channel.socket, plan.fifo, own.directory.raw],
            seccomp: seccomp, personality: plan.config.linux.personality,
            memoryPolicy: plan.config.linux.memoryPolicy, warn: { try? channel.send(.warning($0)) }
        ) { () throws(RuntimeFailure) in
            try channel.send(.ready)
            Kernel.close(channel.socket)
            try start.wait(for: plan.fifo, own)
        } then: { environment throws(RuntimeFailure) in
            try Hooks.run(
                plan.config.hooks.startContainer, "startContainer", state: state("created"), environment: environment)
        }
    }

    private func enterRoot() throws(RuntimeFailure) {
        let rootfs = RootFilesystem(plan: plan, channel: channel)
        let root = try rootfs.build()
        try Sysctl.write(plan.config.linux)
        if let hostname = plan.config.hostname { try Host.setName(hostname) }
        if let domainname = plan.config.domainname { try Host.setDomain(domainname) }
        // The relative names of hooks are the container's files.
        try check(Kernel.call(SYS_fchdir, Int(root.file.raw)), "cannot enter the root filesystem")
        try runHooks()
        if let console = plan.console {
            try Console.open(
                in: root, process: plan.process, sendTo: console, bindConsole: true, isRelayed: plan.isConsoleRelayed)
        }
        try rootfs.protect(root)
        try rootfs.enter(root)
    }

    /// Those of the runtime's namespaces, then those of the container's.
    private func runHooks() throws(RuntimeFailure) {
        let hooks = plan.config.hooks
        if !hooks.prestart.isEmpty || !hooks.createRuntime.isEmpty {
            try channel.send(.mounted)
            try channel.expect(.done)
        }
        try Hooks.run(hooks.createContainer, "createContainer", state: state("creating"))
    }

    private func state(_ status: String) -> JSONValue {
        // The pid as it is seen inside, where these hooks run.
        HookState.json(
            id: plan.id, status: status, pid: getpid(), bundle: plan.bundle, annotations: plan.config.annotations)
    }
}

/// The process's own descriptors by the host's /proc, opened while that is in sight: a container has no names for what
/// it was given, and its own /proc may be anything.
struct OwnDescriptors {
    /// The root of procfs.
    let directory: OpenFile
    /// This process's pid as the host's /proc has it.
    let hostPid: Int32

    init() throws(RuntimeFailure) {
        directory = try OpenFile(Kernel.open("/proc", Kernel.path | Kernel.directory), "cannot open /proc")
        guard Kernel.isProc(directory.raw) else { throw RuntimeFailure("/proc of this host is not procfs") }
        hostPid = Kernel.readLink(directory.raw, "self").flatMap { Int32($0) } ?? getpid()
    }

    /// Opens what a descriptor stands for anew.
    func reopen(_ descriptor: Int32, _ flags: Int32) -> Int {
        Kernel.openAt(directory.raw, "self/fd/\(descriptor)", flags)
    }
}

/// The meeting of init and `start` on the fifo: opening it waits for `start`, and whoever reads it sees it closed when
/// init has become its program, or hears why it could not.
final class StartSignal {
    private var fifo: OpenFile?

    func wait(for descriptor: Int32, _ own: OwnDescriptors) throws(RuntimeFailure) {
        // The first process of a pid namespace gets no signal that it does not handle; one that waits is to end by
        // the usual ones all the same. The program has the default actions again.
        for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] { signal(number) { _exit(128 + $0) } }
        let fifo = try OpenFile(own.reopen(descriptor, O_WRONLY), "cannot open the exec fifo")
        try check(Kernel.write("0", to: fifo.raw), "cannot write to the exec fifo")
        Kernel.close(descriptor)
        self.fifo = fifo
    }

    func failed(_ failure: RuntimeFailure) {
        guard let fifo else { return }
        // Whoever reads the container's log must find it there too.
        if failure.isTold { _ = Kernel.write(failure.message + "\n", to: 2) }
        _ = Kernel.write((failure.isTold ? Self.told : Self.untold) + failure.message, to: fifo.raw)
    }

    static let told = "1"
    static let untold = "0"
}
