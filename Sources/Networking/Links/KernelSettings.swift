internal import Glibc
internal import LinuxSystem

/// Settings below /proc/sys/net of the network namespace that this thread is in.
struct KernelSettings {
    let store: NetworkStore

    private static let root = "/proc/sys/net/"
    private static let ipv4Forwarding = "ipv4/ip_forward"
    private static let ipv6Forwarding = "ipv6/conf/all/forwarding"

    static func read(_ name: String) -> String? {
        guard let bytes = try? readFile(root + name, limit: 4096) else { return nil }
        return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
    }

    static func write(_ name: String, _ value: String) throws(NetworkError) {
        do {
            let file = try FileDescriptor.open(root + name, flags: O_WRONLY)
            try file.writeAll(Array("\(value)\n".utf8), path: root + name)
        } catch {
            throw NetworkError(
                .system(errno: error.errno),
                "cannot set \(name) to \(value): \(error.reason); /proc/sys must be writable for this")
        }
    }

    static var hasIPv6: Bool { read(ipv6Forwarding) != nil && read("ipv6/conf/all/disable_ipv6") != "1" }

    private static func names(_ family: String) -> [String] { (try? listDirectory("\(root)\(family)/conf")) ?? [] }

    /// Lets packets pass between interfaces. What was there before is on the disk first, for `restore`.
    func forward(ipv6: Bool) throws(NetworkError) {
        var notes = try store.notes()
        var wanted: [(name: String, value: String)] = []
        if let before = Self.read(Self.ipv4Forwarding), before == "0" {
            wanted.append((Self.ipv4Forwarding, "1"))
            // The kernel changes these along with it.
            note(&notes, ["ipv4/conf/all/accept_redirects"] + Self.names("ipv4").map { "ipv4/conf/\($0)/forwarding" })
        }
        if ipv6, let before = Self.read(Self.ipv6Forwarding), before == "0" {
            let names = Self.names("ipv6")
            // A host that forwards ignores routers' advertisements unless told otherwise, and would lose its own
            // default route.
            let listening = names.map { "ipv6/conf/\($0)/accept_ra" }.filter { Self.read($0) == "1" }
            note(&notes, names.map { "ipv6/conf/\($0)/forwarding" })
            wanted += listening.map { ($0, "2") }
            wanted.append((Self.ipv6Forwarding, "1"))
        }
        if wanted.isEmpty { return }
        for (name, value) in wanted {
            guard let before = Self.read(name) else { continue }
            if let place = notes.firstIndex(where: { $0.path == name }) {
                notes[place].ours = value
            } else {
                notes.append(SettingNote(path: name, before: before, ours: value))
            }
        }
        try store.write(notes)
        for (name, value) in wanted { try Self.write(name, value) }
    }

    private func note(_ notes: inout [SettingNote], _ names: [String]) {
        for name in names where !notes.contains(where: { $0.path == name }) {
            if let before = Self.read(name) { notes.append(SettingNote(path: name, before: before, ours: nil)) }
        }
    }

    /// Puts back what is still as it was made here. What somebody else has changed since is theirs.
    func restore() throws(NetworkError) {
        let notes = try store.notes()
        var areAllOurs = true
        for note in notes where note.ours != nil {
            guard let now = Self.read(note.path) else { continue }
            if now == note.ours { try Self.write(note.path, note.before) } else { areAllOurs = false }
        }
        if !areAllOurs { return }
        for note in notes where note.ours == nil {
            if let now = Self.read(note.path), now != note.before { try Self.write(note.path, note.before) }
        }
    }
}
