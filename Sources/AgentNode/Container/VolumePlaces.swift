internal import ClusterModel
internal import Glibc
internal import LinuxSystem

/// Finds and makes what volumes are on the host. What fetched archives have put into the work directory leads nowhere:
/// a link on the way is refused.
struct VolumePlaces {
    /// Where volumes that have names are.
    let volumeRoot: String
    /// The task's.
    let workDirectory: String
    /// What the task shares with others of its group; nil for a task on its own, which has its own directory for that.
    var groupDirectory: String?
    /// Who gets directories that are made here.
    let owner: MonitorSpec.Credentials

    /// Where a volume comes from.
    func source(_ source: ContainerVolume.Source) throws(TaskError) -> ImageRoot.Mount.Source {
        switch source {
        case .host(let path):
            guard access(path, F_OK) == 0 else { throw TaskError("the volume's path \(path) is not on this machine") }
            return .path(path)
        case .work(let path): return .path(try make(path, below: workDirectory))
        case .group(let path):
            guard let groupDirectory else { return .path(try make(path, below: workDirectory)) }
            return .path(try make(path, below: "\(groupDirectory)/volumes", isShared: true))
        case .named(let name):
            guard !name.contains("/"), !name.hasPrefix("."), name.utf8.count <= 255, !name.isEmpty else {
                throw TaskError("a volume's name has no slashes and does not begin with a dot")
            }
            return .path(try make(name, below: volumeRoot))
        case .memory(let bytes): return .memory(bytes: bytes ?? 64 << 20)
        }
    }

    /// Makes the directories of a relative path that are not there.
    ///
    /// Shared ones are open to whichever users the tasks of a group run as, below a directory that only root enters.
    private func make(_ path: String, below root: String, isShared: Bool = false) throws(TaskError) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw TaskError("the volume's path '\(path.prefix(256))' has empty parts or dots")
        }
        do throws(SystemError) {
            try makeDirectories(root, mode: isShared ? 0o700 : 0o711)
            var directory = try FileDescriptor.open(root, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            for (index, part) in parts.enumerated() {
                let isNew = mkdirat(directory.raw, part, 0o755) == 0
                var facts = stat()
                guard isNew || errno == EEXIST, fstatat(directory.raw, part, &facts, AT_SYMLINK_NOFOLLOW) == 0 else {
                    throw SystemError(call: "mkdir", path: part, errno: errno)
                }
                // What is mounted may be a file.
                if index == parts.count - 1, facts.st_mode & S_IFMT == S_IFREG { break }
                directory = try directory.open(at: part, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                if isNew { _ = fchown(directory.raw, owner.uid, owner.gid) }
                if isNew, isShared { _ = fchmod(directory.raw, 0o777) }
            }
        } catch { throw TaskError("the volume '\(path.prefix(256))' cannot be made: \(error)") }
        return "\(root)/\(path)"
    }
}
