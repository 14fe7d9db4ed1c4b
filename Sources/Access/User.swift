public import ClusterModel

/// A set of rights with a name.
public enum UserRole: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    /// Everything.
    case administrator
    /// Everything that keeps a cluster and its workloads running. Not: users, keys, the values of secrets, master nodes,
    /// and commands as root, since each of those leads to everything.
    case `operator`
    /// Workloads of one Mesos role and of those below it.
    case user(of: RoleName)
    /// Looks on.
    case viewer

    /// Reads `administrator`, `operator`, `user:ROLE` or `viewer`.
    ///
    /// - Parameter text: the role.
    /// - Throws: ``AccessFault`` that says what roles there are.
    public init(_ text: String) throws(AccessFault) {
        switch text {
        case "administrator": self = .administrator
        case "operator": self = .operator
        case "viewer": self = .viewer
        default:
            guard text.hasPrefix("user:") else {
                throw AccessFault(
                    "there is no role '\(text.prefix(64))'; there are administrator, operator, user:ROLE and viewer")
            }
            let role = RoleName(String(text.dropFirst("user:".count)))
            if let defect = role.defect { throw AccessFault("the Mesos role '\(role.value.prefix(64))' \(defect)") }
            self = .user(of: role)
        }
    }

    /// The form that ``init(_:)`` reads.
    public var description: String {
        switch self {
        case .administrator: "administrator"
        case .operator: "operator"
        case .user(let role): "user:" + role.value
        case .viewer: "viewer"
        }
    }

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

/// What a user may do.
public struct Grants: Hashable, Sendable, Codable {
    /// The most roles and the most rules of one user.
    public static let limit = 64
    /// No rights but those over the own account.
    public static let none = Grants()

    /// Named sets of rights.
    public var roles: Set<UserRole>
    /// Single rights.
    public var rules: Set<AccessRule>

    /// Makes grants.
    public init(roles: Set<UserRole> = [], rules: Set<AccessRule> = []) {
        self.roles = roles
        self.rules = rules
    }

    /// Says what is wrong with them, or nil.
    public var defect: String? {
        if roles.count > Self.limit { return "a user has at most \(Self.limit) roles" }
        if rules.count > Self.limit { return "a user has at most \(Self.limit) rules" }
        return nil
    }
}

/// Somebody with an account: a person, or a service such as a framework. How it proves that is kept elsewhere.
public struct User: Hashable, Sendable, Codable {
    /// Who has the account.
    public enum Kind: String, Hashable, Sendable, Codable {
        /// Somebody with a password.
        case person
        /// A program with a key or a secret; DC/OS calls it a service account.
        case service
    }

    /// Unique in the cluster; DC/OS calls it uid, Mesos principal.
    public var name: String
    /// Person or service.
    public var kind: Kind
    /// For people; at most 255 bytes.
    public var summary: String
    /// What it may do.
    public var grants: Grants

    /// Makes a user.
    public init(name: String, kind: Kind, summary: String = "", grants: Grants = .none) {
        self.name = name
        self.kind = kind
        self.summary = summary
        self.grants = grants
    }

    /// Says what is wrong with the user, or nil when there may be one like this.
    public var defect: String? {
        if let defect = Self.defect(ofName: name) { return "the user's name " + defect }
        if summary.utf8.count > 255 { return "the user's description must not be longer than 255 bytes" }
        if summary.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) {
            return "the user's description must not contain control characters"
        }
        return grants.defect
    }

    /// Says what is wrong with a name, or nil: 1 to 96 letters, digits and `. - _ @ +`, the first not a dot or a dash.
    public static func defect(ofName name: String) -> String? {
        guard let first = name.utf8.first else { return "must not be empty" }
        if name.utf8.count > 96 { return "must not be longer than 96 bytes" }
        let isFit = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "@"), UInt8(ascii: "+"): true
            default: false
            }
        }
        if !isFit { return "must consist of letters, digits and . - _ @ +" }
        if first == UInt8(ascii: ".") || first == UInt8(ascii: "-") { return "must not begin with a dot or a dash" }
        return nil
    }
}
