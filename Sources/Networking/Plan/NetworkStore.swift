internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem

/// A connection as it is kept: exactly one of the two is there.
struct AttachmentRecord: Equatable, Codable {
    var format = 1
    var bridge: BridgeAttachment?
    var plugin: PluginAttachment?

    var container: String? { bridge?.container ?? plugin?.container }
}

/// A setting of the kernel that was changed: what it was, and what it was made.
struct SettingNote: Equatable, Codable {
    var path: String
    var before: String
    /// Nil for what changes together with another setting.
    var ours: String?
}

/// What is written down about networks. Every file is written under another name, synced and renamed.
struct NetworkStore {
    let directory: String

    private static let largestFile = 1 << 20
    private static let suffix = ".json"

    private var attachments: String { "\(directory)/attachments" }
    private var identityPath: String { "\(directory)/network.json" }
    private var notesPath: String { "\(directory)/settings.json" }

    /// Makes the directory; it belongs to one agent.
    func prepare() throws(NetworkError) {
        do {
            try makeDirectories(attachments, mode: 0o700)
            // What was not renamed when a writer was killed.
            for folder in [directory, attachments] {
                for name in try listDirectory(folder) where name.hasSuffix(".tmp") { unlink("\(folder)/\(name)") }
            }
        } catch {
            throw .file(error)
        }
    }

    private func write(_ value: some Encodable, to path: String) throws(NetworkError) {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            try writeFileAtomically(path, [UInt8](try encoder.encode(value)))
        } catch let error as SystemError {
            throw .file(error)
        } catch {
            throw .system("write \(path)", EINVAL)
        }
    }

    /// Nil when there is no such file.
    private func read<Value: Decodable>(_ path: String, as type: Value.Type) throws(NetworkError) -> Value? {
        do {
            return try JSONDecoder().decode(type, from: Data(try readFile(path, limit: Self.largestFile)))
        } catch let error as SystemError {
            if error.errno == ENOENT { return nil }
            throw .file(error)
        } catch {
            throw NetworkError(.system(errno: EBADMSG), "cannot understand \(path); remove it, or put it right")
        }
    }

    func identity() throws(NetworkError) -> NetworkIdentity? {
        try read(identityPath, as: NetworkIdentity.self)
    }

    func write(_ identity: NetworkIdentity) throws(NetworkError) { try write(identity, to: identityPath) }

    func notes() throws(NetworkError) -> [SettingNote] { try read(notesPath, as: [SettingNote].self) ?? [] }

    func write(_ notes: [SettingNote]) throws(NetworkError) { try write(notes, to: notesPath) }

    /// All that can be read, and what is wrong with the rest.
    func records() throws(NetworkError) -> (records: [AttachmentRecord], problems: [String]) {
        var records: [AttachmentRecord] = []
        var problems: [String] = []
        let names: [String]
        do {
            names = try listDirectory(attachments)
        } catch {
            if error.errno == ENOENT { return ([], []) }
            throw .file(error)
        }
        for name in names where name.hasSuffix(Self.suffix) {
            do throws(NetworkError) {
                guard let record = try read("\(attachments)/\(name)", as: AttachmentRecord.self),
                    let container = record.container, name == container + Self.suffix
                else {
                    problems.append("\(attachments)/\(name) says nothing of a container")
                    continue
                }
                records.append(record)
            } catch {
                problems.append(error.description)
            }
        }
        return (records, problems)
    }

    func write(_ record: AttachmentRecord) throws(NetworkError) {
        guard let container = record.container else { return }
        try write(record, to: "\(attachments)/\(container)\(Self.suffix)")
    }

    /// Not synced: a record that comes back after a crash is of a container that does not run, and so is removed.
    func remove(_ container: String) throws(NetworkError) {
        let path = "\(attachments)/\(container)\(Self.suffix)"
        guard unlink(path) == 0 || errno == ENOENT else { throw .last("remove \(path)") }
    }

    func removeAll() throws(NetworkError) {
        do {
            try removeTree(attachments)
            try removeTree(identityPath)
            try removeTree(notesPath)
        } catch {
            throw .file(error)
        }
    }
}
