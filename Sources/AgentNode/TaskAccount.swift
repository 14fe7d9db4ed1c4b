internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// The user that a task runs as.
struct TaskAccount: Sendable {
    var name: String
    /// Nil when the task runs as the agent's own user.
    var credentials: MonitorSpec.Credentials?
    var home: String?

    /// An account of an image.
    init(name: String, credentials: MonitorSpec.Credentials, home: String?) {
        self.name = name
        self.credentials = credentials
        self.home = home
    }

    /// The command's user, or the framework's.
    ///
    /// - Throws: what is wrong and what to do, naming the user.
    init(for launch: TaskLaunch) throws(TaskError) {
        let wanted = launch.task.command?.user ?? launch.user
        let accounts: AccountDatabase
        do throws(SystemError) { accounts = try AccountDatabase() } catch {
            throw TaskError("the agent cannot look up the task's user: \(error)")
        }
        let own = geteuid()
        let user = accounts.user(wanted.isEmpty ? String(own) : wanted)
        name = user?.name ?? (wanted.isEmpty ? String(own) : wanted)
        home = user?.home
        guard own == 0 else {
            guard user?.uid == own || UInt32(wanted) == own else {
                throw TaskError("the agent does not run as root and cannot run a task as user '\(wanted)'")
            }
            credentials = nil
            return
        }
        do throws(AccountDatabase.LookupError) { credentials = try accounts.credentials(of: name) } catch {
            throw TaskError(error.description)
        }
    }

    /// Whether the user could open a file for reading. The agent opens it as root, so it must look for itself: every
    /// directory on the way must be searchable, and the file readable.
    func mayRead(_ path: String) -> Bool {
        guard let credentials, credentials.uid != 0 else { return true }
        var facts = stat()
        var directory = ""
        let parts = path.split(separator: "/")
        for part in parts.dropLast() {
            directory += "/\(part)"
            guard stat(directory, &facts) == 0, allows(facts, 0o1, credentials) else { return false }
        }
        return stat(path, &facts) == 0 && allows(facts, 0o4, credentials)
    }

    private func allows(_ facts: stat, _ bit: mode_t, _ credentials: MonitorSpec.Credentials) -> Bool {
        if facts.st_uid == credentials.uid { return facts.st_mode & (bit << 6) != 0 }
        if facts.st_gid == credentials.gid || credentials.groups.contains(facts.st_gid) {
            return facts.st_mode & (bit << 3) != 0
        }
        return facts.st_mode & bit != 0
    }
}

/// Why a task cannot be started; the text becomes the message of its last status.
struct TaskError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
