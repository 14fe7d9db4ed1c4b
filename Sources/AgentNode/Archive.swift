internal import Glibc
internal import LinuxSystem

/// An archive by its name, unpacked by the host's own tools.
///
/// They run in a directory that only root can write to. GNU tar and unzip refuse absolute names and `..`, and tar
/// makes links last, so that no entry is written through one of the archive.
enum Archive: Equatable {
    case tar(option: String?)
    case zip

    init?(name: String) {
        let lower = name.lowercased()
        let tars: [(String, String?)] = [
            (".tar", nil), (".tar.gz", "-z"), (".tgz", "-z"), (".tar.bz2", "-j"), (".tbz2", "-j"), (".tar.xz", "-J"),
            (".txz", "-J"),
        ]
        if let match = tars.first(where: { lower.hasSuffix($0.0) }) {
            self = .tar(option: match.1)
        } else if lower.hasSuffix(".zip") {
            self = .zip
        } else {
            return nil
        }
    }

    /// Unpacks into a directory.
    func extract(_ path: String, into directory: String) throws {
        switch self {
        case .tar(let option):
            let flags = ["--no-same-owner", "--no-same-permissions", "--delay-directory-restore"]
            try run("tar", ["-x"] + [option].compactMap { $0 } + flags + ["-C", directory, "-f", path])
        case .zip: try run("unzip", ["-o", "-q", "-d", directory, path])
        }
    }

    private func run(_ name: String, _ arguments: [String]) throws {
        let places = ["/usr/bin/\(name)", "/bin/\(name)"]
        guard let program = places.first(where: { access($0, X_OK) == 0 }) else {
            throw TaskError("it cannot be unpacked: this machine has no \(name); install it or set extract to false")
        }
        let vector = CStringVector([name] + arguments)
        let environment = CStringVector(["PATH=/usr/bin:/bin", "LC_ALL=C"])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in Int32(0)...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, program, &actions, nil, vector.pointers, environment.pointers)
        guard failure == 0 else { throw SystemError(call: "spawn", path: program, errno: failure) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError(call: "waitpid", errno: errno) }
        }
        guard status == 0 else { throw TaskError("\(name) could not unpack it (wait status \(status))") }
    }
}
