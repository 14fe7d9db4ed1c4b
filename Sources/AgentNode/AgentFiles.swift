internal import AgentCore
internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem

/// The agent's directory:
///
/// ```
/// agent.json                                   the id that the master gave
/// run/CONTAINER/task.json                      the task, before anything of it starts
/// run/CONTAINER/updates                        its updates and acknowledgements, one JSON line each
/// run/CONTAINER/task.spec, exit, monitor.*     the monitor's files (``MonitorDirectory``)
/// work/FRAMEWORK/TASK/CONTAINER/               the task's work directory
/// work/FRAMEWORK/EXECUTOR/GROUP/tasks/TASK/    the same of a task in a group
/// work/FRAMEWORK/EXECUTOR/GROUP/volumes/       what the tasks of a group share
/// volumes/NAME/                                volumes that have names and outlive their containers
/// secrets/CONTAINER/                           empty; where the task, and only it, sees its secrets in memory
/// ```
struct AgentFiles: Sendable {
    static let format = 1
    /// The most that one task's files may be read for.
    private static let taskLimit = 16 << 20
    private static let updatesLimit = 64 << 20

    let root: String
    var runDirectory: String { "\(root)/run" }
    var workRoot: String { "\(root)/work" }
    var volumeRoot: String { "\(root)/volumes" }
    private var secretRoot: String { "\(root)/secrets" }
    private var identityPath: String { "\(root)/agent.json" }

    struct Identity: Codable {
        var format: Int
        var id: AgentID
        var bootID: String
    }

    private struct TaskRecord: Codable {
        var format: Int
        var task: StoredTask
    }

    /// One line of the file of updates. A task's file starts with its format.
    private struct UpdateLine: Codable {
        var format: Int?
        var update: TaskStatus?
        var acknowledged: StatusUUID?
    }

    func monitor(_ id: ContainerID) -> MonitorDirectory {
        MonitorDirectory(runDirectory: runDirectory, containerID: id.value)
    }

    func secretDirectory(_ id: ContainerID) -> String { "\(secretRoot)/\(id)" }

    private func taskPath(_ id: ContainerID) -> String { "\(runDirectory)/\(id)/task.json" }
    private func updatesPath(_ id: ContainerID) -> String { "\(runDirectory)/\(id)/updates" }

    /// Makes the directories. Others may enter them, because tasks run as their own users below `work`, but not look.
    func prepare() throws(AgentNodeError) {
        do throws(SystemError) {
            try makeDirectories(root, mode: 0o711)
            try makeDirectories(runDirectory, mode: 0o700)
            try makeDirectories(workRoot, mode: 0o711)
            try makeDirectories(secretRoot, mode: 0o711)
            try makeDirectories(volumeRoot, mode: 0o711)
            for path in [root, workRoot, secretRoot] where chmod(path, 0o711) != 0 {
                throw SystemError(call: "chmod", path: path, errno: errno)
            }
            try syncDirectory(root)
        } catch { throw .dataDirectory(path: root, reason: error.description) }
    }

    /// Takes the directory for this process; the lock goes with the process.
    func lock() throws(AgentNodeError) -> Int32 {
        let path = "\(root)/lock"
        let descriptor: Int32
        do throws(SystemError) {
            descriptor = try LinuxSystem.FileDescriptor.open(path, flags: O_RDWR | O_CREAT | O_NOFOLLOW).release()
        } catch { throw .dataDirectory(path: root, reason: error.description) }
        var wanted = Glibc.flock()
        wanted.l_type = Int16(F_WRLCK)
        wanted.l_whence = Int16(SEEK_SET)
        // F_OFD_SETLK, which glibc's headers hide from Swift: the lock belongs to this descriptor alone.
        guard fcntl(descriptor, 37, &wanted) == 0 else {
            close(descriptor)
            throw .dataDirectoryInUse(path: root)
        }
        return descriptor
    }

    // MARK: Identity

