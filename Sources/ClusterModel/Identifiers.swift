/// A name that one party of the cluster gives to a thing. The scope keeps a task id from being used as an agent id.
///
/// Identifiers are opaque: nothing is read out of their text. `Identifier.check` holds the rule that every
/// identifier from outside must pass before it becomes part of a path, a key or a log line.
public struct Identifier<Scope>: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The text as it stands on the wire.
    public let value: String

    /// Wraps a text that the caller has checked or made itself.
    public init(_ value: String) { self.value = value }

    /// Reads a single JSON string.
    public init(from decoder: any Decoder) throws { value = try decoder.singleValueContainer().decode(String.self) }

    /// Writes a single JSON string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }

    /// Orders by text.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The text itself.
    public var description: String { value }

    /// Says what is wrong with this identifier, or nil when it may be used.
    ///
    /// The rule is Mesos' (`common::validation::validateID`): not empty, at most 255 bytes, no slash, no control
    /// character, and not `.` or `..`, because identifiers become names of directories.
    public var defect: String? {
        if value.isEmpty { return "must not be empty" }
        if value.utf8.count > 255 { return "must not be longer than 255 bytes" }
        if value == "." || value == ".." { return "must not be '.' or '..'" }
        for byte in value.utf8 where byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "/") || byte == 0x5c {
            return "must not contain slashes or control characters"
        }
        return nil
    }
}

/// Scopes of identifiers. They have no values; they only tell one identifier from another.
public enum IdentifierScope {
    /// A node that runs tasks.
    public enum Agent {}
    /// A container made for a task.
    public enum Container {}
    /// An executor of a framework.
    public enum Executor {}
    /// A registered scheduler.
    public enum Framework {}
    /// One life of a master process.
    public enum Master {}
    /// One offer of one agent's resources to one framework.
    public enum Offer {}
    /// An offer operation that reports a status.
    public enum Operation {}
    /// One stream that an agent is asked to open.
    public enum Stream {}
    /// A task, as its framework named it.
    public enum Task {}
}

/// Names an agent; given by the master at the first registration, kept for the agent's whole life.
public typealias AgentID = Identifier<IdentifierScope.Agent>
/// Names the container of one task; given by the agent.
public typealias ContainerID = Identifier<IdentifierScope.Container>
/// Names an executor; the command executor's id is the id of its task.
public typealias ExecutorID = Identifier<IdentifierScope.Executor>
/// Names a framework; given by the master at the first subscription.
public typealias FrameworkID = Identifier<IdentifierScope.Framework>
/// Names one life of a master process.
public typealias MasterID = Identifier<IdentifierScope.Master>
/// Names an offer; never used twice.
public typealias OfferID = Identifier<IdentifierScope.Offer>
/// Names an offer operation; given by the framework that wants to hear of its status.
public typealias OperationID = Identifier<IdentifierScope.Operation>
/// Names a stream that an agent is asked to open to the master.
public typealias StreamID = Identifier<IdentifierScope.Stream>
/// Names a task; given by its framework, unique within it.
public typealias TaskID = Identifier<IdentifierScope.Task>

/// A task of a framework: the pair is unique in a cluster, the task id alone is not.
public struct TaskKey: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// Whose task it is.
    public var framework: FrameworkID
    /// The framework's name for it.
    public var task: TaskID

    /// Makes a key.
    public init(framework: FrameworkID, task: TaskID) {
        self.framework = framework
        self.task = task
    }

    /// Orders by framework, then by task.
    public static func < (left: Self, right: Self) -> Bool {
        (left.framework, left.task) < (right.framework, right.task)
    }

    /// Both parts, for messages.
    public var description: String { "\(task) of framework \(framework)" }
}

/// A role: the name under which frameworks share resources. `*` is the role of everybody.
public struct RoleName: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The text, such as `analytics` or `eng/web`.
    public let value: String
    /// The default role.
    public static let everyone = RoleName("*")

    /// Wraps a text; see `defect`.
    public init(_ value: String) { self.value = value }

    /// Reads a single JSON string.
    public init(from decoder: any Decoder) throws { value = try decoder.singleValueContainer().decode(String.self) }

    /// Writes a single JSON string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }

    /// Orders by text.
    public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

    /// The text itself.
    public var description: String { value }

    /// Says what is wrong with this role, or nil. The rule is Mesos' (docs/roles.md): path components separated by
    /// slashes, none of them empty, `.`, `..`, `*` (unless alone) or starting with a dash; no white space.
    public var defect: String? {
        if value == "*" { return nil }
        if value.isEmpty { return "must not be empty" }
        if value.utf8.count > 255 { return "must not be longer than 255 bytes" }
        for byte in value.utf8 where byte <= 0x20 || byte == 0x7f || byte == 0x5c {
            return "must not contain white space, backslashes or control characters"
        }
        for part in value.split(separator: "/", omittingEmptySubsequences: false) {
            if part.isEmpty { return "must not start or end with a slash or have two in a row" }
            if part == "." || part == ".." || part == "*" { return "must not have '\(part)' as a component" }
            if part.hasPrefix("-") { return "must not have a component that starts with a dash" }
        }
        return nil
    }
}

extension ContainerID {
    /// The container that this one is in, as tasks of a group are in their group's: what stands before the number behind
    /// a dot. Nil for the container of a task on its own.
    public var parent: ContainerID? {
        value.lastIndex(of: ".").map { ContainerID(String(value[..<$0])) }
    }
}
