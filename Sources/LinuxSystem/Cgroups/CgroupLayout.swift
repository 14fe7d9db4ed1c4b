import Glibc

/// Where this machine has its control groups: in one tree per controller (version 1, also when a version 2 tree without
/// the controllers stands beside it) or in one tree for all (version 2).
public struct CgroupLayout: Equatable, Sendable {
    /// The two interfaces of the kernel (admin-guide/cgroup-v1 and cgroup-v2.rst).
    public enum Version: Equatable, Sendable {
        /// One tree per controller.
        case v1
        /// One tree for all controllers.
        case v2
    }

    /// Controllers whose trees make a machine one of version 1.
    static let controllers = ["cpu", "cpuacct", "memory", "pids", "freezer"]

    /// Which interface the controllers are on.
    public let version: Version
    /// Group below each tree's root that holds ours; one path component.
    public let parent: String
    /// Mount point by controller, every one that is mounted; of the version 2 tree by the empty name.
    let mounts: [String: String]
    /// The trees are ordinary directories, so control files must be made by whoever writes them.
    let isRehearsal: Bool

    /// Looks at this machine.
    ///
    /// The groups are made below each mount's root, not below this process's own group: the agent is started in varying
    /// places (a login, a unit of its own), and after a restart it must find the groups again.
    /// - Parameters:
    ///   - root: prefix of all paths; other than empty only to rehearse with ordinary directories.
    ///   - parent: group that holds ours.
    /// - Returns: nil when no usable tree is mounted.
    /// - Throws: when the lists of mounts and groups cannot be read.
    public static func detect(root: String = "", parent: String = "rondo") throws(SystemError) -> CgroupLayout? {
        let mounted = try readText("\(root)/proc/self/mountinfo", limit: 16 << 20)
        let membership = try readText("\(root)/proc/self/cgroup", limit: 1 << 20)
        // A controller that the kernel has moved to version 2 is in no "ID:controllers:path" line of its own.
        let attached = Set(
            membership.split(separator: "\n").flatMap { line in
                line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).dropFirst().prefix(1)
                    .flatMap { $0.split(separator: ",") }
            })
        var trees: [String: String] = [:]
        for line in mounted.split(separator: "\n") {
            guard let mount = Mount(line) else { continue }
            switch mount.kind {
            case "cgroup2": if trees[""] == nil { trees[""] = root + mount.point }
            case "cgroup":
                for option in mount.options where attached.contains(Substring(option)) && trees[option] == nil {
                    trees[option] = root + mount.point
                }
            default: break
            }
        }
        // A version 2 tree without these controllers is no use for a task's limits, but holds its group as well.
        let version: Version = controllers.contains { trees[$0] != nil } ? .v1 : .v2
        guard version == .v1 || trees[""] != nil else { return nil }
        return CgroupLayout(version: version, parent: parent, mounts: trees, isRehearsal: !root.isEmpty)
    }

    /// Whether memory can be limited together with swap. Version 1 is often started without that; version 2 takes a
    /// limit of no swap in any case.
    public var limitsSwap: Bool {
        guard version == .v1, let memory = mounts["memory"] else { return version == .v2 }
        return access("\(memory)/memory.memsw.limit_in_bytes", F_OK) == 0
    }

    /// Directory of our parent group in each tree.
    var parentDirectories: [String] { Set(mounts.values).sorted().map { "\($0)/\(parent)" } }

    /// Names of the groups there are now, in any of the trees.
    public func groups() -> [String] {
        var names: Set<String> = []
        for directory in parentDirectories {
            for name in (try? listDirectory(directory)) ?? [] where isDirectory("\(directory)/\(name)") {
                names.insert(name)
            }
        }
        return names.sorted()
    }

    /// Removes the parent group if no group is left in it; part of leaving nothing on a machine.
    public func removeParentIfEmpty() {
        guard groups().isEmpty else { return }
        for directory in parentDirectories { try? removeGroup(directory) }
    }

    func removeGroup(_ directory: String) throws(SystemError) {
        if isRehearsal { return try removeTree(directory) }
        guard rmdir(directory) == 0 || errno == ENOENT else { throw .last("rmdir", directory) }
    }

    /// Writes one control file.
    func write(_ value: String, to path: String) throws(SystemError) {
        let file = try FileDescriptor.open(path, flags: O_WRONLY | (isRehearsal ? O_CREAT | O_TRUNC : 0), mode: 0o644)
        try file.writeAll(Array(value.utf8), path: path)
    }
}

func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// One line of `proc_pid_mountinfo(5)`.
struct Mount: Equatable {
    let point: String
    let kind: String
    /// Options of the file system, for cgroup v1 the controllers.
    let options: [String]

    init?(_ line: Substring) {
        let fields = line.split(separator: " ")
        guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return nil }
        point = MountInfoField.unescaped(String(fields[4]))
        kind = String(fields[dash + 1])
        options = fields[dash + 3].split(separator: ",").map(String.init)
    }
}
