/// One right that a user has beside those of its roles: `VERB:OBJECT`.
///
/// The verb is one of ``Action/verb``, a group of them such as `view.*`, or `*`. The object is one exact name, `PATH/**`
/// for everything below a path, or `**` for everything. The single asterisk is no wildcard in an object: it is the name
/// of Mesos' role of everybody. Rules only add rights, so their order means nothing and none can hide another.
public struct AccessRule: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    /// The object that stands for all.
    public static let everything = "**"
    /// The longest rule in bytes.
    public static let textLimit = 320

    /// The verb or group of verbs.
    public let verb: String
    /// The object or the pattern of objects.
    public let object: String

    /// Reads a rule.
    ///
    /// - Parameter text: `VERB:OBJECT`.
    /// - Throws: ``AccessFault`` that says what is wrong with it.
    public init(_ text: String) throws(AccessFault) {
        guard text.utf8.count <= Self.textLimit else {
            throw AccessFault("a rule is longer than \(Self.textLimit) bytes")
        }
        guard let colon = text.firstIndex(of: ":") else {
            throw AccessFault("the rule '\(text)' has no colon; write VERB:OBJECT, such as framework.register:web")
        }
        let verb = String(text[..<colon])
        let object = String(text[text.index(after: colon)...])
        guard Self.isVerb(verb) else {
            throw AccessFault(
                "the rule '\(text)' begins with no right that there is; see the table of rights, or use * for all")
        }
        guard Self.isObject(object) else {
            throw AccessFault(
                "the rule '\(text)' does not end in a name, in PATH/** or in **; an asterisk is no wildcard elsewhere")
        }
        self.verb = verb
        self.object = object
    }

    /// Whether this rule gives the right to an action.
    public func allows(_ action: Action) -> Bool { matches(verb: action.verb) && matches(object: action.object) }

    private func matches(verb other: String) -> Bool {
        if verb == "*" || verb == other { return true }
        return verb.hasSuffix(".*") && other.hasPrefix(verb.dropLast())
    }

    private func matches(object other: String) -> Bool {
        if object == Self.everything { return true }
        // The whole cluster is more than any name or path.
        if other == Self.everything { return false }
        guard object.hasSuffix("/**") else { return object == other }
        let path = object.dropLast(2)
        return other.utf8.count > path.utf8.count && other.hasPrefix(path)
    }

    private static func isVerb(_ text: String) -> Bool {
        if text == "*" || verbs.contains(text) { return true }
        return text.hasSuffix(".*") && verbs.contains { $0.hasPrefix(text.dropLast()) }
    }

    private static func isObject(_ text: String) -> Bool {
        guard !text.isEmpty, text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }) else {
            return false
        }
        if text == everything || text == "*" { return true }
        let name = text.hasSuffix("/**") ? text.dropLast(3) : text[...]
        return !name.isEmpty && !name.utf8.contains(UInt8(ascii: "*"))
    }

    /// Every right that there is, in alphabetical order.
    public static let verbs: [String] = [
        "account.manage", "audit.read", "catalog.change", "catalog.install", "framework.register",
        "framework.tear-down", "keys.manage", "node.drain", "node.evict", "node.leave", "node.mark-gone",
        "node.take-part", "resources.reserve", "role.quota", "role.weight", "secret.list", "secret.read",
        "secret.write", "task.exec", "task.kill", "task.run-as", "tokens.manage", "users.manage",
        "view.environments", "view.files", "view.logs", "view.state",
    ]

    /// The form that ``init(_:)`` reads.
    public var description: String { verb + ":" + object }

    /// Orders by text.
    public static func < (left: Self, right: Self) -> Bool { left.description < right.description }

    /// Reads a single JSON string.
    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes a single JSON string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A name, role or rule that cannot be.
public struct AccessFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what to do; lower case, no full stop.
    public let description: String

    /// A fault with its message.
    public init(_ description: String) { self.description = description }
}
