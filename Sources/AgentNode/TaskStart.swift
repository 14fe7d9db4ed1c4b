internal import AgentCore
internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// Turns a stored task into what a monitor runs.
struct TaskStart: Sendable {
    let settings: AgentNode.Settings
    let files: AgentFiles
    /// `ADDRESS:PORT` of the agent's endpoint, for the task's environment.
    let endpoint: String
    let networks: AgentNetworks

    /// Makes the work directory, writes the monitor's file and starts the monitor. Blocks for some milliseconds.
    ///
    /// - Parameters:
    ///   - task: what to start.
    ///   - values: of its secrets, in their order. They go to the command past every file.
    ///   - image: of its container, if it has one.
    /// - Returns: the container's own addresses, where it has any.
    /// - Throws: why it does not start; nothing runs then.
    func start(
        _ task: StoredTask, _ values: [[UInt8]], _ image: ProvidedImage?
    ) throws(TaskError) -> [NetworkAddress] {
        var addresses: [NetworkAddress] = []
        let account: TaskAccount
        var spec: MonitorSpec
        if let container = task.launch.task.container, container.image != nil {
            guard let image else { throw TaskError("the container's image is not there") }
            (spec, account, addresses) = try self.spec(task, container, image)
        } else {
            account = try TaskAccount(for: task.launch)
            spec = try self.spec(task, account)
        }
        if let container = task.launch.task.container, container.hasTerminal {
            let size = container.terminalSize
            spec.terminal = TerminalSize(rows: size?.rows ?? 24, columns: size?.columns ?? 80)
            if !spec.environment.contains(where: { $0.name == "TERM" }) {
                spec.environment.append(("TERM", "xterm"))
            }
        }
        let secrets = try secrets(of: task, values, &spec)
        let directory = files.monitor(task.containerID)
        do {
            try WorkDirectory(path: task.directory).make(isGrouped: task.groupContainer != nil)
            // Layers of changes of an earlier attempt, should there have been one.
            if let root = spec.root { try removeTree(root.changes) }
            try WorkDirectory(path: task.directory).give(to: account)
            // Not synced: after a restart of the machine the task is lost, or never was started and gets a new file.
            try writeFileAtomically(directory.specPath, try spec.encoded(), durable: false)
            if spec.root == nil, let place = spec.secretDirectory { try makeDirectories(place, mode: 0o711) }
            try MonitorLauncher.spawn(executable: settings.monitorExecutable, directory: directory, secrets: secrets)
            return addresses
        } catch {
            throw TaskError("the task's monitor cannot be started: \(error)")
        }
    }

    /// Takes variables that are secrets out of the spec, which is written to a file, and names the place of the files.
    private func secrets(
        of task: StoredTask, _ values: [[UInt8]], _ spec: inout MonitorSpec
    ) throws(TaskError) -> MonitorSecrets? {
        if values.isEmpty { return nil }
        var secrets = MonitorSecrets()
        var rest = values[...]
        for variable in task.launch.task.command?.environment ?? [] {
            secrets.variables.removeAll { $0.name == variable.name }
            guard variable.secret != nil, let value = rest.popFirst() else { continue }
            guard !variable.name.isEmpty, !variable.name.contains("="), !variable.name.contains("\0"),
                !value.contains(0)
            else { throw TaskError("a secret cannot be the variable '\(variable.name)'; use a volume for it") }
            secrets.variables.append((variable.name, value))
        }
        let files = task.launch.task.secretFiles ?? []
        if files.isEmpty { return secrets }
        guard geteuid() == 0 else {
            throw TaskError("secrets in files need an agent that runs as root; use variables, or start it as root")
        }
        for file in files {
            if let defect = SecretFile.defect(ofPath: file.path) {
                throw TaskError("the path of a secret '\(file.path)' \(defect)")
            }
            // A container's command may start elsewhere than in the work directory.
            let path = spec.root == nil ? file.path : "\(ImageTask.workPlace)/\(file.path)"
            if let value = rest.popFirst() { secrets.files.append((path, value)) }
        }
        secrets.directory =
            spec.root == nil ? self.files.secretDirectory(task.containerID) : ImageTask.secretPlace
        spec.secretDirectory = secrets.directory
        return secrets
    }

    private func spec(_ task: StoredTask, _ account: TaskAccount) throws(TaskError) -> MonitorSpec {
        let info = task.launch.task
        guard let command = info.command, let value = command.value, !value.isEmpty else {
            throw TaskError("the task's command names no program")
        }
        var arguments = ["sh", "-c", value]
        if !command.isShell { arguments = command.arguments.isEmpty ? [value] : command.arguments }
        var spec = MonitorSpec(
            containerID: task.containerID.value, executable: command.isShell ? "/bin/sh" : value,
            arguments: arguments, workingDirectory: task.directory, credentials: account.credentials,
            limits: limits(info), logs: logs(of: task))
        spec.environment = environment(task, command, account)
        spec.bestEffort = geteuid() != 0
        spec.resourceLimits = try (info.container?.limits ?? []).map { limit throws(TaskError) in
            try MonitorSpec.ResourceLimit(limit)
        }
        return spec
    }

