internal import Glibc
internal import LinuxSystem

/// The trees of control groups that this process sees, and where in each of them it is itself.
///
/// Three kinds of machine: only version 1 trees, only the version 2 tree, or both (hybrid), where a controller is
/// usable in the tree that has it.
struct CgroupHost: Equatable, Sendable {
    /// One mounted tree.
    struct Tree: Equatable, Sendable {
        /// As /proc/PID/cgroup has them, such as `cpu` or `name=systemd`; empty for version 2.
        var controllers: [String]
        /// Where the tree is mounted.
        var mountPoint: String
        /// Directory of the runtime's own group.
        var own: String
    }

    var version1: [Tree] = []
    var version2: Tree?

    /// Looks at this machine.
    ///
    /// - Parameter root: prefix of all paths; other than empty only to rehearse with ordinary directories.
    /// - Returns: what is mounted and where this process is.
    /// - Throws: when /proc cannot be read.
    static func read(root: String = "") throws(RuntimeFailure) -> CgroupHost {
        do throws(SystemError) {
            let mounts = try readFile("\(root)/proc/self/mountinfo", limit: 16 << 20)
            let membership = try readFile("\(root)/proc/self/cgroup", limit: 1 << 20)
            return CgroupHost(
                mountinfo: cgroupLines(of: mounts),
                membership: String(decoding: membership, as: UTF8.self), root: root)
        } catch {
            throw RuntimeFailure("cannot find the control groups: \(error); is /proc mounted?")
        }
    }

    /// The lines about trees of control groups: of the hundreds of mounts of some machines a dozen matter.
    private static func cgroupLines(of mountinfo: [UInt8]) -> String {
        mountinfo.withUnsafeBytes { text in
            guard let base = text.baseAddress else { return "" }
            // Blanks in names are written otherwise, so this is nowhere but before the type.
            let words: StaticString = " - cgroup"
            var lines = ""
            var start = 0
            while start < text.count {
                let end = memchr(base + start, 10, text.count - start).map { base.distance(to: $0) } ?? text.count
                var done = start
                while done + words.utf8CodeUnitCount <= end {
                    guard let blank = memchr(base + done, 32, end - done) else { break }
                    done = base.distance(to: blank)
                    let room = end - done >= words.utf8CodeUnitCount
                    if room, memcmp(blank, words.utf8Start, words.utf8CodeUnitCount) == 0 {
                        lines += String(decoding: UnsafeRawBufferPointer(rebasing: text[start..<end]), as: UTF8.self)
                        lines += "\n"
                        break
                    }
                    done += 1
                }
                start = end + 1
            }
            return lines
        }
    }

    /// - Parameters:
    ///   - mountinfo: text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
    ///   - membership: text of `/proc/self/cgroup` (cgroups(7)).
    ///   - root: prefix of all mount points.
    init(mountinfo: String, membership: String, root: String = "") {
        // A controller that the kernel has moved to version 2 has no line of its own here, though its mount may stay.
        var groups: [(controllers: [String], path: String)] = []
        for line in membership.words(UInt8(ascii: "\n")) {
            // The third field may hold colons, and the second be empty.
            guard let first = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let rest = line.utf8[line.utf8.index(after: first)...]
            guard let second = rest.firstIndex(of: UInt8(ascii: ":")) else { continue }
            groups.append(
                (
                    String(Substring(rest[..<second])).words(UInt8(ascii: ",")),
                    String(Substring(rest[rest.index(after: second)...]))
                ))
        }
        for line in mountinfo.words(UInt8(ascii: "\n")) {
            guard let mount = MountedTree(line) else { continue }
            let point = root + mount.point
            if mount.kind == "cgroup2" {
                guard version2 == nil, let group = groups.first(where: \.controllers.isEmpty) else { continue }
                version2 = Tree(controllers: [], mountPoint: point, own: mount.directory(of: group.path, at: point))
            } else if mount.kind == "cgroup" {
                guard
                    let group = groups.first(where: { group in
                        group.controllers.contains { mount.options.contains($0) }
                    }), !version1.contains(where: { $0.controllers == group.controllers })
                else { continue }
                version1.append(
                    Tree(
                        controllers: group.controllers, mountPoint: point,
                        own: mount.directory(of: group.path, at: point)))
            }
        }
    }
}

/// A line of mountinfo, as far as it matters here.
private struct MountedTree {
    let point: String
    let kind: String
    let options: [String]
    /// Which group of the tree is the top of the mount.
    let top: String

    init?(_ line: String) {
        let fields = line.words(UInt8(ascii: " "))
        guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return nil }
        top = MountInfoField.unescaped(fields[3])
        point = MountInfoField.unescaped(fields[4])
        kind = fields[dash + 1]
        options = fields[dash + 3].words(UInt8(ascii: ","))
    }

    /// A group outside of what is mounted counts as the top: it cannot be reached.
    func directory(of group: String, at point: String) -> String {
        let above = CgroupPath.components(top)
        let path = CgroupPath.components(group)
        guard path.count > above.count, path.starts(with: above) else { return point }
        return CgroupPath.join(point, Array(path[above.count...]))
    }
}

/// Paths of groups below the top of a tree.
enum CgroupPath {
    /// The names in a path; `..` never leads above the top.
    static func components(_ path: String) -> [String] {
        var names: [String] = []
        for name in path.pathSegments where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        return names
    }

    /// As ``components(_:)``; nil when the path goes above where it starts.
    static func below(_ path: String) -> [String]? {
        var depth = 0
        for name in path.split(separator: "/") where name != "." {
            depth += name == ".." ? -1 : 1
            if depth < 0 { return nil }
        }
        return components(path)
    }

    static func join(_ directory: String, _ names: [String]) -> String {
        names.reduce(directory == "/" ? "" : directory) { "\($0)/\($1)" }
    }

    /// The directory above, but never above `top`.
    static func parent(of directory: String, top: String) -> String {
        guard directory != top, let slash = directory.lastIndex(of: "/") else { return top }
        let above = String(directory[..<slash])
        return above.utf8.count < top.utf8.count ? top : above
    }
}
