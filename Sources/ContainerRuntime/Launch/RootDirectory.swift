internal import CLinux
internal import Glibc

/// A container's root while it is built from outside: all names are looked up below it by the kernel, so that no link,
/// `..` or exchanged directory inside leads anything out of it (CVE-2019-16884, CVE-2021-30465, CVE-2023-27561).
struct RootDirectory {
    let file: OpenFile

    private static let noLinks: UInt64 = 0x04
    private static let longestPath = 4_096

    init(_ path: String) throws(RuntimeFailure) {
        file = try OpenFile(
            Kernel.open(path, Kernel.path | Kernel.directory), "cannot open the root filesystem \(path)")
    }

    /// A path without empty and dot segments; `..` goes up as far as the root.
    static func normalized(_ path: String) -> [String] {
        var segments: [String] = []
        for segment in path.pathSegments where segment != "." {
            if segment == ".." { _ = segments.popLast() } else { segments.append(segment) }
        }
        return segments
    }

    /// An existing file, not opened for reading; nil when there is none.
    func find(_ path: String, allowLinks: Bool = true) throws(RuntimeFailure) -> OpenFile? {
        let result = Kernel.openInRoot(
            file.raw, String(Self.normalized(path), separator: "/"), Kernel.path, resolve: allowLinks ? 0 : Self.noLinks
        )
        if result == -Int(ENOENT) || result == -Int(ENOTDIR) { return nil }
        return try OpenFile(result, "cannot look up \(path) in the container")
    }

    /// Whether there is a real directory at a path, or nothing: no link on the way, and no other file.
    func isOrdinary(_ path: String) -> Bool {
        let place = Self.normalized(path).joined(separator: "/")
        let result = Kernel.openInRoot(file.raw, place, Kernel.path | Kernel.noFollow, resolve: Self.noLinks)
        guard result >= 0 else { return result == -Int(ENOENT) }
        let found = OpenFile(Int32(truncatingIfNeeded: result))
        var facts = stat()
        return fstat(found.raw, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
    }

    /// Where a link that leads to nothing leads; nil for what is no link.
    private func target(of name: String, in directory: OpenFile) -> [String]? {
        guard let text = Kernel.readLink(directory.raw, name) else { return nil }
        if text.hasPrefix("/") { return Self.normalized(text) }
        // Relative to where the directory really is.
        guard let here = Kernel.readLink(AT_FDCWD, Kernel.link(directory.raw)),
            let top = Kernel.readLink(AT_FDCWD, Kernel.link(file.raw)), here.hasPrefix(top)
        else { return nil }
        return Self.normalized(here.dropFirst(top.count) + "/" + text)
    }

    /// A directory, made with its parents when it is not there; links to nothing are followed, inside of the root.
    func directory(_ path: String, mode: Int = 0o755, links: Int = 40) throws(RuntimeFailure) -> OpenFile {
        let segments = Self.normalized(path)
        guard path.utf8.count <= Self.longestPath else {
            throw RuntimeFailure("the path \(path.prefix(80))… is longer than \(Self.longestPath) bytes")
        }
        // It is there nearly always.
        let whole = Kernel.openInRoot(file.raw, String(segments, separator: "/"), Kernel.path | Kernel.directory)
        if whole >= 0 { return OpenFile(Int32(truncatingIfNeeded: whole)) }
        var here = try OpenFile(Kernel.openInRoot(file.raw, "", Kernel.path | Kernel.directory), "cannot open the root")
        var walked = ""
        for (index, segment) in segments.enumerated() {
            walked += walked.isEmpty ? segment : "/" + segment
            var next = Kernel.openInRoot(file.raw, walked, Kernel.path | Kernel.directory)
            if next == -Int(ENOENT), links > 0, let target = target(of: segment, in: here) {
                let rest = target + segments[(index + 1)...]
                return try directory(rest.joined(separator: "/"), mode: mode, links: links - 1)
            }
            if next == -Int(ENOENT) {
                let made = Kernel.makeDirectory(here.raw, segment, mode: mode)
                if made != -Int(EEXIST) { try check(made, "cannot make /\(walked) in the container") }
                next = Kernel.openAt(here.raw, segment, Kernel.path | Kernel.directory | Kernel.noFollow)
            }
            here = try OpenFile(next, "cannot use /\(walked) in the container as a directory")
        }
        return here
    }

    /// The directory that holds a name, and the name.
    func parent(of path: String) throws(RuntimeFailure) -> (directory: OpenFile, name: String) {
        var segments = Self.normalized(path)
        guard let name = segments.popLast() else { throw RuntimeFailure("\(path) cannot be the name of a file") }
        return (try directory(String(segments, separator: "/")), name)
    }

    /// A file to mount on, made empty when it is not there.
    func regularFile(_ path: String, links: Int = 40) throws(RuntimeFailure) -> OpenFile {
        if let found = try find(path) { return found }
        let (directory, name) = try parent(of: path)
        if links > 0, let target = target(of: name, in: directory) {
            return try regularFile(target.joined(separator: "/"), links: links - 1)
        }
        let made = Kernel.openAt(directory.raw, name, O_WRONLY | O_CREAT | O_EXCL | Kernel.noFollow, mode: 0o755)
        try check(made, "cannot make \(path) in the container")
        Kernel.close(Int32(made))
        return try OpenFile(
            Kernel.openAt(directory.raw, name, Kernel.path | Kernel.noFollow), "cannot open \(path) in the container")
    }
}
