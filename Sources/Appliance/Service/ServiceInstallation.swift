internal import Glibc
internal import LinuxSystem

/// Puts what the service needs in its place, and takes it back when the service does not start.
struct ServiceInstallation {
    private let systemd: Systemd
    private let known: Systemd.State
    private let record: ServiceRecord
    private let settings: [UInt8]?
    private var madeUnit = false
    private var enabled = false

    /// Remembers what is there, and what systemd knew of the service before.
    init(_ systemd: Systemd, _ known: Systemd.State) {
        self.systemd = systemd
        self.known = known
        record = ServiceRecord()
        settings = try? readFile(ServiceSettings.path, limit: 1 << 20)
    }

    /// The settings that are there.
    var text: String? { settings.map { String(decoding: $0, as: UTF8.self) } }

    mutating func install(_ wanted: ServiceSettings, program: String) throws {
        do throws(SystemError) {
            let new = try recorded(wanted)
            if new != record { try new.store() }
            try makeDirectories("/etc/systemd/system")
            let unit = Array(ServiceUnit.text(program: program).utf8)
            // A unit of somebody else stays as it is.
            if new.has(ServiceUnit.path), (try? readFile(ServiceUnit.path, limit: 1 << 20)) != unit {
                madeUnit = !record.has(ServiceUnit.path)
                try writeFileAtomically(ServiceUnit.path, unit, mode: 0o644)
            }
            try writeFileAtomically(ServiceSettings.path, Array(wanted.merged(into: text).utf8))
        } catch { throw ApplianceError(.failure, "the service cannot be made: \(error); --foreground needs none") }
        try systemd.tell("daemon-reload")
        if known.file != "enabled" {
            try systemd.tell("enable", ServiceUnit.name)
            enabled = true
        }
    }

    /// What will have been made, with what was made before.
    private func recorded(_ wanted: ServiceSettings) throws(SystemError) -> ServiceRecord {
        var new = record
        if access("/etc/rondo", F_OK) != 0 { new.add("/etc/rondo/") }
        if !known.isKnown {
            for folder in ["/etc/systemd", "/etc/systemd/system"] where access(folder, F_OK) != 0 {
                new.add(folder + "/")
            }
            new.add(ServiceUnit.path)
        }
        if settings == nil {
            new.add(ServiceSettings.path)
        } else if let text, !new.has(ServiceSettings.path) {
            let there = Set(text.split(separator: "\n").compactMap { $0.split(separator: "=").first.map(String.init) })
            for (name, _) in wanted.variables where !there.contains(name) { new.add(name) }
        }
        return new
    }

    /// The machine as it was before `install`.
    func undo() {
        _ = try? systemd.tell("stop", ServiceUnit.name)
        if enabled { _ = try? systemd.tell("disable", ServiceUnit.name) }
        if let settings {
            try? writeFileAtomically(ServiceSettings.path, settings)
        } else {
            unlink(ServiceSettings.path)
        }
        if madeUnit { unlink(ServiceUnit.path) }
        let now = ServiceRecord()
        if record.entries.isEmpty { unlink(ServiceRecord.path) } else { try? record.store() }
        for entry in now.entries.reversed() where entry.hasSuffix("/") && !record.has(entry) { rmdir(entry) }
        _ = try? systemd.tell("daemon-reload")
        _ = try? systemd.tell("reset-failed", ServiceUnit.name)
        if known.isUp { _ = try? systemd.tell("start", "--no-block", ServiceUnit.name) }
    }
}
