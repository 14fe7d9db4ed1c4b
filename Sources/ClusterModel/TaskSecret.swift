/// A secret that a task gets when it starts: one that the cluster keeps, or one that its framework sent along.
///
/// A value is on its way from the framework to the agent only. It is never part of a coded or printed task, so what is
/// stored, logged and shown of a task cannot hold it.
public struct TaskSecret: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The path in the cluster's secrets; nil for one that the framework sent along.
    public var name: String?
    /// What the framework sent along, until the master takes it out of the task.
    public var value: [UInt8]?

    /// Only this is kept of it.
    private enum CodingKeys: String, CodingKey { case name }

    /// Makes a reference to a secret of the cluster.
    public init(name: String) { self.name = name }

    /// Makes a secret that comes with its task.
    public init(value: [UInt8]) { self.value = value }

    /// Which one it is, never what it is.
    public var description: String { name.map { "secret \($0)" } ?? "a secret of the framework" }
}

/// A secret that a task finds in a file.
public struct SecretFile: Hashable, Sendable, Codable {
    /// Where, relative to the task's work directory.
    public var path: String
    /// What is in it.
    public var secret: TaskSecret

    /// Makes a file of a secret.
    public init(path: String, secret: TaskSecret) {
        self.path = path
        self.secret = secret
    }

    /// Says what is wrong with a path, or nil. The parts of a good one are names and nothing else, so that it leads
    /// nowhere but below the work directory.
    public static func defect(ofPath path: String) -> String? {
        if path.hasPrefix("/") { return "is absolute; name a file relative to the task's work directory" }
        if path.utf8.count > 1_024 { return "is longer than 1024 bytes" }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count > 16 { return "has more than 16 parts" }
        for part in parts where part.isEmpty || part == "." || part == ".." || part.utf8.count > 255 {
            return "has an empty part, one of only dots, or one longer than 255 bytes"
        }
        let isPlain = path.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
        return isPlain ? nil : "has control characters"
    }
}

/// The names of secrets.
public enum SecretPath {
    /// Says what is wrong with a path such as `web/database/password`, or nil. What it allows needs no escapes in a URL
    /// or a rule, and leads nowhere as the name of a file.
    public static func defect(of path: String) -> String? {
        if path.utf8.count > 512 { return "is longer than 512 bytes" }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        if segments.count > 16 { return "has more than 16 segments" }
        for segment in segments {
            guard let first = segment.utf8.first else { return "has an empty segment" }
            if segment.utf8.count > 128 { return "has a segment longer than 128 bytes" }
            if first == UInt8(ascii: ".") || first == UInt8(ascii: "-") {
                return "has a segment that begins with a dot or a dash"
            }
            let isFit = segment.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
            if !isFit { return "has other characters than letters, digits and . - _" }
        }
        return nil
    }
}

/// Credentials for registries: secrets of the cluster, each a `config.json` as docker keeps it.
public enum RegistryLogin {
    /// Below this path.
    public static let directory = "registries"

    /// The path for a registry, whose name has a colon at most before its port.
    public static func path(of registry: String) -> String {
        directory + "/" + String(registry.map { $0 == ":" ? "_" : $0 })
    }

    /// The registry of a name below ``directory``.
    public static func registry(of name: String) -> String { String(name.map { $0 == "_" ? ":" : $0 }) }
}

extension TaskInfo {
    /// The most secrets of one task.
    public static let secretLimit = 64
    /// The most bytes of all secrets of one task.
    public static let secretBytesLimit = 256 << 10

    /// The secrets that the task wants: those of its environment, then those in files, in their order.
    public var secrets: [TaskSecret] {
        (command?.environment.compactMap(\.secret) ?? []) + (secretFiles ?? []).map(\.secret)
    }

    /// The task without values of secrets.
    public var withoutSecretValues: TaskInfo {
        var task = self
        for index in task.command?.environment.indices ?? 0..<0 { task.command?.environment[index].secret?.value = nil }
        task.container?.pullSecret?.value = nil
        for index in task.secretFiles?.indices ?? 0..<0 { task.secretFiles?[index].secret.value = nil }
        return task
    }
}
