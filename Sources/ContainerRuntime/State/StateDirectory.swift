internal import CLinux
internal import Glibc

/// The runtime's memory on disk: one directory per container below `--root`, of mode 0700.
///
/// `<id>/lock` is held (flock) while a command changes the container; `<id>/state.json` appears once the container's
/// cgroup is known. A directory without it belongs to a create that is under way or was killed; names that are no
/// container id (they begin with `~`) are left over from a removal that was killed.
struct StateDirectory: Sendable {
    /// Absolute.
    let root: String

    /// The longest id, as long as a file name may be.
    static let longestID = 255

    init(root: String) { self.root = root }

    /// runc's rule: letters, digits, `_ + , - .`, and neither `.` nor `..`.
    static func check(_ id: String) throws(RuntimeFailure) {
        if id.isEmpty { throw RuntimeFailure("container id cannot be empty") }
        let isPlain = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+")...UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isPlain, id != ".", id != "..", id.utf8.count <= longestID else {
            throw RuntimeFailure("invalid container ID format: use letters, digits and _ + , - .")
        }
    }

    func path(_ id: String) -> String { root + "/" + id }
    func path(_ id: String, _ file: String) -> String { root + "/" + id + "/" + file }
    /// The pipe whose opening starts the container; there only until then.
    func execFifo(_ id: String) -> String { path(id, "exec.fifo") }

    /// Makes the directory of a new container and takes its lock.
    ///
    /// - Throws: when the id is not one, or taken.
    func create(_ id: String) throws(RuntimeFailure) -> ContainerLock {
        try Self.check(id)
        try RuntimeFiles.makeDirectories(root, mode: 0o700)
        if mkdir(path(id), 0o700) != 0 {
            let code = errno
            if code == EEXIST { throw RuntimeFailure("container with given ID already exists: \(id)") }
            throw RuntimeFailure("mkdir \(path(id))", errno: code)
        }
        guard let lock = try ContainerLock(path(id, "lock"), create: true, wait: .zero) else {
            throw RuntimeFailure("container \(id) was removed while it was made")
        }
        return lock
    }

    /// Takes the lock of a container; waits, within reason, for the command that has it.
    func lock(_ id: String, wait: Duration = .seconds(10)) throws(RuntimeFailure) -> ContainerLock {
        try Self.check(id)
        guard access(path(id), F_OK) == 0 else { throw RuntimeFailure.containerMissing }
        guard let lock = try ContainerLock(path(id, "lock"), create: true, wait: wait) else {
            throw RuntimeFailure.containerMissing
        }
        return lock
    }

    /// Whether a command that changes the container is at work.
    func isLocked(_ id: String) -> Bool {
        let descriptor = clinux_open(path(id, "lock"), O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return clinux_flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// Writes `state.json`; the caller has the lock.
    func save(_ record: ContainerRecord) throws(RuntimeFailure) {
        try RuntimeFiles.replace(path(record.id, "state.json"), Array(record.json.text().utf8))
    }

    /// Writes the copy of the configuration; the caller has the lock.
    func saveConfig(_ bytes: [UInt8], of id: String) throws(RuntimeFailure) {
        try RuntimeFiles.replace(path(id, "config.json"), bytes)
    }

    /// - Throws: ``RuntimeFailure/containerMissing`` when there is none, or none yet.
    func load(_ id: String) throws(RuntimeFailure) -> ContainerRecord {
        try Self.check(id)
        guard let bytes = try RuntimeFiles.contents(path(id, "state.json")) else {
            throw RuntimeFailure.containerMissing
        }
        let record = try ContainerRecord(json: try JSONValue.parse(bytes))
        guard record.id == id else { throw RuntimeFailure("state.json of \(id) is of another container") }
        return record
    }

    /// The configuration the container was created with.
    func config(of id: String) throws(RuntimeFailure) -> ContainerConfig {
        guard let bytes = try RuntimeFiles.contents(path(id, "config.json")) else {
            throw RuntimeFailure("container \(id) has no copy of its config.json")
        }
        return try ContainerConfig.read(try JSONValue.parse(bytes))
    }

    /// All ids that have a directory, sorted.
    func ids() throws(RuntimeFailure) -> [String] {
        guard let names = try RuntimeFiles.names(in: root) else { return [] }
        return names.filter { name in (try? Self.check(name)) != nil && Self.isDirectory(path(name)) }.sorted()
    }

    /// All containers, sorted by id; what cannot be read comes with the reason, so that one broken directory hides
    /// no other container.
    func all() throws(RuntimeFailure) -> [(id: String, record: Result<ContainerRecord, RuntimeFailure>)] {
        var containers: [(id: String, record: Result<ContainerRecord, RuntimeFailure>)] = []
        for id in try ids() {
            do throws(RuntimeFailure) {
                containers.append((id: id, record: .success(try load(id))))
            } catch {
                containers.append((id: id, record: .failure(error)))
            }
        }
        return containers
    }

    /// Forgets a container; the caller has the lock, and nothing of the container is left.
    func remove(_ id: String) throws(RuntimeFailure) {
        try Self.check(id)
        // First out of sight, in one step: a removal that is killed leaves no half container.
        let hidden = path("~" + id)
        if rename(path(id), hidden) != 0 {
            if errno != ENOTEMPTY && errno != EEXIST { return try RuntimeFiles.removeTree(path(id)) }
            try RuntimeFiles.removeTree(hidden)
            if rename(path(id), hidden) != 0 { return try RuntimeFiles.removeTree(path(id)) }
        }
        try RuntimeFiles.removeTree(hidden)
    }

    /// Where the container is in its life, from what is true now: its init, the pipe of start, its cgroup.
    func status(of record: ContainerRecord) -> ContainerStatus {
        if record.initPid == 0 || record.isCreating { return isLocked(record.id) ? .creating : .stopped }
        guard record.isInitAlive else { return .stopped }
        if record.cgroup.isFrozen { return .paused }
        return access(execFifo(record.id), F_OK) == 0 ? .created : .running
    }

    private static func isDirectory(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
    }
}

extension ContainerRecord {
    /// Whether the process that was the container's init is still there and no zombie.
    var isInitAlive: Bool {
        guard initPid > 0, let facts = ProcessFacts.of(initPid) else { return false }
        return !facts.isDead && facts.startTime == initStartTime
    }
}

extension RuntimeFailure {
    static var containerMissing: RuntimeFailure { RuntimeFailure("container does not exist") }
    static var containerNotRunning: RuntimeFailure { RuntimeFailure("container not running") }
}