    func loadIdentity() throws(AgentNodeError) -> Identity? {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(identityPath, limit: 65_536) } catch {
            if error.errno == ENOENT { return nil }
            throw .unreadable(path: identityPath, reason: error.reason)
        }
        let identity: Identity
        do { identity = try JSONDecoder().decode(Identity.self, from: Data(bytes)) } catch {
            throw .unreadable(path: identityPath, reason: "it is damaged; remove it to join as a new agent")
        }
        guard identity.format <= Self.format else {
            throw .unreadable(path: identityPath, reason: "a newer release wrote it; upgrade this one")
        }
        return identity
    }

    func storeIdentity(_ id: AgentID) throws {
        let boot = (try? HostFacts.bootID()) ?? ""
        let identity = Identity(format: Self.format, id: id, bootID: boot)
        try writeFileAtomically(identityPath, [UInt8](try JSONEncoder().encode(identity)))
    }

    func forgetIdentity() throws(SystemError) {
        guard unlink(identityPath) == 0 || errno == ENOENT else {
            throw SystemError(call: "unlink", path: identityPath, errno: errno)
        }
        try syncDirectory(root)
    }

    // MARK: Tasks

    /// Writes a task so that it is there after a crash of the machine.
    func store(_ task: StoredTask) throws {
        let id = task.containerID
        var task = task
        // Not there any more; but never on a disk, whoever forgets to take them out.
        task.launch.secrets = nil
        try makeDirectories("\(runDirectory)/\(id)", mode: 0o700)
        // First, so that syncing the directory after task.json makes its name durable too.
        let header = try JSONEncoder().encode(UpdateLine(format: Self.format))
        let file = try LinuxSystem.FileDescriptor.open(
            updatesPath(id), flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW)
        try file.writeAll([UInt8](header) + [UInt8(ascii: "\n")])
        let record = try JSONEncoder().encode(TaskRecord(format: Self.format, task: task))
        try writeFileAtomically(taskPath(id), [UInt8](record))
        try syncDirectory(runDirectory)
    }

    /// Appends updates and makes them durable; after a failure none of them is there.
    func append(_ updates: [TaskStatus], to id: ContainerID) throws {
        try append(updates.map { UpdateLine(update: $0) }, to: id, durable: true)
    }

    /// Appends an acknowledgement without waiting for the disk: it must survive the process, not the machine.
    func appendAcknowledgement(_ uuid: StatusUUID, to id: ContainerID) throws {
        try append([UpdateLine(acknowledged: uuid)], to: id, durable: false)
    }

    private func append(_ lines: [UpdateLine], to id: ContainerID, durable: Bool) throws {
        var bytes: [UInt8] = []
        for line in lines {
            bytes += try JSONEncoder().encode(line)
            bytes.append(UInt8(ascii: "\n"))
        }
        let path = updatesPath(id)
        let file = try LinuxSystem.FileDescriptor.open(path, flags: O_WRONLY | O_APPEND | O_NOFOLLOW)
        var before = stat()
        guard fstat(file.raw, &before) == 0 else { throw SystemError(call: "fstat", path: path, errno: errno) }
        do throws(SystemError) {
            try file.writeAll(bytes, path: path)
            if durable { try file.sync(path: path) }
        } catch {
            // A torn line would swallow the next one.
            _ = ftruncate(file.raw, before.st_size)
            throw error
        }
    }

    func forget(_ id: ContainerID, layout: CgroupLayout?) throws(SystemError) {
        rmdir(secretDirectory(id))
        try MonitorRecovery.purge(containerID: id.value, directory: monitor(id), layout: layout)
    }

    // MARK: Recovery

    /// A task as its files say it; nil when the directory holds no task, because a crash came before it was stored or
    /// while it was being removed.
    func load(_ id: ContainerID) throws(AgentNodeError) -> (stored: StoredTask, log: UpdateLog)? {
        let path = taskPath(id)
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(path, limit: Self.taskLimit) } catch {
            if error.errno == ENOENT { return nil }
            throw .unreadable(path: path, reason: error.reason)
        }
        let record: TaskRecord
        do { record = try JSONDecoder().decode(TaskRecord.self, from: Data(bytes)) } catch {
            throw .unreadable(path: path, reason: "it is damaged")
        }
        guard record.format <= Self.format, record.task.containerID == id else {
            throw .unreadable(path: path, reason: "a newer release wrote it; upgrade this one")
        }
        return (record.task, try loadUpdates(id))
    }

    struct UpdateLog {
        var updates: [TaskStatus] = []
        var acknowledged: Set<StatusUUID> = []
    }

    /// Reads updates up to the first line that is not whole, which a crash may have left, and cuts the file there.
    private func loadUpdates(_ id: ContainerID) throws(AgentNodeError) -> UpdateLog {
        let path = updatesPath(id)
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(path, limit: Self.updatesLimit) } catch {
            if error.errno == ENOENT { return UpdateLog() }
            throw .unreadable(path: path, reason: error.reason)
        }
        var log = UpdateLog()
        var whole = 0
        while let end = bytes[whole...].firstIndex(of: UInt8(ascii: "\n")) {
            guard let line = try? JSONDecoder().decode(UpdateLine.self, from: Data(bytes[whole..<end])) else { break }
            if let format = line.format, format > Self.format {
                throw .unreadable(path: path, reason: "a newer release wrote it; upgrade this one")
            }
            if let update = line.update { log.updates.append(update) }
            if let uuid = line.acknowledged { log.acknowledged.insert(uuid) }
            whole = end + 1
        }
        if whole < bytes.count, truncate(path, whole) != 0 {
            throw .unreadable(path: path, reason: SystemError.text(of: errno))
        }
        return log
    }
}
