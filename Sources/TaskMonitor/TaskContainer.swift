internal import CLinux
import Glibc
import LinuxSystem

/// A task's container as its monitor has it: commands of the container runtime on a bundle in the task's directory.
struct TaskContainer {
    let id: String
    let directory: MonitorDirectory
    let runtime: RuntimeCall.Entry

    /// Where the two descriptors that init needs are in the container's first process.
    private static let reportPlace: Int32 = 3
    private static let programPlace: Int32 = 4
    private static let secretsPlace: Int32 = 5
    /// `O_PATH`, which needs no right to read the file.
    private static let openPath: Int32 = 0x20_0000

    /// Writes the bundle and begins to create the container, whose first process is the task's init.
    ///
    /// - Parameters:
    ///   - spec: what runs.
    ///   - isolation: the walls around it.
    ///   - limitsSwap: whether the machine can limit swap.
    ///   - channels: the task's ends are handed on.
    ///   - terminal: the command's end of a terminal, which takes the place of the channels.
    ///   - console: where the runtime hands out a terminal that it makes in the container.
    ///   - secrets: the descriptor of what the command gets beside its spec, if any.
    /// - Returns: the command at work.
    /// - Throws: what stood in the way of starting it.
    func create(
        _ spec: MonitorSpec, isolation: MonitorSpec.Isolation, limitsSwap: Bool, channels: borrowing TaskChannels,
        terminal: Int32? = nil, console: ConsoleSocket? = nil, secrets: Int32? = nil
    ) throws(SystemError) -> RuntimeCall {
        // By descriptor, because the task's user may not be allowed to reach the program by its name.
        let program = try FileDescriptor.open("/proc/self/exe", flags: Self.openPath)
        var words = ["create", "--bundle", directory.bundlePath, "--pid-file", directory.initPidPath]
        if spec.root == nil { words.append("--host-root") }
        // The runtime works in the bundle.
        if console != nil { words += ["--console-socket", "../" + ConsoleSocket.taskName] }
        return try call(
            words + ["--preserve-fds", secrets == nil ? "2" : "3", id],
            streams: RuntimeCall.Streams(
                input: terminal ?? channels.input.raw, output: terminal ?? channels.output.writing.raw,
                errors: terminal ?? channels.errors.writing.raw,
                kept: [channels.taskReport.raw, program.raw] + (secrets.map { [$0] } ?? []))
        ) {
            // In the child, so that the monitor's memory stays small.
            do throws(SystemError) {
                try writeBundle(spec, isolation, limitsSwap, hasSecrets: secrets != nil)
                return nil
            } catch { return "the container's bundle cannot be written: \(error)" }
        }
    }

    private func writeBundle(
        _ spec: MonitorSpec, _ isolation: MonitorSpec.Isolation, _ limitsSwap: Bool, hasSecrets: Bool
    ) throws(SystemError) {
        let bundle = HostBundle(
            spec: spec, isolation: isolation,
            arguments: TaskInit.commandLine(
                program: "/proc/self/fd/\(Self.programPlace)", report: Self.reportPlace,
                secrets: hasSecrets ? Self.secretsPlace : nil, spec: spec),
            privileges: try .own(), limitsSwap: limitsSwap)
        try makeDirectories(directory.bundlePath, mode: 0o700)
        var config = bundle.config
        if let root = spec.root {
            let own = ImageBundle(host: bundle, root: root)
            config = own.config
            try own.assemble(in: directory.bundlePath)
        }
        try writeFileAtomically("\(directory.bundlePath)/config.json", Array(config.utf8), durable: false)
    }

    /// Pid of the container's first process, once `create` has ended well.
    func initPid() throws(SystemError) -> Int32 {
        let text = String(decoding: try readFile(directory.initPidPath, limit: 64), as: UTF8.self)
        guard let pid = Int32(text), pid > 1 else {
            throw SystemError(call: "read the pid in", path: directory.initPidPath, errno: EINVAL)
        }
        return pid
    }

    /// Begins to let the container's first process go on.
    func start() throws(SystemError) -> RuntimeCall { try call(["start", id]) }

    /// Removes the container in whatever state; one that is not there is fine.
    func delete() throws(SystemError) {
        let call = try call(["delete", "--force", id])
        guard call.wait() == 0 else {
            TaskMonitor.complain("the container cannot be removed: \(call.complaint ?? "no reason given")")
            return
        }
    }

    private func call(
        _ arguments: [String], streams: RuntimeCall.Streams? = nil, prepare: () -> String? = { nil }
    ) throws(SystemError) -> RuntimeCall {
        let null = try FileDescriptor.open("/dev/null", flags: O_RDWR)
        return try RuntimeCall.start(
            arguments, root: directory.runtimePath, logPath: directory.runtimeLogPath,
            streams: streams ?? RuntimeCall.Streams(input: null.raw, output: null.raw, errors: null.raw),
            entry: runtime, prepare: prepare)
    }
}

/// The channels between a monitor and its task, both ends.
struct TaskChannels: ~Copyable {
    let input: FileDescriptor
    /// The end to read from does not block.
    let output: Pipe
    /// The end to read from does not block.
    let errors: Pipe
    /// Reports of the init process and the command; does not block.
    let report: FileDescriptor
    let taskReport: FileDescriptor

    static func open() throws(SystemError) -> TaskChannels {
        let input = try FileDescriptor.open("/dev/null", flags: O_RDONLY)
        let output = try FileDescriptor.pipe()
        let errors = try FileDescriptor.pipe()
        var monitorEnd: Int32 = -1
        var taskEnd: Int32 = -1
        guard clinux_report_channel(&monitorEnd, &taskEnd) == 0 else {
            throw SystemError(call: "socketpair", errno: errno)
        }
        let report = FileDescriptor(owning: monitorEnd)
        let taskReport = FileDescriptor(owning: taskEnd)
        guard clinux_set_nonblocking(output.reading.raw) == 0, clinux_set_nonblocking(errors.reading.raw) == 0 else {
            throw SystemError(call: "fcntl", errno: errno)
        }
        return TaskChannels(input: input, output: output, errors: errors, report: report, taskReport: taskReport)
    }
}
