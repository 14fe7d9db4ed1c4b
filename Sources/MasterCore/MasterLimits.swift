import ClusterModel

/// Bounds on what parties say of themselves. Each is far above honest use, and together they keep every record of the
/// registry below what one value of the store may have, and every checkpoint of an agent small. Sizes are in bytes as
/// stored, so a control character counts as its escape.
enum Limits {
    /// One text of a framework, such as its name.
    static let text = 4 * 1_024
    /// Roles of one framework.
    static let roles = 64
    /// All labels of one framework.
    static let labels = 64 * 1_024
    /// The description of one task without its resources.
    static let task = 64 * 1_024
    /// The description of one agent.
    static let agent = 128 * 1_024
    /// The names of the condemned tasks of one agent.
    static let condemned = 128 * 1_024
    /// One part of an agent's origin.
    static let origin = 256
    /// Copies of one agent that are spoken of.
    static let copies = 8
}

/// How much room values take in the store, estimated from above.
enum StoredSize {
    static func of(_ text: String?) -> Int {
        guard let text else { return 0 }
        var size = 2
        for byte in text.utf8 {
            switch byte {
            case ..<0x20: size += 6
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): size += 2
            default: size += 1
            }
        }
        return size
    }

    static func of(_ labels: [Label]) -> Int { labels.reduce(0) { $0 + 20 + of($1.key) + of($1.value) } }

    static func of(_ key: TaskKey) -> Int { 32 + 2 * (key.framework.value.utf8.count + key.task.value.utf8.count) }

    static func of(_ task: TaskInfo) -> Int {
        var size = of(task.name) + (task.data?.count ?? 0) + of(task.labels)
        if let command = task.command {
            size += of(command.value) + of(command.user)
            for argument in command.arguments { size += 1 + of(argument) }
            for variable in command.environment {
                size += 60 + of(variable.name) + of(variable.value) + of(variable.secret?.name)
            }
            for uri in command.uris { size += 80 + of(uri.value) + of(uri.outputFile) }
        }
        for file in task.secretFiles ?? [] { size += 60 + of(file.path) + of(file.secret.name) }
        if let discovery = task.discovery {
            size += of(discovery.visibility) + of(discovery.name) + of(discovery.environment)
            size += of(discovery.location) + of(discovery.version) + of(discovery.labels)
            for port in discovery.ports { size += 80 + of(port.name) + of(port.transport) + of(port.labels) }
        }
        return size
    }

    static func of(_ agent: AgentInfo) -> Int {
        var size = of(agent.hostname) + of(agent.address) + of(agent.version)
        size += of(agent.domain?.region) + of(agent.domain?.zone)
        for attribute in agent.attributes {
            size += 60 + of(attribute.name)
            switch attribute.value {
            case .text(let text): size += of(text)
            case .scalar: break
            case .ranges(let ranges): size += of(ranges)
            }
        }
        for item in agent.resources.items { size += of(item) }
        return size
    }

    private static func of(_ item: Resource) -> Int {
        var size = 160 + of(item.kind.name)
        for reservation in item.kind.reservations {
            size += 80 + of(reservation.role.value) + of(reservation.principal) + of(reservation.labels)
        }
        if let disk = item.kind.disk {
            size += 120 + of(disk.persistenceID) + of(disk.principal) + of(disk.containerPath)
            size += of(disk.sourceRoot) + of(disk.sourceKind)
        }
        switch item.value {
        case .scalar: break
        case .ranges(let ranges): size += of(ranges)
        case .set(let names): for name in names { size += 1 + of(name) }
        }
        return size
    }

    private static func of(_ ranges: RangeSet) -> Int { 64 * ranges.ranges.count }
}
