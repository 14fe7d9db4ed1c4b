internal import Appliance
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import Transport

/// A cluster that the command line knows: where it is, whom it trusts there, and as whom it speaks.
struct ClusterContext: Codable, Equatable, Sendable {
    var name: String
    /// `ADDRESS:PORT` of a master.
    var address: String
    /// The cluster's authority in PEM; nil for a master without TLS.
    var authority: String?
    /// The credential; nil before a login.
    var token: String?
    /// Whose it is.
    var user: String?
}

/// The clusters of a person: `~/.config/rondo/contexts.json`, readable by its owner only.
struct Contexts: Codable, Equatable, Sendable {
    static let format = 1
    var format = Self.format
    /// The one that commands use when nothing else is said.
    var current: String?
    var contexts: [ClusterContext] = []

    /// `RONDO_CONTEXTS`, else below `XDG_CONFIG_HOME`, else below the home directory.
    static var path: String? {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        if let path = variable("RONDO_CONTEXTS") { return path }
        if let directory = variable("XDG_CONFIG_HOME") { return directory + "/rondo/contexts.json" }
        return variable("HOME").map { $0 + "/.config/rondo/contexts.json" }
    }

    /// What is kept; nothing when there is no file.
    static func load() throws -> Contexts {
        guard let path else { return Contexts() }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(path, limit: 4 << 20) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR || error.errno == EACCES { return Contexts() }
            throw ApplianceError(.failure, "cannot read the contexts: \(error)")
        }
        guard let found = try? JSONDecoder().decode(Contexts.self, from: Data(bytes)), found.format <= format else {
            throw ApplianceError(.failure, "\(path) is damaged or of a newer release; remove it and log in again")
        }
        return found
    }

    func save() throws {
        guard let path = Self.path else {
            throw ApplianceError(
                .failure, "there is no home directory to keep contexts in; set RONDO_CONTEXTS to a file")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let bytes = [UInt8](try encoder.encode(self)) + [10]
        do throws(SystemError) {
            if let slash = path.lastIndex(of: "/") { try makeDirectories(String(path[..<slash]), mode: 0o700) }
            try writeFileAtomically(path, bytes, mode: 0o600)
        } catch { throw ApplianceError(.failure, "cannot keep the contexts: \(error)") }
    }

    func named(_ name: String) throws -> ClusterContext {
        guard let found = contexts.first(where: { $0.name == name }) else {
            throw ApplianceError(.failure, "no context '\(name)'; `rondo context list` shows those there are")
        }
        return found
    }

    /// The context in use.
    var inUse: ClusterContext? { current.flatMap { name in contexts.first { $0.name == name } } }

    /// Puts a context in place of one of that name.
    mutating func put(_ context: ClusterContext) {
        contexts.removeAll { $0.name == context.name }
        contexts.append(context)
        contexts.sort { $0.name < $1.name }
    }
}
