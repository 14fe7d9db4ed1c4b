import Glibc

/// The files that tell about a machine: its own, or a copy below another directory.
struct HostTree: Sendable {
    /// Prefix of all paths; empty for this machine.
    let root: String
    /// Decides on writing instead of the kernel, for rehearsals: the administrator may write everything in a copy.
    let mayWrite: (@Sendable (String) -> Bool)?

    init(root: String = "", mayWrite: (@Sendable (String) -> Bool)? = nil) {
        self.root = root
        self.mayWrite = mayWrite
    }

    /// A file's text without the last line feed; nil when it cannot be read or has more bytes than the limit.
    func text(_ path: String, limit: Int = 16 << 10) -> String? {
        // Nearly all are short, and room for a long one costs time.
        guard var text = (try? readText(root + path, limit: 4096)) ?? (try? readText(root + path, limit: limit)) else {
            return nil
        }
        if text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    /// A file that holds one number.
    func number(_ path: String) -> UInt64? {
        text(path, limit: 256).flatMap { UInt64($0.split(whereSeparator: \.isWhitespace).first ?? "") }
    }

    func exists(_ path: String) -> Bool { access(root + path, F_OK) == 0 }

    /// Whether this process may write it, by its effective rights.
    func isWritable(_ path: String) -> Bool {
        if let mayWrite, exists(path) { return mayWrite(path) }
        return faccessat(AT_FDCWD, root + path, W_OK, AT_EACCESS) == 0
    }

    func isExecutable(_ path: String) -> Bool { access(root + path, X_OK) == 0 }

    // MARK: Kernel modules

    /// Where the code of a part of the kernel is.
    enum Module: Equatable {
        /// In the kernel, or loaded.
        case present
        /// A file that the kernel loads when the part is first used.
        case loadable
        /// Nothing is known of it.
        case absent
    }

    /// Looks for a module by its file's name.
    func module(_ name: String) -> Module {
        if exists("/sys/module/\(name)") { return .present }
        guard let release = text("/proc/sys/kernel/osrelease") else { return .absent }
        let directory = "/lib/modules/\(release)"
        if let list = text("\(directory)/modules.builtin", limit: 16 << 20), Self.lists(list, name) { return .present }
        if let list = text("\(directory)/modules.dep", limit: 16 << 20), Self.lists(list, name) { return .loadable }
        return .absent
    }

    /// Lines are "kernel/fs/overlayfs/overlay.ko.xz: others"; names have either of `-` and `_`.
    private static func lists(_ list: String, _ name: String) -> Bool {
        let wanted = "\(name).ko"
        return list.utf8.split(separator: UInt8(ascii: "\n")).contains { line in
            let path = line.prefix { $0 != UInt8(ascii: ":") }
            guard let file = path.split(separator: UInt8(ascii: "/")).last else { return false }
            let plain = file.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
            return plain.starts(with: wanted.utf8)
                && (plain.count == wanted.utf8.count || plain[wanted.utf8.count] == 46)
        }
    }
}
