import Glibc

/// Finds out, after an agent's restart, what became of its tasks, and removes what is left of one.
public enum MonitorRecovery {
    /// One directory below the run directory.
    public struct Found: Equatable, Sendable {
        /// The container, which is the directory's name.
        public let containerID: String
        /// Its directory.
        public let directory: MonitorDirectory
        /// What is known of it.
        public let disposition: Disposition
    }

    /// What became of a task.
    public enum Disposition: Equatable, Sendable {
        /// A monitor has it: attach to it with ``MonitorHub``.
        case monitored
        /// It ended while nobody was connected.
        case ended(MonitorExit)
        /// The directory was prepared but no monitor was ever started.
        case neverStarted
        /// The monitor is gone without an exit file: remove what is left and report the task failed.
        case lost
        /// A file there cannot be read; treat it as lost.
        case unreadable(String)
    }

    /// Lists the tasks below a run directory; entries that cannot name a container are left alone. A directory that
    /// does not exist is an empty one.
    public static func scan(runDirectory: String) throws(SystemError) -> [Found] {
        let names: [String]
        do throws(SystemError) {
            names = try listDirectory(runDirectory)
        } catch {
            guard error.errno == ENOENT else { throw error }
            return []
        }
        return names.filter(MonitorSpec.isValidContainerID).map { name in
            let directory = MonitorDirectory(runDirectory: runDirectory, containerID: name)
            return Found(containerID: name, directory: directory, disposition: disposition(of: directory))
        }
    }

    /// What became of one task.
    public static func disposition(of directory: MonitorDirectory) -> Disposition {
        // The lock is asked first: a monitor that ends between the two questions has left its exit file by then.
        let held = directory.hasMonitor
        do {
            if let exit = try directory.readExit() { return .ended(exit) }
            if held { return .monitored }
            if try directory.readState() != nil { return .lost }
            return access(directory.pidPath, F_OK) == 0 ? .lost : .neverStarted
        } catch {
            return .unreadable(error.description)
        }
    }

    /// Kills whatever a task still has running and removes its cgroup; the directory stays, with its exit file.
    ///
    /// For a lost task, and harmless for an ended one. Blocks up to a few seconds.
    /// - Parameters:
    ///   - containerID: name of its cgroup.
    ///   - directory: where its state file is.
    ///   - layout: where cgroups are; nil when this machine has none that we can use.
    /// - Throws: what still stood in the way after some seconds; try again later.
    public static func destroyTask(
        containerID: String, directory: MonitorDirectory, layout: CgroupLayout?
    ) throws(SystemError) {
        let state = try? directory.readState()
        // A state file of an earlier boot names processes that are strangers now; the start time alone could match.
        if let monitor = directory.readMonitor() {
            if directory.hasMonitor { monitor.send(signal: SIGKILL) }
            state?.initProcess?.send(signal: SIGKILL)
            switch state?.phase {
            case .running(let process)?, .killing(let process)?: process.send(signal: SIGKILL)
            default: break
            }
        }
        guard let layout, let cgroup = Cgroup(layout: layout, name: containerID) else { return }
        try cgroup.destroy()
    }

    /// ``destroyTask(containerID:directory:layout:)``, then removes the directory.
    public static func purge(
        containerID: String, directory: MonitorDirectory, layout: CgroupLayout?
    ) throws(SystemError) {
        try destroyTask(containerID: containerID, directory: directory, layout: layout)
        try removeTree(directory.path)
    }
}
