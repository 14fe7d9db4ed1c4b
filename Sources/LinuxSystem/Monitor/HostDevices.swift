internal import Glibc

/// The devices of this machine, for containers that get them.
public enum HostDevices {
    private static let limit = 1_024
    /// File systems of their own, what every container has anyway, and links.
    private static let left: Set<String> = [
        "pts", "shm", "mqueue", "hugepages", "fd", "console", "full", "null", "ptmx", "random", "tty", "urandom",
        "zero",
    ]

    /// One device.
    ///
    /// - Parameters:
    ///   - path: its file on the host; a link is followed.
    ///   - place: where the container sees it; nil for the same path.
    ///   - access: any of `r`, `w` and `m`.
    /// - Returns: the device; nil when the path is none.
    public static func device(at path: String, as place: String? = nil, access: String = "rwm") -> ImageRoot.Device? {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        let kind = facts.st_mode & S_IFMT
        guard kind == S_IFCHR || kind == S_IFBLK else { return nil }
        let number = UInt64(facts.st_rdev)
        return ImageRoot.Device(
            kind: kind == S_IFCHR ? "c" : "b", path: place ?? path,
            major: (number >> 8) & 0xfff | (number >> 32) & 0xffff_f000,
            minor: number & 0xff | (number >> 12) & 0xffff_ff00, mode: UInt64(facts.st_mode & 0o7777),
            uid: facts.st_uid, gid: facts.st_gid, access: access)
    }

    /// All below `/dev`, at most some more than a thousand.
    public static func all() -> [ImageRoot.Device] {
        var found: [ImageRoot.Device] = []
        collect("/dev", depth: 0, &found)
        return found
    }

    private static func collect(_ directory: String, depth: Int, _ found: inout [ImageRoot.Device]) {
        for name in (try? listDirectory(directory)) ?? [] where depth > 0 || !left.contains(name) {
            let path = "\(directory)/\(name)"
            var facts = stat()
            guard found.count < limit, lstat(path, &facts) == 0 else { continue }
            if facts.st_mode & S_IFMT == S_IFDIR {
                if depth < 4 { collect(path, depth: depth + 1, &found) }
            } else if facts.st_mode & S_IFMT != S_IFLNK, let device = device(at: path) {
                found.append(device)
            }
        }
    }
}
