internal import Glibc

/// What comes before the command's name.
struct GlobalOptions: Equatable, Sendable {
    /// Absolute.
    var root: String
    var systemdCgroup = false
    /// Whether cgroups are taken as far as the user may, and no further.
    var rootless = false
    /// Whether ``root`` is the user's own run-time directory, which a tidy system clears of what is not sticky.
    var isRootPerUser = false

    static let flags = [
        Flag("debug", kind: .switched, help: "log what is done, step by step"),
        Flag("log", help: "write the log to this file (default: stderr)"),
        Flag("log-format", help: "format of the log: text or json (default: text)"),
        Flag("root", help: "directory of the containers' state (default: /run/rondo-oci)"),
        Flag("criu", hidden: true, help: "ignored"),
        Flag("systemd-cgroup", kind: .switched, help: "let systemd make the cgroups; cgroupsPath is slice:prefix:name"),
        Flag("rootless", help: "do without cgroups the user may not make: true, false or auto (default: auto)"),
        Flag("version", "v", kind: .switched, help: "print the version"),
    ]

    /// The part of the environment that counts.
    struct Surroundings {
        var isRoot: Bool
        var isInUserNamespace: Bool
        var runtimeDirectory: String?
        var userName: String?
        var workingDirectory: String

        static var current: Surroundings {
            Surroundings(
                isRoot: geteuid() == 0, isInUserNamespace: userNamespaceIsNested(),
                runtimeDirectory: variable("XDG_RUNTIME_DIR"), userName: variable("USER"),
                workingDirectory: currentDirectory())
        }

        static func variable(_ name: String) -> String? {
            guard let value = getenv(name), value.pointee != 0 else { return nil }
            return String(cString: value)
        }

        static func currentDirectory() -> String {
            guard let text = getcwd(nil, 0) else { return "/" }
            defer { free(text) }
            return String(cString: text)
        }

        /// The first user namespace maps all ids onto themselves.
        private static func userNamespaceIsNested() -> Bool {
            guard let bytes = try? RuntimeFiles.contents("/proc/self/uid_map", limit: 1 << 16) else { return false }
            let fields = bytes.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            return fields.map { String(decoding: $0, as: UTF8.self) } != ["0", "0", "4294967295"]
        }
    }

    init(root: String) { self.root = root }

    init(_ flags: ParsedFlags, _ around: @autoclosure () -> Surroundings = .current) throws(RuntimeFailure) {
        let around = around()
        root = "/run/rondo-oci"
        if let given = flags.text("root") {
            root = Self.absolute(given, in: around.workingDirectory)
        } else if let directory = around.runtimeDirectory, Self.isUserSession(around) {
            root = Self.absolute(directory + "/rondo-oci", in: around.workingDirectory)
            isRootPerUser = true
        }
        if root == "/" { throw RuntimeFailure("option --root cannot be /; name a directory of its own") }
        systemdCgroup = flags.flag("systemd-cgroup")
        switch flags.text("rootless") {
        case nil, "auto"?: rootless = !around.isRoot || around.isInUserNamespace
        case "true"?, "1"?, "t"?, "T"?, "TRUE"?, "True"?: rootless = true
        case "false"?, "0"?, "f"?, "F"?, "FALSE"?, "False"?: rootless = false
        case let other?: throw RuntimeFailure("invalid value \"\(other)\" for --rootless: use true, false or auto")
        }
    }

    /// Root in a user namespace that is still somebody's session keeps to that user's directory.
    private static func isUserSession(_ around: Surroundings) -> Bool {
        if !around.isRoot { return true }
        guard around.isInUserNamespace, let user = around.userName else { return false }
        return user != "root"
    }

    /// An absolute path without `.`, `..` and empty parts, by its words alone.
    static func absolute(_ path: String, in directory: String) -> String {
        var parts: [String] = []
        for part in (path.utf8.first == UInt8(ascii: "/") ? path : directory + "/" + path).pathSegments {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + String(parts, separator: "/")
    }

    /// The log that the global flags ask for.
    static func log(_ flags: ParsedFlags) throws(RuntimeFailure) -> RuntimeLog {
        let format: RuntimeLog.Format
        switch flags.text("log-format") {
        case nil, "text"?: format = .text
        case "json"?: format = .json
        case let other?: throw RuntimeFailure("invalid log-format: \(other): use text or json")
        }
        return try RuntimeLog.open(flags.text("log") ?? "", format: format, debug: flags.flag("debug"))
    }
}