    /// What a task with an image becomes.
    private func spec(
        _ task: StoredTask, _ container: ContainerInfo, _ image: ProvidedImage
    ) throws(TaskError) -> (MonitorSpec, TaskAccount, [NetworkAddress]) {
        guard geteuid() == 0 else { throw TaskError("containers with images need an agent that runs as root") }
        let command = task.launch.task.command ?? CommandInfo(isShell: false, value: nil)
        let host: AccountDatabase
        do throws(SystemError) { host = try AccountDatabase() } catch {
            throw TaskError("the agent cannot look up users: \(error)")
        }
        let directory = files.monitor(task.containerID).path
        let own = ImageTask(
            command: command, launchUser: task.launch.user, workDirectory: task.directory,
            groupDirectory: task.groupDirectory, containerID: task.containerID, container: container, image: image,
            directory: directory, volumeRoot: files.volumeRoot, hostAccounts: host)
        let (credentials, home) = try own.account()
        let account = TaskAccount(name: command.user ?? task.launch.user, credentials: credentials, home: home)
        let (executable, arguments) = try own.program()
        var spec = MonitorSpec(
            containerID: task.containerID.value, executable: executable, arguments: arguments,
            workingDirectory: own.workingDirectory, credentials: credentials,
            limits: limits(task.launch.task), logs: logs(of: task))
        // All tasks of a group connect the same container, which is done once.
        let connected = task.launch.group.map { $0.container ?? ContainerInfo(kind: .mesos) } ?? container
        let network = try ContainerNetwork.prepare(connected, for: task.networkHolder, in: directory, networks)
        let root = try own.root(network, credentials)
        spec.root = root
        spec.environment = own.environment(
            environment(task, command, account), home: home, hostname: root.hostname)
        spec.resourceLimits = try own.limits()
        return (spec, account, network.addresses)
    }

    private func logs(of task: StoredTask) -> MonitorSpec.Logs {
        MonitorSpec.Logs(
            stdoutPath: "\(task.directory)/stdout", stderrPath: "\(task.directory)/stderr",
            maximumBytes: settings.logBytes, maximumFiles: settings.logFiles)
    }

    /// Mesos' floors: a hundredth of a core and 32 MiB, below which nothing would start. A task with limits of its own may
    /// use what is free up to them: its share of busy processors stays that of its resources.
    private func limits(_ task: TaskInfo) -> CgroupLimits {
        func above(_ name: String, _ limit: Int64?) -> UInt64? {
            limit == .max ? nil : UInt64(max(task.resources.total(name).thousandths, limit ?? 0, 0))
        }
        let cpu = UInt64(max(task.resources.total("cpus").thousandths, 10))
        var quota = settings.limitsProcessorTime ? cpu : nil
        if let limit = task.limits?.cpus { quota = above("cpus", limit).map { max($0, 10) } }
        let memory = above("mem", task.limits?.mem).flatMap { memory -> UInt64? in
            let (bytes, overflow) = memory.multipliedReportingOverflow(by: 1 << 20)
            return overflow ? nil : max(bytes / 1_000, 32 << 20)
        }
        return CgroupLimits(
            cpuMilli: cpu, cpuQuotaMilli: quota, memoryBytes: memory, pids: settings.pidsPerTask)
    }

    /// What Mesos' command executor gives a task, then what the command asks for.
    private func environment(
        _ task: StoredTask, _ command: CommandInfo, _ account: TaskAccount
    ) -> [(name: String, value: String)] {
        let launch = task.launch
        let agent = launch.task.agentID.value
        var all: [(name: String, value: String)] = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", account.home ?? task.directory), ("USER", account.name), ("LOGNAME", account.name),
            ("PWD", task.directory), ("MESOS_SANDBOX", task.directory), ("MESOS_DIRECTORY", task.directory),
            ("MESOS_TASK_ID", launch.task.taskID.value), ("MESOS_EXECUTOR_ID", launch.executorID.value),
            ("MESOS_FRAMEWORK_ID", launch.frameworkID.value), ("MESOS_AGENT_ID", agent), ("MESOS_SLAVE_ID", agent),
            ("MESOS_AGENT_ENDPOINT", endpoint), ("MESOS_CONTAINER_ID", task.containerID.value),
        ]
        for variable in command.environment {
            all.removeAll { $0.name == variable.name }
            if variable.secret == nil { all.append((variable.name, variable.value)) }
        }
        return all
    }
}

extension StoredTask {
    /// The container that the task's network belongs to: its own, or that of its group.
    var networkHolder: ContainerID { groupContainer ?? containerID }
}
