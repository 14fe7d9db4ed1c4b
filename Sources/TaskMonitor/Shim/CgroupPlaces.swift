internal import Glibc
internal import LinuxSystem

/// The control groups of a container: a folder for each controller (version 1), or one for all (version 2).
struct CgroupPlaces {
    /// By controller; with version 2 the only one, by the empty name.
    let folders: [String: String]

    var isUnified: Bool { folders[""] != nil }

    /// Finds the groups that a process is in; nil when there are none.
    static func of(pid: Int32) -> CgroupPlaces? {
        guard let membership = try? readFile("/proc/\(pid)/cgroup", limit: 1 << 20) else { return nil }
        return CgroupPlaces(membership: String(decoding: membership, as: UTF8.self), trees: trees())
    }

    /// A group by its path below the trees; nil when it is in none of them.
    static func named(_ path: String) -> CgroupPlaces? {
        let all = trees()
        var found: [String: String] = [:]
        for (controller, point) in all where controller.isEmpty == (all.count == 1) {
            let folder = point + (path.hasPrefix("/") ? path : "/" + path)
            var status = stat()
            if stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { found[controller] = folder }
        }
        return found.isEmpty ? nil : CgroupPlaces(folders: found)
    }

    private init(folders: [String: String]) { self.folders = folders }

    /// Reads `cgroups(7)`'s lines of `ID:CONTROLLERS:PATH`.
    init?(membership: String, trees: [String: String]) {
        var found: [String: String] = [:]
        var unified: String?
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, !fields[2].contains("..") else { continue }
            if fields[1].isEmpty { unified = trees[""].map { $0 + fields[2] } }
            for controller in fields[1].split(separator: ",") {
                if let point = trees[String(controller)] { found[String(controller)] = point + fields[2] }
            }
        }
        if found.isEmpty {
            guard let unified else { return nil }
            found = ["": unified]
        }
        folders = found
    }

    /// Mount points by controller; the tree of version 2 by the empty name.
    private static func trees() -> [String: String] {
        guard let table = try? readFile("/proc/self/mountinfo", limit: 16 << 20) else { return [:] }
        var found: [String: String] = [:]
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { continue }
            // A part of a tree, bound elsewhere, is not the tree.
            guard fields[3] == "/" else { continue }
            let point = String(fields[4])
            switch fields[dash + 1] {
            case "cgroup2": found[""] = found[""] ?? point
            case "cgroup":
                for option in fields[dash + 3].split(separator: ",") {
                    found[String(option)] = found[String(option)] ?? point
                }
            default: break
            }
        }
        return found
    }

    /// Moves a process into the groups.
    func add(pid: Int32) throws(SystemError) {
        for folder in Set(folders.values) {
            let path = folder + "/cgroup.procs"
            try FileDescriptor.open(path, flags: O_WRONLY).writeAll(Array("\(pid)".utf8), path: path)
        }
    }

    /// A file of a controller, nil when it is not there.
    func read(_ file: String, of controller: String) -> String? {
        guard let folder = folders[isUnified ? "" : controller],
            let bytes = try? readFile(folder + "/" + file, limit: 1 << 20)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A file that holds one number; the greatest of all for `max`.
    func number(_ file: String, of controller: String) -> UInt64 {
        guard let text = read(file, of: controller)?.split(whereSeparator: \.isWhitespace).first else { return 0 }
        return text == "max" ? .max : UInt64(text) ?? 0
    }

    /// A file of lines with a name and a number.
    func table(_ file: String, of controller: String) -> [Substring: UInt64] {
        var found: [Substring: UInt64] = [:]
        for line in (read(file, of: controller) ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2 { found[fields[0]] = UInt64(fields[1]) }
        }
        return found
    }
}
