internal import CLinux
internal import Glibc
internal import LinuxSystem

/// A container's place in resctrl, the kernel's file system for shares of caches and memory bandwidth (Intel RDT, AMD
/// QoS; Documentation/filesystems/resctrl.rst): its class of service, a directory that several containers may share,
/// and perhaps a directory below it in which it is measured alone. A value that is kept in the container's state.
///
/// The rules about who makes and who removes what are those of the runtime-spec, config-linux.md, `intelRdt`.
struct CacheGroup: Equatable, Sendable {
    /// Where resctrl is mounted.
    var mountPoint: String
    /// The class's directory; the mount point itself is the class of everybody who is in no other.
    var path: String
    /// The directory that measures this container alone; nil when nobody asked for it.
    var monitor: String?
    /// Whether the class is this container's own and goes with it.
    var isOwn = false

    /// Finds out where a container belongs. Nothing is made yet.
    ///
    /// - Parameters:
    ///   - config: `linux.intelRdt`.
    ///   - id: the container's, which names what is its own.
    ///   - root: prefix of all paths; other than empty only to rehearse with ordinary directories.
    /// - Throws: when this host has no resctrl, or the class that is named without limits does not exist.
    init(_ config: IntelRdtConfig, id: String, root: String = "") throws(RuntimeFailure) {
        guard let found = Self.mountPoint(root) else {
            throw RuntimeFailure(
                "linux.intelRdt: no resctrl file system is mounted on this host; mount it with `mount -t resctrl resctrl "
                    + "/sys/fs/resctrl` where the processor and the kernel have it, or remove intelRdt from config.json"
            )
        }
        mountPoint = found
        path = config.closID == "/" ? found : "\(found)/\(config.closID ?? id)"
        let exists = Self.isDirectory(path)
        if let name = config.closID, config.lines.isEmpty, !exists {
            throw RuntimeFailure(
                "linux.intelRdt: there is no class of service \(name.quoted) in \(found); make it before, or give it "
                    + "limits with schemata")
        }
        isOwn = config.closID == nil && !exists
        if config.enableMonitoring { monitor = "\(path)/mon_groups/\(id)" }
    }

    /// Makes what is missing, and limits a class that is new; one that somebody else made must have these limits.
    ///
    /// `makeDirectory` stands for the kernel in tests: there, a new directory has its files at once.
    func create(
        _ config: IntelRdtConfig, makeDirectory: (String) -> Int32 = { mkdir($0, 0o755) == 0 ? 0 : errno }
    ) throws(RuntimeFailure) {
        let exists = Self.isDirectory(path)
        if !exists { try make(path, makeDirectory) }
        do throws(RuntimeFailure) {
            if exists, config.closID != nil {
                try compare(config.lines)
            } else if !config.lines.isEmpty {
                try write(config.lines)
            }
            if let monitor, !Self.isDirectory(monitor) { try make(monitor, makeDirectory) }
        } catch {
            if !exists { rmdir(path) }
            throw error
        }
    }

    private func make(_ path: String, _ makeDirectory: (String) -> Int32) throws(RuntimeFailure) {
        let code = makeDirectory(path)
        guard code != 0, code != EEXIST else { return }
        let why = code == ENOSPC ? "; the hardware has no further class or monitor to give" : ""
        throw failure("mkdir \(path)", code, why)
    }

    /// Moves a process in, with all threads that it has: one, as it has run nothing yet. Its children follow by birth.
    func add(pid: Int32) throws(RuntimeFailure) {
        for directory in [path, monitor].compactMap({ $0 }) {
            let code = CgroupDirectory(path: directory).attempt("\(pid)", to: "tasks")
            if code != 0 { throw failure("cannot add process \(pid) to \(directory)", code) }
        }
    }

    /// Gives the class other limits.
    func write(_ lines: [String]) throws(RuntimeFailure) {
        let code = CgroupDirectory(path: path).attempt(lines.joined(separator: "\n") + "\n", to: "schemata")
        if code != 0 {
            throw failure("cannot set schemata to \(lines.joined(separator: ", ").quoted) in \(path)", code)
        }
    }

    /// Takes away what belonged to the container alone. Its processes are gone.
    func remove() {
        // A class takes the monitors below it along.
        if isOwn { rmdir(path) } else if let monitor { rmdir(monitor) }
    }

    private func compare(_ lines: [String]) throws(RuntimeFailure) {
        let actual = limits
        for line in lines {
            guard let wanted = CacheLimit(line) else {
                throw RuntimeFailure("linux.intelRdt: \(line.quoted) is no line of schemata; write it as L3:0=ff;1=f0")
            }
            guard let found = actual.first(where: { $0.resource == wanted.resource }), wanted.isWithin(found) else {
                throw RuntimeFailure(
                    "linux.intelRdt: the class of service in \(path) exists and has other limits than \(line.quoted); "
                        + "use its limits, or another closID")
            }
        }
    }

