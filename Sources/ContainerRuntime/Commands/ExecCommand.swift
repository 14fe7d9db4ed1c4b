internal import CLinux
internal import Glibc
internal import LinuxSystem

/// `exec`: a further process in a container.
enum ExecCommand {
    static let exec = RuntimeCommand(
        name: "exec", summary: "run a further process in a container",
        arguments: "<container-id> <command> [arguments]", arity: .atLeast(1),
        flags: [
            Flag("console-socket", help: "unix socket that gets the master of the process's terminal"),
            Flag("cwd", help: "working directory in the container"),
            Flag("env", "e", kind: .list, help: "NAME=VALUE, added to the environment; may be repeated"),
            Flag("tty", "t", kind: .switched, help: "give it a terminal"),
            Flag("user", "u", help: "uid[:gid]"),
            Flag("additional-gids", "g", kind: .integers, help: "a further group; may be repeated"),
            Flag("process", "p", help: "file with the process as JSON, in place of the other flags"),
            Flag("detach", "d", kind: .switched, help: "do not wait for it"),
            Flag("pid-file", help: "file that gets its pid"),
            Flag("pidfd-socket", help: "unix socket that gets a pidfd of it"),
            Flag("process-label", help: "SELinux label"),
            Flag("apparmor", help: "AppArmor profile"),
            Flag("no-new-privs", kind: .switched, help: "let it gain no privileges"),
            Flag("cap", "c", kind: .list, help: "a further capability; may be repeated"),
            Flag("preserve-fds", kind: .integer, help: "pass this many descriptors behind the standard ones on"),
            Flag("cgroup", kind: .list, help: "group below the container's to run in: [controllers:]path"),
            Flag(
                "ignore-paused", kind: .switched, help: "start it in a paused container too; it runs once that goes on"),
            Flag("no-subreaper", kind: .switched, hidden: true, help: "ignored"),
        ],
        examples: [
            ("exec web ps", "run ps in the container web"),
            ("exec -t --env TERM=xterm web sh", "a shell with a terminal"),
        ],
        interspersed: false,
        run: { context throws(RuntimeFailure) in
            do throws(RuntimeFailure) {
                try CreateCommands.protect(context)
                return try run(context)
            } catch {
                throw RuntimeFailure("exec failed: \(error.message)", status: 255)
            }
        })

    private static func run(_ context: CommandContext) throws(RuntimeFailure) -> Int32 {
        let flags = context.flags
        let record = try context.state.load(context.id)
        switch context.state.status(of: record) {
        case .stopped, .creating: throw RuntimeFailure("cannot exec in a stopped container")
        case .paused where !flags.flag("ignore-paused"):
            throw RuntimeFailure("cannot exec in a paused container (use --ignore-paused to override)")
        case .paused, .created, .running: break
        }
        let config = try context.state.config(of: context.id)
        var process = try process(context, record, config)
        let isDetached = flags.flag("detach")
        let socket = flags.text("console-socket")
        try ContainerCreation.checkTerminal(process.terminal, isDetached: isDetached, hasSocket: socket != nil)
        let passed = try PassedDescriptors(preserved: flags.integer("preserve-fds"))
        process.env += passed.environment
        let foreground = isDetached ? nil : try Foreground()
        let request = ExecRequest(
            process: process, consoleSocket: process.terminal ? try foreground?.openConsole() ?? socket : nil,
            isConsoleRelayed: foreground != nil, preserveFDs: passed.count, cgroup: flags.list("cgroup"))
        let pid = try Launcher.startExec(
            request, id: record.id, bundle: record.bundle, target: record.initPid, config: config,
            cgroup: record.cgroup, caches: record.caches, log: context.log)
        do throws(RuntimeFailure) {
            if let path = flags.text("pidfd-socket") { try Sockets.sendProcess(pid, as: "setns", to: path) }
            if let path = flags.text("pid-file") { try PidFile.write(pid, to: path) }
        } catch {
            Launcher.discard(pid)
            throw error
        }
        return try foreground?.wait(for: pid) ?? 0
    }

    /// The process that is asked for: a file's, or the container's own with what the flags say.
    private static func process(
        _ context: CommandContext, _ record: ContainerRecord, _ config: ContainerConfig
    ) throws(RuntimeFailure) -> ProcessConfig {
        if let path = context.flags.text("process") {
            guard let bytes = try RuntimeFiles.contents(path) else {
                throw RuntimeFailure("open \(path)", errno: ENOENT)
            }
            let log = context.log
            let process = try ProcessConfig.read(try JSONValue.parse(bytes)) { log.warn($0) }
            try process.check()
            return process
        }
        guard let template = try bundleProcess(record) ?? config.process else {
            throw RuntimeFailure("the container's config.json has no process; give one with --process")
        }
        let process = try adapted(template, context.flags)
        try process.check(name: "exec")
        return process
    }

    /// runc takes the bundle's file as it is now; where the bundle is gone, the copy from create serves.
    private static func bundleProcess(_ record: ContainerRecord) throws(RuntimeFailure) -> ProcessConfig? {
        guard let bytes = try? RuntimeFiles.contents(record.bundle + "/config.json") else { return nil }
        return try ContainerConfig.read(bytes: bytes).process
    }

    /// The template with the command line's words; internal for tests.
    static func adapted(_ template: ProcessConfig, _ flags: ParsedFlags) throws(RuntimeFailure) -> ProcessConfig {
        var process = template
        process.args = Array(flags.arguments.dropFirst())
        if process.args.isEmpty { throw RuntimeFailure("args must not be empty: name the command to run") }
        process.terminal = flags.flag("tty")
        process.env += flags.list("env")
        if let cwd = flags.text("cwd") { process.cwd = cwd }
        if let profile = flags.text("apparmor") { process.apparmorProfile = profile }
        if let label = flags.text("process-label") { process.selinuxLabel = label }
        if flags.isSet("no-new-privs") { process.noNewPrivileges = flags.flag("no-new-privs") }
        for name in flags.list("cap") { try add(name, to: &process) }
        if let user = flags.text("user") {
            let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { process.user.gid = try id(parts[1], "gid") }
            process.user.uid = try id(parts[0], "uid")
        }
        for group in flags.list("additional-gids") {
            guard let gid = UInt32(group), gid <= UserConfig.idMax else {
                throw RuntimeFailure("additional-gids must be a positive number \(group)")
            }
            process.user.additionalGids.append(gid)
        }
        return process
    }

    private static func id(_ text: Substring, _ what: String) throws(RuntimeFailure) -> UInt32 {
        guard let id = UInt32(text), id <= UserConfig.idMax else {
            throw RuntimeFailure("bad \(what): \(text): use a number from 0 to \(UserConfig.idMax)")
        }
        return id
    }

    /// Ambient needs inheritable, which the container's configuration decides on; so it follows that.
    private static func add(_ name: String, to process: inout ProcessConfig) throws(RuntimeFailure) {
        guard let number = Capability.number(of: name) else {
            throw RuntimeFailure("unknown capability \(name): use a name such as CAP_KILL")
        }
        var sets = process.capabilities ?? CapabilitiesConfig()
        let bit = UInt64(1) << UInt64(number)
        sets.bounding |= bit
        sets.effective |= bit
        sets.permitted |= bit
        if sets.inheritable != 0 { sets.ambient |= bit }
        process.capabilities = sets
    }
}
