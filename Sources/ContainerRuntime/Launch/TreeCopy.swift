internal import CLinux
internal import Glibc

/// Copies what a directory holds into a fresh tmpfs (`tmpcopyup`).
enum TreeCopy {
    private static let mostEntries = 100_000
    private static let deepest = 64

    static func copy(from source: Int32, to target: Int32) throws(RuntimeFailure) {
        var left = mostEntries
        try copy(from: source, to: target, depth: 0, left: &left)
    }

    private static func copy(
        from source: Int32, to target: Int32, depth: Int, left: inout Int
    ) throws(RuntimeFailure) {
        guard depth < deepest else { throw RuntimeFailure("tmpcopyup: directories are nested deeper than \(deepest)") }
        for name in try names(in: source) {
            left -= 1
            guard left > 0 else { throw RuntimeFailure("tmpcopyup: there are more than \(mostEntries) files to copy") }
            let file = try OpenFile(
                Kernel.openAt(source, name, Kernel.path | Kernel.noFollow), "tmpcopyup: cannot open \(name)")
            var facts = stat()
            guard fstat(file.raw, &facts) == 0 else { throw RuntimeFailure("tmpcopyup: \(name)", errno: errno) }
            let mode = Int(facts.st_mode & 0o7777)
            switch facts.st_mode & S_IFMT {
            case S_IFDIR:
                try check(Kernel.makeDirectory(target, name, mode: 0o700), "tmpcopyup: cannot make \(name)")
                let inner = try OpenFile(
                    Kernel.openAt(source, name, O_RDONLY | Kernel.directory | Kernel.noFollow), "tmpcopyup: \(name)")
                let made = try OpenFile(
                    Kernel.openAt(target, name, O_RDONLY | Kernel.directory | Kernel.noFollow), "tmpcopyup: \(name)")
                try copy(from: inner.raw, to: made.raw, depth: depth + 1, left: &left)
                try finish(made.raw, facts, mode, name)
            case S_IFREG: try copyFile(name, from: source, to: target, facts, mode)
            case S_IFLNK:
                guard let text = Kernel.readLink(file.raw, "") else {
                    throw RuntimeFailure("tmpcopyup: cannot read the link \(name)")
                }
                try check(Kernel.makeLink(text, target, name), "tmpcopyup: cannot make the link \(name)")
            default:
                try check(
                    Kernel.makeNode(target, name, mode: Int(facts.st_mode), device: Int(facts.st_rdev)),
                    "tmpcopyup: cannot make \(name)")
            }
        }
    }

    private static func copyFile(
        _ name: String, from source: Int32, to target: Int32, _ facts: stat, _ mode: Int
    ) throws(RuntimeFailure) {
        let from = try OpenFile(Kernel.openAt(source, name, O_RDONLY | Kernel.noFollow), "tmpcopyup: \(name)")
        let to = try OpenFile(
            Kernel.openAt(target, name, O_WRONLY | O_CREAT | O_EXCL | Kernel.noFollow, mode: 0o600),
            "tmpcopyup: cannot make \(name)")
        while true {
            let count = Kernel.call(SYS_sendfile, Int(to.raw), Int(from.raw), 0, 1 << 20)
            if count == -Int(EINTR) { continue }
            if try check(count, "tmpcopyup: cannot copy \(name)") == 0 { break }
        }
        try finish(to.raw, facts, mode, name)
    }

    private static func finish(_ file: Int32, _ facts: stat, _ mode: Int, _ name: String) throws(RuntimeFailure) {
        try check(
            Kernel.call(SYS_fchown, Int(file), Int(facts.st_uid), Int(facts.st_gid)), "tmpcopyup: owner of \(name)")
        try check(Kernel.call(SYS_fchmod, Int(file), mode), "tmpcopyup: mode of \(name)")
    }

    private static func names(in directory: Int32) throws(RuntimeFailure) -> [String] {
        let copy = Kernel.openAt(directory, ".", O_RDONLY | Kernel.directory)
        try check(copy, "tmpcopyup: cannot read a directory")
        guard let stream = fdopendir(Int32(copy)) else { throw RuntimeFailure("tmpcopyup", errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            guard names.count <= mostEntries else { throw RuntimeFailure("tmpcopyup: too many files") }
        }
        return names
    }
}