    /// The limits that the class has.
    var limits: [CacheLimit] { Self.limits(in: path) }

    static func limits(in path: String) -> [CacheLimit] {
        (CgroupDirectory(path: path).read("schemata") ?? "").words(10).compactMap { CacheLimit($0) }
    }

    /// The kernel tells there what it did not like; errno knows only "invalid argument".
    private func failure(_ doing: String, _ code: Int32, _ why: String = "") -> RuntimeFailure {
        var failure = RuntimeFailure("linux.intelRdt: \(doing)", errno: code)
        let told = CgroupDirectory(path: "\(mountPoint)/info").read("last_cmd_status") ?? ""
        failure.message += told.isEmpty || told == "ok" ? why : " (\(told))"
        return failure
    }

    private static func isDirectory(_ path: String) -> Bool { CgroupDirectory(path: path).exists }

    /// Of several mounts the last hides the others.
    private static func mountPoint(_ root: String) -> String? {
        guard let bytes = try? RuntimeFiles.contents("\(root)/proc/self/mountinfo") else { return nil }
        var found: String?
        for line in String(decoding: bytes, as: UTF8.self).words(10) {
            let fields = line.words(UInt8(ascii: " "))
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 1 else { continue }
            if fields[dash + 1] == "resctrl" { found = root + MountInfoField.unescaped(fields[4]) }
        }
        return found
    }
}

extension IntelRdtConfig {
    /// What is to be written to `schemata`, in the order that the specification asks for.
    var lines: [String] {
        var lines = (l3CacheSchema ?? "").words(10)
        // Older configurations have the bandwidth in the same text; the field of its own wins.
        if memBwSchema != nil { lines = lines.filter { !$0.hasPrefix("MB:") } }
        return lines + [memBwSchema].compactMap { $0 } + schemata
    }
}

/// A line of `schemata`: which part of a resource each of its instances gives away.
struct CacheLimit: Equatable, Sendable {
    /// `L3`, `L2`, `MB` …
    var resource: String
    /// By the number of the cache; the text after the equals sign, as ``number(_:)`` reads it.
    var parts: [(cache: UInt64, share: UInt64)]

    static func == (left: Self, right: Self) -> Bool {
        left.resource == right.resource && left.parts.elementsEqual(right.parts, by: ==)
    }

    /// Reads `L3:0=ff;1=f0`; the kernel writes blanks before it. nil for anything else.
    init?(_ line: String) {
        let trimmed = line.words(UInt8(ascii: " ")).joined()
        let halves = trimmed.words(UInt8(ascii: ":"))
        guard halves.count == 2 else { return nil }
        resource = halves[0]
        parts = []
        // Shares of a cache are bits in hexadecimal; those of bandwidth are per cent or MB/s.
        let radix = resource.hasPrefix("L") ? 16 : 10
        for part in halves[1].words(UInt8(ascii: ";")) {
            let sides = part.words(UInt8(ascii: "="))
            guard sides.count == 2, let cache = UInt64(sides[0]),
                let share = UInt64(sides[1].hasPrefix("0x") ? String(sides[1].dropFirst(2)) : sides[1], radix: radix)
            else { return nil }
            parts.append((cache, share))
        }
    }

    /// Whether all that is said here is said there too.
    func isWithin(_ other: CacheLimit) -> Bool {
        parts.allSatisfy { part in other.parts.contains { $0 == part } }
    }
}

extension CacheGroup {
    /// For the container's state file.
    var json: JSONValue {
        .members(
            ("mount", .string(mountPoint)), ("path", .string(path)),
            ("monitor", monitor.map { .string($0) } ?? .null), ("own", .bool(isOwn)))
    }

    /// Reads what ``json`` wrote.
    init(json: JSONValue) throws(RuntimeFailure) {
        guard let mountPoint = json["mount"]?.string, let path = json["path"]?.string,
            [path, json["monitor"]?.string ?? path].allSatisfy({
                ($0 == mountPoint || $0.hasPrefix(mountPoint + "/")) && !$0.pathSegments.contains("..")
            })
        else {
            throw RuntimeFailure("the container's state names a class of caches outside of resctrl; is it damaged?")
        }
        self.mountPoint = mountPoint
        self.path = path
        monitor = json["monitor"]?.string
        isOwn = json["own"]?.bool == true && path != mountPoint
    }
}
