internal import Glibc
internal import LinuxSystem

/// What `rondo cluster init` and `join` have made for the service, so that `leave --purge` removes that and nothing
/// else. It is written before anything is made.
package struct ServiceRecord: Equatable {
    static let path = "/etc/rondo/made"

    /// In the order in which they were made: a file, a folder with a slash behind it, or a name of a variable that was
    /// added to a file of settings that was there already.
    package private(set) var entries: [String]

    /// What was recorded earlier.
    init() { entries = Self.parse((try? readFile(Self.path, limit: 1 << 16)) ?? []) }

    package init(entries: [String]) { self.entries = entries }

    /// Paths and names of our own only: whatever else has come into the file, it removes nothing.
    package static func parse(_ bytes: [UInt8]) -> [String] {
        let files = [ServiceUnit.path, ServiceSettings.path, "/etc/rondo/", "/etc/systemd/system/", "/etc/systemd/"]
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init).filter { entry in
            files.contains(entry)
                || entry.hasPrefix("RONDO_")
                    && entry.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (0x41...0x5A).contains($0) }
        }
    }

    package mutating func add(_ entry: String) { if !entries.contains(entry) { entries.append(entry) } }

    func has(_ entry: String) -> Bool { entries.contains(entry) }

    func store() throws(SystemError) {
        try makeDirectories("/etc/rondo")
        try writeFileAtomically(
            Self.path,
            Array(("# What rondo has made here for its service.\n" + entries.joined(separator: "\n") + "\n").utf8),
            mode: 0o644)
    }

    /// Removes all that is in it, and itself. Folders stay while others have something in them.
    func removeAll() {
        unlink(Self.path)
        let names = Set(entries.filter { $0.hasPrefix("RONDO_") })
        if !names.isEmpty, !has(ServiceSettings.path), let bytes = try? readFile(ServiceSettings.path, limit: 1 << 20) {
            let lines = ServiceSettings.lines(of: String(decoding: bytes, as: UTF8.self), without: names)
            let text = lines.map { $0 + "\n" }.joined()
            try? writeFileAtomically(ServiceSettings.path, Array(text.utf8))
        }
        for entry in entries.reversed() where entry.hasPrefix("/") {
            if entry.hasSuffix("/") { rmdir(entry) } else { unlink(entry) }
        }
    }
}
