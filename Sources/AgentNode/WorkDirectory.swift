internal import Glibc
internal import LinuxSystem

/// The directory that a task runs in. It belongs to root until the task is about to start, so that no other task of
/// the same user can put links into it while the agent writes there.
struct WorkDirectory: Sendable {
    let path: String

    /// Makes it, and the directories of its framework and task above it, which others may pass but not list; those of
    /// its group too.
    func make(isGrouped: Bool = false) throws(SystemError) {
        var above: [String] = []
        while above.count < (isGrouped ? 4 : 2), let slash = (above.last ?? path).lastIndex(of: "/") {
            above.append(String((above.last ?? path)[..<slash]))
        }
        guard let parent = above.first else { throw SystemError(call: "mkdir", path: path, errno: EINVAL) }
        try makeDirectories(parent, mode: 0o711)
        try makeDirectories(path, mode: 0o750)
        // Whatever the umask of the agent's process is.
        for directory in above { try permit(directory, 0o711) }
        try permit(path, 0o750)
    }

    private func permit(_ path: String, _ mode: mode_t) throws(SystemError) {
        guard chmod(path, mode) == 0 else { throw SystemError(call: "chmod", path: path, errno: errno) }
    }

    /// Gives it and all that is in it to the task's user.
    func give(to account: TaskAccount) throws(SystemError) {
        guard let credentials = account.credentials else { return }
        try give(path, credentials.uid, credentials.gid, depth: 0)
    }

    private func give(_ path: String, _ uid: UInt32, _ gid: UInt32, depth: Int) throws(SystemError) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { throw SystemError(call: "lstat", path: path, errno: errno) }
        // The content first: as long as the directory is root's, nobody can change what is in it.
        if facts.st_mode & S_IFMT == S_IFDIR {
            guard depth < 128 else { throw SystemError(call: "chown", path: path, errno: ELOOP) }
            for name in try listDirectory(path) { try give("\(path)/\(name)", uid, gid, depth: depth + 1) }
        }
        guard lchown(path, uid, gid) == 0 else { throw SystemError(call: "chown", path: path, errno: errno) }
    }

    /// Removes it, and the directories above it that are empty then.
    func remove(below root: String) throws(SystemError) {
        guard path.hasPrefix(root + "/") else { return }
        try removeTree(path)
        var parent = path
        for _ in 0..<2 {
            guard let slash = parent.lastIndex(of: "/") else { return }
            parent = String(parent[..<slash])
            guard parent.utf8.count > root.utf8.count, rmdir(parent) == 0 else { return }
        }
    }
}
