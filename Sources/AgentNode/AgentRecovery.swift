internal import AgentCore
internal import ClusterModel
internal import Glibc
internal import LinuxSystem
internal import Logging

/// Reads what an earlier life of the agent left behind.
struct AgentRecovery {
    let files: AgentFiles
    let layout: CgroupLayout?
    let logger: Logger
    /// The id that the agent has because of its node's key; nil lets it draw one.
    var given: AgentID?

    /// The first event of the core.
    func event() throws -> AgentCoreEvent {
        let identity = try identity()
        var tasks: [RecoveredTask] = []
        for found in try MonitorRecovery.scan(runDirectory: files.runDirectory) {
            let id = ContainerID(found.containerID)
            guard let (stored, log) = try load(id) else { continue }
            tasks.append(
                RecoveredTask(
                    stored: stored, updates: log.updates, acknowledged: log.acknowledged,
                    container: container(found)))
        }
        let live = Set(tasks.map { $0.stored.groupDirectory ?? $0.stored.directory })
        let ended = workDirectories().filter { !live.contains($0.path) }
        return .recovered(identity: identity, tasks: tasks, ended: ended)
    }

    /// A node that joined anew has a new key, and its agent another id than before.
    private func identity() throws -> AgentID {
        let known = try files.loadIdentity()?.id
        guard let given else { return try known ?? drawIdentity() }
        if known != given { try files.storeIdentity(given) }
        return given
    }

    /// An agent names itself before its first registration. An id that the master gave could get lost with the answer,
    /// and the agent would come back as another one while the first one is mourned.
    private func drawIdentity() throws -> AgentID {
        var generator = SystemRandomNumberGenerator()
        let id = AgentID(StatusUUID(using: &generator).text)
        try files.storeIdentity(id)
        return id
    }

    /// A directory without a task is left over from before the task was stored or from its removal. One that cannot
    /// be read must not keep the other tasks from being adopted: its processes are ended and it is set aside.
    private func load(_ id: ContainerID) throws -> (stored: StoredTask, log: AgentFiles.UpdateLog)? {
        do {
            if let loaded = try files.load(id) { return loaded }
            try files.forget(id, layout: layout)
        } catch {
            logger.error("task of container \(id) is given up: \(error)")
            try? MonitorRecovery.destroyTask(containerID: id.value, directory: files.monitor(id), layout: layout)
            // A name that no container can have, so that it is looked at by people only.
            rename("\(files.runDirectory)/\(id)", "\(files.runDirectory)/,damaged-\(id)")
        }
        return nil
    }

    private func container(_ found: MonitorRecovery.Found) -> RecoveredTask.Container {
        switch found.disposition {
        case .monitored: .running
        case .ended(let exit): exit.asRecovered
        case .neverStarted: .notLaunched
        case .lost where isOfEarlierBoot(found.directory): .lost(reason: "the machine was started anew meanwhile")
        case .lost: .lost(reason: "its monitor is gone without an exit file")
        case .unreadable(let reason): .lost(reason: reason)
        }
    }

    /// Whether a monitor was there, and its number is that of an earlier boot.
    private func isOfEarlierBoot(_ directory: MonitorDirectory) -> Bool {
        access(directory.pidPath, F_OK) == 0 && directory.readMonitor() == nil
    }

    /// All `work/FRAMEWORK/TASK/CONTAINER` with the time they were last changed.
    private func workDirectories() -> [EndedWorkDirectory] {
        var result: [EndedWorkDirectory] = []
        for framework in (try? listDirectory(files.workRoot)) ?? [] {
            for task in (try? listDirectory("\(files.workRoot)/\(framework)")) ?? [] {
                let parent = "\(files.workRoot)/\(framework)/\(task)"
                for container in (try? listDirectory(parent)) ?? [] {
                    var facts = stat()
                    guard lstat("\(parent)/\(container)", &facts) == 0 else { continue }
                    let changed = UnixTime(seconds: Double(facts.st_mtim.tv_sec))
                    result.append(EndedWorkDirectory(path: "\(parent)/\(container)", endedAt: changed))
                }
            }
        }
        return result
    }
}

extension MonitorExit {
    /// The end in the core's words; nil when the command never ran.
    var asEnd: ContainerEnd? {
        switch outcome {
        case .exited(let status):
            ContainerEnd(waitStatus: Int32(status) << 8, isOutOfMemory: oomKilled, isKilledByRequest: killRequested)
        case .signaled(let signal):
            ContainerEnd(
                waitStatus: rawWaitStatus & 0x7f == signal ? rawWaitStatus : signal, isOutOfMemory: oomKilled,
                isKilledByRequest: killRequested)
        case .couldNotStart: nil
        }
    }

    var asRecovered: RecoveredTask.Container {
        if let end = asEnd { .ended(end) } else { .launchFailed(reason: message) }
    }

    /// The event that tells the core.
    var asEvent: AgentCoreEvent {
        let id = ContainerID(containerID)
        return if let end = asEnd { .ended(id, end) } else { .launchFailed(id, reason: message) }
    }
}
